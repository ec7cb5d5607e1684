"""How much of a video an answer rests on, in sentences."""

from __future__ import annotations

import itertools

from detector.language import _
from detector.records import Report, Status
from detector.scoring.coverage import SHORT_INSERT, Coverage, coverage_of, stretch_of
from detector.text.figures import clock, length_text, percent

STATED_FROM = 0.05
"""The chance of missing a short insert from which it is stated: 5 %, as a level by convention."""


def coverage_texts(report: Report) -> list[tuple[str, float | None]]:
    """How much of a video was sampled, and what that could hide, each with its moment."""
    if report.status is Status.NO_FACE or not report.frames_sampled or report.video.is_still:
        return []
    coverage = coverage_of(report)
    if coverage is None:
        return []
    text = _(
        "Of {length}, {seen} were analysed, {frames} frames; a face was found in {found} of them.",
        seen=length_text(coverage.seconds),
        length=length_text(report.video.seconds),
        found=report.frames_with_face,
        frames=report.frames_sampled,
    )
    sentences: list[tuple[str, float | None]] = [(text, None)]
    begin, end = stretch_of(report.settings, report.video)
    if begin > 0 or end < report.video.seconds:
        part = _(
            "Only the part from {start} to {end} was analysed, as requested.",
            start=clock(begin),
            end=clock(end),
        )
        sentences.append((part, begin))
    if report.status is Status.OK and coverage.missed >= STATED_FROM:
        sentences.append((missed_text(coverage), None))
    gap = longest_gap(report)
    if gap is not None and report.status is Status.OK:
        start, end = gap
        text = _(
            "No face could be scored from {start} to {end}; that part has no score.",
            start=clock(start),
            end=clock(end),
        )
        sentences.append((text, start))
    return sentences


def missed_text(coverage: Coverage) -> str:
    """What the gaps between the samples could hide."""
    return _(
        "With a probability of {chance}, a manipulated part of {insert} s would fall between the "
        "analysed frames.",
        insert=f"{SHORT_INSERT:.0f}",
        chance=percent(coverage.missed),
    )


def longest_gap(report: Report) -> tuple[float, float] | None:
    """The longest run of sampled moments at which nobody was scored, first to last second."""
    return max(gaps(report), key=lambda gap: gap[1] - gap[0], default=None)


def gaps(report: Report) -> list[tuple[float, float]]:
    """Runs of sampled moments at which nobody could be scored, each as first and last second."""
    with_score = {round(s.second, 3) for p in report.people for s in p.scores if s.usable}
    seconds = sorted(round(second, 3) for second in report.sampled_seconds)
    runs = itertools.groupby(seconds, key=lambda second: second in with_score)
    unscored = [list(run) for known, run in runs if not known]
    return [(run[0], run[-1]) for run in unscored]
