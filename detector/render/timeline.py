"""A report as a chart: how suspicious each person looks, second by second, as one SVG text.

The chart carries its own small style, takes its ink from the surrounding text (`currentColor`)
and needs no script; its marks carry `data-second`, so that a page can seek its player by them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from html import escape

from markupsafe import Markup

from detector.language import Message, _
from detector.records import FaceScore, Person, Report, Verdict
from detector.render.chart import Plot, colour_name, drawing, grid, legend, pen
from detector.text.figures import clock, percent
from detector.text.seen import gaps
from detector.text.statements import (
    POINT,
    POINT_UNCLEAR,
    STRETCH,
    STRETCH_UNDECIDED,
)

# Two frames further apart than this are not joined by a line: nobody looked in between.
LONGEST_STEP = 1.0
_LANE = 16


def timeline_svg(report: Report, *, width: int = 960, interactive: bool = False) -> str:
    """The chart as an SVG element, `width` units wide; it scales with the page.

    One line per person, each with its own colour and dash, in a band that is as wide as the
    scores are unsteady; dotted where the frames in between were not looked at. Grey: sampled,
    but no face could be judged. Shaded: suspicious stretches. Below, a lane per person shows
    when that person was judged. A still picture gets one row per person with its interval
    instead of a time axis.

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
    for row, person in enumerate(people):
        runs = _runs(person, report)
        lane = _lane(plot, person, runs, bottom + 15 + _LANE * row)
        drawn = [
            *_stretches(plot, person, told=not interactive),
            *_curve(plot, person, runs),
            *lane,
        ]
        parts.append(f'<g data-person="{person.id}">{"".join(drawn)}</g>')
    for person in people:
        radius = 2.6 if len(person.scores) <= 60 else 1.5
        parts += [_point(plot, person.id, s, radius, told=not interactive) for s in person.scores]
    return drawing(report, (width, foot + 10), parts, live=plot if interactive else None)


def charts(report: Report) -> Markup:
    """The chart for a wide page and the one for a phone; the style sheet shows one of them."""
    wide, narrow = timeline_svg(report, width=920), timeline_svg(report, width=360)
    return Markup(f'<div class="wide-only">{wide}</div>\n<div class="narrow">{narrow}</div>')


def _nobody(plot: Plot) -> str:
    x, y = (plot.left + plot.right) / 2, plot.top + 0.3 * plot.high
    told = escape(_("No face was judged"))
    return f'<text x="{x:g}" y="{y:g}" text-anchor="middle">{told}</text>'


def _blind(plot: Plot, report: Report) -> Iterator[str]:
    """Grey bands from half-way after the last judged moment to half-way before the next."""
    seconds = sorted(report.sampled_seconds)
    for first, last in gaps(report):
        earlier = [second for second in seconds if second < first - 5e-4]
        later = [second for second in seconds if second > last + 5e-4]
        x = plot.x((earlier[-1] + first) / 2 if earlier else 0.0)
        wide = plot.x((last + later[0]) / 2 if later else plot.end) - x
        told = escape(_("No face judged, {start} to {end}", start=clock(first), end=clock(last)))
        yield (
            f'<rect class="gap" x="{x:.1f}" y="{plot.top}" width="{max(wide, 2):.1f}" '
            f'height="{plot.high}"><title>{told}</title></rect>'
        )


def _runs(person: Person, report: Report) -> list[list[FaceScore]]:
    """The frames that counted, cut wherever this person was sampled but not judged."""
    judged = sorted((s for s in person.scores if s.usable), key=lambda score: score.second)
    known = {round(score.second, 3) for score in judged}
    missed = [s for s in report.sampled_seconds if round(s, 3) not in known]
    runs: list[list[FaceScore]] = []
    last = -math.inf
    for score in judged:
        if not runs or any(last < second < score.second for second in missed):
            runs.append([])
        runs[-1].append(score)
        last = score.second
    return runs


def _stretches(plot: Plot, person: Person, *, told: bool) -> Iterator[str]:
    colour = colour_name(person.id)
    said = STRETCH if person.verdict is Verdict.FAKE else STRETCH_UNDECIDED
    for segment in person.segments:
        x = plot.x(segment.start)
        wide = max(plot.x(segment.end) - x, 3.0)
        given = {
            "person": person.id,
            "start": clock(segment.start),
            "end": clock(segment.end),
            "peak": percent(segment.peak),
        }
        title = f"<title>{escape(str(Message(said.text, given)))}</title>"
        place = f'x="{x:.1f}" y="{plot.top}" width="{wide:.1f}"'
        yield (
            f'<g class="stretch" data-second="{segment.start:.3f}" data-person="{person.id}">'
            f'{title if told else ""}<rect {place} height="{plot.high}" fill="{colour}" '
            f'opacity=".13"/><rect {place} height="3" fill="{colour}"/></g>'
        )


def _curve(plot: Plot, person: Person, runs: Sequence[Sequence[FaceScore]]) -> Iterator[str]:
    colour = colour_name(person.id)
    for run in runs:
        parts = _without_long_steps(run)
        for part in parts:
            if len(part) > 1:
                yield f'<path d="{_band(plot, part)}" fill="{colour}" opacity=".16"/>'
                line = " ".join(f"{plot.x(s.second):.1f},{plot.y(s.fake):.1f}" for s in part)
                yield f'<polyline points="{line}" {pen(person.id)}/>'
        for before, after in itertools.pairwise(parts):
            a, b = before[-1], after[0]
            yield (
                f'<line x1="{plot.x(a.second):.1f}" y1="{plot.y(a.fake):.1f}" '
                f'x2="{plot.x(b.second):.1f}" y2="{plot.y(b.fake):.1f}" stroke="{colour}" '
                'stroke-width="1.2" stroke-dasharray="1 4" opacity=".8"/>'
            )


def _without_long_steps(run: Sequence[FaceScore]) -> list[list[FaceScore]]:
    parts = [[run[0]]]
    for before, score in itertools.pairwise(run):
        if score.second - before.second > LONGEST_STEP:
            parts.append([])
        parts[-1].append(score)
    return parts


def _band(plot: Plot, part: Sequence[FaceScore]) -> str:
    """An area as wide as the scores are unsteady: how far each frame, and the two on either
    side, lie from the line between their own neighbours (root mean square)."""
    fake = [score.fake for score in part]
    inner = range(1, len(fake) - 1)
    off = [0.0, *((fake[k] - (fake[k - 1] + fake[k + 1]) / 2) ** 2 for k in inner), 0.0]
    upper, lower = [], []
    for k, score in enumerate(part):
        near = off[max(1, k - 2) : min(k + 3, len(off) - 1)]
        wide = math.sqrt(sum(near) / len(near)) if near else 0.0
        upper.append((plot.x(score.second), plot.y(min(1.0, score.fake + wide))))
        lower.append((plot.x(score.second), plot.y(max(0.0, score.fake - wide))))
    return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in [*upper, *reversed(lower)]) + "Z"


def _point(plot: Plot, person: int, score: FaceScore, radius: float, *, told: bool) -> str:
    said = POINT if score.usable else POINT_UNCLEAR
    given = {"person": person, "time": clock(score.second), "score": percent(score.fake)}
    title = escape(str(Message(said.text, given)))
    colour = colour_name(person)
    return (
        f'<g class="point" data-second="{score.second:.3f}" data-person="{person}" '
        f'data-fake="{score.fake:.4f}">{f"<title>{title}</title>" if told else ""}'
        f'<circle cx="{plot.x(score.second):.1f}" cy="{plot.y(score.fake):.1f}" r="{radius}" '
        f'fill="{colour if score.usable else "none"}" stroke="{colour}"/></g>'
    )


def _lane(
    plot: Plot, person: Person, runs: Sequence[Sequence[FaceScore]], middle: int
) -> Iterator[str]:
    """A bar under the plot: pale along the video, darker where judged, full where suspicious."""
    wide = plot.right - plot.left
    colour = colour_name(person.id)
    yield f'<rect class="track" x="{plot.left}" y="{middle - 3}" width="{wide}" height="6"/>'
    yield (
        f'<text class="soft" x="{plot.left - 7}" y="{middle + 4}" text-anchor="end">'
        f"{person.id}</text>"
    )
    judged = [
        (part[0].second, part[-1].second, 0.45) for run in runs for part in _without_long_steps(run)
    ]
    for start, end, opacity in [*judged, *((s.start, s.end, 1.0) for s in person.segments)]:
        x = plot.x(start)
        yield (
            f'<rect x="{x:.1f}" y="{middle - 3}" width="{max(plot.x(end) - x, 2):.1f}" '
            f'height="6" fill="{colour}" opacity="{opacity:g}"/>'
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
    x, limit = left + across * report.threshold, escape(_("threshold"))
    parts.append(f'<line class="limit" x1="{x:g}" x2="{x:g}" y1="4" y2="{bottom}"/>')
    parts.append(f'<text class="soft" x="{x + 5:g}" y="14">{limit}</text>')
    for place, person in enumerate(people):
        y = 18 + row * place + row // 2
        parts += _still_row(person, (left, across), y)
    return drawing(report, (width, bottom + 28), parts)


def _still_row(person: Person, span: tuple[int, int], y: int) -> Iterator[str]:
    left, across = span
    colour = colour_name(person.id)
    name = escape(_("Person {person}", person=person.id))
    yield f'<text x="{left - 10}" y="{y + 4}" text-anchor="end">{name}</text>'
    if person.interval is not None:
        low, high = (left + across * bound for bound in person.interval)
        yield (
            f'<rect x="{low:.1f}" y="{y - 5}" width="{max(high - low, 2):.1f}" height="10" rx="5" '
            f'fill="{colour}" opacity=".25"/>'
        )
    for score in person.scores:
        score_text = percent(score.fake)
        told = escape(_("Person {person}: {score}", person=person.id, score=score_text))
        yield (
            f'<g class="point" data-second="{score.second:.3f}" data-person="{person.id}" '
            f'data-fake="{score.fake:.4f}"><title>{told}</title><circle r="6" '
            f'cx="{left + across * score.fake:.1f}" cy="{y}" stroke="{colour}" '
            f'fill="{colour if score.usable else "none"}"/></g>'
        )
