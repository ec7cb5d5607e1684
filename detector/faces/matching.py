"""Assignment of detections between two pictures; each is used once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from detector.faces.geometry import iou
from detector.records import Box, FloatArray

SAME_FACE = 0.3  # least IoU of one person's boxes, as of SORT (Bewley et al. 2016)


def overlaps_of(before: Sequence[Box], after: Sequence[Box]) -> FloatArray:
    values = [[iou(a, b) for b in after] for a in before]
    return np.array(values, np.float32).reshape(len(before), len(after))


def match_overlapping(overlaps: FloatArray) -> list[tuple[int, int]]:
    # Cost is the negative overlap, so "not above the limit" is an IoU of at least 0.3.
    return cheapest_pairs(-overlaps, -SAME_FACE)


def match(before: list[Box], after: list[Box]) -> list[tuple[int, int]]:
    """Pairs of indices: by overlap first, then the nearest centre within a face's width."""
    pairs = match_overlapping(overlaps_of(before, after))
    left = sorted(set(range(len(before))) - {old for old, _ in pairs})
    right = sorted(set(range(len(after))) - {now for _, now in pairs})
    widths = [[widths_apart(before[a], after[b]) for b in right] for a in left]
    apart = np.array(widths, np.float32).reshape(len(left), len(right))
    return pairs + [(left[a], right[b]) for a, b in cheapest_pairs(apart, 1.0)]


def widths_apart(a: Box, b: Box) -> float:
    """Distance of the centres in widths of the smaller face: unequal faces are far apart."""
    return math.dist(a.centre, b.centre) / max(min(a.width, b.width), 1e-6)


def cheapest_pairs(cost: FloatArray, limit: float) -> list[tuple[int, int]]:
    """The cheapest pairs not above `limit`, each row and column used once."""
    # Greedy, not the Hungarian method (Kuhn 1955): the best pair is never given up for a better
    # sum.
    rows, columns = np.nonzero(cost <= limit)
    order = np.argsort(cost[rows, columns], kind="stable")
    pairs: dict[int, int] = {}
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in pairs and column not in pairs.values():
            pairs[row] = column
    return list(pairs.items())
