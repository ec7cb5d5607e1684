"""Shards travel as a few small files and are shards again."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from tests.shards import drawn_shards
from train import pack
from train.clips import Faces
from train.pack import MEBI, PackConfig, choose
from train.prepare import decode_picture, read_shards


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_shards(tmp_path_factory.mktemp("shards"))


@pytest.fixture(scope="module")
def arrived(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same shards, packed in parts of a third of a MiB and unpacked."""
    folder = tmp_path_factory.mktemp("packed")
    options = ["--total", "20", "--part", "0.35", "--frames", "5", "--uploaded", "0"]
    assert pack.main(["--shards", str(shards), "--out", str(folder / "parts"), *options]) == 0
    assert pack.main(["--unpack", str(folder / "parts"), "--out", str(folder / "shards")]) == 0
    return folder


def test_no_part_is_larger_than_requested(arrived: Path) -> None:
    sizes = [path.stat().st_size for path in (arrived / "parts").iterdir()]
    assert len(sizes) > 3
    assert max(sizes) <= 0.35 * MEBI


def test_every_clip_is_packed_whole_up_to_the_requested_frames(shards: Path, arrived: Path) -> None:
    for split in ("train", "val"):
        before, after = Faces(shards, split), Faces(arrived / "shards", split)
        assert [len(rows) for rows in after.videos_real] == [5] * len(before.videos_real)
        assert len(after.crops_fake) == len(before.crops_fake)
        assert sorted(after.table["identity"].unique()) == sorted(before.table["identity"].unique())


def test_pictures_and_their_boxes_arrive_as_they_were(shards: Path, arrived: Path) -> None:
    there, here = Faces(shards, "train"), Faces(arrived / "shards", "train")
    path = Path(str(here.table["path"].iloc[here.videos_fake[0][0]]))
    (clip,) = [
        rows for rows in there.videos_fake if path.name in str(there.table["path"].iloc[rows[0]])
    ]
    first, boxes = there.read(clip[:5])
    second, same = here.read(here.videos_fake[0])
    assert np.abs(first.images.astype(int) - second.images).mean() < 5
    np.testing.assert_array_equal(boxes, same)
    np.testing.assert_array_equal(first.landmarks, second.landmarks)


def test_redrawn_faces_keep_their_originals(shards: Path, arrived: Path) -> None:
    there, here = Faces(shards, "train"), Faces(arrived / "shards", "train")
    assert len(here.neural) == 2
    originals = here.read_originals(here.neural[0])
    expected = there.read_originals(there.neural[0][:5])
    assert np.abs(originals.astype(int) - expected).mean() < 5


def test_a_share_of_training_clips_is_packed_after_an_upload(shards: Path) -> None:
    """Half of them, real and fake; every frame of those loses detail, and nothing else does."""

    def detail(uploaded: float) -> pd.Series:
        rows = pd.DataFrame(choose(*read_shards(shards), PackConfig(total=20, uploaded=uploaded)))
        rows["detail"] = [
            cv2.Laplacian(decode_picture(each), cv2.CV_64F).var() for each in rows["image"]
        ]
        keys = ["kind", "split", "label", "shard", "clip", "place"]
        return rows.set_index(keys)["detail"].sort_index()

    left = detail(0.5) / detail(0.0)
    videos = left["video"]["train"]
    changed = (videos < 0.9).groupby(["label", "shard", "clip"]).agg(["min", "max"])
    assert (changed["min"] == changed["max"]).all()
    assert 1 < changed["max"].sum() < len(changed)
    assert (left.drop(index=("video", "train")) == 1).all()


def test_a_limited_size_is_shared_among_all_groups(shards: Path) -> None:
    """Frames and further pictures of the same people are left out before whole clips are."""
    rows = pd.DataFrame(choose(*read_shards(shards), PackConfig(total=1.0)))
    assert sum(rows["image"].str.len()) < MEBI
    videos = rows[(rows["kind"] == "video") & (rows["split"] == "train")]
    assert videos.groupby(["shard", "clip"]).size().between(1, 4).all()
    assert videos.groupby(["shard", "clip"]).ngroups == 8
    assert {"still", "crop", "neural"} <= set(rows["kind"])


def test_where_the_shards_exist_nothing_is_unpacked_again(arrived: Path) -> None:
    (path, *_) = (arrived / "shards").glob("*.npy")
    before = path.stat().st_mtime_ns
    pack.main(["--unpack", str(arrived / "parts"), "--out", str(arrived / "shards")])
    assert path.stat().st_mtime_ns == before


def test_a_folder_without_parts_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pack.main(["--unpack", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "contains no parts" in capsys.readouterr().err
