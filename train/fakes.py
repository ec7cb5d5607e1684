"""Pseudo-fakes from real clips, with exact masks: traces of blending, without a generator.

Self-blending is written from Shiohara & Yamasaki, "Detecting Deepfakes with Self-Blended Images"
(arXiv 2204.08376), section 3; its clip form, per-frame drift and temporal kinds follow the ideas
of arXiv 2408.17065 and 2501.01184. The random generator is passed in, and parameters are drawn
once per clip, so that flicker is a cue only where it is meant to be one. Ranges and
chances that no paper gives are set by hand; `train.sheet` shows what they give.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from train.augment import Clip, Colour, Degradation, degrade, sharpen, to_bytes

Floats = NDArray[np.floating[Any]]

# The names are stored in the configs of runs (`FitConfig.mix`).
RECIPES = ("self_blend", "drift", "swap", "warp", "local", "temporal", "resynthesis")
"""`resynthesis` alters the whole picture, the others only what their mask covers."""


@dataclass(frozen=True, slots=True)
class RealClip:
    """images (T, H, W, 3) RGB uint8 and landmarks (T, 5, 2) in their pixels."""

    images: Clip
    landmarks: Floats


@dataclass(frozen=True, slots=True)
class FakeClip:
    """`mask` (T, H, W) in [0, 1] is the share of each pixel that is not the original's; `altered`
    (T,) marks the frames that are changed at all."""

    images: Clip
    mask: Floats
    altered: NDArray[np.bool_]
    recipe: str


def make_fake(
    real: RealClip, recipe: str, rng: np.random.Generator, other: RealClip | None = None
) -> FakeClip:
    """A fake by `recipe` from `real`; `swap` takes its face from `other`, another person.

    Raises ValueError for an unknown recipe, or a swap without `other`.
    """
    if recipe == "self_blend":
        return self_blend(real, rng)
    if recipe == "drift":
        return self_blend(real, rng, drift=float(rng.uniform(0.004, 0.02)))
    if recipe == "local":
        return self_blend(real, rng, local=True)
    if recipe == "warp":
        return warp(real, rng)
    if recipe == "temporal":
        return temporal(real, rng)
    if recipe == "resynthesis":
        return resynthesise(real, rng)
    if recipe == "swap" and other is not None:
        return swap(real, other, rng)
    raise ValueError(f"there is no recipe {recipe!r}" + (" without another face" * (other is None)))


def self_blend(
    real: RealClip, rng: np.random.Generator, *, drift: float = 0.0, local: bool = False
) -> FakeClip:
    """A clip blended with a slightly recoloured, moved copy of itself (the paper's fig. 3).

    `drift` adds a random walk of that step (as a share of the face) to the copy's place in each
    frame; `local` blends only eyes, nose or mouth.
    """
    count, size = len(real.images), real.images.shape[1]
    base = (
        local_mask(real.landmarks[0], size, rng)
        if local
        else face_mask(real.landmarks[0], size, rng)
    )
    # Source and target are exchanged half of the time, as in the paper: either may be the altered
    # one.
    altered_copy = alter(real.images, rng)
    swap_roles = bool(rng.random() < 0.5)
    source = real.images if swap_roles else altered_copy
    target = altered_copy if swap_roles else real.images
    place = draw_place(rng, strength=2.0 if local else 1.0)
    # Blending ratios of the paper: full strength is as frequent as all others.
    strength = float(rng.choice([0.25, 0.5, 0.75, 1.0, 1.0, 1.0]))
    # A random walk, (T, 2), in units of `Place`; zeros without drift.
    walk = np.cumsum(rng.normal(0, drift, (count, 2)), axis=0) if drift else np.zeros((count, 2))
    images, masks = [], []
    for index in range(count):
        step = replace(place, x=place.x + walk[index, 0], y=place.y + walk[index, 1])
        matrix = step.matrix(real.landmarks[index])
        # The mask is painted once, for the first frame, and carried along with the face.
        follow = similarity(real.landmarks[0], real.landmarks[index])
        mask = move(base, follow) * strength
        moved = move(source[index], matrix)
        images.append(blend(moved, target[index], move(mask, matrix)))
        masks.append(move(mask, matrix))
    recipe = "local" if local else "drift" if drift else "self_blend"
    return FakeClip(np.stack(images), np.stack(masks), np.ones(count, bool), recipe)


def swap(real: RealClip, other: RealClip, rng: np.random.Generator) -> FakeClip:
    """The face of `other` laid over that of `real`, its colours matched, as an old-school swap."""
    size = real.images.shape[1]
    base = face_mask(real.landmarks[0], size, rng)
    strength = float(rng.choice([0.75, 1.0, 1.0]))
    images, masks = [], []
    for index in range(len(real.images)):
        there = min(index, len(other.images) - 1)
        matrix = similarity(other.landmarks[there], real.landmarks[index])
        mask = move(base, similarity(real.landmarks[0], real.landmarks[index])) * strength
        # Colours are matched where the face will be, frame by frame.
        # Crops and videos are stored at different sizes.
        moved = move(other.images[there], matrix, side=size)
        face = match_colours(moved, real.images[index], mask)
        images.append(blend(face, real.images[index], mask))
        masks.append(mask)
    return FakeClip(np.stack(images), np.stack(masks), np.ones(len(masks), bool), "swap")


def neural(real: RealClip, drawn: Clip, rng: np.random.Generator) -> FakeClip:
    """`real` with what a network drew of it, `drawn`, of the same shape: half of the time the whole
    picture, else the face or a part of it."""
    count, size = len(real.images), real.images.shape[1]
    kind = rng.random()
    if kind < 0.5:
        mask = np.ones((count, size, size), np.float32)
        return FakeClip(drawn, mask, np.ones(count, bool), "neural")
    paint = face_mask if kind < 0.85 else local_mask
    base = paint(real.landmarks[0], size, rng)
    masks = [move(base, similarity(real.landmarks[0], points)) for points in real.landmarks]
    images = [blend(*parts) for parts in zip(drawn, real.images, masks, strict=True)]
    return FakeClip(np.stack(images), np.stack(masks), np.ones(count, bool), "neural")


def warp(real: RealClip, rng: np.random.Generator) -> FakeClip:
    """What early deepfakes leave: a face drawn at a fixed small size and warped into place
    (Li & Lyu, "Exposing DeepFake Videos By Detecting Face Warping Artifacts", arXiv 1811.00656).

    The face is aligned to a square of 40 to 96 px, blurred there, and warped back under a mask.
    """
    size = real.images.shape[1]
    base = face_mask(real.landmarks[0], size, rng)
    side = int(rng.integers(40, 97))
    sigma = float(rng.uniform(0.0, 1.2))
    # Where eyes, nose and mouth corners usually lie in an aligned face, as shares of its side.
    square = side * np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.55], [0.35, 0.8], [0.65, 0.8]])
    images, masks = [], []
    for image, points in zip(real.images, real.landmarks, strict=True):
        there = similarity(points, square.astype(np.float32))
        # warpAffine has no area filter: it then interpolates, and aliases, as early tools do.
        small = cv2.warpAffine(image, there, (side, side), flags=cv2.INTER_AREA)
        # Below 0.2 pixels a blur changes nothing.
        small = cv2.GaussianBlur(small, (0, 0), sigma) if sigma > 0.2 else small
        back = cv2.invertAffineTransform(there)
        drawn = cv2.warpAffine(
            small, back, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        inside = cv2.warpAffine(np.ones((side, side), np.float32), back, (size, size))
        mask = move(base, similarity(real.landmarks[0], points)) * inside
        images.append(blend(drawn.astype(np.uint8), image, np.asarray(mask, np.float32)))
        masks.append(mask)
    return FakeClip(np.stack(images), np.stack(masks), np.ones(len(masks), bool), "warp")


def temporal(real: RealClip, rng: np.random.Generator) -> FakeClip:
    """Only time is wrong: the face of some frames comes from other frames of the same clip.

    One of: frozen, two-by-two exchanged, or a blend whose strength flickers; over a part of the
    clip. Only the face region is touched: whole frames are dropped and repeated in real video.
    """
    count = len(real.images)
    if count < 3:
        raise ValueError("a temporal fake needs at least 3 frames")
    kind = str(rng.choice(["freeze", "exchange", "flicker"]))
    length = int(rng.integers(max(2, count // 4), count + 1))
    start = int(rng.integers(0, count - length + 1))
    blended = self_blend(real, rng)
    images, masks = real.images.copy(), np.zeros(real.images.shape[:3], np.float32)
    for index in range(start, start + length):
        # All that the blend touched, with a soft edge of its own.
        mask = (blended.mask[index] > 0.02).astype(np.float32)
        mask = cv2.GaussianBlur(mask, (0, 0), 0.02 * len(mask)).astype(np.float32)
        if kind == "flicker":
            mask = mask * np.float32(rng.uniform(0, 1))
            face = blended.images[index]
        else:
            # XOR 1 exchanges 0 and 1, 2 and 3, ...
            there = start if kind == "freeze" else min(start + ((index - start) ^ 1), count - 1)
            face = move(
                real.images[there], similarity(real.landmarks[there], real.landmarks[index])
            )
        images[index], masks[index] = blend(face, real.images[index], mask), mask
    return FakeClip(images, masks, masks.max(axis=(1, 2)) > 0.02, "temporal")


@dataclass(frozen=True, slots=True)
class Regrowth:
    """How a picture is redrawn: texture smoothed by a bilateral filter of `window` pixels and
    `edge` grey values, grown from half the size by `kernel` (4, 4), a share `keep` of the smoothed
    one left, and sharpened by `sharpen` (0: not)."""

    window: int
    edge: float
    kernel: Floats
    keep: float
    sharpen: float


def draw_regrowth(rng: np.random.Generator) -> Regrowth:
    return Regrowth(
        window=int(rng.choice([3, 5, 7])),
        edge=float(rng.uniform(12, 45)),
        kernel=_uneven_kernel(rng),
        keep=float(rng.uniform(0.0, 0.35)),
        sharpen=float(rng.uniform(0.2, 1.0)) if rng.random() < 0.6 else 0.0,
    )


def resynthesise(real: RealClip, rng: np.random.Generator) -> FakeClip:
    """The whole picture as if a small decoder had drawn it: texture smoothed away at edges'
    expense, then grown from half size by an uneven transposed convolution.

    Upsampling by transposed convolution leaves a lattice in the spectrum whatever the network
    (Zhang et al., AutoGAN, arXiv 1907.06515); here it stands for talking heads and GAN faces.
    """
    way = draw_regrowth(rng)
    # Bilateral filter: Tomasi & Manduchi 1998.
    smooth = [cv2.bilateralFilter(i, way.window, way.edge, way.window) for i in real.images]
    grown = np.stack([_grow(image, way.kernel) for image in smooth]).astype(np.float32)
    kept = np.stack(smooth).astype(np.float32)
    images: Floats = grown * (1 - way.keep) + kept * way.keep
    clip = to_bytes(images)
    if way.sharpen:
        clip = sharpen(clip, way.sharpen)
    mask = np.ones(clip.shape[:3], np.float32)
    return FakeClip(clip, mask, np.ones(len(clip), bool), "resynthesis")


def _uneven_kernel(rng: np.random.Generator) -> Floats:
    """A 4 × 4 kernel near bilinear, in which each of the four phases has its own error."""
    # Bilinear interpolation by 2, as a transposed convolution of size 4 and stride 2.
    line = np.array([1, 3, 3, 1], np.float32) / 4
    kernel = np.outer(line, line)
    kernel *= 1 + rng.uniform(0.02, 0.2) * rng.standard_normal((4, 4)).astype(np.float32)
    # Sum 4: each output pixel gets a quarter of the kernel's cells.
    result: Floats = (kernel / kernel.sum() * 4).astype(np.float32)
    return result


def _grow(image: NDArray[np.uint8], kernel: Floats) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    small = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    sparse = np.zeros((height, width, 3), np.float32)
    # Zeros between the pixels, then a convolution: what a transposed convolution does.
    sparse[: height // 2 * 2 : 2, : width // 2 * 2 : 2] = small
    grown: Floats = np.array(
        cv2.filter2D(sparse, -1, kernel, borderType=cv2.BORDER_REFLECT_101), np.float32
    )
    return to_bytes(grown)


def alter(clip: Clip, rng: np.random.Generator) -> Clip:
    """The paper's source-target transform of a whole clip."""
    return degrade(clip, draw_alteration(rng), rng)


def draw_alteration(rng: np.random.Generator) -> Degradation:
    """The paper's source-target transform: colours, then a loss or a gain of sharpness."""
    colour = Colour(
        brightness=float(rng.uniform(-0.1, 0.1)),
        contrast=float(rng.uniform(0.9, 1.1)),
        saturation=float(rng.uniform(0.7, 1.3)),
        # In [0, 1]; RGB shifts of up to 20 grey values, as in the paper's code.
        shift=tuple((rng.uniform(-20, 20, 3) / 255 * (rng.random() < 0.3)).tolist()),
    )
    if rng.random() < 0.5:
        # Down by that factor and up again, or sharpened: the paper's two changes of frequency.
        share = 1 / float(rng.choice([1.5, 2, 4]))
        kernel = str(rng.choice(["nearest", "linear", "cubic"]))
        return Degradation(colour=colour, rescale=(share, "area", kernel))
    return Degradation(colour=colour, sharpen=float(rng.uniform(0.2, 0.7)))


@dataclass(frozen=True, slots=True)
class Place:
    """How the source is displaced on the target: shifts as shares of the eye-mouth distance."""

    x: float
    y: float
    scale: float
    angle: float

    def matrix(self, landmarks: Floats) -> Floats:
        """The (2, 3) affine matrix about the face's centre."""
        centre = landmarks.mean(axis=0)
        unit = _face_unit(landmarks)
        about = (float(centre[0]), float(centre[1]))
        matrix: Floats = np.array(cv2.getRotationMatrix2D(about, self.angle, self.scale))
        # In pixels, as the matrix maps pixels.
        matrix[:, 2] += np.array([self.x, self.y]) * unit
        return matrix


def draw_place(rng: np.random.Generator, strength: float = 1.0) -> Place:
    """Section 3.3 of the paper: shifts within about 3 % of the face, scale within 5 %."""
    return Place(
        # In eye-mouth distances, of which `_OUTLINE` is 2.25 high.
        x=float(rng.uniform(-0.07, 0.07)) * strength,
        y=float(rng.uniform(-0.04, 0.04)) * strength,
        scale=float(rng.uniform(1 - 0.05 * strength, 1 + 0.05 * strength)),
        angle=float(rng.uniform(-1.5, 1.5)) * strength,
    )


def _face_unit(landmarks: Floats) -> float:
    """The distance between the middle of the eyes and the middle of the mouth."""
    return float(np.linalg.norm(landmarks[:2].mean(axis=0) - landmarks[3:].mean(axis=0)))


# Outline of the inner face (brows, cheeks, chin) in units of the eye-mouth distance, from the
# point between the eyes: x to the right, y down along the face.
_OUTLINE = np.array(
    [(-0.95, -0.35), (-0.5, -0.55), (0, -0.5), (0.5, -0.55), (0.95, -0.35), (0.98, 0.2),
     (0.9, 0.8), (0.7, 1.3), (0.35, 1.62), (0, 1.7), (-0.35, 1.62), (-0.7, 1.3), (-0.9, 0.8),
     (-0.98, 0.2)],
    np.float32,
)  # fmt: skip


def face_mask(landmarks: Floats, size: int, rng: np.random.Generator) -> Floats:
    """A soft mask (size, size) of the inner face, its outline shaken and its edge of random
    width; one in four leaves out the brows, one in five the lower half."""
    # Width and height vary independently, then each corner by itself.
    outline = _OUTLINE * rng.uniform(0.85, 1.12, 2).astype(np.float32)
    outline = outline + rng.normal(0, 0.06, outline.shape).astype(np.float32)
    kind = rng.random()
    if kind < 0.25:
        outline[:, 1] = np.maximum(outline[:, 1], -0.25)
    elif kind < 0.45:
        outline[:, 1] = np.minimum(outline[:, 1], rng.uniform(0.7, 1.2))
    return _paint(_place_outline(outline, landmarks), size, rng)


def local_mask(landmarks: Floats, size: int, rng: np.random.Generator) -> Floats:
    """A soft mask of one eye, both eyes, the nose or the mouth."""
    # An ellipse as a polygon of 16 corners.
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    part = int(rng.integers(0, 4))
    centre, radii = [
        ((-0.5, 0.0), (0.42, 0.25)),
        ((0.0, 0.0), (0.95, 0.3)),
        ((0.0, 0.5), (0.4, 0.55)),
        ((0.0, 1.0), (0.6, 0.35)),
    ][part]
    radius = np.asarray(radii) * rng.uniform(0.8, 1.3, 2)
    outline = np.stack([np.cos(angles), np.sin(angles)], 1) * radius + np.asarray(centre)
    return _paint(_place_outline(outline.astype(np.float32), landmarks), size, rng)


def _place_outline(outline: Floats, landmarks: Floats) -> Floats:
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    unit = _face_unit(landmarks)
    down = (mouth - eyes) / max(unit, 1e-6)
    # Perpendicular to "down", so a tilted face has a tilted mask.
    right = np.array([down[1], -down[0]])
    points: Floats = eyes + unit * (outline[:, :1] * right + outline[:, 1:] * down)
    return points


def _paint(points: Floats, size: int, rng: np.random.Generator) -> Floats:
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 255)
    mask = _bend(mask, rng)
    # Blurred and cut at nearly full weight: erosion by a random amount, then a soft edge outwards.
    soft = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.008, 0.03) * size)
    eroded = (soft > 250).astype(np.float32)
    edge = cv2.GaussianBlur(eroded, (0, 0), rng.uniform(0.004, 0.045) * size)
    peak = float(edge.max())
    return (edge / peak if peak > 0 else edge).astype(np.float32)


def _bend(mask: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Elastic deformation by a smooth random field, up to about 3 % of the side."""
    size = len(mask)
    # Elastic deformation (Simard et al. 2003): a coarse random field, enlarged smoothly.
    coarse = rng.normal(0, 0.02 * size, (2, 6, 6)).astype(np.float32)
    x, y = (cv2.resize(field, (size, size), interpolation=cv2.INTER_CUBIC) for field in coarse)
    grid_y, grid_x = np.mgrid[:size, :size].astype(np.float32)
    return np.asarray(cv2.remap(mask, grid_x + x, grid_y + y, cv2.INTER_LINEAR), np.uint8)


def similarity(source: Floats, target: Floats) -> Floats:
    """The (2, 3) rotation, scale and shift that best maps `source` (N, 2) to `target`
    (Umeyama 1991, without reflection)."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    # Real and imaginary part of the complex scale that least squares gives.
    real = float((a * b).sum())
    turn = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum())
    spread = max(float((a * a).sum()), 1e-6)
    linear = np.array([[real, -turn], [turn, real]]) / spread
    shift = target.mean(axis=0) - linear @ source.mean(axis=0)
    return np.hstack([linear, shift[:, None]]).astype(np.float32)


def move(image: NDArray, matrix: Floats, *, side: int = 0) -> NDArray:  # type: ignore[type-arg]
    """`image` under the affine `matrix`, in a square of `side` pixels (0: as large as it was);
    pictures repeat their edge, masks end in 0."""
    border = cv2.BORDER_REPLICATE if image.ndim == 3 else cv2.BORDER_CONSTANT
    size = (side, side) if side else (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)


def blend(source: Clip, target: Clip, mask: Floats) -> Clip:
    """`source` where `mask` (H, W) is 1, `target` where it is 0."""
    weight = mask[..., None]
    mixed = source * weight + target * (1 - weight)
    return to_bytes(mixed)


def match_colours(source: Clip, target: Clip, mask: Floats) -> Clip:
    """`source` with `target`'s mean and spread of each channel, both measured under `mask`."""
    inside = mask > 0.5
    if inside.sum() < 16:
        return source
    here, there = source[inside].astype(np.float32), target[inside].astype(np.float32)
    # Mean and deviation per channel (Reinhard et al. 2001), in RGB and bounded.
    gain = np.clip(there.std(0) / np.maximum(here.std(0), 1), 0.5, 2.0)
    out = (source - here.mean(0)) * gain + there.mean(0)
    return to_bytes(out)
