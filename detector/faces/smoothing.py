"""Faces that were found in some frames of a clip become one smooth track of all of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detector.records import Box, Face

# Seconds to either side that a box is averaged over: all of a short clip at 25 frames a second.
_SMOOTH = 0.25
# Of a face's width: what a movement must exceed to be distinct from the jitter of the detections.
# Measured on 159 validation videos: AUC .770, and .744 without (train/LOG.md).
_JITTER = 0.02


def smooth_track(
    sightings: dict[int, Face], seconds: NDArray[np.float64], *, max_gap: float
) -> tuple[tuple[int, ...], tuple[Face, ...]]:
    """The indices and smooth faces of a person detected in some frames; between two detections at
    most `max_gap` seconds apart the frames are filled."""
    known = sorted(sightings)
    indices = known[:1]
    for before, after in pairwise(known):
        near = seconds[after] - seconds[before] <= max_gap
        indices += range(before + 1, after + 1) if near else [after]
    values = np.array([_numbers(sightings[k]) for k in known])
    # By time, not by index: frames need not be evenly spaced.
    columns = [np.interp(seconds[indices], seconds[known], column) for column in values.T]
    smooth = _smoothed(seconds[indices], np.stack(columns, axis=1))
    return tuple(indices), tuple(_face(row) for row in smooth)


def _smoothed(seconds: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row of (T, N) read off a straight line fitted to the rows around it in time.

    Unlike a moving average it does not drag the ends of a clip towards its middle. Slopes that may
    be the detector's jitter are flattened: crops that drift and zoom would show the LSTM motion
    that no face made.
    """
    jitter = _JITTER * float(np.mean(values[:, 2] - values[:, 0]))
    rows = []
    for second in seconds:
        # Local linear regression (Cleveland 1979) with equal weights in the window.
        near = np.abs(seconds - second) <= _SMOOTH
        offsets, mean = seconds[near] - second, values[near].mean(axis=0)
        around = offsets - offsets.mean()
        # The floor: with one frame in the window the slope is 0, and the mean is returned.
        spread = max(float(around @ around), 1e-9)
        slope = around @ values[near] / spread
        # Shrunk by its variance, and 0 below (the positive part of James & Stein 1961).
        kept = np.maximum(1 - jitter**2 / spread / np.maximum(slope**2, 1e-12), 0)
        rows.append(mean - kept * slope * offsets.mean())
    return np.array(rows)


def _numbers(face: Face) -> NDArray[np.float64]:
    # (15,): box 4, points 10, score 1.
    return np.array([*face.box, *face.landmarks.ravel(), face.detection])


def _face(numbers: NDArray[np.float64]) -> Face:
    # The order of `_numbers`: box, then x and y of five points, then the score.
    box = Box(*numbers[:4].tolist())
    landmarks = numbers[4:14].reshape(5, 2).astype(np.float32)
    return Face(box, landmarks, float(np.clip(numbers[14], 0.0, 1.0)))
