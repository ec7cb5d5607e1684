"""The parts of a face, drawn from its five landmarks, and how much of a heat map is in each.

Shapes are polygons in the face's own frame: the origin is between the eyes, x runs from eye to
eye and is 1 there, y runs down to the middle of the mouth and is 1 there. So they turn, shrink and
lean with the face. They are typical outlines, not this person's.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw

from detector.findings import RegionShare
from detector.records import FloatArray

Mask = NDArray[np.bool_]

REGIONS = ("eyes", "brows", "nose", "mouth", "cheeks", "forehead", "jaw_boundary", "background")
"""Together they cover the whole crop, and no two overlap."""

GRID = 64  # pixels per side at which shares are measured; the smallest region has about 170

_LEAST_SPREAD = 0.6  # eye distance per eye-mouth distance; below, a profile would have no width
_LEAST_HEIGHT = 0.05  # eye-mouth distance per side of the crop; below, there is nothing to draw

# All shapes are set by hand, in the face's own units (see above).
# The outline of the face with its edge, and of what is well inside of it.
_OUTER = ((-0.75, -0.85), (0.0, -1.05), (0.75, -0.85), (1.1, -0.25), (1.12, 0.4), (1.0, 0.95),
          (0.75, 1.45), (0.38, 1.8), (0.0, 1.9), (-0.38, 1.8), (-0.75, 1.45), (-1.0, 0.95),
          (-1.12, 0.4), (-1.1, -0.25))  # fmt: skip
_INNER = ((-0.6, -0.7), (0.0, -0.85), (0.6, -0.7), (0.9, -0.25), (0.9, 0.35), (0.8, 0.8),
          (0.6, 1.2), (0.3, 1.48), (0.0, 1.52), (-0.3, 1.48), (-0.6, 1.2), (-0.8, 0.8),
          (-0.9, 0.35), (-0.9, -0.25))  # fmt: skip
# Brow and eye are those of the right half; the left half has their mirror images.
_FOREHEAD = ((-2.0, -2.0), (2.0, -2.0), (2.0, -0.45), (-2.0, -0.45))
_BROW = ((0.12, -0.45), (0.9, -0.45), (0.95, -0.2), (0.12, -0.2))
_EYE = ((0.15, 0.0), (0.3, -0.2), (0.7, -0.2), (0.9, -0.02), (0.7, 0.2), (0.3, 0.2))
_NOSE = ((-0.12, -0.2), (0.12, -0.2), (0.34, 0.52), (0.26, 0.72), (-0.26, 0.72), (-0.34, 0.52))
_MOUTH = ((-0.58, 1.0), (-0.3, 0.8), (0.3, 0.8), (0.58, 1.0), (0.3, 1.26), (-0.3, 1.26))


def region_masks(landmarks: FloatArray, size: float, grid: int = GRID) -> dict[str, Mask]:
    """Which of grid x grid pixels belong to which region; each pixel belongs to one.

    landmarks  (5, 2)  in pixels of a square crop of side `size`, as in `Face`

    Empty if the eyes lie where the mouth is, or nowhere: then there is no face to lay them on.
    """
    # As shares of the crop, so that thresholds apply to crops of any size.
    points = np.asarray(landmarks, np.float64) / size
    if not _show_a_face(points):
        return {}
    matrix, origin = _face_frame(points * grid)

    def drawn(*shapes: tuple[tuple[float, float], ...]) -> Mask:
        canvas = Pillow.new("1", (grid, grid))
        for shape in shapes:
            # Row vectors: (x, y) in the face's frame times the axes, plus the origin, gives pixels.
            points = np.asarray(shape) @ matrix + origin
            ImageDraw.Draw(canvas).polygon([tuple(point) for point in points], fill=1)
        return np.array(canvas, bool)

    outer, inner = drawn(_OUTER), drawn(_INNER)
    parts = {
        "mouth": drawn(_MOUTH),
        "nose": drawn(_NOSE),
        "eyes": drawn(_EYE, _mirrored(_EYE)),
        "brows": drawn(_BROW, _mirrored(_BROW)) & outer,
        "forehead": drawn(_FOREHEAD) & inner,
        "cheeks": inner,
        "jaw_boundary": outer,
        "background": np.ones((grid, grid), bool),
    }
    taken = np.zeros((grid, grid), bool)
    masks = {}
    for name, mask in parts.items():  # the finer part has what two of them claim
        masks[name] = mask & ~taken
        taken |= mask
    return {name: masks[name] for name in REGIONS}


def _show_a_face(points: NDArray[np.float64]) -> bool:
    """Whether landmarks, as shares of the crop, leave room between eyes and mouth."""
    if not np.isfinite(points).all():
        return False
    down = points[3:].mean(0) - points[:2].mean(0)
    return float(np.hypot(*down)) >= _LEAST_HEIGHT


def _face_frame(landmarks: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rows x and y of the face's frame (2, 2), and its origin (2,)."""
    left, right, _, left_mouth, right_mouth = landmarks
    origin = (left + right) / 2
    down = (left_mouth + right_mouth) / 2 - origin
    unit = float(np.hypot(*down))
    across = right - left
    spread = float(np.hypot(*across))
    if spread < _LEAST_SPREAD * unit:
        # In full profile both eyes coincide; then "across" is perpendicular to "down".
        direction = across / spread if spread > 0 else np.array([down[1], -down[0]]) / unit
        across = direction * _LEAST_SPREAD * unit
    return np.stack([across, down]), origin


def _mirrored(shape: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    return tuple((-x, y) for x, y in shape)


def shares_of(heat: FloatArray, masks: Mapping[str, Mask]) -> dict[str, float]:
    """The share of the whole heat (h, w) >= 0 that is in each region; sums to 1.

    The coarse map is enlarged smoothly, as it is drawn. A map without heat, or a face without
    regions, has no shares: {}.
    """
    if not masks:
        return {}
    grid = len(next(iter(masks.values())))
    picture = Pillow.fromarray(np.asarray(heat, np.float32))
    # float64 for the sums: shares of thousands of cells must add up to 1.
    fine = np.array(picture.resize((grid, grid), Pillow.Resampling.BILINEAR), np.float64)
    total = float(fine.sum())
    if total <= 0:
        return {}
    return {name: float(fine[mask].sum()) / total for name, mask in masks.items()}


def region_shares(
    heat: FloatArray, landmarks: FloatArray, size: float, expected: Mapping[str, float]
) -> tuple[RegionShare, ...]:
    """Evidence against area, and against what real faces show, the most conspicuous region first.

    Shapes as in `region_masks` and `shares_of`; `expected` is the mean share on real faces, empty
    where it was not measured. Regions outside of the crop are left out.
    """
    masks = region_masks(landmarks, size)
    evidence = shares_of(heat, masks)
    rows = [
        RegionShare(name, evidence[name], float(mask.mean()), expected.get(name))
        for name, mask in masks.items()
        if evidence and mask.any()
    ]
    return tuple(sorted(rows, key=lambda row: -row.excess))
