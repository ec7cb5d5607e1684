"""Draws the videos of the tests; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def write_clip(
    path: Path,
    images: Iterable[Image],
    *,
    seconds: Sequence[float] | None = None,
    fps: float = 25.0,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    audio: bool = False,
    options: dict[str, str] | None = None,
    rotation: int = 0,
    mirrored: bool = False,
) -> Path:
    """`images` (RGB uint8) become a video; frame k is shown at `seconds[k]`, or at k / fps.

    The container follows the suffix of `path`. `audio` adds a 440 Hz tone of the same length.
    A player must turn the images by `rotation` degrees counter-clockwise, then mirror them.
    """
    ticks = {"mpeg4": 30_000, "mpeg2video": round(fps)}.get(codec, 90_000)  # what they allow
    time_base = Fraction(1, ticks)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
        stream.pix_fmt = pixel_format
        stream.options = options or {}
        stream.codec_context.time_base = time_base
        if rotation or mirrored:
            stream.set_display_rotation(rotation, hflip=mirrored)
        tone = container.add_stream("aac", rate=44_100, layout="mono") if audio else None
        last = 0.0
        for index, image in enumerate(images):
            if index == 0:
                stream.width, stream.height = image.shape[1], image.shape[0]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            last = seconds[index] if seconds is not None else index / fps
            frame.pts, frame.time_base = round(last * ticks), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if tone is not None:
            _write_tone(container, tone, last + 1 / fps)
    return path


def _write_tone(
    container: av.container.OutputContainer, stream: av.AudioStream, seconds: float
) -> None:
    wave = np.sin(2 * np.pi * 440 * np.arange(int(44_100 * seconds)) / 44_100) * 0.3
    for start in range(0, len(wave), 1024):
        part = wave[start : start + 1024].astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = 44_100, start, Fraction(1, 44_100)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def barcode(number: int, size: tuple[int, int] = (96, 64)) -> Image:
    """A picture (width, height = `size`) that carries `number` (0-1023) through lossy coding.

    4 x 3 black or white cells: the first is white and the last black, so that a picture that
    lies on its side reads as nothing; the ten between are the number's bits.
    """
    bits = [1, *(number >> bit & 1 for bit in range(10)), 0]
    width, height = size
    column, row = np.arange(width) * 4 // width, np.arange(height) * 3 // height
    grey = np.where(np.array(bits).reshape(3, 4)[row[:, None], column], 235, 20)
    return np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)


def read_barcode(image: Image) -> int:
    """The number that `barcode` wrote. Raises ValueError if there is none to be read."""
    height, width = image.shape[:2]
    rows, columns = (2 * np.arange(3) + 1) * height // 6, (2 * np.arange(4) + 1) * width // 8
    bits = [int(image[y - 2 : y + 3, x - 2 : x + 3].mean() > 128) for y in rows for x in columns]
    if (bits[0], bits[-1]) != (1, 0):
        raise ValueError("the picture carries no number, or does not stand upright")
    return sum(bit << index for index, bit in enumerate(bits[1:-1]))


def portrait(size: int = 512) -> Image:
    """Eileen Collins' public-domain NASA portrait, as scikit-image ships it; one clear face."""
    from skimage.data import astronaut

    image: Image = cv2.resize(astronaut(), (size, size), interpolation=cv2.INTER_AREA)
    return image


def moving_portrait(count: int, size: tuple[int, int] = (480, 360), face: int = 320) -> list[Image]:
    """`count` pictures (width, height = `size`) in which the portrait drifts slowly sideways."""
    width, height = size
    head = portrait(face)[:height]
    images = []
    for index in range(count):
        image = np.full((height, width, 3), 96, np.uint8)
        left = int((width - face) * (0.5 + 0.4 * np.sin(index / 12)))
        image[: len(head), left : left + face] = head
        images.append(image)
    return images


def plain(count: int, size: tuple[int, int] = (320, 240)) -> list[Image]:
    """`count` pictures without a face: a soft gradient that shifts."""
    width, height = size
    ramp = np.linspace(0, 200, width, dtype=np.float32)
    return [
        np.repeat(np.repeat(((ramp + 3 * k) % 220)[None, :, None], height, 0), 3, 2).astype(
            np.uint8
        )
        for k in range(count)
    ]
