"""Tracks people: assigns faces to ids, within a clip and from clip to clip until a cut."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from detector.faces.appearance import appearance_of
from detector.faces.cuts import is_cut as is_cut
from detector.faces.cuts import split_at_cuts, thumbnail_of
from detector.faces.matching import match, match_overlapping, overlaps_of, widths_apart
from detector.faces.people import MAX_GAP as MAX_GAP
from detector.faces.people import UNLIKE, Descriptors, TrackState, recognised
from detector.faces.smoothing import smooth_track
from detector.records import Box, Face, FloatArray, Frame, Image

Find = Callable[[Sequence[Image]], list[list[Face]]]

_RIVAL = 0.1  # IoU with a second face from which a match may be a mix-up: any clear overlap
_RECENT_CLIPS = 2  # clips for which a lost face's position counts; later it has moved


@dataclass(frozen=True)
class ClipTrack:
    """One person in one clip; `faces[k]`, smoothed, is in frame `indices[k]` of the clip."""

    id: int
    indices: tuple[int, ...]
    faces: tuple[Face, ...]


class PeopleTracker:
    """Gives each person of one video an id; takes the clips in any order of time.

    Detections at most half a second apart are linked by place; others by descriptors of the faces,
    and by place where that agrees with them. Two faces of one picture are always two people.
    """

    def __init__(self) -> None:
        self._clip = 0
        self._next_id = 0
        self._last_thumbnail: Image | None = None
        self._states: dict[int, TrackState] = {}  # of people detected since the last cut
        self._descriptors = Descriptors()  # of everyone
        self._past: list[_Past] = []

    def follow(self, frames: Sequence[Frame], find: Find) -> list[ClipTrack]:
        """Who is where in one clip of consecutive frames, ordered by id.

        A clip may also be between clips that were followed before; then ids continue from its
        neighbours on both sides.

        Detects faces (`find`: images -> faces of each) on the first and last frame of each shot
        and at most half a second apart, and interpolates between; where two detections do not
        agree, on every frame of the shot. Ids continue from the clip before, across a cut for those
        with similar descriptors. Keeps two thumbnails and a box per person of every clip, and a few
        descriptors of each person.
        """
        if not frames:
            return []
        place = bisect(self._past, frames[0].second, key=lambda past: past.start)
        self._return_to(self._past[place - 1] if place else None)
        # Ids from here on are new in this clip, and may be replaced by those of the next one.
        named = self._next_id
        thumbnails = [thumbnail_of(frame.image) for frame in frames]
        shots = split_at_cuts(thumbnails)
        detected = _detect(frames, shots, find)
        tracks = []
        for shot in shots:
            # Every shot but the first begins at a cut; the first may follow on from the clip
            # before.
            if shot.start > 0 or self._cut_before(thumbnails[0]):
                self._states.clear()
            tracks += self._follow_shot(frames, {k: detected[k] for k in shot if k in detected})
        self._last_thumbnail = thumbnails[-1]
        if place < len(self._past) and not is_cut(thumbnails[-1], self._past[place].first):
            tracks = self._joined(tracks, self._past[place], named)
        self._store(place, frames, thumbnails, tracks)
        return sorted(tracks, key=lambda track: track.id)

    def _return_to(self, past: _Past | None) -> None:
        """Continue after `past`, which ends before the clip to come; from nothing without one."""
        self._clip = past.clip if past else 0
        self._last_thumbnail = past.last if past else None
        self._states = {k: replace(one) for k, one in past.states.items()} if past else {}
        self._clip += 1

    def _store(
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
            states={person: replace(state) for person, state in self._states.items()},
        )
        self._past.insert(place, past)

    def _joined(self, tracks: list[ClipTrack], after: _Past, named: int) -> list[ClipTrack]:
        """`tracks`, whose new ids (from `named` on) become those of the clip after where they
        continue there."""
        fresh = [track for track in tracks if track.id >= named]
        taken = {track.id for track in tracks}
        there = [person for person in after.boxes if person not in taken]
        pairs = match(
            [track.faces[-1].box for track in fresh], [after.boxes[person] for person in there]
        )
        names = {
            fresh[now].id: there[then]
            for now, then in pairs
            if self._descriptors.apart(fresh[now].id, there[then]) <= UNLIKE
        }
        self._descriptors.rename(names)
        self._states = {names.get(person, person): one for person, one in self._states.items()}
        return [replace(track, id=names.get(track.id, track.id)) for track in tracks]

    def _follow_shot(
        self, frames: Sequence[Frame], detected: dict[int, list[Face]]
    ) -> list[ClipTrack]:
        sightings: dict[int, dict[int, Face]] = {}
        for index, faces in detected.items():
            names, descriptors = self._names(frames[index], faces)
            for now, face in enumerate(faces):
                person = names[now] if now in names else self._new_id()
                if person not in sightings:
                    descriptor = descriptors.get(now)
                    if descriptor is None:
                        descriptor = appearance_of(frames[index].image, face)
                    self._descriptors.note(person, descriptor)
                self._states.setdefault(person, TrackState()).note(
                    face.box, frames[index].second, self._clip
                )
                sightings.setdefault(person, {})[index] = face
        seconds = np.array([frame.second for frame in frames])
        return [
            ClipTrack(person, *smooth_track(at, seconds, max_gap=MAX_GAP))
            for person, at in sightings.items()
        ]

    def _names(
        self, frame: Frame, faces: Sequence[Face]
    ) -> tuple[dict[int, int], dict[int, FloatArray]]:
        """The ids of a frame's faces, by index in the list, as far as they are known; and the
        descriptors of those that their place alone does not identify."""
        recent = [k for k, one in self._states.items() if one.is_recent(frame.second)]
        expected = [self._states[person].expected(frame.second) for person in recent]
        pairs = match(expected, [face.box for face in faces])
        names = {now: recent[old] for old, now in pairs}
        rest = [now for now in range(len(faces)) if now not in names]
        descriptors = {now: appearance_of(frame.image, faces[now]) for now in rest}
        others = [person for person in self._descriptors if person not in names.values()]
        if not rest or not others:
            return names, descriptors
        apart = [[self._apart(faces[now].box, person) for person in others] for now in rest]
        unlike = self._descriptors.unlikeness(list(descriptors.values()), others)
        same_shot = [person in self._states for person in others]
        found = recognised(unlike, np.array(apart, np.float32), same_shot)
        return names | {rest[face]: others[person] for face, person in found}, descriptors

    def _apart(self, box: Box, person: int) -> float:
        """How far a face is from where the person was lately, in widths of the smaller face."""
        state = self._states.get(person)
        if state is None or state.clip <= self._clip - _RECENT_CLIPS:
            return math.inf
        return widths_apart(state.places[-1][1], box)

    def _cut_before(self, thumbnail: Image) -> bool:
        return self._last_thumbnail is not None and is_cut(self._last_thumbnail, thumbnail)

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1


@dataclass(frozen=True, eq=False)
class _Past:
    """One clip that was followed: its first and last thumbnail, and the people after it."""

    start: float
    clip: int
    first: Image
    last: Image
    boxes: dict[int, Box]
    states: dict[int, TrackState]


def _detect(frames: Sequence[Frame], shots: list[range], find: Find) -> dict[int, list[Face]]:
    """The faces of every frame in which faces were searched, by frame index in order."""
    detected: dict[int, list[Face]] = {}
    for shot in shots:
        chosen = _spread(frames, shot)
        detected |= dict(zip(chosen, find([frames[index].image for index in chosen]), strict=True))
        rest = [index for index in shot if index not in detected]
        if rest and not _agree([[face.box for face in detected[k]] for k in chosen]):
            detected |= dict(zip(rest, find([frames[index].image for index in rest]), strict=True))
    return dict(sorted(detected.items()))


def _spread(frames: Sequence[Frame], shot: range) -> list[int]:
    """First, last, and as few between as keep neighbours at most `MAX_GAP` seconds apart."""
    chosen = [shot.start]
    for index in shot[1:]:
        following = min(index + 1, shot.stop - 1)
        if frames[following].second - frames[chosen[-1]].second > MAX_GAP or index == shot.stop - 1:
            chosen.append(index)
    return chosen


def _agree(detections: list[list[Box]]) -> bool:
    """Whether all frames show the same people, each with only one candidate in the next."""
    for before, after in pairwise(detections):
        overlaps = overlaps_of(before, after)
        rivals = overlaps > _RIVAL
        # Rows, then columns: rivals of a face of this frame, and of one of the next.
        candidates = max(rivals.sum(axis=axis).max(initial=0) for axis in (0, 1))
        matched = len(match_overlapping(overlaps))
        if candidates > 1 or not len(before) == len(after) == matched:
            return False
    return True
