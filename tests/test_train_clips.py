"""Training examples come in pairs, and do not depend on how they are loaded."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from detector.faces.mtcnn import FaceFinder
from tests.clips import moving_portrait, portrait, write_clip
from train.clips import CLIP_MIX, FAMILIES, FAMILY_OF, ClipConfig, Faces, Pairs, collate
from train.index import COLUMNS
from train.neural import chosen_clips, decoder, encoder, load_part, write_neural
from train.prepare import (
    PrepareConfig,
    StoredFace,
    prepare,
    prepare_row,
    read_shards,
    write_video,
)
from train.verbs import DataError


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video, a crop and a still of each label; and a file that is no video."""
    folder = tmp_path_factory.mktemp("shards")
    cv2.imwrite(str(folder / "face.png"), portrait(200)[..., ::-1])
    write_clip(folder / "talk.mp4", moving_portrait(12))
    (folder / "broken.mp4").write_text("no video at all")
    rows = [("talk.mp4", "video", "REAL"), ("broken.mp4", "video", "REAL")]
    rows += [("talk.mp4", "video", "FAKE")]
    rows += [("face.png", kind, label) for kind in ("crop", "still") for label in ("REAL", "FAKE")]
    table = pd.DataFrame(
        [
            {name: "" for name in COLUMNS}
            | {"path": str(folder / path), "row": -1, "kind": kind, "label": label}
            | {"identity": f"{kind}{label}", "split": "train"}
            for path, kind, label in rows
        ]
    )
    assert prepare(table, folder / "out", PrepareConfig(frames=10)) == (6, 1)
    assert prepare(table, folder / "out", PrepareConfig(frames=10)) == (0, 0)  # nothing is left
    return folder / "out"


def test_a_broken_file_is_a_row_with_its_reason(shards: Path) -> None:
    rows = pd.concat([pd.read_parquet(path) for path in shards.glob("*.parquet")])
    broken = rows[rows["path"].str.contains("broken")]
    assert len(broken) == 1
    assert broken["status"].iloc[0] != "ok"


def test_every_face_of_a_video_has_a_quality(shards: Path) -> None:
    table, _ = read_shards(shards)
    video = table[table["kind"] == "video"]
    assert (video["size"] > 40).all()
    assert (video["frontal"] > 0.3).all()


@pytest.mark.parametrize(
    ("pick", "expected"), [("first", [0, 1, 2]), ("consecutive", [4, 5, 6]), ("even", [0, 4, 8])]
)
def test_the_requested_frames_are_kept(tmp_path: Path, pick: str, expected: list[int]) -> None:
    write_clip(tmp_path / "talk.mp4", moving_portrait(12))
    row = {"kind": "video", "path": str(tmp_path / "talk.mp4")}
    faces = prepare_row(row, FaceFinder(), PrepareConfig(frames=3, pick=pick))
    assert [round(face.second * 25) for face in faces] == expected


@pytest.mark.parametrize(("codec", "loss"), [("ffv1", 0), ("mjpeg", 4)])
def test_faces_are_written_as_a_video_too(
    shards: Path, tmp_path: Path, codec: str, loss: int
) -> None:
    table, pixels = read_shards(shards)
    rows = table[table["kind"] == "video"]
    images = pixels[rows["shard"].iloc[0]][rows["place"].to_numpy()]
    faces = [StoredFace(image, 0.0, np.zeros(3), np.zeros((5, 2))) for image in images]
    suffix = ".mkv" if codec == "ffv1" else ".avi"
    write_video(tmp_path / f"clip{suffix}", faces, codec)
    with av.open(str(tmp_path / f"clip{suffix}")) as container:
        read = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert np.abs(np.stack(read).astype(int) - images).mean() <= loss


def test_landmarks_are_on_the_stored_face(shards: Path) -> None:
    table, pixels = read_shards(shards)
    video = table[(table["kind"] == "video") & (table["label"] == "REAL")]
    assert len(video) == 10
    points = np.stack(video["landmarks"].to_list()).reshape(-1, 5, 2)
    side = pixels[video["shard"].iloc[0]].shape[1]
    assert ((points > 0.15 * side) & (points < 0.85 * side)).all()


@pytest.mark.parametrize("recipe", sorted(CLIP_MIX))
def test_a_pair_is_a_real_clip_and_a_fake_one(shards: Path, recipe: str) -> None:
    config = ClipConfig(size=64, frames=4, mix={recipe: 1.0})
    pair = Pairs(Faces(shards, "train"), config, 3)[0]
    assert pair.images.shape == (2, 4, 64, 64, 3)
    assert pair.fake[0].max() == 0
    assert pair.fake[1].max() == 1
    assert pair.mask[0].max() == 0
    assert pair.family[0] == -1
    assert (FAMILIES[pair.family[1]] if pair.family[1] >= 0 else "") == FAMILY_OF[recipe]


def test_a_pair_depends_on_its_number_alone(shards: Path) -> None:
    """So a restart, and any number of workers, sees the same examples."""
    faces, config = Faces(shards, "train"), ClipConfig(size=48)
    first, again = (Pairs(faces, config, 9)[7].images for _ in range(2))
    np.testing.assert_array_equal(first, again)


def detail(images: np.ndarray) -> float:
    """The amount of fine detail in (T, S, S, 3) images."""
    return float(np.mean([cv2.Laplacian(image, cv2.CV_32F).var() for image in images]))


def test_a_real_face_can_have_one_upload_more_behind_it_than_its_fake(shards: Path) -> None:
    """Here both are the same picture, so without that they are equally sharp."""
    for share in (0.0, 1.0):
        config = ClipConfig(size=96, mix={"labelled": 1.0}, real_uploads=share)
        pairs = Pairs(Faces(shards, "train"), config, 12)
        real, fake = (sum(detail(pairs[k].images[side]) for k in range(12)) for side in (0, 1))
        assert (real < 0.8 * fake) == bool(share)


def test_real_and_fake_of_a_pair_stay_neighbours_in_a_batch(shards: Path) -> None:
    pairs = Pairs(Faces(shards, "train"), ClipConfig(size=48, frames=3), 4)
    batch = collate([pairs[k] for k in range(4)])
    assert batch.clips.shape == (8, 3, 3, 48, 48)
    assert batch.fake.amax(1).tolist() == [0, 1] * 4


def test_a_split_without_faces_is_refused(shards: Path) -> None:
    with pytest.raises(ValueError, match="no real faces"):
        Pairs(Faces(shards, "val"), ClipConfig(), 1)


def test_a_fake_video_is_paired_with_a_real_one_of_its_source(shards: Path, tmp_path: Path) -> None:
    """One camera and one codec for both; where the source has no real video, any will do."""
    table, pixels = read_shards(shards)
    video = table[table["kind"] == "video"].reset_index(drop=True)
    sources = ["a", "a", "b"]
    copies = [video[video["label"] == label] for label in ("REAL", "FAKE", "REAL")]
    for number, (part, source) in enumerate(zip(copies, sources, strict=True)):
        part.assign(dataset=source, method=source).to_parquet(tmp_path / f"v{number}.parquet")
        np.save(tmp_path / f"v{number}.npy", pixels[part["shard"].iloc[0]])
    faces = Faces(tmp_path, "train")
    (fake,) = faces.videos_fake
    assert [faces.table["dataset"].iloc[rows[0]] for rows in faces.same_source(fake)] == ["a"]
    assert len(faces.videos_real) == 2


def test_a_method_of_many_clips_is_not_drawn_more_often(shards: Path, tmp_path: Path) -> None:
    table, pixels = read_shards(shards)
    fake = table[(table["kind"] == "video") & (table["label"] == "FAKE")]
    parts = [fake.assign(clip=k, method="common" if k else "rare") for k in range(17)]
    pd.concat(parts).to_parquet(tmp_path / "v.parquet")
    np.save(tmp_path / "v.npy", pixels[fake["shard"].iloc[0]])
    faces, rng = Faces(tmp_path, "train"), np.random.default_rng(0)
    drawn = [faces.draw(faces.videos_fake, rng)[0] for _ in range(400)]
    rare = np.mean(faces.table["method"].iloc[drawn] == "rare")
    assert 0.13 < rare < 0.28  # one clip in seventeen; one method in two; the root of 16 is 4


def test_faces_redrawn_by_a_network_are_stored_once_and_blended_anew(
    shards: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    parts = encoder().eval(), decoder().eval()
    for file in shards.glob("*.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    faces, rng = Faces(tmp_path, "train"), np.random.default_rng(0)
    rows = chosen_clips(faces, stills=1, videos=1, frames=3, rng=rng)
    write_neural(faces, rows, parts, tmp_path / "neural-0", rng)
    real = faces.read(rows[1])[0].images
    faces = Faces(tmp_path, "train")
    still, video = faces.neural
    assert len(still) == 1
    assert len(video) == 3
    originals = faces.read_originals(video)
    np.testing.assert_array_equal(originals, real)
    assert np.abs(originals.astype(int) - faces.read(video)[0].images).mean() > 5
    pairs = Pairs(faces, ClipConfig(size=48, mix={"neural": 1.0}), 8)
    drawn = [pairs[k] for k in range(8)]
    assert {FAMILIES[pair.family[1]] for pair in drawn} == {"whole_face"}
    assert len({round(float(pair.mask[1].mean()), 3) for pair in drawn}) > 2


def test_an_autoencoder_of_another_make_is_refused(tmp_path: Path) -> None:
    save_file(decoder().state_dict(), tmp_path / "d.safetensors")
    load_part(decoder(), tmp_path / "d.safetensors")
    with pytest.raises(DataError, match=r"d\.safetensors does not fit"):
        load_part(encoder(), tmp_path / "d.safetensors")
