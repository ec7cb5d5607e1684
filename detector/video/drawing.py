"""A decoded frame becomes the picture that a good player shows: upright, with square pixels, of
one moment, in the colours and the range of an ordinary screen."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorTrc, Interpolation, VideoReformatter

from detector.records import Image
from detector.video.fields import FirstField, is_combed
from detector.video.packets import DecodeNotes

Matrix = tuple[tuple[int, int], tuple[int, int]]
# Colour matrices (ITU-T H.273, table 4) that FFmpeg converts; it refuses frames with others.
CONVERTIBLE = {0, 1, 2, 4, 5, 6, 7, 9}
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
# White is 203 cd/m2 in HDR (ITU-R BT.2408); where it was put at 100, as converters do that know of
# no other, it comes out as this. A picture in which hardly anything is brighter is lifted by as
# much, less and less up to `BRIGHT`: ten clips converted either way lay below and above.
DIM_WHITE, BRIGHT = 255 * (100 / 203) ** (1 / 2.4), 200.0
# Each needs a table that takes seconds to make; a file that changes more often is not believed.
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
    turning), and turned as the first one is. `notes` is told what else was done."""

    def __init__(self, size: tuple[int, int], notes: DecodeNotes) -> None:
        self.size = size
        self.notes = notes
        self._plain = VideoReformatter()
        self._toned: dict[tuple[int, int], VideoReformatter] = {}
        self._field = FirstField()
        self._matrix: Matrix | None = None

    def __call__(self, frame: VideoFrame) -> Image:
        self._matrix = self._matrix or display_matrix(frame)
        how: dict[str, Any] = {}
        if is_combed(frame):
            frame, how["interpolation"] = self._field.of(frame), Interpolation.BICUBIC
            self.notes.deinterlaced = True
        image = cast(Image, self._rgb(frame, how).to_ndarray())
        if frame.color_trc in HIGH_RANGE:
            image = lifted(image)
        return np.ascontiguousarray(_upright(image, self._matrix))

    def _rgb(self, frame: VideoFrame, how: dict[str, Any]) -> VideoFrame:
        if frame.colorspace not in CONVERTIBLE or frame.color_range > FULL_RANGE:
            frame.colorspace, frame.color_range = UNSPECIFIED_MATRIX, UNSPECIFIED_RANGE
        colours = frame.color_trc, frame.color_primaries
        if colours[0] in HIGH_RANGE or colours[1] in WIDE_COLOURS:
            if len(self._toned) < MOST_CONVERSIONS:
                self._toned.setdefault(colours, VideoReformatter())
            if colours in self._toned:
                self.notes.tone_mapped = True
                toned = self._toned[colours]
                return toned.reformat(frame, *self.size, "rgb24", threads=1, **how | ORDINARY)
        return self._plain.reformat(frame, *self.size, "rgb24", threads=1, **how)


def lifted(image: Image) -> Image:
    """The image with its white where it belongs, if that was put at 100 instead of 203 cd/m2.

    Each picture is measured by itself, so that it looks the same from wherever a file is read.
    """
    peak = float(np.percentile(image[::4, ::4].max(axis=2), 99.5))
    share = np.clip((BRIGHT - peak) / (BRIGHT - DIM_WHITE), 0.0, 1.0)
    if share == 0:
        return image
    gain = 1 + share * (255 / DIM_WHITE - 1)
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
        image, a, d = image.transpose(1, 0, 2), c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def display_matrix(frame: VideoFrame) -> Matrix:
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV gives up on all side data where one kind is newer than itself
        return TURNED[round(frame.rotation / 90) % 4 * 90]
    if matrix is None:
        return TURNED[0]
    a, b, _, c, d = np.frombuffer(cast(bytes, matrix), np.int32)[:5].tolist()
    return (a, b), (c, d)
