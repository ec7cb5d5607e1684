"""Any scored frame can be explained, by any method, without a new analysis."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector import Detector
from detector.errors import CancelledError, VideoError
from detector.inference import Network
from detector.records import Moment, Report
from detector.render.html import closeup
from detector.settings import HEAT_METHODS, HEAT_TARGETS, FrameQuestion, Settings
from tests.clips import moving_portrait, write_clip
from tests.pseudo import marked, unmarked


@pytest.fixture(scope="module")
def suspicious(detector: Detector) -> Detector:
    """The random network, with a threshold so low that every frame is suspicious."""
    assert detector.loaded is not None
    card = detector.loaded.card
    rules = replace(card.rules, threshold=0.02, undecided=(0.01, 0.03))
    return Detector(replace(detector.loaded, card=replace(card, rules=rules)), "cpu")


@pytest.fixture(scope="module")
def answer(suspicious: Detector, talking: Path) -> Report:
    return suspicious.analyze(talking, Settings(frames=10))


def moment_of(report: Report) -> Moment:
    (moment,) = (moment for person in report.people for moment in person.moments)
    return moment


def test_the_explanation_of_a_frame_matches_the_analysis(
    suspicious: Detector, talking: Path, answer: Report
) -> None:
    for expected in answer.people[0].moments[:1]:
        closer = suspicious.explain_frame(talking, answer, FrameQuestion(1, expected.second))
        found = moment_of(closer)
        assert (found.second, found.fake) == (expected.second, expected.fake)
        np.testing.assert_array_equal(found.crop, expected.crop)
        np.testing.assert_allclose(found.heat, expected.heat, rtol=1e-3, atol=1e-7)
        assert found.without == pytest.approx(expected.without, abs=1e-5)
        assert found.localised == expected.localised
        assert closer.heat_scale == answer.heat_scale


@pytest.mark.parametrize("of", HEAT_TARGETS)
@pytest.mark.parametrize("method", HEAT_METHODS)
def test_every_scored_frame_can_be_explained_by_every_method(
    suspicious: Detector, talking: Path, answer: Report, method: str, of: str
) -> None:
    second = answer.people[0].scores[-1].second
    closer = suspicious.explain_frame(talking, answer, FrameQuestion(1, second, method, of))
    moment = moment_of(closer)
    assert moment.second == second
    assert (closer.settings.heat_method, closer.settings.heat_of) == (method, of)
    hot = moment.heat is not None and bool(moment.heat.any())
    assert sum(row.evidence for row in moment.regions) == pytest.approx(float(hot), abs=1e-6)
    if hot:
        assert closer.heat_scale > 0
        assert moment.localised is not None


def test_nothing_but_the_clip_of_that_frame_is_shown_to_the_network(
    suspicious: Detector, talking: Path, answer: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = []
    encode = Network.encode

    def counted(self: Network, crops: list[np.ndarray]) -> object:
        batches.append(len(crops))
        return encode(self, crops)

    monkeypatch.setattr(Network, "encode", counted)
    suspicious.explain_frame(talking, answer, FrameQuestion(1, 0.5))
    assert sum(batches) <= 5 + 5  # a clip of five, and what hiding its parts costs


def test_no_score_changes(suspicious: Detector, talking: Path, answer: Report) -> None:
    closer = suspicious.explain_frame(talking, answer, FrameQuestion(1, 0.5, "eigen_cam"))
    assert closer.fake == answer.fake
    assert closer.people[0].scores == answer.people[0].scores


def test_another_file_is_refused(suspicious: Detector, answer: Report, tmp_path: Path) -> None:
    other = write_clip(tmp_path / "other.mp4", moving_portrait(30))
    with pytest.raises(VideoError, match="another file"):
        suspicious.explain_frame(other, answer, FrameQuestion(1, 0.5))
    with pytest.raises(VideoError):
        suspicious.explain_frame(tmp_path / "gone.mp4", answer, FrameQuestion(1, 0.5))


def test_a_person_without_a_score_cannot_be_explained(
    suspicious: Detector, talking: Path, answer: Report
) -> None:
    with pytest.raises(ValueError, match="Person 9 has no score"):
        suspicious.explain_frame(talking, answer, FrameQuestion(9, 0.5))


def test_it_can_be_called_off(suspicious: Detector, talking: Path, answer: Report) -> None:
    with pytest.raises(CancelledError):
        suspicious.explain_frame(talking, answer, FrameQuestion(1, 0.5), should_stop=lambda: True)


@pytest.mark.parametrize("of", HEAT_TARGETS)
def test_all_that_is_shown_is_a_message(
    suspicious: Detector, talking: Path, answer: Report, of: str
) -> None:
    closer = suspicious.explain_frame(talking, answer, FrameQuestion(1, 0.5, "grad_cam", of))
    # The card has no shares of real faces; this frame did not count in the video's score.
    text = "measured for these weights" if of == "frame" else "nothing to locate"
    assert text in closeup(closer)
    with marked():
        assert unmarked(closeup(closer)) == []
