"""A failing command prints the reason in one sentence, and keeps what was done."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detector.model.cnn_lstm import CnnLstm, ModelConfig
from tests.clips import moving_portrait, write_clip
from train import fit, index, prepare
from train.origin import write_config
from train.run import FitConfig, set_trainable
from train.verbs import DataError, DiskError, verb, whole


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def break_off() -> None:
        with whole(path) as part:
            part.write_text("ne")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskError, match=r"table\.csv could not be written.*Make room"):
        break_off()
    assert path.read_text() == "old"
    with whole(path) as part:
        part.write_text("new")
    assert path.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_concurrent_writers_to_one_folder_do_not_interfere(tmp_path: Path) -> None:
    """One finishes, and tidies up, while another has a file open."""
    with whole(tmp_path / "a.csv") as first:
        with whole(tmp_path / "b.csv") as second:
            second.write_text("b")
        first.write_text("a")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.csv", "b.csv"]


def test_a_backbone_whose_stages_cannot_be_frozen_is_refused() -> None:
    model = CnnLstm(ModelConfig(backbone="dla34", size=32, hidden=8))
    with pytest.raises(DataError, match="--freeze 0"):
        set_trainable(model, FitConfig(freeze=2))


def test_a_failing_command_prints_a_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert index.main(["--videos", str(tmp_path / "none"), "--out", str(tmp_path / "t")]) == 2
    assert "none does not exist" in capsys.readouterr().err
    (tmp_path / "shards").mkdir()
    options = ["--shards", str(tmp_path / "shards"), "--out", str(tmp_path / "run")]
    assert fit.main([*options, "--backbone", "test_resnet"]) == 2
    assert "run python -m train.prepare first" in capsys.readouterr().err


def test_pictures_among_videos_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.mp4", "b.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "list.csv").write_text("file,label\na.mp4,REAL\nb.jpg,REAL\n")
    out = str(tmp_path / "t.parquet")
    assert index.main(["--videos", str(tmp_path / "list.csv"), "--out", out]) == 2
    assert "1 pictures" in capsys.readouterr().err


def test_ctrl_c_prints_how_to_resume(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def main(argv: object = None) -> int:
        raise KeyboardInterrupt

    assert verb(main)() == 130
    assert "the same command" in capsys.readouterr().err


def test_a_full_disk_costs_one_shard_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"talk{k}" for k in range(9)]
    for name in names:
        write_clip(tmp_path / f"{name}.mp4", moving_portrait(2))
    rows = [f"{name}.mp4,REAL,{name},train" for name in names]
    listing = tmp_path / "list.csv"
    listing.write_text("\n".join(["file,label,identity,split", *rows]))
    table = index.read_source(listing, "video")
    out, jobs = tmp_path / "shards", [(0, 8), (8, 9)]
    (out / "x").parent.mkdir()
    config = prepare.PrepareConfig(frames=1)
    prepare.write_shard(table.iloc[slice(*jobs[0])], out / "video-000000", config)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        with pytest.raises(DiskError):
            prepare.write_shard(table.iloc[slice(*jobs[1])], out / "video-000008", config)
    assert len(prepare.read_shards(out)[0]) == 8
    assert prepare.prepare(table, out, config) == (1, 0)
    assert len(prepare.read_shards(out)[0]) == 9


def test_one_damaged_file_in_many_is_a_row_with_its_reason(tmp_path: Path) -> None:
    write_clip(tmp_path / "good.mp4", moving_portrait(2))
    good = (tmp_path / "good.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(good[: len(good) // 3])
    (tmp_path / "list.csv").write_text("file,label\ngood.mp4,REAL\ncut.mp4,REAL\n")
    table = index.assign_splits(index.read_source(tmp_path / "list.csv", "video"))
    assert prepare.prepare(table, tmp_path / "out", prepare.PrepareConfig(frames=1)) == (1, 1)
    rows = pd.concat([pd.read_parquet(path) for path in (tmp_path / "out").glob("*.parquet")])
    assert json.dumps(rows[rows["status"] != "ok"]["status"].tolist()) != '[""]'


def test_a_run_of_an_earlier_version_is_compared_by_the_new_names_of_its_settings(
    tmp_path: Path,
) -> None:
    path = tmp_path / "frames.config.json"
    path.write_text(json.dumps({"teach": 1.0, "judge_every": 400, "rate": 0.1}))
    current = {"teacher_weight": 2.0, "evaluate_every": 300, "rate": 0.1, "origin": {}}
    with pytest.raises(DataError, match=r"teacher_weight 1\.0, not 2\.0"):
        write_config(path, current, resumed=True)
    write_config(path, current | {"teacher_weight": 1.0}, resumed=True)
    assert json.loads(path.read_text())["evaluate_every"] == 300
