"""Small charts of a model's figures, each as one SVG text beside a table of the same values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from markupsafe import Markup, escape

from detector.language import _
from detector.render.templating import escaped

# A style within an SVG is one of the whole page.
_STYLE = (
    "<style>.figure text{font:12px system-ui,sans-serif;fill:currentColor}"
    ".figure .soft{opacity:.7}.figure .grid{stroke:currentColor;opacity:.15}"
    ".figure .chance{stroke:currentColor;stroke-dasharray:5 4;opacity:.55}</style>"
)
# Okabe and Ito's colours, distinguishable with any colour vision; dashes distinguish them in grey.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8c6d00", "#555555")
_DASHES = ("", "7 4", "2 3", "9 3 2 3", "", "7 4", "2 3", "9 3 2 3")

Bounds = tuple[str, float, Sequence[float] | None]


def intervals_svg(rows: Sequence[Bounds]) -> Markup:
    """AUC per set as a dot with its interval, from 0.3 to 1; a row is name, value, interval."""
    left, right, row = 290, 690, 24
    height = 24 + row * len(rows)

    def x(value: float) -> float:
        # AUCs below 0.3 are drawn at the edge; chance is 0.5.
        return left + (right - left) * (min(max(value, 0.3), 1.0) - 0.3) / 0.7

    parts = list(_scale(x, (0.3, 0.5, 0.7, 0.9, 1.0), height))
    for place, (name, value, bounds) in enumerate(rows):
        y = 14 + row * place
        parts.append(f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        if bounds:
            low, high = (x(bound) for bound in bounds)
            parts.append(
                f'<rect x="{low:.1f}" y="{y - 3}" width="{max(high - low, 2):.1f}" height="6" '
                f'rx="3" fill="{_COLOURS[0]}" opacity=".3"/>'
            )
        parts.append(f'<circle cx="{x(value):.1f}" cy="{y}" r="5" fill="{_COLOURS[0]}"/>')
    return _svg(_("AUC with its interval, set by set"), (710, height + 16), parts)


def _scale(x: Callable[[float], float], marks: Sequence[float], height: int) -> Iterator[str]:
    for mark in marks:
        kind = "chance" if mark == 0.5 else "grid"
        place = f'x1="{x(mark):.1f}" x2="{x(mark):.1f}"'
        yield f'<line class="{kind}" {place} y1="2" y2="{height - 18}"/>'
        yield (
            f'<text class="soft" x="{x(mark):.1f}" y="{height}" text-anchor="middle">'
            f"{mark:g}</text>"
        )


def reliability_svg(rows: Sequence[Sequence[float]]) -> Markup:
    """Share of fakes against mean score; a row is mean probability, share fake, count."""
    left, top, side = 46, 12, 260
    largest = max(row[2] for row in rows)

    def place(p: float, share: float) -> tuple[float, float]:
        return left + side * p, top + side * (1 - share)

    parts = []
    for k in range(5):
        x, y = place(k / 4, k / 4)
        parts += [
            f'<line class="grid" x1="{left}" x2="{left + side}" y1="{y:g}" y2="{y:g}"/>',
            f'<text class="soft" x="{left - 6}" y="{y + 4:g}" text-anchor="end">{25 * k} %</text>',
            f'<text class="soft" x="{x:g}" y="{top + side + 18}" text-anchor="middle">{25 * k} %'
            "</text>",
        ]
    (x0, y0), (x1, y1) = place(0, 0), place(1, 1)
    parts.append(f'<line class="chance" x1="{x0:g}" y1="{y0:g}" x2="{x1:g}" y2="{y1:g}"/>')
    points = [place(p, share) for p, share, _ in rows]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{_COLOURS[0]}" stroke-width="2"/>')
    for (x, y), (_p, _share, count) in zip(points, rows, strict=True):
        # The area, not the radius, grows with the count.
        radius = 3 + 5 * (count / largest) ** 0.5
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{_COLOURS[0]}"/>')
    parts.append(
        _caption((left, top, side), escaped("mean score; the larger the dot, the more crops"))
    )
    return _svg(_("Share of fakes against mean score"), (340, top + side + 44), parts)


def roc_svg(points: Sequence[tuple[float, float]]) -> Markup:
    """Fakes found against real ones called fake; a point is false-positive and true-positive
    rate, rising."""
    left, top, side = 46, 12, 260

    def place(fpr: float, tpr: float) -> str:
        return f"{left + side * fpr:.1f},{top + side * (1 - tpr):.1f}"

    parts = []
    for k in range(5):
        x, y = place(k / 4, k / 4).split(",")
        parts += [
            f'<line class="grid" x1="{left}" x2="{left + side}" y1="{y}" y2="{y}"/>',
            f'<text class="soft" x="{left - 6}" y="{y}" dy="4" text-anchor="end">{25 * k} %</text>',
            f'<text class="soft" x="{x}" y="{top + side + 18}" text-anchor="middle">{25 * k} %'
            "</text>",
        ]
    parts.append(f'<polyline class="chance" points="{place(0, 0)} {place(1, 1)}" fill="none"/>')
    line = " ".join(place(*point) for point in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{_COLOURS[0]}" stroke-width="2"/>')
    parts.append(
        _caption((left, top, side), escaped("real files called fake; upwards: fakes found"))
    )
    return _svg(_("ROC curve"), (340, top + side + 44), parts)


def _caption(square: tuple[int, int, int], text: Markup) -> str:
    """What lies along the horizontal axis of a square plot, given as left, top and side."""
    left, top, side = square
    return (
        f'<text class="soft" x="{left + side / 2}" y="{top + side + 36}" text-anchor="middle">'
        f"{text}</text>"
    )


def levels_svg(levels: Mapping[str, Sequence[float]]) -> Markup:
    """AUC of every perturbation over its five levels, as one line each."""
    left, right, top, bottom = 46, 430, 12, 212

    def at(level: int, value: float) -> str:
        x = left + (right - left) * level / 4
        return f"{x:.1f},{bottom - (bottom - top) * (min(max(value, 0.4), 1.0) - 0.4) / 0.6:.1f}"

    parts = []
    for mark in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        y = bottom - (bottom - top) * (mark - 0.4) / 0.6
        kind = "chance" if mark == 0.5 else "grid"
        parts.append(f'<line class="{kind}" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="soft" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{mark:g}</text>'
        )
    for level in range(5):
        x = left + (right - left) * level / 4
        parts.append(
            f'<text class="soft" x="{x:g}" y="{bottom + 18}" text-anchor="middle">{level + 1}'
            "</text>"
        )
    for index, (kind, values) in enumerate(levels.items()):
        colour, dash = _COLOURS[index % 8], _DASHES[index % 8]
        line = " ".join(at(level, value) for level, value in enumerate(values))
        pen = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
        y = top + 10 + 20 * index
        parts += [
            f'<polyline points="{line}" fill="none" {pen}/>',
            f'<line x1="{right + 24}" x2="{right + 54}" y1="{y - 4}" y2="{y - 4}" {pen}/>',
            f'<text x="{right + 60}" y="{y}">{escape(kind)}</text>',
        ]
    height = max(bottom + 28, top + 20 * len(levels) + 8)
    return _svg(_("AUC over the levels of each perturbation"), (710, height), parts)


def _svg(title: str, size: tuple[int, int], parts: Sequence[str]) -> Markup:
    width, height = size
    label = f'role="img" aria-label="{escape(title)}"'
    return Markup(
        f'<div class="wide"><svg class="figure" width="{width}" {label} '
        f'viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">{_STYLE}'
        f"{''.join(parts)}</svg></div>"
    )
