"""Boxes, in pure numpy."""

from __future__ import annotations

from detector.records import Box


def iou(a: Box, b: Box) -> float:
    """Intersection over union, in [0, 1]."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    if width <= 0 or height <= 0:
        return 0.0
    # Continuous coordinates: no + 1 for the last pixel.
    shared = width * height
    return shared / (a.area + b.area - shared)


def share_of_smaller(a: Box, b: Box) -> float:
    """The intersection's share of the smaller box, in [0, 1]."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    # The floor only avoids a division by zero for a box without area.
    return max(width, 0.0) * max(height, 0.0) / max(min(a.area, b.area), 1e-9)


def square_around(box: Box, margin: float) -> Box:
    """The square that shares `box`'s centre; its side is the longer one times 1 + `margin`."""
    cx, cy = box.centre
    half = max(box.width, box.height) * (1.0 + margin) / 2
    return Box(cx - half, cy - half, cx + half, cy + half)


def between(a: Box, b: Box, share: float) -> Box:
    """Linear interpolation: `a` at share 0, `b` at share 1."""
    return Box(*(p + (q - p) * share for p, q in zip(a, b, strict=True)))
