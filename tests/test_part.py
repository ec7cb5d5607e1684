"""Only the requested part of a video is analysed, and the report states it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector import Detector
from detector.errors import VideoError
from detector.scoring.coverage import coverage_of
from detector.settings import Settings
from detector.text.figures import moment
from detector.text.summary import sentences
from tests.clips import moving_portrait, write_clip
from tests.test_cli import run


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of one face."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    return write_clip(path, moving_portrait(200))


@pytest.mark.parametrize("settings", [{"frames": 20}, {"preset": "quick"}])
def test_every_frame_is_within_the_requested_part(
    detector: Detector, long: Path, settings: dict[str, object]
) -> None:
    part = Settings(**settings, start=2.0, end=5.0, heat=False)  # type: ignore[arg-type]
    report = detector.analyze(long, part)
    assert report.status == "ok"
    assert min(report.sampled_seconds) >= 2.0
    assert max(report.sampled_seconds) <= 5.0
    assert max(report.sampled_seconds) - min(report.sampled_seconds) > 1.5
    texts = [sentence.text for sentence in sentences(report)]
    assert any("Only the part from 0:02" in text for text in texts)
    covered = coverage_of(report)
    assert covered is not None
    assert covered.longest_gap < 3.0


def test_a_part_has_the_same_frames_as_those_seconds_of_the_whole(
    detector: Detector, long: Path
) -> None:
    """The pictures are those of the file: their times do not begin anew."""
    part = detector.analyze(long, Settings(frames=8, start=3.0, end=3.3, heat=False))
    assert part.sampled_seconds == tuple(k / 25 for k in range(75, 83))


def test_an_open_end_is_the_end_of_the_video(detector: Detector, long: Path) -> None:
    report = detector.analyze(long, Settings(frames=8, start=7.0, heat=False))
    assert min(report.sampled_seconds) >= 7.0
    whole = detector.analyze(long, Settings(frames=8, end=100.0, heat=False))
    assert not any("Only the part" in sentence.text for sentence in sentences(whole))


def test_a_part_beyond_the_end_is_refused_with_the_length(detector: Detector, long: Path) -> None:
    with pytest.raises(VideoError, match=r"long\.mp4 is 8\.0 s long and ends before 9 s"):
        detector.analyze(long, Settings(start=9.0))


@pytest.mark.parametrize("part", [{"start": -1.0}, {"start": 2.0, "end": 2.0}, {"end": 0.0}])
def test_a_part_that_is_none_is_refused(part: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        Settings(**part)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "seconds"), [("83.5", 83.5), ("1:23.5", 83.5), ("1:00:01", 3601.0), ("0", 0.0)]
)
def test_moments_are_typed_as_players_show_them(text: str, seconds: float) -> None:
    assert moment(text) == seconds


@pytest.mark.parametrize("text", ["1:75", "-3", "", "one", "nan"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        moment(text)


def test_the_command_line_takes_a_part(weights: Path, long: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    assert run(weights, long, "--from", "0:02", "--to", "4", "--json", out, "--no-heat") == 0
    report = json.loads(out.read_text())
    assert (report["settings"]["start"], report["settings"]["end"]) == (2.0, 4.0)
    assert all(2 <= frame["t"] <= 4 for face in report["faces"] for frame in face["frames"])
    assert run(weights, long, "--verify", out) == 0
