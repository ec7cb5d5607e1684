"""Still pictures and animated WebP, which FFmpeg does not read well: through Pillow."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from detector.errors import VideoError
from detector.language import lazy
from detector.records import Image, Status
from detector.video.opening import Limits, check_pixels
from detector.video.packets import DecodeNotes

EXIF_ORIENTATION = 0x0112  # tag 274 of TIFF; values 1 to 8
# EXIF 2.32, 4.6.4: what each value has to be undone by.
TO_UPRIGHT = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
COUNTER_CLOCKWISE = {3: 180, 4: 180, 5: 270, 6: 270, 7: 90, 8: 90}  # the turn in it
ONE_PICTURE = ("JPEG", "MPO")
SHORTEST_MS, USUAL_MS = 10, 100  # browsers show a frame of up to 10 ms for 100 ms
# What Pillow raises for damaged files, depending on the format.
DAMAGE = (OSError, SyntaxError, ValueError, struct.error, Pillow.DecompressionBombError)


@contextmanager
def open_picture(path: Path, kind: str, limits: Limits) -> Iterator[Pillow.Image]:
    """The picture, its pixels not yet decoded. `kind` is one of `opening.PICTURES`.

    Raises VideoError if it is too large or cannot be opened.
    """
    try:
        picture = Pillow.open(path, formats=[kind])
    except Pillow.DecompressionBombError as error:
        raise VideoError(
            lazy(
                "{file} claims to be larger than any picture is. Save it smaller.", file=path.name
            ),
            Status.TOO_LARGE,
        ) from error
    except DAMAGE as error:
        raise VideoError(
            lazy("{file} is damaged and cannot be opened. Send it again.", file=path.name)
        ) from error
    with picture:
        # An animation is decoded frame by frame, as a video is; a still only once.
        moving = _count(picture) > 1
        check_pixels(path, picture.size, limits.max_pixels if moving else limits.max_still_pixels)
        yield picture


def turned_by(picture: Pillow.Image) -> int:
    """Degrees, counter-clockwise, by which it must be turned, by its EXIF data."""
    return COUNTER_CLOCKWISE.get(_orientation(picture), 0)


def frames_of(picture: Pillow.Image, notes: DecodeNotes) -> Iterator[tuple[float, Pillow.Image]]:
    """Each frame, still in the file's own colour mode, with the second at which it is shown.

    Ends early where the file is damaged, which `notes` records.
    """
    milliseconds = 0
    for number in range(_count(picture)):
        try:
            picture.seek(number)
            picture.load()
        except DAMAGE:
            notes.damaged = True
            return
        yield milliseconds / 1000, picture
        shown_for = int(picture.info.get("duration", 0))
        # Whole milliseconds, so that times do not drift over many frames.
        milliseconds += shown_for if shown_for > SHORTEST_MS else USUAL_MS


def _count(picture: Pillow.Image) -> int:
    """How many pictures are shown, one after the other. What a JPEG contains besides the first (for
    the other eye, a preview, a map of depth or of brightness) is not."""
    return 1 if picture.format in ONE_PICTURE else getattr(picture, "n_frames", 1)


def to_rgb(picture: Pillow.Image) -> Image:
    """Upright RGB uint8 (H, W, 3); what is transparent becomes white."""
    way = TO_UPRIGHT.get(_orientation(picture))
    upright = picture if way is None else picture.transpose(way)
    if upright.mode.startswith("I;16"):  # Pillow would clip 16 bits, not scale them
        # The upper eight of sixteen bits.
        grey = (np.asarray(upright) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if upright.has_transparency_data:
        over = upright.convert("RGBA")
        upright = Pillow.alpha_composite(Pillow.new("RGBA", over.size, "white"), over)
    return np.array(upright.convert("RGB"))


def _orientation(picture: Pillow.Image) -> int:
    """The EXIF orientation, 1 to 8; what cannot be read counts as upright."""
    try:
        orientation = picture.getexif().get(EXIF_ORIENTATION)
    except DAMAGE:
        return 1
    return orientation if orientation in TO_UPRIGHT else 1
