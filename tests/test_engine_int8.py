"""An int8 network runs only on request, and only if it was made of these weights."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector import Detector, inference
from detector.engines import int8
from detector.engines.openvino import VARIABLE, Job, available, exported
from detector.inference import FromPixels
from detector.model.weights import find_weights, load_model
from detector.settings import Settings
from train import quantise

pytestmark = pytest.mark.skipif(not available("cpu"), reason="no OpenVINO for this machine")


@pytest.fixture
def folder(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tests' weights, and beside them a network that stands in for their int8 version."""
    shutil.copytree(weights, tmp_path / "weights")
    folder = tmp_path / "weights"
    found = find_weights(folder / "tiny.safetensors")
    assert found is not None
    size = (found.card.model.size,) * 2
    job = Job(FromPixels(load_model(found, "cpu").model), "tiny", size)
    facts: dict[str, Any] = {"weights_sha256": found.card.sha256}
    int8.store(exported(job, None), int8.about_file(found.card.id, folder), facts)
    monkeypatch.setattr(inference, "WEIGHTS", folder)
    return folder


def engine_of(folder: Path) -> str:
    return str(Detector.load(folder / "tiny.safetensors", "cpu").describe()["engine"])


def test_the_int8_engine_runs_on_request_and_is_named_in_the_report(
    folder: Path, talking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not engine_of(folder).endswith("int8")
    monkeypatch.setenv(VARIABLE, "int8")
    detector = Detector.load(folder / "tiny.safetensors", "cpu")
    assert detector.describe()["engine"].endswith("int8")
    report = detector.analyze(talking, Settings(8))
    assert np.isfinite([face.fake for face in report.people[0].scores]).all()
    assert report.people[0].scores[0].heat is not None


@pytest.mark.parametrize("wrong", ["weights_sha256", "sha256"])
def test_one_of_other_weights_or_a_damaged_one_is_passed_over_with_a_warning(
    folder: Path, wrong: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (about,) = folder.glob("int8/*.json")
    about.write_text(json.dumps(json.loads(about.read_text()) | {wrong: "0" * 64}))
    monkeypatch.setenv(VARIABLE, "int8")
    with caplog.at_level(logging.WARNING):
        assert not engine_of(folder).endswith("int8")
    assert "float32" in caplog.text


def test_where_there_is_none_the_network_runs_in_float32(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in folder.glob("int8/*"):
        path.unlink()
    monkeypatch.setenv(VARIABLE, "int8")
    assert engine_of(folder).startswith("OpenVINO")


def test_the_command_names_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quantise.importlib.util, "find_spec", lambda _: None)
    given = ["--weights", str(tmp_path / "a.safetensors"), "--shards", "none"]
    assert quantise.main(given) != 0
    assert "pip install nncf" in capsys.readouterr().err
