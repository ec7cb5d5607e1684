"""People keep their ids while they are on screen, lose them at a cut, and do not tremble."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import cv2
import numpy as np
import pytest
from skimage import data

from detector.faces.geometry import iou
from detector.faces.mtcnn import FaceFinder
from detector.faces.tracking import ClipTrack, PeopleTracker, is_cut
from detector.records import Box, Face, FloatArray, Frame, Image
from tests.clips import moving_portrait, plain, portrait

Script = Callable[[int], list[Box]]
"""The content of frame number k."""


def face_at(box: Box, detection: float = 0.99) -> Face:
    shares = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    sides = np.array([box.width, box.height], np.float32)
    return Face(box, shares * sides + np.array(box[:2], np.float32), detection)


@cache
def scene(name: str, size: tuple[int, int] = (320, 180)) -> Image:
    image = getattr(data, name)()[..., :3]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


class Film:
    """Frames of one scene, each carrying its number, and a finder that acts out a script.

    Of `looks`, the k-th is painted where the script's k-th box is.
    """

    def __init__(
        self,
        script: Script,
        picture: Image | None = None,
        fps: float = 25.0,
        faces_shown: Sequence[Image] = (),
    ) -> None:
        self.script, self.fps, self.faces_shown = script, fps, faces_shown
        self.picture = scene("coffee") if picture is None else picture
        self.detected: list[int] = []

    def frames(self, *numbers: int) -> list[Frame]:
        frames = []
        for number in numbers:
            image = self.picture.copy()
            for shown, box in zip(self.faces_shown, self.script(number), strict=False):
                x0, y0, x1, y1 = (round(edge) for edge in box)
                image[y0:y1, x0:x1] = cv2.resize(shown, (x1 - x0, y1 - y0))
            image[0, 0] = number // 256, number % 256, 0
            frames.append(Frame(number / self.fps, image))
        return frames

    def find(self, images: Sequence[Image]) -> list[list[Face]]:
        numbers = [int(image[0, 0, 0]) * 256 + int(image[0, 0, 1]) for image in images]
        self.detected += numbers
        return [[face_at(box) for box in self.script(number)] for number in numbers]


@cache
def head(number: int) -> Image:
    """One of a few faces of different appearance."""
    face = portrait(512)[70:210, 150:300]
    if number == 0:
        return np.ascontiguousarray(face)
    lab = cv2.cvtColor(cv2.flip(face, 1), cv2.COLOR_RGB2LAB).astype(np.float32)
    lab = lab * [0.6, 1.0, 1.0] - [0, 10 * number, 18 * number]
    turned = cv2.cvtColor(np.clip(lab, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)
    return turned.astype(np.uint8, copy=False)


def square(x: float, y: float = 50, side: float = 60) -> Box:
    return Box(x, y, x + side, y + side)


def boxes_of(track: ClipTrack) -> FloatArray:
    return np.array([face.box for face in track.faces], np.float32)


def test_one_person_is_one_track_over_the_whole_clip() -> None:
    film = Film(lambda k: [square(50 + k)])
    (track,) = PeopleTracker().follow(film.frames(*range(8)), film.find)
    assert track.indices == tuple(range(8))
    # Within half a pixel, since a little of each slope counts as jitter.
    assert boxes_of(track) == pytest.approx(np.array([square(50 + k) for k in range(8)]), abs=0.5)
    landmarks = np.stack([face.landmarks for face in track.faces])
    assert np.diff(landmarks[..., 0], axis=0) == pytest.approx(np.ones((7, 5)), abs=0.1)


def test_the_jitter_of_two_detections_neither_moves_nor_zooms_a_still_face() -> None:
    """A crop that drifts would show the LSTM motion that nobody made."""
    film = Film(lambda k: [square(50) if k < 4 else square(50.6, 49.8, 60.9)])
    (track,) = PeopleTracker().follow(film.frames(*range(5)), film.find)
    assert np.ptp(boxes_of(track), axis=0).max() < 0.05


def test_where_detections_agree_only_first_and_last_frames_are_detected() -> None:
    film = Film(lambda k: [square(50 + k)])
    PeopleTracker().follow(film.frames(*range(8)), film.find)
    assert film.detected == [0, 7]


def test_detections_are_at_most_half_a_second_apart() -> None:
    film = Film(lambda k: [square(50)], fps=10.0)
    PeopleTracker().follow(film.frames(*range(23)), film.find)
    assert film.detected == [0, 5, 10, 15, 20, 22]
    slow = Film(lambda k: [square(50)], fps=1.0)
    PeopleTracker().follow(slow.frames(*range(4)), slow.find)
    assert slow.detected == [0, 1, 2, 3]


def test_where_detections_disagree_every_frame_is_detected_once() -> None:
    film = Film(lambda k: [square(50)] if k < 3 else [square(50), square(200)])
    one, two = PeopleTracker().follow(film.frames(*range(8)), film.find)
    assert sorted(film.detected) == list(range(8))
    assert one.indices == tuple(range(8))
    assert two.indices == tuple(range(3, 8))


def test_a_head_that_jumps_is_detected_in_every_frame() -> None:
    """A line between first and last would miss where it was."""
    film = Film(lambda k: [square(20 + 12 * k)])
    (track,) = PeopleTracker().follow(film.frames(*range(8)), film.find)
    assert len(film.detected) == 8
    assert boxes_of(track)[:, 0] == pytest.approx([20 + 12 * k for k in range(8)], abs=0.5)


def test_a_face_missed_for_a_moment_is_filled_in() -> None:
    film = Film(lambda k: [] if k in (3, 4) else [square(50 + k), square(200)][: 1 + (k > 4)])
    track = PeopleTracker().follow(film.frames(*range(8)), film.find)[0]
    assert track.indices == tuple(range(8))
    assert boxes_of(track)[3][0] == pytest.approx(53, abs=0.5)


def test_a_face_away_for_a_second_leaves_a_gap() -> None:
    film = Film(lambda k: [] if 5 <= k < 30 else [square(50)])
    (track,) = PeopleTracker().follow(film.frames(*range(40)), film.find)
    assert track.indices == (*range(5), *range(30, 40))


def test_no_frames_and_no_faces_yield_no_tracks() -> None:
    film = Film(lambda k: [])
    tracker = PeopleTracker()
    assert tracker.follow([], film.find) == []
    assert tracker.follow(film.frames(0, 1, 2), film.find) == []
    assert tracker.follow(film.frames(3), film.find) == []


def test_a_still_image_is_a_clip_of_one() -> None:
    film = Film(lambda k: [square(50), square(200)])
    tracks = PeopleTracker().follow(film.frames(0), film.find)
    assert [(track.id, track.indices) for track in tracks] == [(0, (0,)), (1, (0,))]
    assert [track.faces[0].box for track in tracks] == [square(50), square(200)]


def test_side_by_side_each_keeps_the_id_whatever_the_finder_s_order() -> None:
    film = Film(lambda k: [square(50 + k), square(115 + k)][:: 1 if k % 2 else -1])
    tracks = PeopleTracker().follow(film.frames(*range(8)), film.find)
    starts = sorted(boxes_of(track)[0, 0] for track in tracks)
    assert starts == pytest.approx([50, 115], abs=0.5)
    for track in tracks:
        assert np.diff(boxes_of(track)[:, 0]) == pytest.approx(np.ones(7), abs=0.2)


@pytest.mark.parametrize("hidden", [(), (9, 10, 11)])
def test_two_crossing_people_keep_their_ids(hidden: tuple[int, ...]) -> None:
    """Even where one is hidden behind the other for a few frames."""

    def script(k: int) -> list[Box]:
        return [square(60 + 5 * k), square(160 - 5 * k)][: 1 if k in hidden else 2]

    film = Film(script)
    right, left = PeopleTracker().follow(film.frames(*range(20)), film.find)
    assert (right.indices, left.indices) == (tuple(range(20)), tuple(range(20)))
    assert boxes_of(right)[[0, -1], 0] == pytest.approx([60, 155], abs=3)
    assert boxes_of(left)[[0, -1], 0] == pytest.approx([160, 65], abs=3)


def test_people_who_swap_places_between_detections_are_not_confused() -> None:
    """The boxes of first and last detection fit perfectly, and each to the wrong person."""
    film = Film(lambda k: [square(60 + 5 * k), square(95 - 5 * k)])
    tracks = PeopleTracker().follow(film.frames(*range(8)), film.find)
    ways = sorted((boxes_of(track)[0, 0], boxes_of(track)[-1, 0]) for track in tracks)
    assert np.array(ways) == pytest.approx(np.array([[60, 95], [95, 60]]), abs=1)


def test_ids_go_on_from_clip_to_clip() -> None:
    film = Film(lambda k: [square(50 + k / 10), square(200)])
    tracker = PeopleTracker()
    for start in (0, 100, 200):
        tracks = tracker.follow(film.frames(*range(start, start + 8)), film.find)
        assert [track.id for track in tracks] == [0, 1]
        assert boxes_of(tracks[1])[0, 0] == pytest.approx(200)


def test_a_face_that_moved_by_less_than_its_size_is_the_same_person() -> None:
    film = Film(lambda k: [square(50 + k / 2)], faces_shown=[head(0)])
    tracker = PeopleTracker()
    tracker.follow(film.frames(*range(8)), film.find)
    assert [t.id for t in tracker.follow(film.frames(100, 101), film.find)] == [0]


def places(tracks: Sequence[ClipTrack]) -> dict[int, int]:
    """Where everybody is, by id: the left edge in pixels."""
    return {track.id: round(track.faces[0].box.x0) for track in tracks}


@pytest.mark.parametrize("apart", [1.0, 20.0])
def test_a_person_elsewhere_in_the_next_clip_is_matched_by_appearance(apart: float) -> None:
    film = Film(lambda k: [square(20 if k < 8 else 230)], faces_shown=[head(0)])
    tracker = PeopleTracker()
    assert places(tracker.follow(film.frames(*range(8)), film.find)) == {0: 20}
    later = round(apart * film.fps)
    assert places(tracker.follow(film.frames(later, later + 1), film.find)) == {0: 230}


def test_two_people_who_swap_places_between_clips_keep_their_ids() -> None:
    film = Film(
        lambda k: [square(60), square(200)][:: 1 if k < 100 else -1], faces_shown=[head(0), head(1)]
    )
    tracker = PeopleTracker()
    assert places(tracker.follow(film.frames(0, 1), film.find)) == {0: 60, 1: 200}
    assert places(tracker.follow(film.frames(100, 101), film.find)) == {0: 200, 1: 60}


def test_another_face_at_the_same_place_is_a_new_person() -> None:
    one = Film(lambda k: [square(100)], faces_shown=[head(0)])
    other = Film(one.script, faces_shown=[head(1)])
    tracker = PeopleTracker()
    assert places(tracker.follow(one.frames(0, 1), one.find)) == {0: 100}
    assert places(tracker.follow(other.frames(100, 101), one.find)) == {1: 100}
    assert places(tracker.follow(one.frames(200, 201), one.find)) == {0: 100}


def test_twins_in_one_picture_are_two_and_keep_their_sides() -> None:
    film = Film(lambda k: [square(60 + k / 10), square(200)], faces_shown=[head(0), head(0)])
    tracker = PeopleTracker()
    for start in (0, 100):
        tracks = tracker.follow(film.frames(start, start + 1), film.find)
        assert places(tracks) == {0: 60 + start // 10, 1: 200}


def test_an_identical_face_that_appears_is_a_second_person() -> None:
    film = Film(
        lambda k: [square(60), square(200)][: 1 + (k >= 100)], faces_shown=[head(0), head(0)]
    )
    tracker = PeopleTracker()
    tracker.follow(film.frames(0, 1), film.find)
    assert places(tracker.follow(film.frames(100, 101), film.find)) == {0: 60, 1: 200}


def test_two_people_shown_in_alternation_stay_two_people() -> None:
    """An interview: every cut shows the other one, in the other's place of the picture."""
    shots = [
        Film(lambda k: [square(100)], scene(name), faces_shown=[head(number)])
        for number, name in enumerate(("coffee", "rocket"))
    ]
    tracker = PeopleTracker()
    ids = [
        tracker.follow(shots[k % 2].frames(100 * k, 100 * k + 1), shots[0].find)[0].id
        for k in range(6)
    ]
    assert ids == [0, 1, 0, 1, 0, 1]


def test_a_middle_clip_is_matched_with_people_of_later_clips() -> None:
    film = Film(lambda k: [square(20 if k < 100 else 230)][: k >= 50], faces_shown=[head(0)])
    tracker = PeopleTracker()
    for start in (0, 200, 60):
        tracks = tracker.follow(film.frames(start, start + 1), film.find)
        assert [track.id for track in tracks] == [0] * (start > 0)


def test_a_face_elsewhere_or_of_another_size_is_someone_new() -> None:
    film = Film(
        lambda k: [square(50) if k < 100 else square(200) if k < 200 else square(200, 50, 15)]
    )
    tracker = PeopleTracker()
    ids = [tracker.follow(film.frames(k, k + 1), film.find)[0].id for k in (0, 100, 200)]
    assert ids == [0, 1, 2]


def test_someone_out_of_sight_for_one_clip_comes_back_as_the_same() -> None:
    film = Film(lambda k: [] if 100 <= k < 200 else [square(50)])
    tracker = PeopleTracker()
    followed = [tracker.follow(film.frames(k, k + 1), film.find) for k in (0, 100, 200)]
    assert [[track.id for track in tracks] for tracks in followed] == [[0], [], [0]]


def test_a_cut_between_clips_ends_all_tracks() -> None:
    tracker = PeopleTracker()
    for expected, name in enumerate(("coffee", "rocket", "chelsea")):
        film = Film(lambda k: [square(50)], scene(name))
        (track,) = tracker.follow(film.frames(8 * expected, 8 * expected + 1), film.find)
        assert track.id == expected


def test_a_cut_within_a_clip_ends_all_tracks() -> None:
    """Though a face is in the same place before and after; nothing is interpolated across."""
    before = Film(lambda k: [square(50 if k < 4 else 60)], scene("coffee"))
    after = Film(before.script, scene("rocket"))
    frames = before.frames(0, 1, 2, 3) + after.frames(4, 5, 6, 7)
    one, two = PeopleTracker().follow(frames, before.find)
    assert (one.indices, two.indices) == ((0, 1, 2, 3), (4, 5, 6, 7))
    assert set(boxes_of(one)[:, 0]) == {50}
    assert set(boxes_of(two)[:, 0]) == {60}
    assert before.detected == [0, 3, 4, 7]


def test_each_video_has_its_own_tracker_and_ids_from_zero() -> None:
    film = Film(lambda k: [square(50)])
    for _ in range(2):
        assert PeopleTracker().follow(film.frames(0, 1), film.find)[0].id == 0


def test_boxes_tremble_less_than_the_finder() -> None:
    """MTCNN's boxes shake by about 3 % of their width from frame to frame."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 2.0, (26, 4))
    true = np.array([square(50 + k) for k in range(26)])
    # The second face comes and goes, so that every frame is detected.
    film = Film(lambda k: [Box(*(true[k] + noise[k])), square(240)][: 1 + k % 2])
    track = PeopleTracker().follow(film.frames(*range(26)), film.find)[0]
    assert len(film.detected) == 26
    measured, smooth = true + noise, boxes_of(track)
    assert np.abs(smooth - true).mean() < 0.5 * np.abs(noise).mean()
    jerk = np.abs(np.diff(smooth, n=2, axis=0)).mean()
    assert jerk < 0.15 * np.abs(np.diff(measured, n=2, axis=0)).mean()


def test_smoothing_does_not_lag_behind_a_steady_move_even_at_the_ends() -> None:
    film = Film(lambda k: [square(20 + 3 * k), square(250)][: 1 + k % 2])
    track = PeopleTracker().follow(film.frames(*range(30)), film.find)[0]
    assert boxes_of(track)[:, 0] == pytest.approx([20 + 3 * k for k in range(30)], abs=0.1)


def test_frames_shown_at_one_moment_do_no_harm() -> None:
    film = Film(lambda k: [square(50 + k), square(200)][: 1 + k % 2])
    frames = [Frame(2.0, frame.image) for frame in film.frames(*range(4))]
    for track in PeopleTracker().follow(frames, film.find):
        assert np.isfinite(boxes_of(track)).all()


def test_forty_people_keep_forty_ids() -> None:
    def script(k: int) -> list[Box]:
        people = [square(30 * (n % 10) + k % 100 / 4, 40 * (n // 10), 20) for n in range(40)]
        return people[::-1] if k % 2 else people[: 40 - k % 3]

    film = Film(script)
    tracker = PeopleTracker()
    for start in (0, 100):
        tracks = tracker.follow(film.frames(*range(start, start + 8)), film.find)
        assert [track.id for track in tracks] == list(range(40))
        assert all(len(track.indices) >= 7 for track in tracks)


def test_sparse_detection_follows_a_real_face_as_closely_as_detection_in_every_frame() -> None:
    finder = FaceFinder()
    frames = [Frame(k / 25, image) for k, image in enumerate(moving_portrait(12))]
    (track,) = PeopleTracker().follow(frames, finder.find)
    assert track.indices == tuple(range(12))
    for face, (reference, *_) in zip(
        track.faces, finder.find([f.image for f in frames]), strict=True
    ):
        assert iou(face.box, reference.box) > 0.8


def test_one_face_that_drifts_through_ten_seconds_is_one_person() -> None:
    """Detected every 2.5 s, between which it moves by more than its own width."""
    finder, tracker = FaceFinder(), PeopleTracker()
    images = moving_portrait(250)
    for start in range(30, 250, 62):
        frames = [Frame(k / 25, images[k]) for k in range(start, start + 5)]
        assert [track.id for track in tracker.follow(frames, finder.find)] == [0]


SCENES = ("astronaut", "coffee", "chelsea", "rocket", "retina")


@pytest.mark.parametrize("after", SCENES)
@pytest.mark.parametrize("before", SCENES)
def test_a_cut_is_a_change_of_scene(before: str, after: str) -> None:
    assert is_cut(scene(before), scene(after)) == (before != after)


def test_a_cut_to_and_from_black_is_a_cut() -> None:
    black = np.zeros((180, 320, 3), np.uint8)
    assert is_cut(black, scene("coffee"))
    assert is_cut(scene("coffee"), black)
    assert not is_cut(black, black)


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("gain", [0.7, 0.85, 1.15, 1.3])
def test_a_change_of_light_is_not_a_cut(name: str, gain: float) -> None:
    lit = np.clip(scene(name) * gain, 0, 255).astype(np.uint8)
    assert not is_cut(scene(name), lit)


@pytest.mark.parametrize("name", SCENES)
def test_a_moving_camera_is_not_a_cut(name: str) -> None:
    wide = scene(name, (400, 225))
    assert not is_cut(wide[:180, :320], wide[45:, 80:])


def test_a_moving_head_is_not_a_cut() -> None:
    images = moving_portrait(40)
    assert not any(is_cut(images[0], image) for image in images)


def test_noise_is_not_a_cut() -> None:
    rng = np.random.default_rng(0)
    shaken = np.clip(portrait(256) + rng.normal(0, 12, (256, 256, 3)), 0, 255).astype(np.uint8)
    assert not is_cut(portrait(256), shaken)
    assert not is_cut(plain(1)[0], plain(2)[1])
