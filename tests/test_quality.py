"""Quality distinguishes large from small, sharp from blurred, frontal from profile."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from detector.faces.quality import quality_of
from detector.records import Box, Face, FloatArray, Image
from tests.clips import portrait

FACING = np.array([[30, 40], [70, 40], [50, 60], [34, 80], [66, 80]], np.float32)
WHOLE = Box(0, 0, 100, 120)


def face_with(landmarks: FloatArray, box: Box = WHOLE) -> Face:
    return Face(box, landmarks.astype(np.float32), 0.98)


def frontal(landmarks: FloatArray) -> float:
    return quality_of(np.zeros((120, 100, 3), np.uint8), face_with(landmarks)).frontal


def head(image: Image) -> Face:
    """The portrait's face, at whatever size the portrait is."""
    scale = len(image) / 512
    return face_with(FACING, Box(*(value * scale for value in (176, 68, 276, 204))))


def test_size_is_the_shorter_side_in_original_pixels() -> None:
    face = face_with(FACING, Box(10, 10, 60, 90))
    assert quality_of(portrait(128), face).size == 50
    assert quality_of(portrait(128), face).detection == 0.98


def test_blur_lowers_sharpness_step_by_step() -> None:
    image = portrait()
    values = [
        quality_of(cv2.GaussianBlur(image, (0, 0), sigma), head(image)).sharpness
        for sigma in (0.5, 1, 2, 4, 8)
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] > 10 * values[-1]


def test_a_larger_copy_of_the_same_face_is_about_as_sharp() -> None:
    small, large = portrait(512), portrait(1024)
    ratio = quality_of(large, head(large)).sharpness / quality_of(small, head(small)).sharpness
    assert 0.7 < ratio < 1.4


def test_a_face_enlarged_from_few_pixels_is_not_sharp() -> None:
    few = cv2.resize(portrait(), (64, 64), interpolation=cv2.INTER_AREA)
    enlarged = cv2.resize(few, (512, 512), interpolation=cv2.INTER_CUBIC)
    sharp = quality_of(portrait(), head(portrait())).sharpness
    assert quality_of(enlarged, head(enlarged)).sharpness < sharp / 5


def test_a_face_towards_the_camera_is_frontal() -> None:
    assert frontal(FACING) == pytest.approx(1.0)


def test_turning_the_head_lowers_frontal_to_zero() -> None:
    """A head as a cylinder of radius 40, with a protruding nose, turned in steps to profile."""
    values = []
    for angle in np.radians([0, 15, 30, 45, 60, 75]):
        depth = np.sqrt(40.0**2 - (FACING[:, 0] - 50) ** 2)
        depth[2] += 12
        x = 50 + (FACING[:, 0] - 50) * np.cos(angle) + depth * np.sin(angle)
        values.append(frontal(np.stack([x, FACING[:, 1]], axis=1)))
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(1.0)
    assert values[-1] == 0.0


def test_a_tilt_within_the_picture_changes_nothing() -> None:
    slightly = FACING.copy()
    slightly[2, 0] += 6
    turn = cv2.getRotationMatrix2D((50, 60), 35, 1)
    tilted = slightly @ turn[:, :2].T + turn[:, 2]
    assert frontal(tilted) == pytest.approx(frontal(slightly), abs=1e-4)
    assert 0.5 < frontal(slightly) < 0.9


def test_landmarks_in_one_point_are_not_frontal() -> None:
    assert frontal(np.full((5, 2), 50.0, np.float32)) == 0.0


def test_a_face_reaching_outside_is_measured_on_what_is_inside() -> None:
    image = portrait(256)
    assert quality_of(image, face_with(FACING, Box(-60, -50, 120, 130))).sharpness > 0


def test_a_face_outside_the_picture_is_an_error() -> None:
    with pytest.raises(ValueError, match="outside"):
        quality_of(portrait(64), face_with(FACING, Box(80, 0, 120, 40)))
