"""From a path to a report, on drawn videos and a tiny network that the tests make."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector import Detector
from detector.errors import CancelledError, VideoError
from detector.progress import AGAIN, ANALYSING, CHECKING, EXPLAINING
from detector.records import Report, Status, Verdict, Warn
from detector.service.jobs import Pace
from detector.settings import Settings
from tests.clips import moving_portrait, plain, portrait, write_clip

QUICK = Settings(frames=10)
ROOT = Path(__file__).parent.parent


def two_people(count: int) -> list[np.ndarray]:
    face = portrait(240)
    images = []
    for _ in range(count):
        image = np.full((300, 620, 3), 90, np.uint8)
        image[30:270, 30:270] = face
        image[30:270, 350:590] = face[:, ::-1]
        images.append(image)
    return images


def test_a_face_gets_a_score_that_is_a_probability(report: Report) -> None:
    assert report.status is Status.OK
    assert report.fake is not None
    assert 0 <= report.fake <= 1
    assert len(report.people) == 1
    assert report.frames_sampled == 10
    assert report.frames_with_face == 10


def test_every_sampled_frame_is_scored_at_its_presentation_time(
    report: Report, talking: Path
) -> None:
    seconds = [score.second for score in report.people[0].scores]
    assert seconds == sorted(seconds)
    assert set(seconds) <= set(report.sampled_seconds)
    assert all(0 <= second < report.video.seconds for second in seconds)


def test_scores_cover_the_whole_video_in_runs_of_consecutive_frames(report: Report) -> None:
    """The LSTM needs neighbours, the timeline needs frames of the whole length."""
    steps = np.diff(report.sampled_seconds)
    assert np.isclose(steps, 1 / 25, atol=1e-3).sum() >= 8
    assert max(report.sampled_seconds) - min(report.sampled_seconds) > report.video.seconds / 3


def test_every_scored_frame_has_its_own_heat(report: Report) -> None:
    heats = [score.heat for score in report.people[0].scores]
    assert all(heat is not None and heat.shape == heats[0].shape for heat in heats)
    assert report.heat_scale > 0


def test_heat_can_be_left_out(detector: Detector, talking: Path) -> None:
    report = detector.analyze(talking, Settings(frames=8, heat=False))
    assert all(score.heat is None for score in report.people[0].scores)


def test_scores_do_not_depend_on_whether_heat_is_computed(
    detector: Detector, talking: Path, report: Report
) -> None:
    plainly = detector.analyze(talking, Settings(frames=10, heat=False))
    with_heat = [score.fake for score in report.people[0].scores]
    without = [score.fake for score in plainly.people[0].scores]
    np.testing.assert_allclose(without, with_heat, atol=1e-5)


def test_the_same_file_gets_the_same_report_twice(
    detector: Detector, talking: Path, report: Report
) -> None:
    again = detector.analyze(talking, QUICK)
    assert again.fake == pytest.approx(report.fake, abs=1e-6)
    assert again.video.sha256 == report.video.sha256


def test_two_people_have_two_scores(detector: Detector, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "two.mp4", two_people(30))
    report = detector.analyze(clip, QUICK)
    assert [person.id for person in report.people] == [1, 2]
    left, right = (person.scores[0].box.centre[0] for person in report.people)
    assert abs(left - right) > 200
    assert report.fake == max(person.fake or 0 for person in report.people)


def test_no_face_is_a_report_without_a_score(detector: Detector, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "empty.mp4", plain(30))
    report = detector.analyze(clip, QUICK)
    assert report.status is Status.NO_FACE
    assert report.fake is None
    assert report.verdict is None


def test_a_face_too_small_to_score_gets_no_score(detector: Detector, tmp_path: Path) -> None:
    image = np.full((360, 480, 3), 90, np.uint8)
    image[100:160, 200:260] = portrait(60)
    clip = write_clip(tmp_path / "tiny.mp4", [image] * 30)
    report = detector.analyze(clip, QUICK)
    assert report.status in {Status.FACE_TOO_SMALL, Status.NO_FACE}
    assert report.fake is None


def test_more_faces_than_requested_is_a_warning(detector: Detector, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "two.mp4", two_people(12))
    report = detector.analyze(clip, Settings(frames=8, max_faces=1))
    assert Warn.MANY_FACES in report.warnings
    assert len(report.people) == 1


def test_of_forty_faces_the_largest_are_scored(detector: Detector, tmp_path: Path) -> None:
    face = portrait(260)
    image = np.tile(face, (5, 8, 1))
    clip = write_clip(tmp_path / "crowd.mp4", [image] * 10)
    report = detector.analyze(clip, Settings(frames=8, max_faces=4))
    assert report.status is Status.OK
    assert Warn.MANY_FACES in report.warnings
    assert len(report.people) == 4


def test_the_detector_works_where_gradio_is_not_installed(talking: Path, weights: Path) -> None:
    code = (
        "import sys; sys.modules['gradio'] = None\n"
        "from detector import Detector, Settings\n"
        "import detector.cli\n"
        f"report = Detector.load({str(weights / 'tiny.safetensors')!r}, 'cpu')"
        f".analyze({str(talking)!r}, Settings(frames=8))\n"
        "print(report.status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "ok", done.stderr


def test_a_picture_is_one_frame(detector: Detector, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "face.png"
    Image.fromarray(portrait(400)).save(path)
    report = detector.analyze(path, QUICK)
    assert report.status is Status.OK
    assert report.frames_sampled == 1
    assert Warn.STILL_IMAGE in report.warnings


def test_a_picture_is_called_fake_at_a_threshold_of_its_own(
    detector: Detector, talking: Path, tmp_path: Path
) -> None:
    from PIL import Image

    path = tmp_path / "face.png"
    Image.fromarray(portrait(400)).save(path)
    loaded = detector.loaded
    assert loaded is not None
    fake = detector.analyze(path, QUICK).fake
    assert fake is not None
    # The video's threshold lies above this picture's score, that of pictures below.
    high = min(fake + 0.2, 0.99)
    rules = replace(loaded.card.rules, threshold=high, undecided=(high, high), picture=fake - 0.01)
    strict = Detector(replace(loaded, card=replace(loaded.card, rules=rules)), "cpu")
    picture = strict.analyze(path, QUICK)
    assert picture.verdict is Verdict.FAKE
    assert picture.threshold == pytest.approx(fake - 0.01)
    video = strict.analyze(talking, QUICK)
    assert (video.verdict, video.threshold) == (Verdict.NO_SIGN, strict.info.threshold)
    own = strict.analyze(path, replace(QUICK, threshold=high))
    assert (own.verdict, own.threshold) == (Verdict.NO_SIGN, high)


def test_without_weights_people_are_found_but_not_scored(talking: Path) -> None:
    report = Detector(None, "cpu").analyze(talking, QUICK)
    assert report.status is Status.UNTRAINED
    assert report.fake is None
    assert len(report.people) == 1
    assert report.people[0].unscored
    assert not report.people[0].scores


def test_one_bad_file_does_not_lose_the_others(
    detector: Detector, talking: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("this is no video")
    answers = dict(detector.analyze_many([talking, bad, talking], QUICK))
    assert isinstance(answers[bad], VideoError)
    assert isinstance(answers[talking], Report)


def test_progress_rises_to_its_total(detector: Detector, talking: Path) -> None:
    reported: list[tuple[str, int, int]] = []
    detector.analyze(talking, QUICK, on_progress=lambda *step: reported.append(step))
    faces = [(done, total) for stage, done, total in reported if stage == "Analysing faces"]
    assert faces == sorted(faces)
    assert faces[-1] == (10, 10)


def test_the_second_pass_is_named_and_progress_never_decreases(
    detector: Detector, talking: Path
) -> None:
    """Their number is unknown before: a growing total would move the bar back."""
    pace, bar, stages = Pace(), [], []

    def note(stage: str, done: int, total: int) -> None:
        stages.append(stage)
        bar.append(pace.step(stage, done, total).share)

    loaded = detector.loaded
    assert loaded is not None
    rules = replace(loaded.card.rules, threshold=0.99, undecided=(0.01, 0.995))
    doubting = Detector(replace(loaded, card=replace(loaded.card, rules=rules)), "cpu")
    doubting.analyze(talking, Settings(preset="quick"), on_progress=note)
    assert list(dict.fromkeys(stages)) == [CHECKING, ANALYSING, AGAIN, EXPLAINING]
    assert bar == sorted(bar)


def test_cancelling_stops_the_analysis(detector: Detector, talking: Path) -> None:
    stop = threading.Event()
    with pytest.raises(CancelledError):
        detector.analyze(
            talking,
            Settings(frames=40),
            on_progress=lambda _stage, done, _total: stop.set() if done else None,
            should_stop=stop.is_set,
        )


def test_two_analyses_at_once_do_not_mix(
    detector: Detector, talking: Path, report: Report, tmp_path: Path
) -> None:
    other = write_clip(tmp_path / "none.mp4", plain(30))
    answers: dict[str, Report] = {}

    def run(name: str, path: Path) -> None:
        answers[name] = detector.analyze(path, QUICK)

    threads = [threading.Thread(target=run, args=pair) for pair in [("a", talking), ("b", other)]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers["a"].fake == pytest.approx(report.fake, abs=1e-5)
    assert answers["b"].status is Status.NO_FACE


def test_frames_are_let_go_while_the_video_is_read(detector: Detector, tmp_path: Path) -> None:
    """The report of many frames contains a few crops, and no frame."""
    clip = write_clip(tmp_path / "long.mp4", moving_portrait(150))
    report = detector.analyze(clip, Settings(frames=100))
    gc.collect()
    pixels = [
        thing for thing in gc.get_objects()
        if isinstance(thing, np.ndarray) and thing.shape == (360, 480, 3)
    ]  # fmt: skip
    assert len(report.people[0].scores) == 100
    assert not pixels
    assert len(report.people[0].moments) <= 6


def test_partial_results_converge_to_the_report(detector: Detector, talking: Path) -> None:
    parts: list[Report] = []
    whole = detector.analyze(talking, Settings(frames=30), on_partial=parts.append)
    counts = [part.frames_sampled for part in parts]
    assert len(counts) >= 2
    assert counts == sorted(counts)
    assert counts[-1] <= whole.frames_sampled
    known = {(s.second, s.fake) for s in whole.people[0].scores}
    for part in parts:
        assert {(s.second, s.fake) for p in part.people for s in p.scores} <= known
