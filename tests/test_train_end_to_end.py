"""From pictures on disk to weights that the product loads, by the commands a person would type."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from safetensors.numpy import load_file

from detector.pipeline import Detector
from detector.scoring.calibration import ScoringRules
from tests.clips import portrait, write_clip
from train import average, evaluate, fit, index, prepare, publish
from train.clips import Faces
from train.run import FitConfig, load_run, rate_at

ROOT = Path(__file__).parent.parent


def draw_faces(folder: Path, count: int = 30) -> Path:
    """The portrait in `count` moods; the fakes among them carry a coarse lattice."""
    rng = np.random.default_rng(0)
    head = portrait(512)[20:300, 80:360]
    lattice = 40 * (np.indices((64, 64)).sum(0) // 4 % 2 * 2 - 1)[..., None]
    for k in range(count):
        picture = cv2.resize(head, (64, 64)).astype(float)
        picture = picture * rng.uniform(0.7, 1.2) + rng.normal(0, 6, picture.shape)
        for label, image in (("real", picture), ("fake", picture + lattice)):
            path = folder / label / f"{label}{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.clip(image, 0, 255).astype(np.uint8)[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every command has run once."""
    work = tmp_path_factory.mktemp("train")
    draw_faces(work / "faces")
    table, shards, run = str(work / "t.parquet"), str(work / "shards"), str(work / "run")
    shares = ["--shares", "0.6", "0.4", "0"]
    index.main(["--crops", str(work / "faces"), *shares, "--out", table])
    prepare.main(["--table", table, "--out", shards])
    common = ["--shards", shards, "--out", run, "--backbone", "test_resnet", "--size", "48"]
    common += ["--workers", "0", "--threads", "1", "--freeze", "0", "--rate", "3e-3"]
    fit.main(
        [*common, "--stage", "frames", "--steps", "40", "--pairs", "6", "--evaluate-every", "20"]
    )
    fit.main([*common, "--stage", "clips", "--steps", "20", "--clips", "8", "--frames", "4"])
    evaluate.main(["--run", run, "--shards", shards, "--out", str(work / "results.json")])
    facts = ["--trained-on", "Drawn faces.", "--results", str(work / "results.json")]
    publish.main(["--run", run, "--shards", shards, *facts, "--out", str(work / "weights")])
    return work


def test_training_learns_an_obvious_difference(work: Path) -> None:
    results = json.loads((work / "results.json").read_text())
    assert results["crops"]["auc"] > 0.8


def test_a_run_goes_on_with_its_own_arguments_only(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def go_on(rate: str, steps: str) -> int:
        arguments = ["--shards", str(work / "shards"), "--out", str(work / "run"), "--steps", steps]
        arguments += ["--backbone", "test_resnet", "--size", "48", "--freeze", "0", "--pairs", "6"]
        arguments += ["--workers", "0", "--threads", "1", "--evaluate-every", "20", "--rate", rate]
        return fit.main(arguments)

    assert go_on("1e-3", "40") == 2
    assert "begun with rate 0.003, not 0.001" in capsys.readouterr().err
    assert go_on("3e-3", "40") == 0


def test_pictures_have_a_threshold_that_calls_few_real_ones_fake(work: Path) -> None:
    model, faces = load_run(work / "run"), Faces(work / "shards", "val")
    results, rules = evaluate.as_pictures(
        model, faces, ScoringRules(threshold=0.6, undecided=(0.5, 0.6))
    )
    assert rules.picture is not None
    assert (rules.threshold, results["false_alarms"]) == (0.6, 0)  # of 12, none is allowed
    assert 0 <= results["crossed"]["misses"] <= 1


def test_a_card_names_the_code_and_the_data_that_it_was_trained_with(work: Path) -> None:
    card = json.loads((work / "weights" / "fast.json").read_text())
    origin = card["data"]["stages"]["clips"]["origin"]
    assert origin["commit"] == card["commit"]
    assert len(origin["shards_sha256"]) == 64


def test_the_product_scores_a_video_with_the_published_weights(work: Path, tmp_path: Path) -> None:
    head = portrait(320)
    clip = write_clip(tmp_path / "clip.mp4", [np.roll(head, k, axis=1) for k in range(12)])
    report = Detector.load(work / "weights" / "fast.safetensors", "cpu").analyze(clip)
    assert report.fake is not None
    assert report.model.trained_on == "Drawn faces."


def test_the_card_has_figures_settings_and_origin(work: Path) -> None:
    card = json.loads((work / "weights" / "fast.json").read_text())
    assert card["metrics"]["crops"]["auc"] > 0.8
    assert card["data"]["stages"]["frames"]["steps"] == 40
    assert card["rules"]["calibrated"] is True


def test_a_finished_run_is_not_trained_again(work: Path) -> None:
    before = (work / "run" / "frames.best.safetensors").read_bytes()
    shards, run = str(work / "shards"), str(work / "run")
    common = ["--shards", shards, "--out", run, "--backbone", "test_resnet", "--size", "48"]
    fit.main([*common, "--workers", "0", "--freeze", "0", "--steps", "40", "--pairs", "6"])
    assert (work / "run" / "frames.best.safetensors").read_bytes() == before


def test_a_run_cut_short_ends_where_an_unbroken_one_ends(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the third step: it is stored, and the same command goes on from there."""
    common = ["--shards", str(work / "shards"), "--backbone", "test_resnet", "--size", "32"]
    common += ["--workers", "0", "--threads", "1", "--freeze", "0", "--pairs", "2", "--steps", "4"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    fit.main([*common, "--out", str(whole)])
    with monkeypatch.context() as patch:
        patch.setattr(fit, "frame_loss", interrupted(fit.frame_loss, calls=2))
        assert fit.main([*common, "--out", str(broken)]) == 130
    fit.main([*common, "--out", str(broken)])
    ends = [load_file(folder / "frames.best.safetensors") for folder in (whole, broken)]
    for name, value in ends[0].items():
        np.testing.assert_allclose(value, ends[1][name], atol=1e-5, err_msg=name)


@pytest.mark.parametrize("rate", ["0", "0.1"])
def test_the_second_stage_changes_only_the_layers_to_be_trained(
    work: Path, tmp_path: Path, rate: str
) -> None:
    """With --cnn-rate the CNN is trained with the LSTM; without, it stays as after stage one."""
    common = [*small_run(work, tmp_path), "--steps", "3"]
    fit.main([*common, "--stage", "frames"])
    clips = ["--stage", "clips", "--clips", "4", "--frames", "3", "--motion", "1"]
    fit.main([*common, *clips, "--cnn-rate", rate])
    before, after = (
        load_file(tmp_path / f"{stage}.{kind}.safetensors")
        for stage, kind in (("frames", "best"), ("clips", "checkpoint"))
    )
    moved = [
        name
        for name, value in before.items()
        if name.startswith("encoder.") and not np.array_equal(value, after[f"model.{name}"])
    ]
    assert bool(moved) is (rate != "0")
    assert not any("running" in name for name in moved)
    # Of motion in the training clips: the LSTM's input is normalised by it.
    assert not np.array_equal(after["model.change_std"], np.ones_like(after["model.change_std"]))


def test_two_runs_have_a_mean_that_is_a_run(work: Path, tmp_path: Path) -> None:
    runs = [tmp_path / "a", tmp_path / "b"]
    for seed, run in enumerate(runs):
        fit.main([*small_run(work, run), "--steps", "2", "--seed", str(seed)])
    assert average.main([*map(str, runs), "--out", str(tmp_path / "mean")]) == 0
    a, b, mean = (load_file(run / average.WEIGHTS) for run in (*runs, tmp_path / "mean"))
    np.testing.assert_allclose(mean["still.weight"], (a["still.weight"] + b["still.weight"]) / 2)
    assert not np.array_equal(a["still.weight"], b["still.weight"])
    load_run(tmp_path / "mean")


def small_run(work: Path, out: Path) -> list[str]:
    """Options of a run that takes a second or two."""
    common = ["--shards", str(work / "shards"), "--backbone", "test_resnet", "--size", "32"]
    common += ["--workers", "0", "--threads", "1", "--freeze", "0", "--pairs", "2"]
    return [*common, "--out", str(out)]


def log_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_two_processes_train_one_network(work: Path, tmp_path: Path) -> None:
    """Each on pairs of its own, their gradients averaged: the very command for many GPUs."""
    run = tmp_path / "run"
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    command = [sys.executable, *launch, "-m", "train.fit", *small_run(work, run), "--steps", "3"]
    subprocess.run(command, check=True, env=os.environ | {"ACCELERATE_USE_CPU": "true"}, cwd=ROOT)
    assert [(entry["step"], entry["processes"]) for entry in log_of(run)] == [(3, 2)]


def test_two_batches_in_one_step_are_one_batch_twice_as_large(work: Path, tmp_path: Path) -> None:
    """But for batch norm, which normalises each batch by itself."""
    large, split = tmp_path / "large", tmp_path / "split"
    fit.main([*small_run(work, large), "--steps", "1", "--pairs", "4"])
    fit.main([*small_run(work, split), "--steps", "1", "--accumulate", "2"])
    whole, halves = log_of(large)[0]["loss"], log_of(split)[0]["loss"]
    assert halves == pytest.approx(whole, rel=0.2)


def test_a_run_that_no_longer_gains_ends_early_and_slows_down_first(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "validation_auc", lambda *_: 0.5)
    options = ["--steps", "200", "--evaluate-every", "1", "--schedule", "plateau"]
    options += ["--patience", "1"]
    config = FitConfig(warmup=0, schedule="plateau", patience=1, rate=1.0)
    history = [{"auc": score} for score in (0.5, 0.6, 0.6, 0.6)]
    assert [rate_at(9, config, history[:n]) for n in (1, 2, 3, 4)] == [1.0, 1.0, 0.5, 0.25]
    fit.main([*small_run(work, tmp_path), *options, "--stop-after", "2"])
    assert len(log_of(tmp_path)) == 3


def test_sharpness_aware_steps_go_elsewhere_and_leave_nothing_behind(
    work: Path, tmp_path: Path
) -> None:
    plain, sam = tmp_path / "plain", tmp_path / "sam"
    fit.main([*small_run(work, plain), "--steps", "2"])
    fit.main([*small_run(work, sam), "--steps", "2", "--sam", "0.5"])
    first, second = (load_file(run / "frames.best.safetensors") for run in (plain, sam))
    shift = max(float(np.abs(first[name] - second[name]).max()) for name in first)
    assert 0 < shift < 0.05, "the climb of 0.5 must have been taken back"


def interrupted(function: Callable[..., Any], calls: int) -> Callable[..., Any]:
    """`function`, until somebody presses Ctrl-C."""
    count = itertools.count()

    def call(*args: object) -> object:
        if next(count) == calls:
            raise KeyboardInterrupt
        return function(*args)

    return call
