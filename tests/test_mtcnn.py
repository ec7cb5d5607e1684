"""Faces are found: the same ones as the library's own driver finds, and none where none are."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from facenet_pytorch import MTCNN

from detector.faces.geometry import iou
from detector.faces.mtcnn import FaceFinder
from detector.records import Box, Face, Image
from tests.clips import plain, portrait


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


@pytest.fixture(scope="module")
def library() -> MTCNN:
    return MTCNN(keep_all=True)


def stage(*heads: tuple[int, int, int], size: tuple[int, int] = (1280, 720)) -> Image:
    """A grey picture (width, height) with the portrait at each (left, top, side)."""
    image = np.full((size[1], size[0], 3), 96, np.uint8)
    for left, top, side in heads:
        image[top : top + side, left : left + side] = portrait(side)
    return image


def turned(degrees: float) -> Image:
    image = stage((384, 104, 512))
    turn = cv2.getRotationMatrix2D((640, 360), degrees, 1)
    return cv2.warpAffine(image, turn, (1280, 720), borderMode=cv2.BORDER_REPLICATE)


PICTURES: dict[str, Callable[[], Image]] = {
    "portrait": portrait,
    "small portrait": lambda: portrait(128),
    "large portrait": lambda: portrait(1024),
    "left": lambda: stage((0, 100, 512)),
    "right, cut off below": lambda: stage((760, 200, 520)),
    "two people": lambda: stage((50, 100, 512), (800, 200, 384)),
    "upright video": lambda: stage((60, 300, 600), size=(720, 1280)),
    "turned left": lambda: turned(12),
    "turned right": lambda: turned(-12),
    "black and white": lambda: np.repeat(portrait().mean(2, keepdims=True), 3, 2).astype(np.uint8),
}


@pytest.mark.parametrize("name", PICTURES)
def test_finds_the_same_faces_as_the_library(finder: FaceFinder, library: MTCNN, name: str) -> None:
    image = PICTURES[name]()
    boxes, _, landmarks = library.detect(image, landmarks=True)
    (found,) = finder.find([image])
    assert len(found) == len(boxes)
    for box, points in zip(boxes, landmarks, strict=True):
        face = max(found, key=lambda face: iou(face.box, Box(*box)))
        assert iou(face.box, Box(*box)) >= 0.8
        assert np.abs(face.landmarks - points).max() < 0.08 * face.box.width
        assert face.detection > 0.9


def test_every_picture_of_a_batch_gets_its_own_faces(finder: FaceFinder) -> None:
    """Sizes mixed, more than one batch long, some without a face."""
    images = [portrait(300), *plain(9), stage((50, 100, 512)), portrait(300)]
    together = finder.find(images)
    assert [len(faces) for faces in together] == [1, *[0] * 9, 1, 1]
    for image, faces in zip(images, together, strict=True):
        for face, alone in zip(faces, finder.find([image])[0], strict=bool(faces)):
            assert iou(face.box, alone.box) > 0.99


def test_the_largest_face_comes_first(finder: FaceFinder) -> None:
    (found,) = finder.find([stage((50, 200, 384), (600, 100, 512))])
    assert [face.box.x0 > 600 for face in found] == [True, False]


def test_landmarks_are_named_from_the_left_of_the_picture(finder: FaceFinder) -> None:
    (face,) = finder.find([portrait()])[0]
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert face.landmarks.dtype == np.float32


def test_faces_too_small_for_the_first_pass_are_found_by_the_second() -> None:
    """A head of 120 pixels has a face of about 45, or 22 once the picture is shrunk."""
    image = stage((300, 300, 120), (800, 300, 120))
    assert FaceFinder(retry=False).find([image]) == [[]]
    assert [len(faces) for faces in FaceFinder().find([image, image])] == [2, 2]


def test_the_high_resolution_pass_runs_on_the_first_picture_of_a_call(finder: FaceFinder) -> None:
    """So a video without faces costs one high-resolution pass per call, not one per picture."""
    (empty,), small = plain(1, (1280, 720)), stage((300, 300, 120))
    assert finder.find([empty, small]) == [[], []]
    assert [len(faces) for faces in finder.find([small, empty])] == [1, 0]


@pytest.mark.parametrize(("size", "head"), [((1280, 720), 300), ((1920, 1080), 410)])
def test_a_smaller_face_beside_a_large_one_is_not_lost(
    finder: FaceFinder, size: tuple[int, int], head: int
) -> None:
    """There is no high-resolution pass then, so the first must find faces that can be scored:
    about 50 pixels wide in the smaller video, 70 in the larger."""
    (found,) = finder.find([stage((0, 0, 600), (size[0] - head - 9, 60, head), size=size)])
    assert len(found) == 2
    assert found[1].box.width == pytest.approx(head * 0.17, rel=0.15)


def test_forty_faces_are_found(finder: FaceFinder) -> None:
    """Each once, in its own place."""
    places = [(160 * column, 144 * row, 140) for row in range(5) for column in range(8)]
    (found,) = finder.find([stage(*places)])
    cells = {(int(f.box.centre[0] // 160), int(f.box.centre[1] // 144)) for f in found}
    assert len(found) == len(cells) == 40


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (16, 16), (11, 400), (13, 13), (40, 3000)])
def test_tiny_and_odd_pictures_have_no_face(finder: FaceFinder, shape: tuple[int, int]) -> None:
    for value in (0, 128, 255):
        assert finder.find([np.full((*shape, 3), value, np.uint8)]) == [[]]


def test_no_pictures_no_faces(finder: FaceFinder) -> None:
    assert finder.find([]) == []


@pytest.mark.parametrize("image", [np.zeros((64, 64), np.uint8), np.zeros((64, 64, 3), np.float32)])
def test_refuses_what_is_not_rgb(finder: FaceFinder, image: Image) -> None:
    with pytest.raises(ValueError, match="RGB uint8"):
        finder.find([image])


def test_threads_may_share_a_finder(finder: FaceFinder) -> None:
    """And the same picture gives the same numbers, always."""

    def find_once(_: int) -> Face:
        return finder.find([portrait(400)])[0][0]

    with ThreadPoolExecutor(4) as pool:
        faces = list(pool.map(find_once, range(8)))
    assert {face.box for face in faces} == {find_once(0).box}


def test_the_picture_is_left_as_it_was(finder: FaceFinder) -> None:
    image = portrait(300)
    finder.find([image])
    assert np.array_equal(image, portrait(300))
