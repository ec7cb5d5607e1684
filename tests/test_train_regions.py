"""What real faces show is measured into the card, and nothing else of the release changes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from detector import Detector
from detector.heatmaps.regions import REGIONS
from detector.model.model_card import Card
from detector.settings import Settings
from detector.text.phrases import region_text
from tests.clips import portrait
from tests.tiny import tiny_weights
from train import index, prepare, regions


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights whose card has learned from the portrait what real faces show."""
    work = tmp_path_factory.mktemp("regions")
    head = portrait(512)[20:300, 80:360]
    rng = np.random.default_rng(0)
    for k in range(12):
        for label in ("real", "fake"):
            (work / "faces" / label).mkdir(parents=True, exist_ok=True)
            picture = cv2.resize(head, (96, 96)) * rng.uniform(0.7, 1.0)
            path = work / "faces" / label / f"{label}{k}.png"
            cv2.imwrite(str(path), picture.astype(np.uint8)[..., ::-1])
    table, shards = str(work / "t.parquet"), str(work / "shards")
    index.main(["--crops", str(work / "faces"), "--shares", "0.5", "0.5", "0", "--out", table])
    prepare.main(["--table", table, "--out", shards])
    weights = tiny_weights(work / "weights") / "tiny.safetensors"
    options = ["--weights", str(weights), "--shards", shards, "--faces", "4"]
    assert regions.main([*options, "--methods", "grad_cam"]) == 0
    assert regions.main([*options, "--methods", "layer_cam"]) == 0
    return weights


def test_every_region_has_its_mean_share_for_method_and_question(measured: Path) -> None:
    card = Card.from_json(measured.with_suffix(".json").read_text(encoding="utf-8"))
    assert set(card.data["regions"]) == {
        f"{method}/{of}" for method in ("grad_cam", "layer_cam") for of in ("frame", "video")
    }
    shares = card.expected_regions("grad_cam", "frame")
    assert tuple(shares) == REGIONS
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
    assert card.expected_regions("eigen_cam", "frame") == {}


def test_the_measured_share_is_shown_beside_the_evidence(measured: Path, talking: Path) -> None:
    detector = Detector.load(measured, "cpu")
    report = detector.analyze(talking, Settings(frames=8, threshold=0.03))
    rows = [row for moment in report.people[0].moments for row in moment.regions]
    assert rows
    assert all(row.expected is not None for row in rows)
    texts = [region_text(moment) for moment in report.people[0].moments]
    assert not any("None" in text for text in texts if text)


def test_a_split_without_real_faces_is_reported(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards = str(measured.parent.parent / "shards")
    arguments = ["--weights", str(measured), "--shards", shards, "--split", "gone"]
    assert regions.main(arguments) != 0
    assert "name another with --split" in capsys.readouterr().err


def test_missing_weights_are_reported(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards = str(measured.parent.parent / "shards")
    assert regions.main(
        ["--weights", str(measured.with_name("no.safetensors")), "--shards", shards]
    )
    assert "no.safetensors" in capsys.readouterr().err
