"""Cuts the network's input out of pictures: the only crop code, for product and training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image as Pillow

from detector.faces.geometry import square_around
from detector.records import Box, FloatArray, Image


@dataclass(frozen=True)
class CropSettings:
    """A square of `size` pixels; its side is the box's longer one times 1 + `margin`."""

    size: int = 224
    margin: float = 0.3

    def __post_init__(self) -> None:
        if self.size < 1 or self.margin < 0:
            raise ValueError(f"a crop needs size >= 1 and margin >= 0, got {self}")


def cut_face(image: Image, box: Box, crop: CropSettings) -> Image:
    """The square around `box`, (size, size, 3) RGB uint8, aspect kept.

    The square is mapped to the crop exactly, not rounded to whole pixels: rounding would
    shift a moving face by up to a pixel from frame to frame. Resampling is Pillow's bicubic, which
    widens its filter when shrinking and so does not alias. Where the square reaches outside,
    the picture's edge is repeated: black would add an outline that no face has, and a mirror
    image would add parts of a second face.

    Raises ValueError if the square is empty or does not touch the image.
    """
    height, width = image.shape[:2]
    square = square_around(box, crop.margin)
    x0, y0 = int(np.floor(square.x0)), int(np.floor(square.y0))
    x1, y1 = int(np.ceil(square.x1)), int(np.ceil(square.y1))
    # The outermost whole pixels that the square touches; resampling below is to the exact edges.
    if square.area == 0 or min(x1, y1, width - x0, height - y0) <= 0:
        raise ValueError(f"{box} has no pixel in the {width} x {height} image")
    inside = image[max(y0, 0) : y1, max(x0, 0) : x1]
    outside = (max(-y0, 0), max(y1 - height, 0)), (max(-x0, 0), max(x1 - width, 0))
    region = np.pad(inside, (*outside, (0, 0)), mode="edge")
    # In pixels of `region`, fractional: Pillow's `box` takes floats.
    source = (square.x0 - x0, square.y0 - y0, square.x1 - x0, square.y1 - y0)
    size = (crop.size, crop.size)
    cut = Pillow.fromarray(region).resize(size, Pillow.Resampling.BICUBIC, box=source)
    return np.array(cut)


def to_tensor(crops: Sequence[Image]) -> torch.Tensor:
    """Crops of one size become (T, 3, S, S) float32 in [0, 1], RGB."""
    # (T, S, S, 3) -> (T, 3, S, S); the permuted view would stay channels-last without the format.
    pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
    return pixels.to(torch.float32, memory_format=torch.contiguous_format) / 255


def landmarks_in_crop(landmarks: FloatArray, box: Box, crop: CropSettings) -> FloatArray:
    """Points (N, 2) of the original picture, x then y, in pixels of `cut_face`'s crop."""
    square = square_around(box, crop.margin)
    corner = np.array([square.x0, square.y0])
    points: FloatArray = ((landmarks - corner) * (crop.size / square.width)).astype(np.float32)
    return points
