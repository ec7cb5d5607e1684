"""A recipe is evaluated on sources without which each run was trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

from detector.model.cnn_lstm import CnnLstm, ModelConfig
from tests.clips import moving_portrait, write_clip
from tests.shards import drawn_shards
from train import fit, left_out
from train.clips import Faces
from train.evaluate import read_left_out
from train.run import load_run
from train.sequences import Sequences, scale_of, score_short
from train.verbs import DataError
from train.videos import FIXED_FRAMES, UNFITTED, answers, load_unpublished


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Faces:
    """Drawn faces whose videos come from five sources, a real and a fake one of each."""
    folder = drawn_shards(tmp_path_factory.mktemp("shards"), clips=5, frames=3)
    for path in folder.glob("*.parquet"):
        table = pd.read_parquet(path)
        if path.stem.startswith(("video", "neural")):
            table = table.assign(dataset=[f"source {clip}" for clip in table["clip"]])
            table.to_parquet(path)
    return Faces(folder, "train")


def sources(faces: Faces) -> set[str]:
    return set(faces.table[faces.table["kind"] == "video"]["dataset"])


def test_every_source_is_left_out_once_and_never_on_both_sides(faces: Faces) -> None:
    parts = [sources(left_out.held_back(faces, f"{k}/3")) for k in (1, 2, 3)]
    assert sorted(source for part in parts for source in part) == sorted(sources(faces))
    for k, part in enumerate(parts, 1):
        assert sources(left_out.left_out(faces, f"{k}/3")) == sources(faces) - part


def test_what_was_redrawn_from_a_video_leaves_with_it(faces: Faces) -> None:
    kept = left_out.left_out(faces, "1/2").table
    redrawn = kept[kept["kind"] == "neural"]
    assert set(redrawn["dataset"]) <= set(kept[kept["kind"] == "video"]["dataset"])
    assert len(redrawn) < (faces.table["kind"] == "neural").sum()


def test_crops_and_portraits_stay(faces: Faces) -> None:
    for kind in ("crop", "still"):
        kept = left_out.left_out(faces, "2/5").table
        assert (kept["kind"] == kind).sum() == (faces.table["kind"] == kind).sum()


@pytest.mark.parametrize("part", ["0/5", "6/5", "2", "a/b"])
def test_a_fold_that_does_not_exist_is_refused(faces: Faces, part: str) -> None:
    with pytest.raises(DataError, match="such as 2/5"):
        left_out.left_out(faces, part)


def list_videos(shards: Path, folder: Path) -> Path:
    """A list of drawn videos that the shards' faces are said to be of, a source for each clip."""
    video = write_clip(folder / "any.mp4", moving_portrait(10))
    lines = ["file,label,method,identity,split,source"]
    for path in shards.glob("video*.parquet"):
        table = pd.read_parquet(path)
        names = [f"{path.stem}-{clip}.mp4" for clip in table["clip"]]
        table["dataset"] = [f"source {clip}" for clip in table["clip"]]
        table.assign(path=[str(folder / name) for name in names]).to_parquet(path)
        for name, row in dict(zip(names, table.itertuples(), strict=True)).items():
            shutil.copy(video, folder / name)
            lines.append(f"{name},{row.label},drawn,{row.identity},{row.split},{row.dataset}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder / "labels.csv"


def test_each_video_is_scored_by_the_run_trained_without_its_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards = drawn_shards(tmp_path / "shards", clips=4, frames=3)
    videos = list_videos(shards, tmp_path)
    runs = [tmp_path / "first", tmp_path / "second"]
    for k, run in enumerate(runs, 1):
        arguments = f"--shards {shards} --out {run} --size 64 --steps 1 --pairs 2 --workers 0"
        for stage in ("frames", "clips --frames 3 --clips 4"):
            given = [*arguments.split(), "--leave-out", f"{k}/2", "--stage", *stage.split()]
            assert fit.main(given) == 0
    out = tmp_path / "left-out.json"
    given = ["--shards", f"{shards}", "--runs", *map(str, runs), "--videos", f"{videos}"]
    assert left_out.main([*given, "--out", f"{out}"]) == 0
    for figures in json.loads(out.read_text()).values():
        assert figures["groups"]["all"]["real"] == figures["groups"]["all"]["fake"] == 4
        assert len(figures["folds"]) == 2
    assert "within folds" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "left-out.videos.csv")
    assert len(table) == 8
    assert table["uploaded 1.0"].notna().all()
    # On the scale of a run, the videos that it scored have the log-odds that it gave.
    model = load_run(runs[0])
    own = read_left_out(tmp_path / "left-out.videos.csv", runs[0], model)
    own = own[own["fold"] == "1/2"].reset_index(drop=True)
    again = answers(load_unpublished(model, UNFITTED), own[["path"]], FIXED_FRAMES)
    assert own["share 1.0"].to_numpy() == pytest.approx(again["share 1.0"].to_numpy(), abs=1e-4)


def test_runs_whose_logits_differ_in_scale_have_one_scale_once_calibrated() -> None:
    torch.manual_seed(0)
    model = CnnLstm(ModelConfig(size=64)).eval()
    fake = torch.arange(40).remainder(2)[:, None].expand(-1, 5).float()
    clips = Sequences(torch.randn(40, 5, model.width) + 0.2 * fake[..., None], fake)
    calibrated = []
    for factor in (1.0, 3.0):
        with torch.no_grad():
            for head in (model.still, model.frame, model.clip):
                head.weight.mul_(factor)
                head.bias.mul_(factor).add_(factor - 1)
        temperature, bias = scale_of(model, clips)
        calibrated.append((score_short(model, clips)[1] + bias) / temperature)
    assert calibrated[1] == pytest.approx(calibrated[0], abs=1e-3)


def test_runs_with_all_sources_are_refused(tmp_path: Path) -> None:
    (tmp_path / "frames.config.json").write_text('{"leave_out": ""}')
    with pytest.raises(DataError, match="all sources"):
        left_out.part_of(tmp_path)
