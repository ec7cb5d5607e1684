"""A rotated face is never scored as it is: pictures are turned until their faces are upright."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector import Detector
from detector.faces.mtcnn import FaceFinder
from detector.faces.upright import Upright
from detector.records import Frame, Image, Turn, Warn
from detector.settings import FrameQuestion, Settings
from detector.video import probe, read_all
from detector.video.turning import size_of, turns_of
from tests.clips import moving_portrait, plain, portrait, write_clip

QUICK = Settings(frames=10, heat=False)


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


def lying(images: list[Image], degrees: int) -> list[Image]:
    """As stored by a messenger that turns pixels clockwise without a flag."""
    return [np.ascontiguousarray(np.rot90(image, -degrees // 90)) for image in images]


def clip_of(images: list[Image]) -> list[Frame]:
    return [Frame(k / 25, image) for k, image in enumerate(images)]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_rotated_video_is_scored_as_if_it_were_upright(
    detector: Detector, tmp_path: Path, degrees: int
) -> None:
    images = moving_portrait(30)
    upright = write_clip(tmp_path / "up.mp4", images, options={"crf": "10"})
    path = write_clip(tmp_path / "lies.mp4", lying(images, degrees), options={"crf": "10"})
    standing, rotated = (detector.analyze(one, QUICK) for one in (upright, path))
    assert standing.turns == ()
    assert Warn.TURNED not in standing.warnings
    assert rotated.turns == (Turn(0.0, degrees),)
    assert Warn.TURNED in rotated.warnings
    assert (rotated.video.width, rotated.video.height) == (480, 360)
    assert rotated.fake == pytest.approx(standing.fake, abs=0.02)
    for here, there in zip(rotated.people[0].scores, standing.people[0].scores, strict=True):
        assert here.box == pytest.approx(there.box, abs=4)


def test_what_is_shown_afterwards_is_turned_as_well(detector: Detector, tmp_path: Path) -> None:
    images = moving_portrait(20)
    path = write_clip(tmp_path / "lies.mp4", lying(images, 90))
    report = detector.analyze(path, Settings(frames=10))
    movie = detector.annotate(path, report, tmp_path / "out.mp4")
    made = probe(movie)
    assert (made.width, made.height) == (480, 360)
    shown, meant = next(read_all(movie)).image.astype(int), images[0].astype(int)
    assert np.abs(shown[-40:, :40] - meant[-40:, :40]).mean() < 12
    views = detector.draw_views(path, report, tmp_path / "view")
    assert probe(views.plain).width == 480
    score = report.people[0].scores[0]
    closer = detector.explain_frame(path, report, FrameQuestion(report.people[0].id, score.second))
    (moment,) = closer.people[0].moments
    seen = next(m for m in [moment] if m.second == score.second)
    assert np.abs(seen.crop.astype(int) - seen.crop[::-1].astype(int)).mean() > 5


def test_a_video_that_is_turned_in_the_middle_is_turned_back_there(
    detector: Detector, tmp_path: Path
) -> None:
    """All its frames fit into one picture, in which the boxes are on the faces."""
    size, head = (480, 480), moving_portrait(50, (480, 480))
    second = lying([image[:, ::-1].copy() for image in head], 180)
    path = write_clip(tmp_path / "mixed.mp4", [*head, *second])
    report = detector.analyze(path, Settings(frames=20, heat=False))
    assert [turn.degrees for turn in report.turns] == [0, 180]
    assert report.turns[1].start == pytest.approx(2.0, abs=0.6)
    assert (report.video.width, report.video.height) == size
    assert report.frames_with_face == 20


def test_frames_of_two_shapes_fit_into_one_picture() -> None:
    turns = turns_of([(0.0, 0), (1.0, 0), (2.0, 90), (3.0, 90)])
    assert turns == (Turn(0.0, 0), Turn(1.5, 90))
    assert size_of((640, 360), turns) == (640, 640)
    assert size_of((640, 360), turns[1:]) == (360, 640)
    assert turns_of([(0.0, 0), (1.0, 0)]) == ()


@pytest.mark.parametrize("degrees", [-35, -20, 20, 35])
def test_a_head_that_is_only_tilted_is_left_as_it_is(finder: FaceFinder, degrees: int) -> None:
    import cv2

    matrix = cv2.getRotationMatrix2D((256, 200), degrees, 0.8)
    image = cv2.warpAffine(portrait(), matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    frames, turns = Upright(finder).turn_upright(clip_of([image.astype(np.uint8)] * 3))
    assert turns == [0, 0, 0]
    assert frames[0].image is not None


def test_pictures_without_a_face_are_left_as_they_are(finder: FaceFinder) -> None:
    _, turns = Upright(finder).turn_upright(clip_of(plain(4)))
    assert turns == [0, 0, 0, 0]


def wide_shot(count: int, side: int = 270) -> list[Image]:
    """A head in a 1080p picture; its face is about a sixth as wide as `side`."""
    image = np.full((1080, 1920, 3), 96, np.uint8)
    image[400 : 400 + side, 700 : 700 + side] = portrait(side)
    return [image.copy() for _ in range(count)]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_small_rotated_face_in_a_large_picture_is_turned(
    finder: FaceFinder, degrees: int
) -> None:
    images = wide_shot(2)
    (face,) = finder.find(images[:1])[0]
    assert 40 <= min(face.box.width, face.box.height) < 70
    upright = Upright(finder)
    assert upright.turn_upright(clip_of(images))[1] == [0, 0]
    assert upright.turn_upright(clip_of(lying(images, degrees)))[1] == [degrees] * 2
    assert upright.turn_upright(clip_of(images))[1] == [0, 0]


def test_large_pictures_without_a_face_are_detected_at_full_size_a_few_times_only(
    finder: FaceFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    closely = []
    detect = finder._detect
    monkeypatch.setattr(
        finder,
        "_detect",
        lambda images, search: closely.append(search.long_side) or detect(images, search),
    )
    upright = Upright(finder)
    for _ in range(6):
        upright.turn_upright(clip_of(plain(2, (1920, 1080))))
    assert sum(side > 640 for side in closely) == 12


def test_upright_faces_cost_no_further_detection(
    finder: FaceFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched = []
    detect = finder.detect
    monkeypatch.setattr(
        finder, "detect", lambda images: searched.append(len(images)) or detect(images)
    )
    upright = Upright(finder)
    frames, _ = upright.turn_upright(clip_of(moving_portrait(5)))
    upright.find([frames[0].image, frames[-1].image])
    assert sum(searched) == 2


def test_a_rotated_face_beside_an_upright_one_is_not_scored_and_is_a_warning(
    detector: Detector, tmp_path: Path
) -> None:
    head = portrait(360)
    images = []
    for k in range(20):
        image = np.full((400, 900, 3), 96, np.uint8)
        image[20:380, 40 + k : 400 + k] = head
        image[20:380, 500:860] = np.rot90(head)
        images.append(image)
    path = write_clip(tmp_path / "couch.mp4", images)
    report = detector.analyze(path, QUICK)
    assert report.turns == ()
    assert [person.scores[0].box.x1 < 450 for person in report.people] == [True]
    assert (Warn.LYING_FACES in report.warnings) == (len(found_by(images[0])) > 1)


def found_by(image: Image) -> list[object]:
    return list(FaceFinder().detect([image])[0])


def test_a_small_face_beside_a_big_one_is_found_in_a_4k_picture(finder: FaceFinder) -> None:
    """75 pixels are well above the 40 from which faces are scored."""
    image = np.full((2160, 3840, 3), 96, np.uint8)
    image[100:1636, 200:1736] = portrait(1536)
    small = portrait(450)
    image[1500:1950, 3000:3450] = small
    found = finder.find([image, image])
    for faces in found:
        assert len(faces) == 2
        assert 3000 < faces[1].box.centre[0] < 3450
        assert min(faces[1].box.width, faces[1].box.height) < 100


def test_slides_of_one_second_each_with_one_face_are_no_empty_video(
    detector: Detector, tmp_path: Path
) -> None:
    """Each person appears once, for a second: too short for a score, but not "no face"."""
    colours = np.random.default_rng(3).integers(0, 256, (6, 3))
    images = []
    for k, colour in enumerate(colours):
        image = np.broadcast_to(colour.astype(np.uint8), (480, 854, 3)).copy()
        left = 40 + 90 * (k * 3 % 6)
        image[100:400, left : left + 300] = portrait(300)
        images.append(image)
    path = write_clip(tmp_path / "slides.mp4", images, fps=1.0)
    report = detector.analyze(path, QUICK)
    assert report.frames_with_face == 6
    assert report.people
    assert report.status.value != "no_face"
