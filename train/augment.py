"""The changes that cameras, codecs and web sites make to faces; for training and for tests.

All functions take and return one clip: images (T, H, W, 3) RGB uint8. Ranges and chances without a
source are set by hand; `train.sheet` shows what they give.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.video.degrade import Clip as Clip
from detector.video.degrade import blur as blur
from detector.video.degrade import h264 as h264
from detector.video.degrade import rescale as rescale


def jpeg(clip: Clip, quality: int) -> Clip:
    """Each image through JPEG, 1 worst to 100 best."""
    # The channel order does not matter: encoder and decoder both take it for BGR.
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    coded: list[Any] = [cv2.imencode(".jpg", image, options)[1] for image in clip]
    images: list[Any] = [cv2.imdecode(data, cv2.IMREAD_COLOR) for data in coded]
    return np.stack(images).astype(np.uint8)


def noise(clip: Clip, deviation: float, rng: np.random.Generator) -> Clip:
    """Gaussian noise, new in each frame; `deviation` as a share of the full range."""
    # Drawn as float32: half the memory and time of float64.
    grain = rng.standard_normal(clip.shape, dtype=np.float32) * (deviation * 255)
    return to_bytes(clip + grain)


def sharpen(clip: Clip, amount: float) -> Clip:
    """Unsharp mask: `amount` of what a slight blur takes away is added."""
    return np.stack(
        [
            # image + amount * (image - blurred), cut to 0..255 by OpenCV.
            cv2.addWeighted(image, 1 + amount, cv2.GaussianBlur(image, (0, 0), 1.2), -amount, 0)
            for image in clip
        ]
    ).astype(np.uint8)


def block_wise(clip: Clip, count: int, rng: np.random.Generator) -> Clip:
    """`count` blocks of 8 px of a random colour, at the same places in all frames."""
    clip = clip.copy()
    height, width = clip.shape[1:3]
    for _ in range(count):
        y, x = rng.integers(0, max(height - 8, 1)), rng.integers(0, max(width - 8, 1))
        clip[:, y : y + 8, x : x + 8] = rng.integers(0, 256, 3)
    return clip


@dataclass(frozen=True, slots=True)
class Colour:
    """A change of colour: factors around 1, and additions (of 255) for each channel."""

    brightness: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    gamma: float = 1.0
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)


def recolour(clip: Clip, colour: Colour) -> Clip:
    """Contrast around mid-grey, then brightness, channel shift, saturation and gamma."""
    out = (clip.astype(np.float32) / 255 - 0.5) * colour.contrast + 0.5 + colour.brightness
    out += np.asarray(colour.shift, np.float32)
    if colour.saturation != 1.0:
        # Luma weights of ITU-R BT.601.
        grey = out @ np.array([0.299, 0.587, 0.114], np.float32)
        out = grey[..., None] + (out - grey[..., None]) * colour.saturation
    # Before the power, which is not defined for negative values.
    out = np.clip(out, 0, 1)
    if colour.gamma != 1.0:
        out = out**colour.gamma
    return to_bytes(out * 255)


def to_bytes(values: NDArray[np.floating[Any]]) -> Clip:
    """Rounded and cut to 0..255."""
    # Rounded to nearest: a plain cast would darken by half a step on average.
    clip: Clip = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return clip


@dataclass(frozen=True, slots=True)
class Degradation:
    """One history of a clip between camera and detector; None leaves a step out."""

    colour: Colour | None = None
    sharpen: float | None = None
    blur: float | None = None
    rescale: tuple[float, str, str] | None = None
    noise: float | None = None
    jpeg: int | None = None
    coded: tuple[float, int] | None = None


def draw_degradation(rng: np.random.Generator, uploads: float = 0.2) -> Degradation:
    """A plausible history, an upload with a chance of `uploads`. Draw it once and apply it to a
    fake *and* to its real counterpart: then no codec, no blur and no colour separates the two."""

    def sometimes(chance: float) -> bool:
        return bool(rng.random() < chance)

    if sometimes(uploads):
        return draw_upload(rng)
    colour = Colour(
        brightness=float(rng.uniform(-0.12, 0.12)),
        contrast=float(rng.uniform(0.8, 1.2)),
        saturation=float(rng.uniform(0.6, 1.4)),
        # Log-uniform, so that brightening and darkening are equally frequent.
        gamma=float(np.exp(rng.uniform(-0.25, 0.25))),
        shift=tuple(rng.uniform(-0.04, 0.04, 3).tolist()),
    )
    up = str(rng.choice(["linear", "cubic", "lanczos", "nearest"], p=[0.45, 0.35, 0.15, 0.05]))
    down = str(rng.choice(["area", "linear", "cubic"]))
    return Degradation(
        colour=colour if sometimes(0.7) else None,  # each step has a chance of its own
        sharpen=float(rng.uniform(0.2, 0.8)) if sometimes(0.12) else None,
        blur=float(rng.uniform(0.3, 1.6)) if sometimes(0.2) else None,
        rescale=(float(rng.uniform(0.35, 0.95)), down, up) if sometimes(0.35) else None,
        noise=float(np.exp(rng.uniform(np.log(0.004), np.log(0.04)))) if sometimes(0.2) else None,
        jpeg=int(rng.integers(40, 98)) if sometimes(0.45) else None,
        coded=(1.0, int(rng.integers(18, 38))) if sometimes(0.25) else None,
    )


def draw_upload(rng: np.random.Generator) -> Degradation:
    """What social networks do to a video: most are made smaller, then all strongly coded; some
    were out of focus or noisy before. A face is coded as small as it is in its video."""
    # One draw for both flaws, of which a video has at most one.
    flaw = rng.random()
    down = str(rng.choice(["area", "cubic"]))
    return Degradation(
        blur=float(rng.uniform(0.5, 2.5)) if flaw < 0.12 else None,
        rescale=(float(rng.uniform(0.35, 0.9)), down, "linear") if rng.random() < 0.6 else None,
        noise=float(rng.uniform(0.01, 0.06)) if flaw > 0.88 else None,
        # The share and the constant rate factor of x264; 23 is its default.
        coded=(float(rng.uniform(0.3, 1.0)), int(rng.integers(22, 38))),
    )


def coded_small(clip: Clip, share: float, crf: int) -> Clip:
    """H.264 at `share` of the size, shown at the old one: the codec's blocks grow with the face."""
    height, width = clip.shape[1:3]
    # A macroblock of H.264 has 16 x 16 pixels.
    side = (max(round(width * share), 16), max(round(height * share), 16))
    small = [cv2.resize(image, side, interpolation=cv2.INTER_AREA) for image in clip]
    coded = h264(np.stack(small).astype(np.uint8), crf)
    grown = [cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR) for image in coded]
    return np.stack(grown).astype(np.uint8)


def degrade(clip: Clip, history: Degradation, rng: np.random.Generator) -> Clip:
    """`clip` after `history`. Only noise uses `rng`."""
    if history.colour is not None:
        clip = recolour(clip, history.colour)
    if history.sharpen is not None:
        clip = sharpen(clip, history.sharpen)
    if history.blur is not None:
        clip = blur(clip, history.blur)
    if history.rescale is not None:
        clip = rescale(clip, *history.rescale)
    if history.noise is not None:
        clip = noise(clip, history.noise, rng)
    if history.jpeg is not None:
        clip = jpeg(clip, history.jpeg)
    if history.coded is not None:
        clip = coded_small(clip, *history.coded)
    return clip


# DeeperForensics-1.0 (arXiv 2001.03024), the parameters of its public perturbation code.
LEVELS: dict[str, tuple[float, ...]] = {
    "saturation": (0.4, 0.3, 0.2, 0.1, 0.0),
    "contrast": (0.85, 0.725, 0.6, 0.475, 0.35),
    "blocks": (16, 32, 48, 64, 80),
    "noise": (0.001, 0.002, 0.005, 0.01, 0.05),
    "blur": (7, 9, 13, 17, 21),
    "downscale": (2, 3, 4, 5, 6),
    "compression": (30, 32, 35, 38, 40),
}


def perturb(clip: Clip, kind: str, level: int, rng: np.random.Generator) -> Clip:
    """`clip` under perturbation `kind` of `LEVELS` at `level` 1 to 5."""
    value = LEVELS[kind][level - 1]
    if kind == "saturation":
        return recolour(clip, Colour(saturation=value))
    if kind == "contrast":
        return recolour(clip, Colour(contrast=value))
    if kind == "blocks":
        return block_wise(clip, int(value), rng)
    if kind == "noise":  # the table gives the variance
        return noise(clip, float(np.sqrt(value)), rng)
    if kind == "blur":  # OpenCV's rule from kernel size to sigma
        return blur(clip, 0.3 * ((value - 1) * 0.5 - 1) + 0.8)
    if kind == "downscale":
        return rescale(clip, 1 / value)
    return h264(clip, int(value))


def social_media(clip: Clip) -> Clip:
    """One re-upload: smaller picture, then a strong H.264 transcode (CRF 32)."""
    return h264(rescale(clip, 0.6), 32)
