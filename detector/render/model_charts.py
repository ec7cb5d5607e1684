"""Small charts of a model's figures, each as one SVG text beside a table of the same values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from detector.render.plot import Plot
from detector.render.templates import html

# Okabe and Ito's colours, distinguishable with any colour vision; dashes distinguish them in grey.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8c6d00", "#555555")
_DASHES = ("", "7 4", "2 3", "9 3 2 3", "", "7 4", "2 3", "9 3 2 3")

Bounds = tuple[str, float, Sequence[float] | None]


# Equal sides, as both axes of these charts are shares; the rest is room for ticks and titles.
_SQUARE = Plot(left=46, right=306, top=12, bottom=272)


def _kind(mark: float) -> str:
    return "chance" if mark == 0.5 else "grid"


def intervals_svg(rows: Sequence[Bounds]) -> Markup:
    """AUC per set as a dot with its interval, from 0.3 to 1; a row is name, value, interval."""
    height = 24 + 24 * len(rows)
    # AUCs below 0.3 are drawn at the edge; chance is 0.5.
    plot = Plot(left=290, right=690, top=0, bottom=height, start=0.3)
    marks = (0.3, 0.5, 0.7, 0.9, 1.0)
    return html(
        "intervals.html",
        height=height,
        left=plot.left,
        colour=_COLOURS[0],
        scale=[{"kind": _kind(m), "x": f"{plot.x(m):.1f}", "text": f"{m:g}"} for m in marks],
        rows=[
            {
                "name": name,
                "y": 14 + 24 * index,
                "x": f"{plot.x(value):.1f}",
                "bar": _bar(plot, bounds) if bounds else None,
            }
            for index, (name, value, bounds) in enumerate(rows)
        ],
    )


def _bar(plot: Plot, bounds: Sequence[float]) -> dict[str, str]:
    low, high = (plot.x(bound) for bound in bounds)
    return {"x": f"{low:.1f}", "width": f"{max(high - low, 2):.1f}"}


def reliability_svg(rows: Sequence[Sequence[float]]) -> Markup:
    """Share of fakes against mean score; a row is mean probability, share fake, count."""
    largest = max(row[2] for row in rows)
    return html(
        "reliability.html",
        square=_SQUARE,
        colour=_COLOURS[0],
        line=_SQUARE.line([(p, share) for p, share, _count in rows]),
        dots=[
            {
                "x": f"{_SQUARE.x(p):.1f}",
                "y": f"{_SQUARE.y(share):.1f}",
                # The area, not the radius, grows with the count.
                "radius": f"{3 + 5 * (count / largest) ** 0.5:.1f}",
            }
            for p, share, count in rows
        ],
    )


def roc_svg(points: Sequence[tuple[float, float]]) -> Markup:
    """Fakes found against real ones called fake; a point is false-positive and true-positive
    rate, rising."""
    return html(
        "roc.html",
        square=_SQUARE,
        colour=_COLOURS[0],
        chance=_SQUARE.line([(0, 0), (1, 1)]),
        line=_SQUARE.line(points),
    )


def levels_svg(levels: Mapping[str, Sequence[float]]) -> Markup:
    """AUC of every perturbation over its five levels, as one line each."""
    # AUCs below 0.4 are drawn at the edge; chance is 0.5.
    plot = Plot(left=46, right=430, top=12, bottom=212, floor=0.4)
    marks = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    return html(
        "levels.html",
        height=max(plot.bottom + 28, plot.top + 20 * len(levels) + 8),
        plot=plot,
        scale=[{"kind": _kind(m), "y": plot.y(m), "text": f"{m:g}"} for m in marks],
        columns=[plot.x(level / 4) for level in range(5)],
        rows=[
            {
                "name": name,
                "colour": _COLOURS[index % 8],
                "dash": _DASHES[index % 8],
                "line": plot.line([(level / 4, auc) for level, auc in enumerate(values)]),
                "y": plot.top + 10 + 20 * index,
            }
            for index, (name, values) in enumerate(levels.items())
        ],
    )
