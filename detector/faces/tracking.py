"""Follows people: which face in a clip's frames is whose, from clip to clip until a cut."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.geometry import iou
from detector.records import Box, Face, FloatArray, Frame, Image

Find = Callable[[Sequence[Image]], list[list[Face]]]

MAX_GAP = 0.5  # seconds between two looks; a head does not turn unseen in less
_SAME_FACE = 0.3  # least IoU of one person's boxes in two looks
_RIVAL = 0.1  # IoU with a second face from which a match may be a mix-up
_SMOOTH = 0.25  # seconds to either side that a box is averaged over
_MEMORY = 2  # clips for which someone out of sight is remembered

# Measured on talking-head clips, pictures up to 2 s apart within one shot: colour distance
# at most .31; between different clips it is above .39 for 99 %, correlation below .8.
_CUT_COLOUR = 0.35
_CUT_LAYOUT = 0.85


@dataclass(frozen=True)
class ClipTrack:
    """One person in one clip; `faces[k]`, smoothed, is in frame `indices[k]` of the clip."""

    id: int
    indices: tuple[int, ...]
    faces: tuple[Face, ...]


class PeopleTracker:
    """Gives each person of one video an id; feed it the clips in their order.

    It goes by place alone: whoever takes another's seat between two clips is taken for them.
    """

    def __init__(self) -> None:
        self._clip = 0
        self._next_id = 0
        self._last_thumbnail: Image | None = None
        self._known: dict[int, _Known] = {}

    def follow(self, frames: Sequence[Frame], find: Find) -> list[ClipTrack]:
        """Who is where in one clip of consecutive frames, ordered by id.

        Looks for faces (`find`: images -> faces of each) on the first and last frame of each
        shot and at most half a second apart, and interpolates between; where two looks do
        not agree, on every frame of the shot. Ids go on from the clip before unless there is
        a cut. Keeps one thumbnail and a box per person, however long the video.
        """
        if not frames:
            return []
        self._clip += 1
        thumbnails = [_thumbnail(frame.image) for frame in frames]
        shots = _split_at_cuts(thumbnails)
        seen = _look(frames, shots, find)
        tracks = []
        for shot in shots:
            if shot.start > 0 or self._cut_before(thumbnails[0]):
                self._known.clear()
            tracks += self._follow_shot(frames, {k: seen[k] for k in shot if k in seen})
        self._last_thumbnail = thumbnails[-1]
        self._known = {
            person: known
            for person, known in self._known.items()
            if known.clip > self._clip - _MEMORY
        }
        return sorted(tracks, key=lambda track: track.id)

    def _follow_shot(self, frames: Sequence[Frame], seen: dict[int, list[Face]]) -> list[ClipTrack]:
        sightings: dict[int, dict[int, Face]] = {}
        for index, faces in seen.items():
            second = frames[index].second
            people = list(self._known)
            expected = [self._known[person].expected(second) for person in people]
            names = {now: people[old] for old, now in _match(expected, [f.box for f in faces])}
            for now, face in enumerate(faces):
                person = names[now] if now in names else self._new_id()
                self._known.setdefault(person, _Known()).note(face.box, second, self._clip)
                sightings.setdefault(person, {})[index] = face
        seconds = np.array([frame.second for frame in frames])
        return [_track(person, at, seconds) for person, at in sightings.items()]

    def _cut_before(self, thumbnail: Image) -> bool:
        return self._last_thumbnail is not None and is_cut(self._last_thumbnail, thumbnail)

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1


@dataclass
class _Known:
    """Where someone was last, and how fast they moved there."""

    clip: int = 0
    places: list[tuple[float, Box]] = field(default_factory=list)

    def note(self, box: Box, second: float, clip: int) -> None:
        self.clip = clip
        self.places = [*self.places[-1:], (second, box)]

    def expected(self, second: float) -> Box:
        """The box moved on at its last speed, so that two who cross keep their ids."""
        last, box = self.places[-1]
        before, earlier = self.places[0]
        if not (0 < last - before <= MAX_GAP and 0 <= second - last <= MAX_GAP):
            return box
        ahead = (second - last) / (last - before)
        dx = (box.centre[0] - earlier.centre[0]) * ahead
        dy = (box.centre[1] - earlier.centre[1]) * ahead
        return Box(box.x0 + dx, box.y0 + dy, box.x1 + dx, box.y1 + dy)


def is_cut(before: Image, after: Image) -> bool:
    """Whether two pictures come from different shots: other colours and another layout.

    Motion keeps the colours, a change of light keeps the layout; a cut keeps neither.
    """
    a, b = _thumbnail(before), _thumbnail(after)
    return _colour_distance(a, b) > _CUT_COLOUR and _layout_likeness(a, b) < _CUT_LAYOUT


def _thumbnail(image: Image) -> Image:
    small = cv2.resize(image, (64, 36), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)


def _colour_distance(a: Image, b: Image) -> float:
    """Hellinger distance in [0, 1] of the joint histograms in CIELAB."""
    shares = []
    for thumbnail in (a, b):
        lab = cv2.cvtColor(thumbnail, cv2.COLOR_RGB2LAB)
        counts = cv2.calcHist([lab], [0, 1, 2], None, [8, 16, 16], [0, 256] * 3)
        shares.append(counts / counts.sum())
    overlap = float(np.sqrt(shares[0] * shares[1]).sum())
    return math.sqrt(max(0.0, 1.0 - overlap))


def _layout_likeness(a: Image, b: Image) -> float:
    """Correlation in [-1, 1] of the blurred grey pictures."""
    greys = []
    for thumbnail in (a, b):
        grey = cv2.GaussianBlur(cv2.cvtColor(thumbnail, cv2.COLOR_RGB2GRAY), (0, 0), 2)
        greys.append((grey - grey.mean()) / (grey.std() + 1.0))  # + 1: noise is no layout
    return float((greys[0] * greys[1]).mean())


def _split_at_cuts(thumbnails: Sequence[Image]) -> list[range]:
    """The shots of a clip as ranges of frame indices."""
    starts = [0]
    for index in range(1, len(thumbnails)):
        if is_cut(thumbnails[index - 1], thumbnails[index]):
            starts.append(index)
    ends = [*starts[1:], len(thumbnails)]
    return [range(start, end) for start, end in zip(starts, ends, strict=True)]


def _look(frames: Sequence[Frame], shots: list[range], find: Find) -> dict[int, list[Face]]:
    """The faces of every frame that was looked at, by frame index in order."""
    seen: dict[int, list[Face]] = {}
    for shot in shots:
        looks = _spread(frames, shot)
        seen |= dict(zip(looks, find([frames[index].image for index in looks]), strict=True))
        rest = [index for index in shot if index not in seen]
        if rest and not _agree([[face.box for face in seen[k]] for k in looks]):
            seen |= dict(zip(rest, find([frames[index].image for index in rest]), strict=True))
    return dict(sorted(seen.items()))


def _spread(frames: Sequence[Frame], shot: range) -> list[int]:
    """First, last, and as few between as keep neighbours at most `MAX_GAP` seconds apart."""
    chosen = [shot.start]
    for index in shot[1:]:
        following = min(index + 1, shot.stop - 1)
        if frames[following].second - frames[chosen[-1]].second > MAX_GAP or index == shot.stop - 1:
            chosen.append(index)
    return chosen


def _agree(looks: list[list[Box]]) -> bool:
    """Whether every look shows the same people, each with only one candidate in the next."""
    for before, after in pairwise(looks):
        overlaps = _overlaps(before, after)
        rivals = overlaps > _RIVAL
        candidates = max(rivals.sum(axis=axis).max(initial=0) for axis in (0, 1))
        matched = len(_match_overlapping(overlaps))
        if candidates > 1 or not len(before) == len(after) == matched:
            return False
    return True


def _overlaps(before: Sequence[Box], after: Sequence[Box]) -> FloatArray:
    values = [[iou(a, b) for b in after] for a in before]
    return np.array(values, np.float32).reshape(len(before), len(after))


def _match_overlapping(overlaps: FloatArray) -> list[tuple[int, int]]:
    return _greedy(-overlaps, -_SAME_FACE)


def _match(before: list[Box], after: list[Box]) -> list[tuple[int, int]]:
    """Pairs of indices: by overlap first, then the nearest centre within a face's width."""
    pairs = _match_overlapping(_overlaps(before, after))
    left = sorted(set(range(len(before))) - {old for old, _ in pairs})
    right = sorted(set(range(len(after))) - {now for _, now in pairs})
    widths = [[_widths_apart(before[a], after[b]) for b in right] for a in left]
    apart = np.array(widths, np.float32).reshape(len(left), len(right))
    return pairs + [(left[a], right[b]) for a, b in _greedy(apart, 1.0)]


def _widths_apart(a: Box, b: Box) -> float:
    """Distance of the centres in widths of the smaller face: unequal faces are far apart."""
    return math.dist(a.centre, b.centre) / max(min(a.width, b.width), 1e-6)


def _greedy(cost: FloatArray, limit: float) -> list[tuple[int, int]]:
    """The cheapest pairs not above `limit`, each row and column used once."""
    rows, columns = np.nonzero(cost <= limit)
    order = np.argsort(cost[rows, columns], kind="stable")
    pairs: dict[int, int] = {}
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in pairs and column not in pairs.values():
            pairs[row] = column
    return list(pairs.items())


def _track(person: int, sightings: dict[int, Face], seconds: NDArray[np.float64]) -> ClipTrack:
    """Sightings become a smooth track; frames between two that are close in time are filled."""
    known = sorted(sightings)
    indices = known[:1]
    for before, after in pairwise(known):
        near = seconds[after] - seconds[before] <= MAX_GAP
        indices += range(before + 1, after + 1) if near else [after]
    values = np.array([_numbers(sightings[k]) for k in known])
    columns = [np.interp(seconds[indices], seconds[known], column) for column in values.T]
    smooth = _smoothed(seconds[indices], np.stack(columns, axis=1))
    return ClipTrack(person, tuple(indices), tuple(_face(row) for row in smooth))


def _smoothed(seconds: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row of (T, N) read off a straight line fitted to the rows around it in time.

    Unlike a moving average it does not drag the ends of a clip towards its middle.
    """
    rows = []
    for second in seconds:
        near = np.abs(seconds - second) <= _SMOOTH
        offsets, mean = seconds[near] - second, values[near].mean(axis=0)
        around = offsets - offsets.mean()
        slope = around @ values[near] / max(float(around @ around), 1e-9)
        rows.append(mean - slope * offsets.mean())
    return np.array(rows)


def _numbers(face: Face) -> NDArray[np.float64]:
    return np.array([*face.box, *face.landmarks.ravel(), face.detection])


def _face(numbers: NDArray[np.float64]) -> Face:
    box = Box(*numbers[:4].tolist())
    landmarks = numbers[4:14].reshape(5, 2).astype(np.float32)
    return Face(box, landmarks, float(np.clip(numbers[14], 0.0, 1.0)))
