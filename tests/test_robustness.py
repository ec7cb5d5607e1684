"""Degraded copies of a video are scored like it, and the change of the score is reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector import Detector
from detector.errors import CancelledError
from detector.explain.robustness import FRAMES, try_worse_copies
from detector.language import LANGUAGES, in_language
from detector.progress import Progress
from detector.records import Report, Verdict
from detector.render.document import SCHEMA, to_html, to_json
from detector.settings import Settings
from detector.text.phrases import robustness_text
from detector.video.degrade import COPIES, Alter
from tests import reports
from tests.clips import portrait
from tests.test_document import faults

NOBODY = Progress(None, None)
NAME_OF = {alter: kind for kind, alter in COPIES.items()}


class Wavering:
    """A detector with a fixed score for each copy; it records the settings of each request."""

    def __init__(self, as_given: float | None = None, **fakes: float | None) -> None:
        self.fakes = fakes
        self.as_given = as_given
        self.received: list[Settings] = []

    def analyze_file(
        self, path: Any, settings: Settings, progress: Progress, *, alter: Alter | None = None
    ) -> Report:
        self.received.append(settings)
        fake = self.as_given if alter is None else self.fakes[NAME_OF[alter]]
        return given(fake, settings.frames)


def given(fake: float | None, frames: int = 20) -> Report:
    verdict = Verdict.FAKE if fake and fake > 0.5 else Verdict.NO_SIGN
    settings = Settings(frames=frames)
    return replace(reports.two_people(), fake=fake, verdict=verdict, settings=settings)


def tried(detector: Wavering, report: Report) -> Report:
    return try_worse_copies(detector, Path("x.mp4"), report, NOBODY)


def words(report: Report) -> str:
    assert report.robustness is not None
    return robustness_text(report.robustness)


def test_the_change_of_the_score_is_stated_for_every_copy() -> None:
    report = tried(Wavering(reencoded=0.85, downscaled=0.77, blurred=0.3), given(0.9))
    found = report.robustness
    assert found is not None
    assert [copy.kind for copy in found.copies] == list(COPIES)
    assert found.largest_change == pytest.approx(0.6)
    assert "at most 60 percentage points" in words(report)
    assert "The answer changes when it is blurred." in words(report)
    assert "re-encoded" not in words(report)
    assert not faults(to_json(report), SCHEMA)


def test_a_steady_score_is_called_so() -> None:
    report = tried(Wavering(reencoded=0.9, downscaled=0.89, blurred=0.9), given(0.9))
    assert "1 percentage point at most" in words(report)
    assert "stays the same" in words(report)


def test_names_of_codecs_keep_their_capitals() -> None:
    report = tried(Wavering(reencoded=0.2, downscaled=0.9, blurred=0.9), given(0.9))
    assert "re-encoded (H.264, CRF 32)" in words(report)
    assert "%" not in words(report)


def test_a_copy_without_a_score_is_no_change_of_it() -> None:
    report = tried(Wavering(reencoded=None, downscaled=None, blurred=None), given(0.9))
    assert report.robustness is not None
    assert report.robustness.largest_change is None
    assert "cannot be compared" in words(report)
    assert "no score" in to_html(report)


def test_copies_skip_the_second_pass_and_are_compared_with_a_score_without_it() -> None:
    detector = Wavering(0.8, reencoded=0.8, downscaled=0.8, blurred=0.8)
    found = tried(detector, given(0.9, frames=300)).robustness
    assert found is not None
    assert (found.fake, found.largest_change) == (0.8, 0.0)
    assert {settings.frames for settings in detector.received} == {FRAMES}
    assert not any(settings.heat for settings in detector.received)


def test_the_chart_has_a_table_of_the_same_values() -> None:
    html = to_html(tried(Wavering(reencoded=0.85, downscaled=0.7, blurred=0.3), given(0.9)))
    for text in ("Worse copies", "As given", "Half the size", "-60", "-5", "No sign found"):
        assert text in html


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_the_change_is_stated_in_every_language(language: str) -> None:
    report = tried(Wavering(reencoded=0.2, downscaled=0.3, blurred=0.3), given(0.9))
    with in_language(language):
        sentence = words(report)
    assert "answer" not in sentence
    assert "70" in sentence


@pytest.mark.parametrize("kind", COPIES)
def test_a_worse_copy_has_the_same_shape_and_less_detail(kind: str) -> None:
    clip = np.stack([portrait(256)] * 3)
    worse = COPIES[kind](clip)

    def detail(images: Sequence[Any]) -> float:
        return float(np.abs(np.diff(np.asarray(images, int), axis=2)).mean())

    assert worse.shape == clip.shape
    assert worse.dtype == np.uint8
    assert detail(worse) < 0.95 * detail(clip)


def test_a_real_video_is_rescored_with_progress_up_to_the_end(
    detector: Detector, talking: Path, report: Report
) -> None:
    reported: list[tuple[int, int]] = []
    found = detector.try_worse_copies(
        talking, report, on_progress=lambda _, *step: reported.append(step)
    )
    assert found.robustness is not None
    assert all(copy.fake is not None for copy in found.robustness.copies)
    assert any(copy.fake != report.fake for copy in found.robustness.copies)
    assert [done for done, _ in reported] == sorted(done for done, _ in reported)
    assert reported[-1] == (30, 30)
    assert found.people == report.people


def test_trying_copies_can_be_called_off(detector: Detector, talking: Path, report: Report) -> None:
    with pytest.raises(CancelledError):
        detector.try_worse_copies(talking, report, should_stop=lambda: True)
