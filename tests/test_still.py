"""A frame that is kept is the original's own, of that very moment and in its own size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector import Detector
from detector.errors import VideoError
from detector.records import Image, Report, Turn
from detector.render.still import original_png
from detector.sandbox.reader import reader
from detector.video import Limits
from tests.clips import barcode, read_barcode, write_clip
from tests.reports import calm

FPS = 25


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty numbered frames, larger than what a viewer shows."""
    path = tmp_path_factory.mktemp("still") / "numbered.mp4"
    return write_clip(path, [barcode(k, (1440, 960)) for k in range(60)], fps=FPS)


def about(path: Path) -> Report:
    info = reader(lambda: None, isolate=True).probe(path)
    return replace(calm(), video=info)


def kept(path: Path, report: Report, second: float) -> Image:
    read = reader(lambda: None, isolate=True)
    data = original_png(read, path, report, second, limits=Limits())
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image[:, :, ::-1], np.uint8)


@pytest.mark.parametrize("late", [0.0, 0.001, 0.03])
def test_the_frame_that_is_shown_at_a_moment_is_kept(clip: Path, late: float) -> None:
    image = kept(clip, about(clip), 17 / FPS + late)
    assert read_barcode(image) == 17
    assert image.shape == (960, 1440, 3)


def test_a_clock_that_is_rounded_up_or_down_means_the_same_frame(clip: Path) -> None:
    report = about(clip)
    assert {read_barcode(kept(clip, report, 0.68 + e)) for e in (-0.001, 0.001)} == {17}


def test_a_frame_that_stays_for_long_is_found(tmp_path: Path) -> None:
    """Screen recordings have no frames while nothing moves."""
    path = write_clip(
        tmp_path / "slow.mp4", [barcode(k) for k in range(3)], seconds=[0.0, 0.04, 8.0]
    )
    assert read_barcode(kept(path, about(path), 7.5)) == 1


def test_the_last_frame_is_kept_at_the_end(clip: Path) -> None:
    assert read_barcode(kept(clip, about(clip), 60 / FPS)) == 59


def test_a_frame_is_turned_as_it_was_analysed(clip: Path) -> None:
    report = about(clip)
    report = replace(
        report, turns=(Turn(0.0, 90),), video=replace(report.video, width=960, height=1440)
    )
    assert read_barcode(np.rot90(kept(clip, report, 0.2), -1)) == 5


def test_another_file_is_refused(clip: Path, talking: Path) -> None:
    with pytest.raises(VideoError, match="another file"):
        kept(talking, about(clip), 0.2)


def test_a_detector_writes_it_to_the_given_path(
    detector: Detector, report: Report, talking: Path, tmp_path: Path
) -> None:
    out = detector.save_frame(talking, report, 0.5, tmp_path / "frame.png")
    assert out.read_bytes().startswith(b"\x89PNG")
