"""What the sentences of a report state, and what they never state."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from detector.heatmaps.regions import REGIONS
from detector.records import Report, Status, Verdict, Warn
from detector.settings import Settings
from detector.text.phrases import COPY_NAMES, COPY_TURNS, FAMILY_NAMES, REGION_NAMES
from detector.text.summary import (
    band_text,
    clock,
    headline,
    percent,
    sentences,
    status_text,
    warning_text,
)
from detector.video.degrade import COPIES
from tests import reports
from train.clips import FAMILIES

every_kind = pytest.mark.parametrize(
    "make", reports.EVERY_KIND.values(), ids=reports.EVERY_KIND.keys()
)


def text_of(report: Report) -> str:
    return " ".join([headline(report), *(sentence.text for sentence in sentences(report))])


@every_kind
def test_no_text_ever_calls_a_video_real(make: Callable[[], Report]) -> None:
    """Regions are compared with those of real faces in general; that calls no video so."""
    assert not re.search(
        r"\b(real(?! faces)|authentic|unaltered|untouched)\b", text_of(make()), re.I
    )


@every_kind
def test_every_text_is_made_of_whole_sentences(make: Callable[[], Report]) -> None:
    report = make()
    for text in [headline(report), *(sentence.text for sentence in sentences(report))]:
        assert text[0].isupper()
        assert text.endswith(".")
        assert "None" not in text
        assert "nan" not in text.lower().split()


@every_kind
def test_the_same_report_always_reads_the_same(make: Callable[[], Report]) -> None:
    assert sentences(make()) == sentences(make())


def test_no_sign_is_stated_not_to_be_proof() -> None:
    text = headline(reports.calm())
    assert "No sign of manipulation" in text
    assert "not proof that the video is genuine" in text


def test_a_manipulated_video_names_the_person_the_strength_and_the_moment() -> None:
    text = headline(reports.two_people())
    assert "Very strong evidence of manipulation" in text
    assert "Person 1" in text
    assert "0:04.5" in text


def test_a_still_picture_has_no_moment() -> None:
    assert "0:00" not in text_of(reports.still_image())


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.OK])
def test_without_a_score_no_number_is_shown(status: Status) -> None:
    """A score left over in the record must not leak into the words."""
    report = replace(reports.calm(), status=status, verdict=Verdict.UNDECIDED)
    assert headline(report).startswith("No answer: ")
    assert "%" not in headline(report)
    assert sentences(report)[0].text == status_text(status)


def test_every_status_warning_and_band_has_its_own_text() -> None:
    for texts in (
        [status_text(status) for status in Status],
        [warning_text(warning) for warning in Warn],
        [band_text(band) for band in ("weak", "moderate", "strong", "very_strong")],
    ):
        assert all(texts)
        assert len(set(texts)) == len(texts)


def test_an_unknown_band_is_refused() -> None:
    with pytest.raises(ValueError, match="band is one of"):
        band_text("certain")


def test_a_suspicious_segment_is_described_with_start_end_peak_and_person() -> None:
    found = [s for s in sentences(reports.two_people()) if "looks manipulated from" in s.text]
    assert len(found) == 1
    assert found[0].person == 1
    assert found[0].second == pytest.approx(4.5)
    assert "0:03.0" in found[0].text
    assert "99 %" in found[0].text


def test_a_period_without_a_scored_face_is_described() -> None:
    assert "No face could be scored from 0:08.0" in text_of(reports.two_people())
    assert "No face could be scored" not in text_of(reports.calm())


def test_each_warning_appears_once() -> None:
    report = reports.undecided()
    one = replace(report.people[0], warnings=report.warnings)
    texts = [sentence.text for sentence in sentences(replace(report, people=(one,)))]
    for warning in report.warnings:
        assert texts.count(warning_text(warning)) == 1


def test_an_uncalibrated_score_is_not_called_a_probability() -> None:
    assert "probability" not in sentences(reports.undecided())[0].text
    assert "probability" in sentences(reports.calm())[0].text


def test_heat_maps_are_mentioned_only_if_they_were_computed() -> None:
    report = reports.calm()
    assert "Heat maps" in text_of(report)
    assert "Heat maps" not in text_of(replace(report, settings=Settings(heat=False)))


def test_the_threshold_in_force_is_the_requested_one() -> None:
    report = replace(reports.calm(), settings=Settings(threshold=0.73))
    assert report.threshold == pytest.approx(0.73)
    assert "73 %" in sentences(report)[0].text


@pytest.mark.parametrize(
    ("second", "text"),
    [
        (0, "0:00.0"),
        (3.4, "0:03.4"),
        (59.96, "1:00.0"),
        (725, "12:05.0"),
        (3723.44, "1:02:03.4"),
        (-0.01, "0:00.0"),
    ],
)
def test_a_moment_reads_as_on_a_player(second: float, text: str) -> None:
    assert clock(second) == text


def test_a_probability_is_never_shown_as_certain() -> None:
    assert percent(1.0) == "over 99 %"
    assert percent(0.0) == "under 1 %"
    assert percent(0.834) == "83 %"


def test_every_region_copy_and_family_has_words() -> None:
    assert set(REGION_NAMES) == set(REGIONS)
    assert set(COPY_NAMES) == set(COPY_TURNS) == set(COPIES)
    assert set(FAMILY_NAMES) == set(FAMILIES)
