"""A camera is scored window by window, and what goes by meanwhile is counted."""

from __future__ import annotations

import pytest

from detector import Detector
from detector.errors import VideoError
from detector.records import Status
from detector.render.overlay import to_jpeg
from detector.settings import Settings
from detector.video.live import (
    EVERY_SECONDS,
    PAUSE_SECONDS,
    STEP,
    WINDOW,
    Shot,
    Stream,
    clips_of,
    notified,
)
from tests import reports
from tests.clips import moving_portrait, plain

DARK = to_jpeg(plain(1)[0])


def after(count: int, every: float = EVERY_SECONDS, stream: Stream | None = None) -> Stream:
    """A stream after `count` more pictures, `every` seconds apart."""
    stream = stream or Stream()
    begin = stream.latest + every if stream.received else 100.0
    for k in range(count):
        stream = stream.take(DARK, begin + k * every)
    return stream


def test_the_first_score_waits_for_a_full_window() -> None:
    assert not after(WINDOW - 1).due
    assert after(WINDOW - 1).missing == 1
    assert after(WINDOW).due


def test_the_next_score_waits_until_half_of_the_window_is_new() -> None:
    stream = after(WINDOW).scored(reports.calm(), 0.3, now=102.0)
    assert not after(STEP - 1, stream=stream).due
    assert after(STEP, stream=stream).due


def test_the_window_slides_and_does_not_grow() -> None:
    stream = after(3 * WINDOW)
    assert len(stream.shots) == WINDOW
    assert stream.shots[-1].second == pytest.approx((3 * WINDOW - 1) * EVERY_SECONDS)


def test_pictures_that_went_by_are_counted() -> None:
    assert after(20).dropped == 0
    assert after(20, every=2 * EVERY_SECONDS).dropped == 19


def test_a_camera_that_was_off_starts_anew() -> None:
    stream = after(WINDOW).scored(reports.calm(), 0.3, now=102.0)
    stream = stream.take(DARK, stream.latest + PAUSE_SECONDS + 1)
    assert (stream.received, stream.scores, stream.elapsed) == (1, (), 0.0)


def test_a_score_that_takes_long_is_no_pause_of_the_camera() -> None:
    """Else a slow machine would start over for ever, and its time would never be up."""
    stream = after(WINDOW)
    for _ in range(4):
        stream = after(STEP, stream=stream.scored(reports.calm(), 9.0, now=stream.latest + 9.0))
    assert len(stream.scores) == 4
    assert stream.due
    assert stream.elapsed > 36


def test_a_browser_that_is_late_on_a_busy_machine_goes_on() -> None:
    slow = after(WINDOW).scored(reports.calm(), 3.0, now=105.0)
    assert slow.take(DARK, slow.latest + PAUSE_SECONDS + 1).scores == slow.scores
    assert slow.take(DARK, slow.latest + 10.0).scores == ()


def test_a_camera_session_shows_that_its_time_is_up_before_it_is_refused() -> None:
    """However late that is; a start after a pause begins anew."""
    late = after(WINDOW).scored(reports.calm(), 90.0, now=200.0)
    streamed = notified(after(1, stream=late))
    assert not streamed.overdue
    assert notified(after(1, stream=streamed)).ended == streamed.ended
    assert after(round((PAUSE_SECONDS + 1) / EVERY_SECONDS), stream=streamed).overdue
    assert streamed.take(DARK, streamed.latest + PAUSE_SECONDS + 1).received == 1


def test_every_picture_of_a_window_is_in_one_clip() -> None:
    shots = after(WINDOW).shots
    assert [shot for clip in clips_of(shots) for shot in clip] == list(shots)


def test_a_face_before_the_camera_is_scored_like_one_in_a_video(detector: Detector) -> None:
    pictures = map(to_jpeg, moving_portrait(WINDOW))
    shots = tuple(Shot(0.25 * k, picture) for k, picture in enumerate(pictures))
    report = detector.analyze_clips(clips_of(shots), Settings(frames=WINDOW, heat=False))
    assert report.status is Status.OK
    assert report.frames_with_face == WINDOW
    assert [person.id for person in report.people] == [1]


def test_a_camera_picture_without_a_face_has_no_score(detector: Detector) -> None:
    report = detector.analyze_clips(clips_of(after(WINDOW).shots))
    assert (report.status, report.fake) == (Status.NO_FACE, None)


@pytest.mark.parametrize("picture", [b"", b"no picture", DARK[:200]])
def test_an_invalid_camera_picture_is_reported_like_a_bad_file(
    detector: Detector, picture: bytes
) -> None:
    with pytest.raises(VideoError):
        detector.analyze_clips([[Shot(0.0, DARK), Shot(0.25, picture)]])
