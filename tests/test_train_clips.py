"""Training examples come in pairs, and do not depend on how they are loaded."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest

from detector.faces.mtcnn import FaceFinder
from tests.clips import moving_portrait, portrait, write_clip
from train.clips import CLIP_MIX, FAMILIES, FAMILY_OF, ClipConfig, Faces, Pairs, collate
from train.index import COLUMNS
from train.prepare import (
    PrepareConfig,
    StoredFace,
    prepare,
    prepare_row,
    read_shards,
    write_video,
)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video, two crops and two stills, one of each label; and a file that is no video."""
    folder = tmp_path_factory.mktemp("shards")
    cv2.imwrite(str(folder / "face.png"), portrait(200)[..., ::-1])
    write_clip(folder / "talk.mp4", moving_portrait(12))
    (folder / "broken.mp4").write_text("no video at all")
    rows = [("talk.mp4", "video", "REAL"), ("broken.mp4", "video", "REAL")]
    rows += [("face.png", kind, label) for kind in ("crop", "still") for label in ("REAL", "FAKE")]
    table = pd.DataFrame(
        [
            {name: "" for name in COLUMNS}
            | {"path": str(folder / path), "row": -1, "kind": kind, "label": label}
            | {"identity": f"{kind}{label}", "split": "train"}
            for path, kind, label in rows
        ]
    )
    assert prepare(table, folder / "out", PrepareConfig(frames=10)) == (5, 1)
    assert prepare(table, folder / "out", PrepareConfig(frames=10)) == (0, 0)  # nothing is left
    return folder / "out"


def test_a_broken_file_is_a_row_with_its_reason(shards: Path) -> None:
    rows = pd.concat([pd.read_parquet(path) for path in shards.glob("*.parquet")])
    broken = rows[rows["path"].str.contains("broken")]
    assert len(broken) == 1
    assert broken["status"].iloc[0] != "ok"


def test_every_face_of_a_video_says_how_well_it_can_be_judged(shards: Path) -> None:
    table, _ = read_shards(shards)
    video = table[table["kind"] == "video"]
    assert (video["size"] > 40).all()
    assert (video["frontal"] > 0.3).all()


@pytest.mark.parametrize(
    ("pick", "expected"), [("first", [0, 1, 2]), ("consecutive", [4, 5, 6]), ("even", [0, 4, 8])]
)
def test_the_frames_that_were_asked_for_are_kept(
    tmp_path: Path, pick: str, expected: list[int]
) -> None:
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


def test_landmarks_lie_on_the_stored_face(shards: Path) -> None:
    table, pixels = read_shards(shards)
    video = table[table["kind"] == "video"]
    assert len(video) == 10
    points = np.stack(video["landmarks"].to_list()).reshape(-1, 5, 2)
    side = next(iter(pixels.values())).shape[1]
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
    assert FAMILIES[pair.family[1]] == FAMILY_OF[recipe]


def test_a_pair_depends_on_its_number_alone(shards: Path) -> None:
    """So a restart, and any number of workers, sees the same examples."""
    faces, config = Faces(shards, "train"), ClipConfig(size=48)
    first, again = (Pairs(faces, config, 9)[7].images for _ in range(2))
    np.testing.assert_array_equal(first, again)


def detail(images: np.ndarray) -> float:
    """How much fine detail (T, S, S, 3) images hold."""
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
