"""Measures how well one face in one picture can be scored."""

from __future__ import annotations

import cv2
import numpy as np

from detector.records import Face, FloatArray, Image, Quality

_SIDE = 112  # pixels at which sharpness is measured, so that faces of any size compare
_FRONTAL_SPREAD = 0.4  # eye distance in box widths; MTCNN's frontal faces measure .42 to .50


def quality_of(image: Image, face: Face) -> Quality:
    """Size, sharpness, pose and detection score of `face`; see `Quality` for their meaning.

    Raises ValueError if the face's box is outside the image.
    """
    return Quality(
        size=min(face.box.width, face.box.height),
        sharpness=_sharpness(image, face),
        frontal=_frontal(face.landmarks, face.box.width),
        detection=face.detection,
    )


def _sharpness(image: Image, face: Face) -> float:
    height, width = image.shape[:2]
    x0, x1 = np.clip(np.rint([face.box.x0, face.box.x1]), 0, width).astype(int)
    y0, y1 = np.clip(np.rint([face.box.y0, face.box.y1]), 0, height).astype(int)
    if x0 >= x1 or y0 >= y1:
        raise ValueError(f"{face.box} is outside the {width} x {height} image")
    grey = cv2.cvtColor(image[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY)
    # Averaging where it shrinks, so that aliasing is not taken for detail.
    way = cv2.INTER_AREA if min(grey.shape) >= _SIDE else cv2.INTER_LINEAR
    fixed = cv2.resize(grey, (_SIDE, _SIDE), interpolation=way)
    # Variance of the Laplacian, a measure of focus (Pech-Pacheco et al. 2000); float, as it has
    # signs.
    return float(cv2.Laplacian(fixed, cv2.CV_32F).var())


def _frontal(landmarks: FloatArray, width: float) -> float:
    """1 facing the camera, 0 in profile; a tilt of the head within the picture changes nothing.

    Turning moves the nose from the middle of eyes and mouth towards one side, and brings the
    eyes together.
    """
    left_eye, right_eye, nose, left_mouth, right_mouth = landmarks.astype(np.float64)
    across = right_eye - left_eye
    distance = float(np.hypot(*across))
    if distance == 0.0 or width <= 0.0:
        return 0.0
    middle = (left_eye + right_eye + left_mouth + right_mouth) / 4
    # Our own measure: the projection onto the line between the eyes, as a share of their distance,
    # free of scale and tilt.
    aside = abs(float((nose - middle) @ across)) / distance**2
    centred = 1.0 - 2.0 * aside  # 0 once the nose is below an eye
    spread = distance / width / _FRONTAL_SPREAD
    return float(np.clip(min(centred, spread), 0.0, 1.0))
