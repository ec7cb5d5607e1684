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
from detector.model.cnn_lstm import CnnLstm, pool
from tests.clips import moving_portrait, portrait, write_clip
from train.clips import CLIP_MIX, FAMILIES, FAMILY_OF, ClipConfig, Faces, Pairs, collate
from train.fit import neutral_loss, without_face
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
from train.run import config_of, ranking_loss
from train.stages import mixed_styles
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


def test_the_ranking_loss_ignores_what_both_faces_of_a_pair_share() -> None:
    # Real, fake, real, fake.
    logits = torch.tensor([-1.0, 1.0, 0.5, 0.2])
    loss = ranking_loss(logits)
    camera = torch.tensor([3.0, 3.0, -2.0, -2.0])
    assert ranking_loss(logits + camera) == pytest.approx(float(loss))
    assert ranking_loss(logits + torch.tensor([0.0, 1.0, 0.0, 1.0])) < loss


def test_copies_without_detail_or_face_teach_that_they_are_no_evidence() -> None:
    """Trained on those alone, a network is undecided about a picture without detail, and keeps the
    norm statistics that belong to pictures with it."""
    torch.manual_seed(0)
    model = CnnLstm(config_of("test_resnet", 64)).train()
    torch.nn.init.constant_(model.still.bias, 2.0)
    faces = torch.rand(8, 3, 64, 64)
    before = {name: each.clone() for name, each in model.state_dict().items() if "running" in name}
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(60):
        optimiser.zero_grad()
        neutral_loss(model, faces).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert before
    for name, value in before.items():
        torch.testing.assert_close(model.state_dict()[name], value)
    plain = faces.mean((2, 3), keepdim=True).expand_as(faces)
    with torch.no_grad():
        assert model.eval().still(pool(model.encode(plain))).abs().max() < 0.3


def test_a_mixed_style_is_between_two_pictures_and_keeps_their_content() -> None:
    torch.manual_seed(0)
    model = CnnLstm(config_of("test_resnet", 64)).eval()
    pictures = torch.rand(2, 3, 64, 64) * torch.tensor([1.0, 0.2]).view(2, 1, 1, 1)
    seen: list[torch.Tensor] = []
    stage = model.encoder.layer2
    with torch.no_grad():
        plain = model.encode(pictures)
        with mixed_styles(model, 1.0):
            stage.register_forward_hook(lambda _stage, _inputs, maps: seen.append(maps))
            mixed = [model.encode(pictures) for _ in range(30)]
        torch.testing.assert_close(model.encode(pictures), plain)
    own, others = seen[-1], seen[-1].flip(0)
    assert any(not torch.allclose(maps, plain) for maps in mixed)
    for maps in seen[:30]:
        mean, ends = maps.mean((2, 3)), torch.stack([own.mean((2, 3)), others.mean((2, 3))])
        assert (mean >= ends.amin(0) - 1e-3).all()
        assert (mean <= ends.amax(0) + 1e-3).all()
        # Channels that are nearly constant in one of the two have no content to compare.
        varied = torch.stack([each.std((2, 3)) for each in (own, others)]).amin(0) > 0.05
        assert varied.any()
        assert (standard(maps) - standard(own))[varied].abs().max() < 0.02


def standard(maps: torch.Tensor) -> torch.Tensor:
    deviation = maps.std((2, 3), keepdim=True) + 1e-6
    return (maps - maps.mean((2, 3), keepdim=True)) / deviation


@pytest.mark.parametrize("margin", [0.0, 1 / 3])
def test_a_copy_without_the_face_keeps_its_surroundings(margin: float) -> None:
    torch.manual_seed(0)
    faces = torch.rand(2, 3, 96, 96)
    copies = without_face(faces, margin)
    side = round(48 / (1 + 2 * margin))  # half the side of the face's box
    inside = slice(48 - side // 2, 48 + side // 2)
    assert copies[..., inside, inside].std() < 0.2 * faces[..., inside, inside].std()
    torch.testing.assert_close(copies[..., :3, :3], faces[..., :3, :3])
