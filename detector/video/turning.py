"""Pictures are turned by right angles, so that the faces in them are upright, at each moment."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from detector.records import Frame, Image, Turn


def turned_image(image: Image, degrees: int) -> Image:
    """Turned counter-clockwise by 0, 90, 180 or 270 degrees."""
    return np.ascontiguousarray(np.rot90(image, degrees // 90)) if degrees else image


def turns_of(frames: Sequence[tuple[float, int]]) -> tuple[Turn, ...]:
    """The turns of all frames from (second, degrees) of the analysed ones: a turn changes halfway
    between two that differ. Nothing where no frame is turned."""
    if not any(degrees for _, degrees in frames):
        return ()
    turns = [Turn(0.0, frames[0][1])]
    for (before, _), (second, degrees) in pairwise(frames):
        if degrees != turns[-1].degrees:
            turns.append(Turn((before + second) / 2, degrees))
    return tuple(turns)


def turned(frame: Frame, turns: Sequence[Turn]) -> Frame:
    """The frame as it was analysed: upright by its faces."""
    # The last turn that begins at or before the frame.
    place = bisect_right([turn.start for turn in turns], frame.second) - 1
    degrees = turns[max(place, 0)].degrees if turns else 0
    return Frame(frame.second, turned_image(frame.image, degrees)) if degrees else frame


def turned_all(
    frames: Iterator[Frame], turns: Sequence[Turn], size: tuple[int, int]
) -> Iterator[Frame]:
    """Each frame as it was analysed, in the upper left corner of a picture of `size` (width,
    height) where they differ in shape."""
    for frame in frames:
        shown = turned(frame, turns)
        height, width = shown.image.shape[:2]
        if turns and (width, height) != size:
            right, below = max(size[0] - width, 0), max(size[1] - height, 0)
            filled = np.pad(shown.image, ((0, below), (0, right), (0, 0)))
            shown = Frame(shown.second, filled[: size[1], : size[0]])
        yield shown


def size_of(size: tuple[int, int], turns: Sequence[Turn]) -> tuple[int, int]:
    """Width and height that contain all frames of `size`, however they are turned."""
    shapes = {size if turn.degrees % 180 == 0 else size[::-1] for turn in turns} or {size}
    return max(width for width, _ in shapes), max(height for _, height in shapes)
