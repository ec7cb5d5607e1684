"""The comparison of two answers, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from detector.comparison import Comparison
from detector.errors import VideoError
from detector.language import _
from detector.records import Report
from detector.settings import Settings
from detector.text.figures import percent
from detector.text.summary import headline, verdict_text

LETTERS = ("A", "B")


def comparison_texts(found: Comparison) -> Iterator[str]:
    """What was compared; both scores and whether their intervals overlap; what that leaves open."""
    yield from _what(found)
    for letter, side in zip(LETTERS, found.sides, strict=True):
        yield _answer(letter, side)
    if found.difference is None:
        yield _("Without two scores there is nothing to compare.")
        return
    yield _gap(found.difference)
    if found.intervals_overlap is not None:
        yield _clear(found)
    yield from _verdicts(found)


def _what(found: Comparison) -> Iterator[str]:
    if found.same_file:
        yield _("A and B are the same file, to the last byte.")
    elif found.same_file is not None:
        yield _("A and B are different files.")
    if found.reports is not None and not found.same_model:
        first, second = found.reports
        yield _(
            "A was scored by the model {first}, B by the model {second}.",
            first=first.model.id,
            second=second.model.id,
        )
    if found.reports is not None and _options(found.reports[0]) != _options(found.reports[1]):
        yield _("A and B were analysed with different options, which may be why they differ.")


def _options(report: Report) -> Settings:
    """Those that may change a score or a verdict."""
    plain = Settings()
    return replace(
        report.settings, heat=plain.heat, heat_method=plain.heat_method, heat_of=plain.heat_of
    )


def _answer(letter: str, side: Report | VideoError) -> str:
    if isinstance(side, VideoError):
        return f"{letter}: {side}"
    if side.score is None:
        return f"{letter}: {headline(side)}"
    text, verdict = percent(side.score), verdict_text(side.verdict)
    if side.interval is None:
        return _("{letter}: {score}, {verdict}.", letter=letter, score=text, verdict=verdict)
    return _(
        "{letter}: {score} (95 % interval {low} to {high}), {verdict}.",
        letter=letter,
        score=text,
        low=percent(side.interval[0]),
        high=percent(side.interval[1]),
        verdict=verdict,
    )


def _gap(difference: float) -> str:
    """In percentage points, as the probabilities are printed."""
    points = round(abs(difference) * 100)
    if points == 0:
        return _("The scores differ by less than 1 percentage point.")
    if difference > 0:
        return _("B scores higher by {points} percentage points.", points=points)
    return _("A scores higher by {points} percentage points.", points=points)


def _clear(found: Comparison) -> str:
    if found.intervals_overlap:
        return _(
            "The intervals overlap, so the scores may differ only because other frames were "
            "sampled."
        )
    return _(
        "The intervals do not overlap, so the scores differ by more than the choice of frames "
        "explains."
    )


def _verdicts(found: Comparison) -> Iterator[str]:
    assert found.reports is not None, "two scores come from two reports"
    first, second = found.reports
    if found.same_verdict:
        yield _("Both have the same answer: {verdict}.", verdict=verdict_text(first.verdict))
    else:
        yield _(
            "The answers differ: {first} for A, {second} for B.",
            first=verdict_text(first.verdict),
            second=verdict_text(second.verdict),
        )
    if first.threshold != second.threshold:
        yield _thresholds(first, second)
    yield _("An interval covers the choice of frames, not the errors of a model.")


def _thresholds(first: Report, second: Report) -> str:
    values = {"first": percent(first.threshold), "second": percent(second.threshold)}
    if first.model == second.model:
        return _("The decision thresholds differ: {first} for A, {second} for B.", **values)
    return _(
        "Each model has a decision threshold of its own: {first} for A, {second} for B.", **values
    )
