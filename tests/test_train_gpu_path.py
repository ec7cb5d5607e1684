"""What training on a GPU needs, on the CPU: pictures on the device, minutes, a teacher."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from detector.model.cnn_lstm import CnnLstm
from tests.shards import drawn_shards
from tests.tiny import CARD, tiny_weights
from train import fit, run
from train.distillation import Teacher
from train.run import FitConfig, config_of, load_run, rate_at


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_shards(tmp_path_factory.mktemp("shards"), clips=3, frames=2)


def options(shards: Path, out: Path) -> list[str]:
    common = ["--shards", str(shards), "--out", str(out), "--backbone", "test_resnet"]
    common += ["--size", "32", "--workers", "0", "--threads", "1", "--freeze", "0"]
    return [*common, "--pairs", "4"]


def log_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_a_network_learns_from_pictures_made_on_the_device(shards: Path, tmp_path: Path) -> None:
    """The drawn fakes carry a lattice that is plain to see."""
    learning = ["--steps", "50", "--rate", "3e-3", "--mix", "video=1", "--altered", "0"]
    assert fit.main([*options(shards, tmp_path), *learning, "--device-data", "yes"]) == 0
    (entry,) = log_of(tmp_path)
    assert entry["auc"] > 0.8
    assert entry["pairs_per_second"] > 0


def test_a_run_of_minutes_ends_with_them_at_the_lowest_rate(shards: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    fit.main([*options(shards, tmp_path), "--minutes", "0.05", "--device-data", "yes"])
    assert 3 < time.monotonic() - began < 30
    entry = log_of(tmp_path)[-1]
    assert entry["step"] > 3
    assert entry["rate"] == pytest.approx(FitConfig.rate / 100, rel=0.1)


def test_the_rate_of_a_run_of_minutes_follows_the_clock() -> None:
    config = FitConfig(minutes=8.0, rate=1.0, steps=10**7)
    rates = [rate_at(9, config, (), share) for share in (0.0, 0.025, 0.3, 0.775, 1.0)]
    assert rates == [0.01, 0.5, 1.0, pytest.approx(0.505), pytest.approx(0.01)]


def test_the_clock_of_a_run_goes_on_after_a_restart(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit.main([*options(shards, tmp_path), "--minutes", "0.05"])
    steps = log_of(tmp_path)[-1]["step"]
    fit.main([*options(shards, tmp_path), "--minutes", "0.05"])
    assert log_of(tmp_path)[-1]["step"] == steps
    assert len(log_of(tmp_path)) == 1


def test_a_student_comes_closer_to_its_teacher(shards: Path, tmp_path: Path) -> None:
    """Beside no other data than this, and without a file of weights to begin with."""
    weights = tiny_weights(tmp_path / "weights") / "tiny.safetensors"
    learning = ["--steps", "30", "--rate", "3e-3", "--mix", "video=1", "--altered", "0"]
    learning += ["--backbone", "test_resnet", "--device-data", "yes"]
    far = {}
    for name, more in (
        ("plain", []),
        ("distilled", ["--teacher", str(weights), "--teacher-weight", "3"]),
    ):
        fit.main([*options(shards, tmp_path / name), *learning, *more])
        far[name] = distance(weights, load_run(tmp_path / name))
    assert far["distilled"] < 0.8 * far["plain"]


def distance(weights: Path, student: CnnLstm) -> float:
    teacher = Teacher(weights, torch.device("cpu"))
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        maps = student.encode(images)
        logits = student.still(maps.mean(dim=(2, 3))).squeeze(-1)
        return float(teacher.distance(maps, logits, images))


def test_a_student_begins_with_its_teachers_heads(shards: Path, tmp_path: Path) -> None:
    weights = tiny_weights(tmp_path) / "tiny.safetensors"
    student = CnnLstm(config_of("test_resnet", 32))
    Teacher(weights, torch.device("cpu")).copy_heads(student)
    expected = load_file(weights)["still.weight"]
    assert torch.equal(student.still.weight[:, : expected.shape[1]], expected)
    assert CARD.model.families != student.config.families  # so this head stays its own


def test_a_teacher_that_is_not_there_is_named(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--steps", "1", "--teacher", str(tmp_path / "none.safetensors")]
    assert fit.main([*options(shards, tmp_path), *more]) == 2
    assert "none.safetensors does not exist" in capsys.readouterr().err


def test_near_the_end_of_its_minutes_a_run_is_validated_only_once_more() -> None:
    class Running:
        config = FitConfig(minutes=1.0, evaluate_every=10)
        step, progress = 20, 0.5

    assert run.validation_due(Running())  # type: ignore[arg-type]
    Running.progress = 0.9
    assert not run.validation_due(Running())  # type: ignore[arg-type]
