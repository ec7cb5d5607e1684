"""Where a person's box is between the moments at which it was found."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from detector.faces.geometry import between
from detector.faces.matching import widths_apart
from detector.records import Box, FaceScore, Person, UnscoredFace

# Boxes interpolated over half a second agree with found ones as well as two neighbouring
# frames do. Over longer gaps they are a guess, drawn dashed so that a viewer can follow the
# person from sample to sample; over more than four seconds they would be invented.
STEADY = 0.5
LONGEST_GAP = 4.0


@dataclass(frozen=True, slots=True)
class ShownBox:
    """What is drawn of one person at one moment."""

    box: Box
    nearest: FaceScore | UnscoredFace
    away: float
    found: bool


class Knot(NamedTuple):
    """A moment at which the box is fixed; `steady`: it is reliable up to the next one."""

    second: float
    box: Box
    steady: bool


class BoxPath:
    """One person's boxes over time; `sampled` are the times of all analysed frames, in order."""

    def __init__(self, person: Person, sampled: Sequence[float]) -> None:
        faces: list[FaceScore | UnscoredFace] = [*person.scores, *person.unscored]
        self.person = person.id
        self.faces = sorted(faces, key=lambda face: face.second)
        self.seconds = [face.second for face in self.faces]
        self.sampled = sampled

    def at(self, second: float, frame_length: float) -> ShownBox | None:
        """The box at `second`, None where it is not known."""
        # 1e-6: times that passed through JSON or a division may differ in the last bits.
        after = bisect.bisect_left(self.seconds, second - 1e-6)
        around = self.faces[max(0, after - 1) : after + 1]
        nearest = min(around, key=lambda face: abs(face.second - second), default=None)
        if nearest is None:
            return None
        away = abs(nearest.second - second)
        if away <= frame_length / 2 + 1e-6:
            return ShownBox(nearest.box, nearest, away, True)
        if len(around) == 2 and 0 < after < len(self.faces):
            a, b = around
            if not self._joined(a, b):
                return None
            box = between(a.box, b.box, (second - a.second) / (b.second - a.second))
            return ShownBox(box, nearest, away, b.second - a.second <= STEADY)
        if away > LONGEST_GAP / 2 or self._sampled_beyond(nearest.second, second):
            return None
        return ShownBox(nearest.box, nearest, away, False)

    def runs(self) -> list[list[Knot]]:
        """The same for the whole video: within a run the box goes straight from knot to knot.

        Before its first and after its last face a run lasts as long as `at` returns its box.
        """
        runs: list[list[Knot]] = [[]]
        for face, following in itertools.zip_longest(self.faces, self.faces[1:]):
            joined = following is not None and self._joined(face, following)
            steady = joined and following.second - face.second <= STEADY
            runs[-1].append(Knot(face.second, face.box, steady))
            if following is not None and not joined:
                runs.append([])
        if self.faces:
            self._extend(runs)
        return runs if self.faces else []

    def _extend(self, runs: list[list[Knot]]) -> None:
        first, last = runs[0][0], runs[-1][-1]
        if not self._sampled_beyond(first.second, first.second - 1):
            start = max(0.0, first.second - LONGEST_GAP / 2)
            runs[0].insert(0, Knot(start, first.box, False))
        if not self._sampled_beyond(last.second, last.second + 1):
            runs[-1].append(Knot(last.second + LONGEST_GAP / 2, last.box, False))

    def _joined(self, a: FaceScore | UnscoredFace, b: FaceScore | UnscoredFace) -> bool:
        """Whether the box may be drawn between two detections."""
        gap = b.second - a.second
        near = gap <= STEADY or widths_apart(a.box, b.box) <= 1.0  # else it would glide across
        return gap <= LONGEST_GAP and near and not self._missed(a.second, b.second)

    def _missed(self, start: float, end: float) -> bool:
        """Whether a frame between two detections was analysed in which this person was not
        found."""
        # A tolerance of a millisecond, less than any frame lasts.
        first = bisect.bisect_right(self.sampled, start + 1e-3)
        return first < len(self.sampled) and self.sampled[first] < end - 1e-3

    def _sampled_beyond(self, last: float, second: float) -> bool:
        """Whether a frame beyond `last` was analysed, on the side of `second`."""
        if not self.sampled:
            return False
        return self.sampled[-1] > last + 1e-3 if second > last else self.sampled[0] < last - 1e-3
