"""The benchmark measures what its text states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from detector import Detector
from detector.progress import Stopwatch
from detector.settings import Settings
from detector.video import read_all
from tests.bench import sparse, whole
from tests.bench.baseline import Baseline, FramesAsBatch
from tests.bench.scene import repeated, scene, stand_in
from tests.clips import barcode, plain, read_barcode, write_clip


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("bench") / "short.mp4", scene(12, (320, 180)))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stand_in(tmp_path_factory.mktemp("weights"), "test_resnet")


def test_a_repeated_video_shows_every_frame_again_and_later(tmp_path: Path) -> None:
    once = write_clip(tmp_path / "once.mp4", (barcode(k) for k in range(12)), fps=30.0)
    frames = list(read_all(repeated(once, tmp_path / "thrice.mp4", 3)))
    assert [read_barcode(frame.image) for frame in frames] == 3 * list(range(12))
    np.testing.assert_allclose([frame.second for frame in frames], np.arange(36) / 30, atol=1e-4)


def test_the_baseline_scores_explains_and_detects_each_frame_once(
    short: Path, weights: Path
) -> None:
    """A baseline that works twice, or answers less, would flatter ours."""
    model = whole.as_published(weights)
    sizes: list[int] = []
    model.encoder.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    answer = Baseline(model).analyze(short, 11, Stopwatch())
    assert answer.scores.shape == (11,)
    assert answer.heats.shape == (11, 224, 224)
    assert 0 <= answer.fake <= 1
    assert sum(sizes) == 11


def test_the_baselines_network_is_ours(weights: Path) -> None:
    network = Detector.load(weights, "cpu").network
    assert network is not None
    pixels = torch.rand(3, 3, 64, 64)
    with torch.inference_mode():
        ours = network.model(pixels[None]).frame[0]
        theirs = FramesAsBatch(whole.as_published(weights))(pixels)[:, 0]
    torch.testing.assert_close(ours, theirs)


def test_a_run_without_heat_maps_is_not_timed(tmp_path: Path, weights: Path) -> None:
    empty = write_clip(tmp_path / "empty.mp4", plain(8))
    with pytest.raises(RuntimeError, match="0 of 8 frames"):
        whole.checked(Detector.load(weights, "cpu").analyze(empty, Settings(8)))


def test_faces_are_detected_in_the_frames_of_the_comparison(
    weights: Path, talking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways detecting alike would show that sparse detection changes nothing."""
    detector = Detector.load(weights, "cpu")
    pictures: list[int] = []
    find = detector.finder.find
    monkeypatch.setattr(
        detector.finder,
        "find",
        lambda images, tried: pictures.append(len(images)) or find(images, tried),
    )
    few, all_ = ("ends of clips", "every frame")
    counts = {}
    for way in (few, all_):
        pictures.clear()
        found = sparse.answer(detector, talking, way, Settings(frames=10, heat=False))
        counts[way] = sum(pictures)
        assert found.share == 1
    assert counts == {few: 4, all_: 10}
