"""The people found so far in a video: their positions and their descriptors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from detector.faces.appearance import unlikeness
from detector.faces.matching import cheapest_pairs
from detector.records import Box, FloatArray

MAX_GAP = 0.5  # seconds between two detections; a head hardly turns away and back in less
# `unlikeness` up to which two faces are one person's wherever they are: within a shot (95 % of
# pairs of one person), and after a cut (88 %), where light and angle differ more. Of pairs of two
# people from different videos one in 1000 is below 1.05.
ALIKE, ALIKE_ELSEWHERE = 1.0, 0.85
UNLIKE = 1.4  # above it another person has taken the place; one person's descriptors reach 1.37
# How much unlikeness a place a face's width away, or more, adds: less than `ALIKE` and `UNLIKE`
# differ by, so that it decides only between two people who look alike.
_PLACE_COUNTS = 0.3
_MOST_DESCRIPTORS = 6  # descriptors per person; bounds memory and time
# Unlikeness to all kept descriptors from which one more is kept: well below `ALIKE`, so that the
# kept ones cover the ways a person looks without gaps.
_NEW_DESCRIPTOR = 0.4


@dataclass
class TrackState:
    """Where someone was last in this shot, and how fast they moved there."""

    clip: int = 0
    places: list[tuple[float, Box]] = field(default_factory=list)

    def note(self, box: Box, second: float, clip: int) -> None:
        self.clip = clip
        # Two places suffice for a constant velocity.
        self.places = [*self.places[-1:], (second, box)]

    def is_recent(self, second: float) -> bool:
        """So short a time ago that the place identifies the person."""
        return 0 <= second - self.places[-1][0] <= MAX_GAP

    def expected(self, second: float) -> Box:
        """The box moved on at its last speed, so that two who cross keep their ids."""
        last, box = self.places[-1]
        before, earlier = self.places[0]
        # A velocity across a longer gap is no prediction; the last box is the better one.
        if not (0 < last - before <= MAX_GAP and 0 <= second - last <= MAX_GAP):
            return box
        ahead = (second - last) / (last - before)
        # Constant velocity, as in SORT (Bewley et al. 2016) but without its Kalman filter.
        dx = (box.centre[0] - earlier.centre[0]) * ahead
        dy = (box.centre[1] - earlier.centre[1]) * ahead
        return Box(box.x0 + dx, box.y0 + dy, box.x1 + dx, box.y1 + dy)


class Descriptors:
    """Descriptors of everybody in a video: the first few that differ, and the last."""

    def __init__(self) -> None:
        self._kept: dict[int, FloatArray] = {}  # (1 to 6, N) each

    def __iter__(self) -> Iterator[int]:
        return iter(self._kept)

    def note(self, person: int, descriptor: FloatArray) -> None:
        kept = self._kept.get(person, np.empty((0, len(descriptor)), np.float32))
        if len(kept) and unlikeness(descriptor[None], kept).min() < _NEW_DESCRIPTOR:
            return
        self._kept[person] = np.concatenate([kept[: _MOST_DESCRIPTORS - 1], descriptor[None]])

    def rename(self, names: Mapping[int, int]) -> None:
        """Those in `names` turn out to be others."""
        for person, other in names.items():
            for descriptor in self._kept.pop(person):
                self.note(other, descriptor)

    def apart(self, person: int, other: int) -> float:
        """Unlikeness of the most similar descriptors of two."""
        return float(unlikeness(self._kept[person], self._kept[other]).min())

    def unlikeness(self, descriptors: Sequence[FloatArray], people: Sequence[int]) -> FloatArray:
        """(descriptors, people): to the most similar one of each person's descriptors."""
        faces = np.stack(descriptors)
        return np.stack([unlikeness(faces, self._kept[k]).min(axis=1) for k in people], axis=1)


def recognised(
    unlike: FloatArray, apart: FloatArray, same_shot: Sequence[bool]
) -> list[tuple[int, int]]:
    """Which face is whose, of F faces and P people of earlier: pairs of indices.

    unlike     (F, P)  unlikeness of their descriptors
    apart      (F, P)  how far the face is from where the person was, in widths of a face;
                       infinite where that is not known
    same_shot  (P,)    whether the person was detected since the last cut
    """
    limits = np.where(same_shot, ALIKE, ALIKE_ELSEWHERE)
    allowed = unlike <= np.where(apart <= 1.0, UNLIKE, limits)
    cost = np.where(allowed, unlike + _PLACE_COUNTS * np.minimum(apart, 1.0), np.inf)
    return cheapest_pairs(cost.astype(np.float32), 10.0)
