"""Tracks people: assigns faces to ids, within a clip and from clip to clip until a cut."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from detector.faces.cuts import is_cut as is_cut
from detector.faces.cuts import split_at_cuts, thumbnail_of
from detector.faces.geometry import iou
from detector.faces.smoothing import smooth_track
from detector.records import Box, Face, FloatArray, Frame, Image

Find = Callable[[Sequence[Image]], list[list[Face]]]

MAX_GAP = 0.5  # seconds between two detections; a head hardly turns away and back in less
_SAME_FACE = 0.3  # least IoU of one person's boxes in two detections
_RIVAL = 0.1  # IoU with a second face from which a match may be a mix-up
_MEMORY = 2  # clips for which the id of someone out of sight is kept


@dataclass(frozen=True)
class ClipTrack:
    """One person in one clip; `faces[k]`, smoothed, is in frame `indices[k]` of the clip."""

    id: int
    indices: tuple[int, ...]
    faces: tuple[Face, ...]


class PeopleTracker:
    """Gives each person of one video an id; takes the clips in any order of time.

    It compares positions alone: who takes another's place between two clips gets that id.
    """

    def __init__(self) -> None:
        self._clip = 0
        self._next_id = 0
        self._last_thumbnail: Image | None = None
        self._known: dict[int, _Known] = {}
        self._past: list[_Past] = []

    def follow(self, frames: Sequence[Frame], find: Find) -> list[ClipTrack]:
        """Who is where in one clip of consecutive frames, ordered by id.

        A clip may also lie between clips that were followed before; then ids go on from its
        neighbours on both sides.

        Detects faces (`find`: images -> faces of each) on the first and last frame of each shot
        and at most half a second apart, and interpolates between; where two detections do not
        agree, on every frame of the shot. Ids go on from the clip before unless there is
        a cut. Keeps two thumbnails and a box per person of every clip.
        """
        if not frames:
            return []
        place = bisect(self._past, frames[0].second, key=lambda past: past.start)
        self._return_to(self._past[place - 1] if place else None)
        # Ids from here on are new in this clip, and may be replaced by those of the next one.
        named = self._next_id
        thumbnails = [thumbnail_of(frame.image) for frame in frames]
        shots = split_at_cuts(thumbnails)
        seen = _look(frames, shots, find)
        tracks = []
        for shot in shots:
            # Every shot but the first begins at a cut; the first may follow on from the clip
            # before.
            if shot.start > 0 or self._cut_before(thumbnails[0]):
                self._known.clear()
            tracks += self._follow_shot(frames, {k: seen[k] for k in shot if k in seen})
        self._last_thumbnail = thumbnails[-1]
        self._known = {
            person: known
            for person, known in self._known.items()
            if known.clip > self._clip - _MEMORY
        }
        if place < len(self._past) and not is_cut(thumbnails[-1], self._past[place].first):
            tracks = self._joined(tracks, self._past[place], named)
        self._remember(place, frames, thumbnails, tracks)
        return sorted(tracks, key=lambda track: track.id)

    def _return_to(self, past: _Past | None) -> None:
        """Continue after `past`, which ends before the clip to come; from nothing without one."""
        self._clip = past.clip if past else 0
        self._last_thumbnail = past.last if past else None
        self._known = {k: replace(one) for k, one in past.known.items()} if past else {}
        self._clip += 1

    def _remember(
        self,
        place: int,
        frames: Sequence[Frame],
        thumbnails: Sequence[Image],
        tracks: Sequence[ClipTrack],
    ) -> None:
        past = _Past(
            start=frames[0].second,
            clip=self._clip,
            first=thumbnails[0],
            last=thumbnails[-1],
            boxes={track.id: track.faces[0].box for track in tracks},
            known={person: replace(known) for person, known in self._known.items()},
        )
        self._past.insert(place, past)

    def _joined(self, tracks: list[ClipTrack], after: _Past, named: int) -> list[ClipTrack]:
        """`tracks`, whose new ids (from `named` on) become those of the clip after where they
        go on there."""
        fresh = [track for track in tracks if track.id >= named]
        taken = {track.id for track in tracks}
        there = [person for person in after.boxes if person not in taken]
        pairs = _match(
            [track.faces[-1].box for track in fresh], [after.boxes[person] for person in there]
        )
        names = {fresh[now].id: there[then] for now, then in pairs}
        self._known = {names.get(person, person): one for person, one in self._known.items()}
        return [replace(track, id=names.get(track.id, track.id)) for track in tracks]

    def _follow_shot(self, frames: Sequence[Frame], seen: dict[int, list[Face]]) -> list[ClipTrack]:
        sightings: dict[int, dict[int, Face]] = {}
        for index, faces in seen.items():
            second = frames[index].second
            people = list(self._known)
            expected = [self._known[person].expected(second) for person in people]
            # Predicted boxes against detected ones, frame by frame.
            names = {now: people[old] for old, now in _match(expected, [f.box for f in faces])}
            for now, face in enumerate(faces):
                person = names[now] if now in names else self._new_id()
                self._known.setdefault(person, _Known()).note(face.box, second, self._clip)
                sightings.setdefault(person, {})[index] = face
        seconds = np.array([frame.second for frame in frames])
        return [
            ClipTrack(person, *smooth_track(at, seconds, max_gap=MAX_GAP))
            for person, at in sightings.items()
        ]

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
        # Two places suffice for a constant velocity.
        self.places = [*self.places[-1:], (second, box)]

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


@dataclass(frozen=True, eq=False)
class _Past:
    """One clip that was followed: how it began and ended, and who was known after it."""

    start: float
    clip: int
    first: Image
    last: Image
    boxes: dict[int, Box]
    known: dict[int, _Known]


def _look(frames: Sequence[Frame], shots: list[range], find: Find) -> dict[int, list[Face]]:
    """The faces of every frame in which faces were searched, by frame index in order."""
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
    """Whether all frames show the same people, each with only one candidate in the next."""
    for before, after in pairwise(looks):
        overlaps = _overlaps(before, after)
        rivals = overlaps > _RIVAL
        # Rows, then columns: rivals of a face of this frame, and of one of the next.
        candidates = max(rivals.sum(axis=axis).max(initial=0) for axis in (0, 1))
        matched = len(_match_overlapping(overlaps))
        if candidates > 1 or not len(before) == len(after) == matched:
            return False
    return True


def _overlaps(before: Sequence[Box], after: Sequence[Box]) -> FloatArray:
    values = [[iou(a, b) for b in after] for a in before]
    return np.array(values, np.float32).reshape(len(before), len(after))


def _match_overlapping(overlaps: FloatArray) -> list[tuple[int, int]]:
    # Cost is the negative overlap, so "not above the limit" is an IoU of at least 0.3.
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
    # Greedy, not the Hungarian method (Kuhn 1955): the best pair is never given up for a better
    # sum.
    rows, columns = np.nonzero(cost <= limit)
    order = np.argsort(cost[rows, columns], kind="stable")
    pairs: dict[int, int] = {}
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in pairs and column not in pairs.values():
            pairs[row] = column
    return list(pairs.items())
