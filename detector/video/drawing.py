"""A decoded frame becomes the picture that a player shows: upright, with square pixels, of one
moment, in the colours and the range of an ordinary screen."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorTrc, Interpolation, VideoReformatter

from detector.records import Image
from detector.video.fields import FirstField, is_combed
from detector.video.hardware import as_in_software
from detector.video.packets import DecodeNotes

Matrix = tuple[tuple[int, int], tuple[int, int]]
# Colour matrices (ITU-T H.273, table 4) that FFmpeg converts; it refuses frames with others.
CONVERTIBLE = {0, 1, 2, 4, 5, 6, 7, 9}
# ITU-T H.273: matrix 2 is "unspecified"; range as FFmpeg counts it, 1 limited and 2 full.
UNSPECIFIED_MATRIX, UNSPECIFIED_RANGE, FULL_RANGE = 2, 0, 2
# Brightness far above that of paper, and colours that an ordinary screen cannot show.
HIGH_RANGE = {int(ColorTrc.SMPTE2084), int(ColorTrc.ARIB_STD_B67)}
WIDE_COLOURS = {
    int(ColorPrimaries.BT2020),
    int(ColorPrimaries.SMPTE431),
    int(ColorPrimaries.SMPTE432),
}
ORDINARY: dict[str, Any] = {
    "dst_color_trc": ColorTrc.BT709,
    "dst_color_primaries": ColorPrimaries.BT709,
}
# White is 203 cd/m2 in HDR (ITU-R BT.2408); where a converter put it at 100, it has the first of
# these values. A picture in which hardly anything is brighter is lifted by as much, less and less
# up to `BRIGHT`: ten clips converted either way lay below and above.
DIM_WHITE, BRIGHT = 255 * (100 / 203) ** (1 / 2.4), 200.0
# Each needs a table that takes seconds to make; further changes in one file are not converted.
MOST_CONVERSIONS = 3
# The display matrix that turns a frame counter-clockwise by so many degrees.
TURNED: dict[int, Matrix] = {
    0: ((1, 0), (0, 1)),
    90: ((0, -1), (1, 0)),
    180: ((-1, 0), (0, -1)),
    270: ((0, 1), (-1, 0)),
}


class Drawing:
    """Frames become RGB uint8 (H, W, 3), all of one size: scaled to `size` (width, height before
    turning), and turned as the first one is. `notes` records what else was done."""

    def __init__(self, size: tuple[int, int], notes: DecodeNotes) -> None:
        self.size = size
        self.notes = notes
        self._plain, self._planar = VideoReformatter(), VideoReformatter()
        self._toned: dict[tuple[int, int], VideoReformatter] = {}
        self._field = FirstField()
        self._matrix: Matrix | None = None

    def __call__(self, frame: VideoFrame) -> Image:
        # FFmpeg's default conversion is better than no picture.
        if frame.colorspace not in CONVERTIBLE:
            frame.colorspace = UNSPECIFIED_MATRIX
        if frame.color_range > FULL_RANGE:
            frame.color_range = UNSPECIFIED_RANGE
        frame = as_in_software(frame, self._planar)
        self._matrix = self._matrix or display_matrix(frame)
        how: dict[str, Any] = {}
        if is_combed(frame):
            # Before scaling, which would mix the lines of both moments.
            frame, how["interpolation"] = self._field.of(frame), Interpolation.BICUBIC
            self.notes.deinterlaced = True
        image = _pixels_of(self._rgb(frame, how))
        if frame.color_trc in HIGH_RANGE:
            image = lifted(image)
        return np.ascontiguousarray(_upright(image, self._matrix))

    def _rgb(self, frame: VideoFrame, how: dict[str, Any]) -> VideoFrame:
        colours = frame.color_trc, frame.color_primaries
        if colours[0] in HIGH_RANGE or colours[1] in WIDE_COLOURS:
            if len(self._toned) < MOST_CONVERSIONS:
                self._toned.setdefault(colours, VideoReformatter())
            if colours in self._toned:
                self.notes.tone_mapped = True
                toned = self._toned[colours]
                return toned.reformat(frame, *self.size, "rgb24", threads=1, **how | ORDINARY)
        return self._plain.reformat(frame, *self.size, "rgb24", threads=1, **how)


def _pixels_of(frame: VideoFrame) -> Image:
    """The pixels of an RGB frame: its own memory, not a copy, which it keeps in use."""
    plane = frame.planes[0]
    # `line_size` may exceed the width: lines begin at multiples of some power of two.
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return lines[:, : 3 * plane.width].reshape(plane.height, plane.width, 3)


def lifted(image: Image) -> Image:
    """The image with its white at 203 cd/m2, if a converter put it at 100.

    Each picture is measured by itself, so that it is the same wherever reading a file begins.
    """
    # Of the brightest channel, of every 16th pixel; 0.5 % may be highlights above white.
    peak = float(np.percentile(image[::4, ::4].max(axis=2), 99.5))
    share = np.clip((BRIGHT - peak) / (BRIGHT - DIM_WHITE), 0.0, 1.0)
    if share == 0:
        return image
    # The exponent 1 / 2.4 in `DIM_WHITE` is the display's gamma (ITU-R BT.1886).
    gain = 1 + share * (255 / DIM_WHITE - 1)
    # A table of 256 values, applied to all pixels at once; + 0.5 rounds.
    scale = np.minimum(np.arange(256) * gain + 0.5, 255).astype(np.uint8)
    image = scale[image]
    return image


def turn_of(frame: VideoFrame) -> int:
    """Degrees (0, 90, 180, 270), counter-clockwise, by which the frame must be turned."""
    (a, b), (_, d) = display_matrix(frame)
    if abs(b) > abs(a):
        return 90 if b < 0 else 270
    return 180 if d < 0 else 0


def _upright(image: Image, matrix: Matrix) -> Image:
    """Applies the display matrix, mirroring included, which FFmpeg leaves to the player.

    It maps stored x, y to a x + c y, b x + d y (ISO/IEC 14496-12, 6.2.2). Only the eight turns
    and flips by right angles occur; any other is taken as the nearest of them.
    """
    (a, b), (c, d) = matrix
    if abs(b) > abs(a):
        # Rows become columns; what remains are flips by the signs of the other diagonal.
        image, a, d = image.transpose(1, 0, 2), c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def display_matrix(frame: VideoFrame) -> Matrix:
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV raises for all side data where one kind is unknown to it
        return TURNED[round(frame.rotation / 90) % 4 * 90]
    if matrix is None:
        return TURNED[0]
    # Nine int32 row by row: a, b, u, c, d, v, x, y, w; only the signs of four matter.
    a, b, _, c, d = np.frombuffer(cast(bytes, matrix), np.int32)[:5].tolist()
    return (a, b), (c, d)
