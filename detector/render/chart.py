"""What every chart of a report shares: its frame, grid, pens and legend, as SVG text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from detector.language import _, joined
from detector.records import Person, Report
from detector.render.templating import escaped
from detector.text.summary import clock, headline, peak_of, percent

# Lengths of strokes and gaps in user units, distinguishable without colour.
_DASHES = ("", "7 3", "2 3", "10 3 2 3", "5 5", "1 4", "12 4", "6 2 2 2 2 2")
# Seconds between two ticks: round numbers of seconds, minutes and hours.
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_STYLE = (
    '.tl{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;display:block;'
    "width:100%;height:auto}"
    ".tl text{fill:currentColor}.tl .soft{opacity:.72}"
    ".tl .grid{stroke:currentColor;opacity:.14}.tl .axis{stroke:currentColor;opacity:.45}"
    ".tl .limit{stroke:currentColor;stroke-dasharray:4 3;opacity:.8}"
    ".tl .gap{fill:currentColor;opacity:.24}.tl .track{fill:currentColor;opacity:.1}"
    ".tl .judged{opacity:.5}"
    ".tl .fake{color:var(--fake,#b54700)}.tl .undecided{color:var(--undecided,#6b6f76)}"
    ".tl .no_sign{color:var(--no_sign,#0067a3)}"
    ".tl .number{font-size:11px;font-weight:650;text-anchor:middle}"
)


@dataclass(frozen=True, slots=True)
class Plot:
    """Where seconds (across) and probabilities (up) fall on the drawing."""

    left: int
    right: int
    top: int
    bottom: int
    end: float

    @property
    def high(self) -> int:
        return self.bottom - self.top

    def x(self, second: float) -> float:
        return self.left + (self.right - self.left) * min(1.0, max(0.0, second / self.end))

    def y(self, fake: float) -> float:
        return self.bottom - self.high * fake


def drawing(
    report: Report, size: tuple[int, int], parts: Sequence[str], *, live: Plot | None = None
) -> str:
    """The parts as one SVG element with a title and a description for screen readers.

    With `live` a page can compute the second under the pointer (`data-x0`, `data-x1` and
    `data-seconds`), and move the line of class `playhead`.
    """
    width, height = size
    title = escaped("Score of every person over time")
    name = f"tl-{'live' if live else 'still'}-{width}"
    reach = 'role="img"'
    if live:
        reach += f' data-x0="{live.left}" data-x1="{live.right}" data-seconds="{live.end:.3f}"'
        parts = [
            *parts,
            f'<line class="playhead" x1="{live.left}" x2="{live.left}" y1="{live.top - 6}" '
            f'y2="{live.bottom + 6}"/>',
        ]
    return (
        f'<svg class="tl{" live" if live else ""}" xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="0 0 {width} {height}" {reach} '
        f'aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{title}</title>'
        f'<desc id="{name}-desc">{Markup.escape(_description(report))}</desc>'
        f"<style>{_STYLE}</style>{''.join(parts)}</svg>"
    )


def _description(report: Report) -> str:
    sentences = [headline(report)]
    for person in report.people:
        peak = peak_of(person)
        if peak is not None:
            sentences.append(
                _(
                    "Person {person}: highest {peak} at {time}, suspicious stretches: {count}.",
                    person=person.id,
                    peak=percent(peak.fake),
                    time=clock(peak.second),
                    count=len(person.segments),
                )
            )
    return joined(*sentences)


def dash_of(person: int) -> str:
    """The person's dash pattern as SVG writes it; "" is a solid line."""
    return _DASHES[(person - 1) % len(_DASHES)]


def pen(person: int) -> str:
    """The person's own line: attributes for a polyline. Colour is kept for the verdict."""
    dash = dash_of(person)
    return 'fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round"' + (
        f' stroke-dasharray="{dash}"' if dash else ""
    )


def legend(people: Sequence[Person], width: int) -> tuple[list[str], int]:
    """An entry per person, wrapped to the width, and the height that it takes."""
    # 108 units per entry: a line of 28, a gap, and "Person 12" at 12 px.
    across = max(1, (width - 46) // 108)
    marks = []
    for place, person in enumerate(people):
        x, y = 46 + 108 * (place % across), 14 + 20 * (place // across)
        name = escaped("Person {person}", person=person.id)
        marks.append(
            f'<line x1="{x}" x2="{x + 28}" y1="{y - 4}" y2="{y - 4}" {pen(person.id)}/>'
            f'<text x="{x + 34}" y="{y}">{name}</text>'
        )
    return marks, 20 * math.ceil(len(people) / across)


def grid(plot: Plot, threshold: float, foot: int) -> Iterator[str]:
    """Probability lines, the decision threshold, and the seconds written at height `foot`."""
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = plot.y(share)
        kind = "axis" if share == 0 else "grid"
        yield f'<line class="{kind}" x1="{plot.left}" x2="{plot.right}" y1="{y:g}" y2="{y:g}"/>'
        yield (
            f'<text class="soft" x="{plot.left - 7}" y="{y + 4:g}" text-anchor="end">'
            f"{share * 100:.0f} %</text>"
        )
    y = plot.y(threshold)
    yield f'<line class="limit" x1="{plot.left}" x2="{plot.right}" y1="{y:.1f}" y2="{y:.1f}"/>'
    limit = escaped("threshold {threshold}", threshold=percent(threshold))
    yield (
        f'<text class="soft" x="{plot.right - 4}" y="{y - 5:.1f}" text-anchor="end">{limit}</text>'
    )
    for second in _ticks(plot):
        x = f"{plot.x(second):.1f}"
        text = clock(second) if plot.end < 5 else clock(second).rsplit(".", 1)[0]
        yield f'<line class="axis" x1="{x}" x2="{x}" y1="{plot.bottom}" y2="{plot.bottom + 5}"/>'
        yield f'<text class="soft" x="{x}" y="{foot}" text-anchor="middle">{text}</text>'


def _ticks(plot: Plot) -> list[float]:
    """Round moments, as many as fit side by side."""
    # 76 units per tick, so that "1:02:03" has room.
    room = max(2, (plot.right - plot.left) // 76)
    fitting = (step for step in _STEPS if plot.end / step <= room)
    step = next(fitting, math.ceil(plot.end / room / 3600) * 3600)
    # 1e-6: the last tick must not be lost to rounding.
    return [step * k for k in range(int(plot.end / step + 1e-6) + 1)]
