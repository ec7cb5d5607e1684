"""A report as a chart: how suspicious each person looks, second by second, as one SVG text.

The chart carries its own small style, takes its ink from the surrounding text (`currentColor`)
and needs no script; its marks carry `data-second`, so that a page can seek its player by them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from detector.records import FaceScore, Person, Report, Verdict, verdict_name
from detector.render.chart import dash_of, drawing, legend, levels, ticks
from detector.render.plot import Plot
from detector.render.templating import escaped
from detector.scoring.coverage import frame_length, runs_of, widest_step
from detector.text.figures import clock, percent
from detector.text.statements import (
    POINT,
    POINT_UNCLEAR,
    STRETCH,
    STRETCH_UNDECIDED,
)

_LANE = 16  # units of height per person, a little more than the text's 12


def timeline_svg(
    report: Report,
    *,
    width: int = 960,
    interactive: bool = False,
    end: float = 0.0,
    key: str = "",
) -> str:
    """The chart as an SVG element, `width` units wide; it scales with the page.

    One line per person, each with its own dash and, beside others, number, in a band that is as
    wide as the scores are unsteady. It stops where nothing was sampled. Grey: sampled, but no
    face could be scored. In colour: suspicious stretches, by the verdict on the person. Below, a
    lane per person shows when that person was scored. A still picture gets one row per person
    with its interval instead of a time axis.

    `interactive` is for a page with a script and a legend of its own: no legend, no tooltips,
    and a line of class `playhead` to be moved. All that belongs to one person carries
    `data-person`. The time axis is as long as the video, or ends at `end` seconds where that is
    later, as beside a longer video; `key` is as in `drawing`.
    Raises ValueError for a width below 240.
    """
    if width < 240:
        raise ValueError(f"width must be at least 240, got {width}")
    people = [person for person in report.people if person.scores]
    if report.video.is_still and people:
        return _still(report, people, width, key)
    entries, top = ([], 0) if interactive else legend(people, width)
    # A row of the legend for the threshold: on its line the text would cover scores.
    top += 28
    bottom = top + (220 if width >= 600 else 170)
    foot = bottom + _LANE * len(people) + 26
    own = max(report.end, 0.1)
    plot = Plot(46, width - 16, top, bottom, max(own, end))
    runs = [(person, _runs(person, report)) for person in people]
    return drawing(
        "timeline.html",
        report,
        (width, foot + 10),
        live=plot if interactive else None,
        key=key,
        plot=plot,
        ends=f"{plot.x(own):.1f}" if own < end else None,
        legend=entries,
        levels=levels(plot),
        threshold=report.threshold,
        ticks=ticks(plot),
        foot=foot,
        gaps=_gaps(plot, report),
        rows=[_row(plot, *pair, bottom + 15 + _LANE * index) for index, pair in enumerate(runs)],
        numbers=_numbers(plot, runs) if len(people) > 1 else (),
        points=[point for person in people for point in _points(plot, person)],
    )


def charts(report: Report, *, end: float = 0.0, key: str = "") -> Markup:
    """The chart for a wide page and the one for a phone; the style sheet shows one of them. `end`
    and `key` are as in `timeline_svg`."""
    wide, narrow = (timeline_svg(report, width=width, end=end, key=key) for width in (920, 360))
    return Markup(f'<div class="wide-only">{wide}</div>\n<div class="narrow">{narrow}</div>')


def _gaps(plot: Plot, report: Report) -> Iterator[dict[str, str]]:
    """Grey bands where frames were sampled and no face could be scored."""
    length = frame_length(report.video)
    scored = {round(s.second, 3) for one in report.people for s in one.scores if s.usable}
    faceless = [second for second in report.sampled_seconds if round(second, 3) not in scored]
    for run in runs_of(faceless, length):
        # Half a frame earlier, so that a band is centred on its frames.
        x = plot.x(run.start - length / 2)
        width = max(plot.x(run.end - length / 2) - x, 2)
        times = {"start": clock(run.start), "end": clock(run.end - length)}
        yield {"x": f"{x:.1f}", "width": f"{width:.1f}", **times}


def _runs(person: Person, report: Report) -> list[list[FaceScore]]:
    """The frames that counted, cut wherever nothing was sampled, or this person was not scored."""
    scored = sorted((s for s in person.scores if s.usable), key=lambda score: score.second)
    known = {round(score.second, 3) for score in scored}
    missed = [s for s in report.sampled_seconds if round(s, 3) not in known]
    step = widest_step(frame_length(report.video)) + 1e-6
    runs: list[list[FaceScore]] = []
    last = -math.inf
    for score in scored:
        apart = score.second - last > step
        if apart or any(last < second < score.second for second in missed):
            runs.append([])
        runs[-1].append(score)
        last = score.second
    return runs


def _row(
    plot: Plot, person: Person, runs: Sequence[Sequence[FaceScore]], middle: int
) -> dict[str, Any]:
    """What belongs to one person: suspicious stretches, curves, and the lane under the plot, pale
    along the video, dark where scored, in the verdict's colour where suspicious."""
    tone = verdict_name(person.verdict) or "undecided"
    scored = [(run[0].second, run[-1].second, "scored") for run in runs]
    return {
        "person": person.id,
        "dash": dash_of(person.id),
        "stretches": _stretches(plot, person),
        "stretch_tone": "fake" if person.verdict is Verdict.FAKE else "undecided",
        "curves": [(_band(plot, run), _line(plot, run)) for run in runs if len(run) > 1],
        "middle": middle,
        "bars": [
            {"kind": kind, **_span(plot, start, end, 2)}
            for start, end, kind in [*scored, *((s.start, s.end, tone) for s in person.segments)]
        ],
    }


def _span(plot: Plot, start: float, end: float, least: float) -> dict[str, str]:
    """A stretch of time across the plot, at least so wide that it is visible."""
    x = plot.x(start)
    return {"x": f"{x:.1f}", "width": f"{max(plot.x(end) - x, least):.1f}"}


def _stretches(plot: Plot, person: Person) -> Iterator[dict[str, str]]:
    sentence = STRETCH if person.verdict is Verdict.FAKE else STRETCH_UNDECIDED
    for segment in person.segments:
        title = escaped(
            sentence,
            person=person.id,
            start=clock(segment.start),
            end=clock(segment.end),
            peak=percent(segment.peak),
        )
        span = _span(plot, segment.start, segment.end, 3)
        yield {"second": f"{segment.start:.3f}", "title": title, **span}


def _line(plot: Plot, run: Sequence[FaceScore]) -> str:
    return plot.line((score.second, score.fake) for score in run)


def _numbers(
    plot: Plot, people: Sequence[tuple[Person, Sequence[Sequence[FaceScore]]]]
) -> Iterator[tuple[int, float, float]]:
    """Whose run it is, written at x, y above it, or below it where a number stands already.

    A person's numbers stand at least so far apart that they do not become a pattern.
    """
    taken: list[tuple[float, float]] = []
    for person, runs in people:
        last = -math.inf
        for run in runs:
            x = (plot.x(run[0].second) + plot.x(run[-1].second)) / 2
            if x - last < 40:
                continue
            heights = [plot.y(score.fake) for score in run]
            for y in (max(min(heights) - 8, plot.top + 9), min(max(heights) + 16, plot.bottom - 3)):
                if all(abs(x - a) >= 10 or abs(y - b) >= 11 for a, b in taken):
                    taken.append((x, y))
                    last = x
                    yield person.id, x, y
                    break


def _band(plot: Plot, run: Sequence[FaceScore]) -> str:
    """An area as wide as the scores are unsteady: how far each frame, and the two on either
    side, lie from the line between their own neighbours (root mean square)."""
    fake = [score.fake for score in run]
    # Second difference: 0 on a straight line, whatever its slope.
    inner = range(1, len(fake) - 1)
    off = [0.0, *((fake[k] - (fake[k - 1] + fake[k + 1]) / 2) ** 2 for k in inner), 0.0]
    upper, lower = [], []
    for k, score in enumerate(run):
        near = off[max(1, k - 2) : min(k + 3, len(off) - 1)]
        wide = math.sqrt(sum(near) / len(near)) if near else 0.0
        upper.append((plot.x(score.second), plot.y(min(1.0, score.fake + wide))))
        lower.append((plot.x(score.second), plot.y(max(0.0, score.fake - wide))))
    return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in [*upper, *reversed(lower)]) + "Z"


def _points(plot: Plot, person: Person) -> Iterator[dict[str, Any]]:
    # Smaller dots where they would overlap.
    radius = 2.6 if len(person.scores) <= 60 else 1.5
    for score in person.scores:
        sentence = POINT if score.usable else POINT_UNCLEAR
        texts = {"time": clock(score.second), "score": percent(score.fake)}
        yield {
            "person": person.id,
            "title": escaped(sentence, person=person.id, **texts),
            "x": f"{plot.x(score.second):.1f}",
            "y": f"{plot.y(score.fake):.1f}",
            "radius": radius,
            **_data_of(score),
        }


def _data_of(score: FaceScore) -> dict[str, Any]:
    """What a page reads of a dot, and whether it is full."""
    return {
        "second": f"{score.second:.3f}",
        "fake": f"{score.fake:.4f}",
        "counted": score.usable,
    }


def _still(report: Report, people: Sequence[Person], width: int, key: str) -> str:
    """A row per person: the score as a dot, its interval as a bar, across from 0 to 100 %."""
    height = 34
    left, right, bottom = 84, width - 24, 18 + height * len(people)
    across = right - left
    return drawing(
        "still_chart.html",
        report,
        (width, bottom + 28),
        key=key,
        left=left,
        bottom=bottom,
        scale=[(f"{left + across * k / 4:g}", 25 * k) for k in range(5)],
        limit=left + across * report.threshold,
        middle=left + across / 2,
        rows=[
            _still_row(person, (left, across), 18 + height * index + height // 2)
            for index, person in enumerate(people)
        ],
    )


def _still_row(person: Person, span: tuple[int, int], y: int) -> dict[str, Any]:
    left, across = span
    interval = None
    if person.interval is not None:
        low, high = (left + across * bound for bound in person.interval)
        interval = {"x": f"{low:.1f}", "width": f"{max(high - low, 2):.1f}"}
    points = [
        {
            "score": percent(score.fake),
            "x": f"{left + across * score.fake:.1f}",
            **_data_of(score),
        }
        for score in person.scores
    ]
    tone = verdict_name(person.verdict) or "undecided"
    return {"person": person.id, "y": y, "tone": tone, "interval": interval, "points": points}
