"""Which way is up, by the faces: pictures in which they lie are turned before anything else.

Messengers turn pixels without a flag, and a network trained on upright faces gives high scores to
others. So faces are searched in a picture as it is; only where none is clearly upright are they
also searched in it turned by 90, 180 and 270 degrees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from detector.faces.mtcnn import FaceFinder
from detector.records import Face, Frame, Image

QUARTERS = (0, 90, 180, 270)  # degrees
# A face is plainly upright that is detected so clearly, whose mouth is below its eyes within so
# many degrees, and whose log-odds of being a face fall by so much when it is turned by any quarter.
# Measured on 96 real and generated clips: upright all but two pass, turned none.
CLEAR, TILTED, BETTER = 0.95, 45.0, 1.0
# The log-odds of the faces that a picture must show when it is turned, and by how much they must
# exceed those that it shows as it is. With both, 15 of 15 real clips are turned back from 90 and
# 180 degrees, and none that is upright is turned.
ENOUGH, CLEARLY_MORE = 3.0, 2.0
ROTATED = 4.5  # log-odds by which a face is more of a face when turned; upright ones reach 3.4
ROTATED_TILT = 60.0  # degrees, between `TILTED` and a face on its side
# Pictures of one video that are searched at a finer scale in all orientations without a face being
# found: at 4K such a picture takes as long as some 20 of its frames otherwise do.
MOST_IN_VAIN = 3


@dataclass
class Upright:
    """Turns the pictures of one video; takes the clips in their order."""

    finder: FaceFinder
    turn: int = 0  # degrees, counter-clockwise, of the last picture
    rotated: bool = False  # whether a face was found rotated beside others that are not
    in_vain: int = 0  # pictures in which a finer search found no clear face either
    # Of the present clip: pictures made by turning one, and the faces detected in each.
    _made: dict[tuple[int, int], Image] = field(default_factory=dict)
    _detected: dict[int, list[Face]] = field(default_factory=dict)

    def turn_upright(self, clip: Sequence[Frame]) -> tuple[list[Frame], list[int]]:
        """The frames turned so that faces stand upright, and the degrees by which each was."""
        self._made.clear()
        self._detected.clear()
        if not clip:
            return [], []
        # Both ends at once, which is faster than one by one.
        self._detect_all([self._turned(clip[end].image, self.turn) for end in (0, -1)])
        first = self._turn_of(clip[0].image)
        last = self._turn_of(clip[-1].image) if len(clip) > 1 else first
        turns = [first] * len(clip)
        if first != last:
            # Only where both ends differ is every frame between them tested.
            turns = [first, *(self._turn_of(frame.image) for frame in clip[1:-1]), last]
        frames = [
            Frame(frame.second, self._turned(frame.image, turn))
            for frame, turn in zip(clip, turns, strict=True)
        ]
        return frames, turns

    def find(self, images: Sequence[Image]) -> list[list[Face]]:
        """As `FaceFinder.find`; faces found already in an image are not searched again."""
        return self.finder.find(images, [self._detected.get(id(image)) for image in images])

    def is_rotated(self, image: Image, face: Face) -> bool:
        """Whether this face is not upright, in an image that was turned so that others are."""
        odds = self.finder.uprightness(image, [face.box])[0]
        found = bool(odds[1:].max() - odds[0] > ROTATED) or _tilt(face) > ROTATED_TILT
        self.rotated |= found
        return found

    def _turn_of(self, image: Image) -> int:
        """How far to turn this image: as the last one, unless its faces clearly lie otherwise.

        Where an ordinary search finds no clear face in any orientation, a finer one follows, as
        long as few such searches were in vain.
        """
        if self._decided(image, self._detect) or self.in_vain >= MOST_IN_VAIN:
            return self.turn
        closer = self.finder.closer(image)
        if closer is not None and not self._decided(image, closer):
            self.in_vain += 1
        return self.turn

    def _decided(self, image: Image, detect: Callable[[Image], list[Face]]) -> bool:
        """Whether the faces that `detect` finds show which way is up; `turn` is then set."""
        now = self._turned(image, self.turn)
        faces = detect(now)
        if self._plain(now, faces):
            return True
        evidence = {self.turn: _evidence(faces)}
        for turn in QUARTERS:
            if turn not in evidence:
                evidence[turn] = _evidence(detect(self._turned(image, turn)))
        best = max(evidence, key=lambda turn: evidence[turn])
        if evidence[best] > max(ENOUGH, evidence[self.turn] + CLEARLY_MORE):
            self.turn = best
        return evidence[best] > ENOUGH

    def _plain(self, image: Image, faces: Sequence[Face]) -> bool:
        """Whether at least one face is upright beyond doubt."""
        clear = [face for face in faces if face.detection >= CLEAR and _tilt(face) < TILTED]
        odds = self.finder.uprightness(image, [face.box for face in clear])
        return bool((odds[:, :1] - odds[:, 1:] >= BETTER).all(axis=1).any())

    def _turned(self, image: Image, turn: int) -> Image:
        """The same array every time, so that faces detected in it are not searched again."""
        if turn == 0:
            return image
        key = id(image), turn
        if key not in self._made:
            # rot90 turns counter-clockwise, and returns a view that OpenCV does not accept.
            self._made[key] = np.ascontiguousarray(np.rot90(image, turn // 90))
        return self._made[key]

    def _detect_all(self, images: Sequence[Image]) -> None:
        """Detect the faces of those images in which none were detected before."""
        new = {id(image): image for image in images if id(image) not in self._detected}
        self._detected |= zip(new, self.finder.detect(list(new.values())), strict=True)

    def _detect(self, image: Image) -> list[Face]:
        self._detect_all([image])
        return self._detected[id(image)]


def _evidence(faces: Sequence[Face]) -> float:
    """The evidence that the clearest face stands upright, as log-odds."""
    odds = [
        # Clipped: a detection of exactly 1 would be infinite.
        np.log(max(face.detection, 1e-6) / max(1 - face.detection, 1e-5))
        # A face on its side or upside down (90 degrees and more) is no evidence at any score.
        * np.cos(np.radians(min(_tilt(face), 90.0)))
        for face in faces
    ]
    return float(max(odds, default=0.0))


def _tilt(face: Face) -> float:
    """Degrees, 0 to 180, between the line from the eyes to the mouth and straight down."""
    left_eye, right_eye, _, left_mouth, right_mouth = face.landmarks.astype(np.float64)
    down = (left_mouth + right_mouth - left_eye - right_eye) / 2
    return float(np.degrees(np.arctan2(abs(down[0]), down[1])))
