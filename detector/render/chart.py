"""What every chart of a report shares: its frame, ticks, dashes and legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from detector.language import _, joined
from detector.records import Person, Report
from detector.render.plot import Plot
from detector.render.templates import html
from detector.text.summary import clock, headline, peak_of, percent

# Lengths of strokes and gaps in user units, distinguishable without colour.
_DASHES = ("", "7 3", "2 3", "10 3 2 3", "5 5", "1 4", "12 4", "6 2 2 2 2 2")
# Seconds between two ticks: round numbers of seconds, minutes and hours.
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


def drawing(
    template: str,
    report: Report,
    size: tuple[int, int],
    *,
    live: Plot | None = None,
    key: str = "",
    **values: Any,
) -> str:
    """The chart of `template` as one SVG element with a title and a description for screen readers.

    With `live` a page can compute the second under the pointer (`data-x0`, `data-x1` and
    `data-seconds`), and move the line of class `playhead`. `key` is part of its ids, where charts
    of several reports stand on one page.
    """
    width, height = size
    # Ids are of the whole page, which may show a chart in several widths.
    name = f"tl-{'live' if live else 'still'}-{width}{key}"
    about = {"name": name, "width": width, "height": height, "live": live}
    about["description"] = _description(report)
    return str(html(template, chart=about, **values))


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


def legend(people: Sequence[Person], width: int) -> tuple[list[dict[str, Any]], int]:
    """An entry per person, wrapped to the width, and the height that it takes."""
    # 108 units per entry: a line of 28, a gap, and "Person 12" at 12 px.
    across = max(1, (width - 46) // 108)
    entries = [
        {
            "x": 46 + 108 * (index % across),
            "y": 14 + 20 * (index // across),
            "person": person.id,
            "dash": dash_of(person.id),
        }
        for index, person in enumerate(people)
    ]
    return entries, 20 * math.ceil(len(people) / across)


def levels(plot: Plot) -> list[dict[str, Any]]:
    """The lines of equal probability, the axis first."""
    return [
        {"kind": "axis" if k == 0 else "grid", "y": plot.y(k / 4), "percent": 25 * k}
        for k in range(5)
    ]


def ticks(plot: Plot) -> list[tuple[str, str]]:
    """Where seconds are written, and how."""
    texts = [(second, clock(second)) for second in _ticks(plot)]
    # Tenths of a second only where ticks are closer than seconds.
    return [
        (f"{plot.x(second):.1f}", text if plot.end < 5 else text.rsplit(".", 1)[0])
        for second, text in texts
    ]


def _ticks(plot: Plot) -> list[float]:
    """Round moments, as many as fit side by side."""
    # 76 units per tick, so that "1:02:03" has room.
    room = max(2, (plot.right - plot.left) // 76)
    fitting = (step for step in _STEPS if plot.end / step <= room)
    step = next(fitting, math.ceil(plot.end / room / 3600) * 3600)
    # 1e-6: the last tick must not be lost to rounding.
    return [step * k for k in range(int(plot.end / step + 1e-6) + 1)]
