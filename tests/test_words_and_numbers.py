"""The word, the colour and the sentences of an answer agree with the whole of its interval."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from detector.records import Report, Verdict
from detector.render.answer_card import answer_card
from detector.scoring.calibration import BANDS, ScoringRules, decide
from detector.scoring.verdict import score_video
from detector.terminal.run import answer_lines
from detector.text.summary import band_text, headline, verdict_text
from detector.text.warnings import reach_text
from tests.reports import calm

STEPS = [0.005, *(k / 20 for k in range(1, 20)), 0.995]
"""Probabilities, among them the edges of words and of the undecided range."""
RULES = {
    "default": ScoringRules(calibrated=True),
    "wide": ScoringRules(calibrated=True, threshold=0.7, undecided=(0.4, 0.7)),
    "low": ScoringRules(calibrated=True, threshold=0.1, undecided=(0.05, 0.15)),
}
CASES = [(low, fake, high) for low, fake, high in product(STEPS, repeat=3) if low <= fake <= high]


PLAIN = calm()  # drawn once, since there are thousands of cases


def answered(low: float, fake: float, high: float, rules: ScoringRules) -> Report:
    """A report whose one person has this score."""
    verdict, _doubts = decide(fake, fake, rules)
    one = replace(PLAIN.people[0], fake=fake, interval=(low, high), verdict=verdict)
    answer = score_video([one], rules)
    model = replace(PLAIN.model, threshold=rules.threshold, undecided=rules.undecided)
    return replace(
        PLAIN,
        people=(one,),
        model=model,
        verdict=answer.verdict,
        fake=answer.fake,
        interval=answer.interval,
        band=answer.band,
    )


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES.keys())
def test_the_word_is_true_of_every_probability_in_the_interval(rules: ScoringRules) -> None:
    for low, fake, high in CASES:
        report = answered(low, fake, high, rules)
        assert report.band is not None
        least = min(BANDS.index(rules.band(value)) for value in STEPS if low <= value <= high)
        assert BANDS.index(report.band) <= least


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES.keys())
def test_evidence_is_mentioned_only_where_the_verdict_is_manipulated(rules: ScoringRules) -> None:
    for low, fake, high in CASES:
        report = answered(low, fake, high, rules)
        assert report.verdict is not None
        text, word = headline(report), band_text(report.band or "")
        assert text.startswith(word) == (report.verdict is Verdict.FAKE), (low, fake, high, text)


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES.keys())
def test_the_verdict_is_that_of_the_zone_of_the_score(rules: ScoringRules) -> None:
    for low, fake, high in CASES:
        report = answered(low, fake, high, rules)
        below, above = report.undecided
        expected = Verdict.UNDECIDED
        if fake < below:
            expected = Verdict.NO_SIGN
        elif fake >= above:
            expected = Verdict.FAKE
        assert report.verdict is expected, (low, fake, high)


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES.keys())
def test_an_interval_that_reaches_the_opposite_zone_is_stated(rules: ScoringRules) -> None:
    for low, fake, high in CASES:
        report = answered(low, fake, high, rules)
        below, above = report.undecided
        zones = {
            Verdict.NO_SIGN: high > above,
            Verdict.FAKE: low < below,
            Verdict.UNDECIDED: False,
        }
        assert report.verdict is not None
        assert bool(reach_text(report)) == zones[report.verdict], (low, fake, high)


@pytest.mark.parametrize("fake", [0.05, 0.5, 0.95])
def test_badge_and_warning_of_card_and_terminal_are_those_of_the_verdict(
    fake: float,
) -> None:
    report = answered(0.005, fake, 0.995, RULES["default"])
    card = answer_card(report)
    assert report.verdict is not None
    assert f'class="answer {report.verdict.value}"' in card
    assert verdict_text(report.verdict) in card
    printed = " ".join(answer_lines(Path("clip.mp4"), report))
    assert ("The 95 % interval reaches" in printed) == (report.verdict is not Verdict.UNDECIDED)
    assert ("The 95 % interval reaches" in card) == (report.verdict is not Verdict.UNDECIDED)
