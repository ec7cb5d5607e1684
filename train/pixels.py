"""`train.augment` and `train.fakes` for many pictures at once, on any device.

Pictures are (N, 3, H, W) RGB float32 from 0 to 255, each with parameters of its own. What is
separable is a product with matrices that OpenCV or Pillow would use, so the result is theirs but
for rounding; only JPEG and H.264 are stand-ins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from detector.video.degrade import KERNELS
from train.augment import Colour, Degradation

# Luma of ITU-R BT.601.
GREY = (0.299, 0.587, 0.114)
SLIGHT = 1.2
"""Deviation in pixels of the blur that sharpening takes away."""

# ISO/IEC 10918-1, annex K, tables K.1 and K.2, which libjpeg scales by quality.
_LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
    92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMA = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, *(99,) * 32,
)  # fmt: skip
# JFIF 1.02: Y, Cb and Cr from R, G and B.
_TO_YCC = np.array([GREY, (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312)])


def to_bytes(images: Tensor) -> Tensor:
    """Rounded and cut to 0..255, still float32."""
    return images.round().clamp(0, 255)


def _column(values: Sequence[float], images: Tensor) -> Tensor:
    """One value per picture, (N, 1, 1, 1)."""
    return torch.tensor(values, dtype=torch.float32, device=images.device).view(-1, 1, 1, 1)


def degrade(
    images: Tensor, histories: Sequence[Degradation], generator: torch.Generator | None = None
) -> Tensor:
    """Each picture after its history, in the order of `augment.degrade`."""
    steps: list[tuple[str, Callable[[Tensor, list[Any]], Tensor]]] = [
        ("colour", recolour),
        ("sharpen", sharpen),
        ("blur", blur),
        ("rescale", rescale),
        ("noise", lambda some, values: noise(some, values, generator)),
        ("jpeg", jpeg),
        ("coded", coded),
    ]
    # The caller's pictures are not altered in place.
    images = images.clone()
    for name, alter in steps:
        chosen = [k for k, each in enumerate(histories) if getattr(each, name) is not None]
        if chosen:
            place = torch.tensor(chosen, device=images.device)
            images[place] = alter(images[place], [getattr(histories[k], name) for k in chosen])
    return images


def recolour(images: Tensor, colours: Sequence[Colour]) -> Tensor:
    """As `augment.recolour`."""

    def column(name: str) -> Tensor:
        return _column([getattr(colour, name) for colour in colours], images)

    shifts = torch.tensor([each.shift for each in colours], dtype=torch.float32)
    out = (images / 255 - 0.5) * column("contrast") + 0.5 + column("brightness")
    out = out + shifts.to(images.device)[:, :, None, None]
    weights = torch.tensor(GREY, device=images.device).view(1, 3, 1, 1)
    grey = (out * weights).sum(1, keepdim=True)
    out = (grey + (out - grey) * column("saturation")).clamp(0, 1)
    return to_bytes(out ** column("gamma") * 255)


def sharpen(images: Tensor, amounts: Sequence[float]) -> Tensor:
    amount = _column(amounts, images)
    slight = blur(images, [SLIGHT] * len(amounts))
    return to_bytes(images * (1 + amount) - slight * amount)


def blur(images: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Gaussian, each sigma in pixels, mirrored at the edge."""
    N, _, H, W = images.shape
    # Three deviations of the widest; reflection needs less than the picture's size.
    reach = min(max(int(np.ceil(3 * max(sigmas))), 1), H - 1, W - 1)
    place = torch.arange(-reach, reach + 1, device=images.device)
    line = torch.exp(-(place**2) / (2 * _column(sigmas, images).view(-1, 1) ** 2))
    # One kernel per picture, repeated for its three channels: a grouped convolution.
    line = (line / line.sum(1, keepdim=True)).repeat_interleave(3, 0)  # (3N, 2 reach + 1)
    flat = functional.pad(images, [reach] * 4, mode="reflect")
    flat = flat.reshape(1, 3 * N, H + 2 * reach, W + 2 * reach)
    flat = functional.conv2d(flat, line[:, None, :, None], groups=3 * N)
    flat = functional.conv2d(flat, line[:, None, None, :], groups=3 * N)
    return to_bytes(flat.view(N, 3, H, W))


@lru_cache(maxsize=2048)
def _resizing(height: int, side: int, kernel: str, device: torch.device) -> Tensor:
    """The matrix (side, height) by which OpenCV resizes a column."""
    # Resizing is linear: resized unit vectors are the columns of its matrix.
    unit: Any = np.eye(height, dtype=np.float32)
    matrix = cv2.resize(unit, (height, side), interpolation=KERNELS[kernel])
    return torch.from_numpy(np.asarray(matrix, np.float32)).to(device)


def rescale(images: Tensor, ways: Sequence[tuple[float, str, str]]) -> Tensor:
    """Each picture (H = W) shrunk to a share of its side and back, `KERNELS` named for both."""
    height, device = images.shape[2], images.device
    matrices = []
    for share, down, up in ways:
        side = max(round(height * share), 2)
        there = _resizing(height, side, down, device)
        # One matrix for both steps; the rounding to bytes between them is left out.
        matrices.append(_resizing(side, height, up, device) @ there)
    return to_bytes(_both_ways(images, torch.stack(matrices)))


def _both_ways(images: Tensor, matrices: Tensor) -> Tensor:
    """Columns and rows of each picture through its matrix (N, R, H)."""
    return matrices[:, None] @ images @ matrices[:, None].transpose(2, 3)


def noise(images: Tensor, deviations: Sequence[float], generator: torch.Generator | None) -> Tensor:
    """Gaussian, as a share of the full range."""
    grain = torch.empty_like(images).normal_(generator=generator)
    return to_bytes(images + grain * _column(deviations, images) * 255)


@lru_cache(maxsize=8)
def _cosines(device: torch.device) -> Tensor:
    """The orthonormal DCT-II of 8 values, (8, 8)."""
    k, n = np.mgrid[:8, :8]
    # Ahmed et al. 1974; sqrt(1 / 8) and sqrt(2 / 8) make the rows orthonormal.
    matrix = np.cos(np.pi * k * (2 * n + 1) / 16) * np.where(k == 0, np.sqrt(1 / 8), 0.5)
    return torch.from_numpy(matrix.astype(np.float32)).to(device)


def _quantise(plane: Tensor, steps: Tensor, rounding: float) -> Tensor:
    """A plane (N, C, H, W), H and W multiples of 8, block by block through the DCT and back;
    `steps` (N, 1, 1, 1, 8, 8). Coefficients below 1 - `rounding` steps become 0."""
    N, C, H, W = plane.shape
    # (N, C, H / 8, W / 8, 8, 8): the last two axes are one block.
    blocks = plane.reshape(N, C, H // 8, 8, W // 8, 8).transpose(3, 4)
    cosines = _cosines(plane.device)
    # D X D^T over quantiser steps.
    waves = cosines @ blocks @ cosines.T / steps
    # floor(|w| + rounding): 0.5 rounds to nearest, less has a dead zone around 0.
    waves = waves.sign() * (waves.abs() + rounding).floor() * steps
    return (cosines.T @ waves @ cosines).transpose(3, 4).reshape(N, C, H, W)


def _through_blocks(images: Tensor, luma: Tensor, chroma: Tensor, rounding: float) -> Tensor:
    """Y, Cb and Cr through the DCT, colours at half the resolution (4:2:0)."""
    height, width = images.shape[2:]
    # To multiples of 16, two blocks, as the colours have half the resolution.
    padded = functional.pad(images, (0, -width % 16, 0, -height % 16), mode="replicate")
    turn = torch.from_numpy(_TO_YCC.astype(np.float32)).to(images.device)
    planes = torch.einsum("ck,nkhw->nchw", turn, padded)
    # Luma is centred on 0 as the colours are (ISO/IEC 10918-1, A.3.1).
    grey = _quantise((planes[:, :1] - 128).contiguous(), luma, rounding) + 128
    half = _quantise(functional.avg_pool2d(planes[:, 1:], 2), chroma, rounding)
    colours = functional.interpolate(half, scale_factor=2, mode="bilinear", align_corners=False)
    back = torch.linalg.inv(turn)
    out = torch.einsum("ck,nkhw->nchw", back, torch.cat([grey, colours], 1))
    return to_bytes(out[:, :, :height, :width])


def jpeg(images: Tensor, qualities: Sequence[int]) -> Tensor:
    """What libjpeg's tables at each quality (1 worst to 100 best) take away."""
    # libjpeg's `jpeg_quality_scaling`, in percent of the tables.
    scales = [5000 / q if q < 50 else 200 - 2 * q for q in qualities]
    scale = torch.tensor(scales, device=images.device).view(-1, 1, 1, 1, 1, 1)

    def steps(table: tuple[int, ...]) -> Tensor:
        whole = torch.tensor(table, dtype=torch.float32, device=images.device).view(8, 8)
        return ((whole * scale + 50) / 100).floor().clamp(1, 255)

    return _through_blocks(images, steps(_LUMA), steps(_CHROMA), rounding=0.5)


def coded(images: Tensor, ways: Sequence[tuple[float, int]]) -> Tensor:
    """A stand-in for H.264 at a share of the size and a rate factor: a quantiser step even over
    all frequencies, doubling every six, with the dead zone of an encoder; its size was fitted to
    x264's single frames. No prediction between blocks, no smoothing of their edges."""
    height, device = images.shape[2], images.device
    out = images.clone()
    sides = [max(16 * round(height * share / 16), 16) for share, _ in ways]
    for side in sorted(set(sides)):
        chosen = [k for k, each in enumerate(sides) if each == side]
        place = torch.tensor(chosen, device=device)
        down = _resizing(height, side, "area", device)[None]
        # H.264's step is 1 at QP 4 and doubles every six; the 2 is fitted, see train/LOG.md.
        step = torch.tensor([2 ** ((ways[k][1] - 2) / 6) for k in chosen], device=device)
        step = step.view(-1, 1, 1, 1, 1, 1)
        # 1 / 3 is the rounding of intra blocks in the reference encoder of H.264.
        small = _through_blocks(to_bytes(_both_ways(images[place], down)), step, step, 1 / 3)
        out[place] = _both_ways(small, _resizing(side, height, "linear", device)[None])
    return to_bytes(out)


def move(images: Tensor, matrices: Tensor, border: str = "border") -> Tensor:
    """Each picture (N, C, H, W) under its affine matrix (N, 2, 3), as `fakes.move`; `border`
    "zeros" for masks."""
    H, W = images.shape[2:]
    # (N, 3, 3) with the row 0 0 1. Inverted in float64: `grid_sample` needs the way back.
    full = functional.pad(matrices, (0, 0, 0, 1))
    full[:, 2, 2] = 1
    back = torch.linalg.inv(full.double()).float()[:, :2]
    y, x = torch.meshgrid(
        torch.arange(H, device=images.device), torch.arange(W, device=images.device), indexing="ij"
    )
    places = torch.stack([x, y, torch.ones_like(x)], -1).float()  # (H, W, 3)
    there = torch.einsum("nik,hwk->nhwi", back, places)
    # align_corners: -1 and 1 are the centres of the first and the last pixel.
    span = torch.tensor([W - 1, H - 1], device=images.device)
    return functional.grid_sample(
        images, 2 * there / span - 1, mode="bilinear", padding_mode=border, align_corners=True
    )


def blend(source: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """`source` where `mask` (N, 1, H, W) is 1, `target` where it is 0."""
    return to_bytes(target + (source - target) * mask)


def match_colours(source: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """As `fakes.match_colours`."""
    inside = (mask > 0.5).float()
    count = inside.sum((2, 3), keepdim=True)

    def moments(images: Tensor) -> tuple[Tensor, Tensor]:
        mean = (images * inside).sum((2, 3), keepdim=True) / count.clamp(min=1)
        # Two passes; the difference of squared means would cancel in float32.
        spread = ((images - mean) ** 2 * inside).sum((2, 3), keepdim=True) / count.clamp(min=1)
        return mean, spread.sqrt()

    (mean, spread), (target_mean, target_spread) = moments(source), moments(target)
    gain = (target_spread / spread.clamp(min=1)).clamp(0.5, 2.0)
    # Too few pixels for a deviation: the colours stay.
    return torch.where(count < 16, source, to_bytes((source - mean) * gain + target_mean))


def bilateral(images: Tensor, window: int, edges: Sequence[float]) -> Tensor:
    """As OpenCV's: a disc of diameter `window`, which is also the deviation in space, and `edges`
    the deviations in colour, summed over the channels."""
    reach = window // 2
    H, W = images.shape[2:]
    padded = functional.pad(images, [reach] * 4, mode="reflect")
    edge = _column(edges, images)
    total, weights = torch.zeros_like(images), torch.zeros_like(images[:, :1])
    for dy in range(window):
        for dx in range(window):
            # Squared distance; OpenCV's window is a disc, not a square.
            far = (dy - reach) ** 2 + (dx - reach) ** 2
            if far > reach**2:
                continue
            other = padded[:, :, dy : dy + H, dx : dx + W]
            apart = (other - images).abs().sum(1, keepdim=True)
            # Tomasi & Manduchi 1998: a Gaussian in colour times one in space.
            weight = torch.exp(-(apart**2) / (2 * edge**2) - far / (2 * window**2))
            total, weights = total + weight * other, weights + weight
    return to_bytes(total / weights)


def regrow(images: Tensor, kernels: Sequence[NDArray[np.floating[Any]]]) -> Tensor:
    """Each picture at half its size, grown again by a transposed convolution with its 4 x 4
    kernel, as in `fakes.resynthesise`."""
    N, _, H, W = images.shape
    small = to_bytes(functional.avg_pool2d(images, 2))
    sparse = torch.zeros_like(images)
    sparse[:, :, : H // 2 * 2 : 2, : W // 2 * 2 : 2] = small
    weight = torch.from_numpy(np.stack(kernels).astype(np.float32)).to(images.device)
    weight = weight.repeat_interleave(3, 0)[:, None]
    # OpenCV anchors a kernel of 4 at index 2.
    padded = functional.pad(sparse, (2, 1, 2, 1), mode="reflect")
    grown = functional.conv2d(padded.reshape(1, 3 * N, H + 3, W + 3), weight, groups=3 * N)
    return to_bytes(grown.view(N, 3, H, W))


def cut(images: Tensor, squares: Tensor, size: int) -> Tensor:
    """The squares (N, 4) x0, y0, x1, y1 of each picture, (N, C, size, size): Pillow's bicubic as
    in `faces.crops.cut_face`, the edge repeated."""
    H, W = images.shape[2:]
    rows = _cubic(squares[:, 1], squares[:, 3], H, size)
    columns = _cubic(squares[:, 0], squares[:, 2], W, size)
    return to_bytes(rows[:, None] @ images @ columns[:, None].transpose(2, 3))


def _cubic(start: Tensor, end: Tensor, length: int, size: int) -> Tensor:
    """The matrices (N, size, length) that carry the pixels from `start` to `end` to `size` ones;
    what is outside weighs on the edge."""
    beyond = length  # how far outside a square may reach
    # Source pixels per target pixel; below 1 the kernel keeps its width.
    scale = ((end - start) / size)[:, None, None]
    centre = start[:, None, None] + (torch.arange(size, device=start.device)[:, None] + 0.5) * scale
    place = torch.arange(-beyond, length + beyond, device=start.device) + 0.5
    x = ((place - centre) / scale.clamp(min=1)).abs()
    # Cubic convolution with a = -0.5 (Keys 1981), stretched when shrinking, as Pillow does.
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    weight = torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
    # Pillow reads no pixel outside of its box, and renormalises.
    inside = (place > start.floor()[:, None, None]) & (place < end.ceil()[:, None, None])
    weight = weight * inside
    weight = weight / weight.sum(-1, keepdim=True)
    kept = weight[..., beyond : beyond + length].clone()
    # Repeated edge pixels: their weights add to the edge's.
    kept[..., 0] += weight[..., :beyond].sum(-1)
    kept[..., -1] += weight[..., beyond + length :].sum(-1)
    return kept


def turn(images: Tensor, angles: Sequence[float], mirrored: Sequence[bool]) -> Tensor:
    """Each picture turned about its middle by its angle in degrees, then mirrored."""
    images, size = images.clone(), images.shape[2]
    turned = [k for k, angle in enumerate(angles) if angle]
    if turned:
        middle = (size / 2, size / 2)
        matrices = [cv2.getRotationMatrix2D(middle, angles[k], 1.0) for k in turned]
        there = torch.from_numpy(np.stack(matrices).astype(np.float32)).to(images.device)
        place = torch.tensor(turned, device=images.device)
        images[place] = to_bytes(move(images[place], there))
    mirror = [k for k, flip in enumerate(mirrored) if flip]
    if mirror:
        place = torch.tensor(mirror, device=images.device)
        images[place] = images[place].flip(3)
    return images
