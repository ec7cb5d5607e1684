"""A report as a chart: how suspicious each person looks, second by second, as one SVG text.

The chart carries its own small style, takes its ink from the surrounding text (`currentColor`)
and needs no script; its marks carry `data-second`, so that a page can seek its player by them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from detector.coverage import frame_length, runs_of, widest_step
from detector.records import FaceScore, Person, Report, Verdict, verdict_name
from detector.render.chart import Plot, drawing, grid, legend, pen
from detector.render.templating import escaped
from detector.text.figures import clock, percent
from detector.text.statements import (
    POINT,
    POINT_UNCLEAR,
    STRETCH,
    STRETCH_UNDECIDED,
)

_LANE = 16


def timeline_svg(report: Report, *, width: int = 960, interactive: bool = False) -> str:
    """The chart as an SVG element, `width` units wide; it scales with the page.

    One line per person, each with its own dash and, beside others, number, in a band that is as
    wide as the scores are unsteady. It stops where nothing was sampled. Grey: sampled, but no
    face could be judged. In colour: suspicious stretches, by the verdict on the person. Below, a
    lane per person shows when that person was judged. A still picture gets one row per person
    with its interval instead of a time axis.

    `interactive` is for a page with a script and a legend of its own: no legend, no tooltips,
    and a line of class `playhead` to be moved. All that belongs to one person carries
    `data-person`.
    Raises ValueError for a width below 240.
    """
    if width < 240:
        raise ValueError(f"width must be at least 240, got {width}")
    people = [person for person in report.people if person.scores]
    if report.video.is_still and people:
        return _still(report, people, width)
    parts, top = ([], 0) if interactive else legend(people, width)
    top += 12
    bottom = top + (220 if width >= 600 else 170)
    foot = bottom + _LANE * len(people) + 26
    end = max([report.video.seconds, *report.sampled_seconds, 0.1])
    plot = Plot(46, width - 16, top, bottom, end)
    parts += [*grid(plot, report.threshold, foot), *_blind(plot, report)]
    if not people:
        parts.append(_nobody(plot))
    drawn_runs = [(person, _runs(person, report)) for person in people]
    for row, (person, runs) in enumerate(drawn_runs):
        lane = _lane(plot, person, runs, bottom + 15 + _LANE * row)
        drawn = [
            *_stretches(plot, person, tooltips=not interactive),
            *_curve(plot, person, runs),
            *lane,
        ]
        parts.append(f'<g data-person="{person.id}">{"".join(drawn)}</g>')
    if len(people) > 1:
        parts += _numbers(plot, drawn_runs)
    for person in people:
        # Smaller dots where they would overlap.
        radius = 2.6 if len(person.scores) <= 60 else 1.5
        parts += [
            _point(plot, person.id, s, radius, tooltips=not interactive) for s in person.scores
        ]
    return drawing(report, (width, foot + 10), parts, live=plot if interactive else None)


def charts(report: Report) -> Markup:
    """The chart for a wide page and the one for a phone; the style sheet shows one of them."""
    wide, narrow = timeline_svg(report, width=920), timeline_svg(report, width=360)
    return Markup(f'<div class="wide-only">{wide}</div>\n<div class="narrow">{narrow}</div>')


def _nobody(plot: Plot) -> str:
    x, y = (plot.left + plot.right) / 2, plot.top + 0.3 * plot.high
    text = escaped("No face was judged")
    return f'<text x="{x:g}" y="{y:g}" text-anchor="middle">{text}</text>'


def _blind(plot: Plot, report: Report) -> Iterator[str]:
    """Grey bands where frames were sampled and no face could be judged."""
    length = frame_length(report.video)
    judged = {round(s.second, 3) for one in report.people for s in one.scores if s.usable}
    blind = [second for second in report.sampled_seconds if round(second, 3) not in judged]
    for run in runs_of(blind, length):
        # Half a frame earlier, so that a band is centred on its frames.
        x = plot.x(run.start - length / 2)
        wide = plot.x(run.end - length / 2) - x
        given = {"start": clock(run.start), "end": clock(run.end - length)}
        title = escaped("No face judged, {start} to {end}", **given)
        yield (
            f'<rect class="gap" x="{x:.1f}" y="{plot.top}" width="{max(wide, 2):.1f}" '
            f'height="{plot.high}"><title>{title}</title></rect>'
        )


def _runs(person: Person, report: Report) -> list[list[FaceScore]]:
    """The frames that counted, cut wherever nothing was sampled, or this person was not judged."""
    judged = sorted((s for s in person.scores if s.usable), key=lambda score: score.second)
    known = {round(score.second, 3) for score in judged}
    missed = [s for s in report.sampled_seconds if round(s, 3) not in known]
    step = widest_step(frame_length(report.video)) + 1e-6
    runs: list[list[FaceScore]] = []
    last = -math.inf
    for score in judged:
        apart = score.second - last > step
        if apart or any(last < second < score.second for second in missed):
            runs.append([])
        runs[-1].append(score)
        last = score.second
    return runs


def _stretches(plot: Plot, person: Person, *, tooltips: bool) -> Iterator[str]:
    fake = person.verdict is Verdict.FAKE
    sentence = STRETCH if fake else STRETCH_UNDECIDED
    for segment in person.segments:
        x = plot.x(segment.start)
        wide = max(plot.x(segment.end) - x, 3.0)
        given = {
            "person": person.id,
            "start": clock(segment.start),
            "end": clock(segment.end),
            "peak": percent(segment.peak),
        }
        title = f"<title>{escaped(sentence, **given)}</title>"
        place = f'x="{x:.1f}" y="{plot.top}" width="{wide:.1f}" fill="currentColor"'
        yield (
            f'<g class="stretch" data-second="{segment.start:.3f}" data-person="{person.id}">'
            f'{title if tooltips else ""}<g class="{"fake" if fake else "undecided"}">'
            f'<rect {place} height="{plot.high}" opacity=".13"/>'
            f'<rect {place} height="3"/></g></g>'
        )


def _curve(plot: Plot, person: Person, runs: Sequence[Sequence[FaceScore]]) -> Iterator[str]:
    for run in runs:
        if len(run) > 1:
            yield f'<path d="{_band(plot, run)}" fill="currentColor" opacity=".13"/>'
            line = " ".join(f"{plot.x(s.second):.1f},{plot.y(s.fake):.1f}" for s in run)
            yield f'<polyline points="{line}" {pen(person.id)}/>'


def _numbers(
    plot: Plot, people: Sequence[tuple[Person, Sequence[Sequence[FaceScore]]]]
) -> Iterator[str]:
    """Whose run it is, written above it, or below it where a number stands already.

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
                    yield (
                        f'<text class="number" data-person="{person.id}" x="{x:.1f}" '
                        f'y="{y:.1f}">{person.id}</text>'
                    )
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


def _point(plot: Plot, person: int, score: FaceScore, radius: float, *, tooltips: bool) -> str:
    sentence = POINT if score.usable else POINT_UNCLEAR
    given = {"person": person, "time": clock(score.second), "score": percent(score.fake)}
    title = f"<title>{escaped(sentence, **given)}</title>" if tooltips else ""
    return (
        f'<g class="point" data-second="{score.second:.3f}" data-person="{person}" '
        f'data-fake="{score.fake:.4f}">{title}'
        f'<circle cx="{plot.x(score.second):.1f}" cy="{plot.y(score.fake):.1f}" '
        f"{_dot(radius, counted=score.usable)}/></g>"
    )


def _dot(radius: float, *, counted: bool) -> str:
    """Attributes of a point: full if it counted, hollow if it was too unclear to count."""
    if counted:
        return f'r="{radius}" fill="currentColor"'
    return f'r="{radius + 0.4:g}" fill="none" stroke="currentColor" stroke-width="1.2"'


def _lane(
    plot: Plot, person: Person, runs: Sequence[Sequence[FaceScore]], middle: int
) -> Iterator[str]:
    """A bar under the plot: pale along the video, dark where judged, in the verdict's colour where
    suspicious."""
    wide = plot.right - plot.left
    yield f'<rect class="track" x="{plot.left}" y="{middle - 3}" width="{wide}" height="6"/>'
    yield (
        f'<text class="soft" x="{plot.left - 7}" y="{middle + 4}" text-anchor="end">'
        f"{person.id}</text>"
    )
    tone = verdict_name(person.verdict) or "undecided"
    judged = [(run[0].second, run[-1].second, "judged") for run in runs]
    for start, end, kind in [*judged, *((s.start, s.end, tone) for s in person.segments)]:
        x = plot.x(start)
        yield (
            f'<rect class="{kind}" x="{x:.1f}" y="{middle - 3}" '
            f'width="{max(plot.x(end) - x, 2):.1f}" height="6" fill="currentColor"/>'
        )


def _still(report: Report, people: Sequence[Person], width: int) -> str:
    """A row per person: the score as a dot, its interval as a bar, across from 0 to 100 %."""
    row = 34
    left, right, bottom = 84, width - 24, 18 + row * len(people)
    across = right - left
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = left + across * share
        parts.append(f'<line class="grid" x1="{x:g}" x2="{x:g}" y1="10" y2="{bottom}"/>')
        parts.append(
            f'<text class="soft" x="{x:g}" y="{bottom + 18}" text-anchor="middle">'
            f"{share * 100:.0f} %</text>"
        )
    x, limit = left + across * report.threshold, escaped("threshold")
    parts.append(f'<line class="limit" x1="{x:g}" x2="{x:g}" y1="4" y2="{bottom}"/>')
    parts.append(f'<text class="soft" x="{x + 5:g}" y="14">{limit}</text>')
    for place, person in enumerate(people):
        y = 18 + row * place + row // 2
        parts += _still_row(person, (left, across), y)
    return drawing(report, (width, bottom + 28), parts)


def _still_row(person: Person, span: tuple[int, int], y: int) -> Iterator[str]:
    left, across = span
    tone = verdict_name(person.verdict) or "undecided"
    name = escaped("Person {person}", person=person.id)
    yield f'<text x="{left - 10}" y="{y + 4}" text-anchor="end">{name}</text>'
    if person.interval is not None:
        low, high = (left + across * bound for bound in person.interval)
        yield (
            f'<rect class="{tone}" x="{low:.1f}" y="{y - 5}" width="{max(high - low, 2):.1f}" '
            'height="10" rx="5" fill="currentColor" opacity=".25"/>'
        )
    for score in person.scores:
        score_text = percent(score.fake)
        title = escaped("Person {person}: {score}", person=person.id, score=score_text)
        yield (
            f'<g class="point" data-second="{score.second:.3f}" data-person="{person.id}" '
            f'data-fake="{score.fake:.4f}"><title>{title}</title><circle class="{tone}" '
            f'cx="{left + across * score.fake:.1f}" cy="{y}" {_dot(6, counted=score.usable)}/></g>'
        )
