"""The two stacked videos of the viewer, and its storyboard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pictures

from detector.errors import CancelledError
from detector.progress import Progress
from detector.records import Box, Image, Report
from detector.render.movie import Annotator
from detector.render.viewer_media import COLUMNS, Views, render_views
from detector.sandbox.reader import reader
from detector.settings import Settings
from detector.video import VideoWriter, probe, read_all
from detector.video.writer import FOR_PREVIEW, FOR_STORAGE
from tests import reports
from tests.clips import barcode, moving_portrait, read_barcode, write_clip

QUIET = Progress(None, None)
SECONDS = [0.0, 0.04, 0.2, 0.24, 0.9, 1.0]


def numbered(folder: Path, seconds: list[float], *, audio: bool = False) -> Path:
    images = [barcode(k, (320, 240)) for k in range(len(seconds))]
    return write_clip(folder / "clip.mp4", images, seconds=seconds, audio=audio)


def report_of(path: Path, sampled: list[float]) -> Report:
    person = reports.person(1, sampled, lambda _: 0.9)
    scores = tuple(replace(score, box=Box(60, 20, 260, 220)) for score in person.scores)
    person = replace(person, scores=scores)
    return reports.report((person,), sampled, video=probe(path))


def drawn(path: Path, report: Report, folder: Path, progress: Progress = QUIET) -> Views:
    read = reader(progress.check, isolate=False)
    return render_views(read, path, Annotator(report, margin=0.0), folder / "clip", progress)


def tiles(sheet: Path, tile: tuple[int, int]) -> list[Image]:
    """In the order of `Report.sampled_seconds`."""
    image = np.asarray(Pictures.open(sheet).convert("RGB"))
    width, height = tile
    return [
        image[top : top + height, left : left + width]
        for top in range(0, image.shape[0], height)
        for left in range(0, image.shape[1], width)
    ]


def test_plain_and_heat_show_the_same_frames_at_the_same_times(tmp_path: Path) -> None:
    """Unevenly timed ones too: else a heat map would be drawn on another moment's face."""
    path = numbered(tmp_path, SECONDS)
    views = drawn(path, report_of(path, [0.0]), tmp_path)
    assert views.heat is not None
    shown = [list(read_all(out)) for out in (views.plain, views.heat)]
    for frames in shown:
        assert [f.second for f in frames] == pytest.approx(SECONDS, abs=0.011)
        assert {f.image.shape for f in frames} == {(240, 320, 3)}
    for plain, heat in zip(*shown, strict=True):
        if heat.second > 0.25:  # where there is no heat map
            assert read_barcode(heat.image) == read_barcode(plain.image)


def test_the_plain_video_is_untouched_and_the_heat_has_no_boxes(tmp_path: Path) -> None:
    grey = [np.full((240, 320, 3), 120, np.uint8)] * 4
    path = write_clip(tmp_path / "clip.mp4", grey)
    report = report_of(path, [0.0])
    cold = replace(report.people[0].scores[0], heat=np.zeros((7, 7), np.float32))
    report = replace(report, people=(replace(report.people[0], scores=(cold,)),))
    views = drawn(path, report, tmp_path)
    assert views.heat is not None
    for out in (views.plain, views.heat):
        (first, *_) = read_all(out)
        assert np.abs(first.image.astype(int) - 120).max() <= 40


def test_only_one_of_the_two_videos_has_sound(tmp_path: Path) -> None:
    path = numbered(tmp_path, SECONDS, audio=True)
    views = drawn(path, report_of(path, [0.0]), tmp_path)
    assert views.heat is not None
    assert probe(views.plain).has_audio
    assert not probe(views.heat).has_audio


def test_the_storyboard_contains_every_sampled_frame_in_order(tmp_path: Path) -> None:
    seconds = [k / 25 for k in range(30)]
    path = numbered(tmp_path, seconds)
    sampled = seconds[::2]
    assert len(sampled) > COLUMNS
    views = drawn(path, report_of(path, sampled), tmp_path)
    assert views.tile == (192, 144)
    shown = [read_barcode(tile) for tile in tiles(views.storyboard, views.tile)[: len(sampled)]]
    assert shown == list(range(0, 30, 2))


def test_without_heat_maps_there_is_no_heat_video(tmp_path: Path) -> None:
    path = numbered(tmp_path, SECONDS)
    report = replace(report_of(path, [0.0]), heat_scale=0.0, settings=Settings(heat=False))
    views = drawn(path, report, tmp_path)
    assert views.heat is None


def test_a_picture_becomes_pictures(tmp_path: Path) -> None:
    path = tmp_path / "still.png"
    cv2.imwrite(str(path), np.full((240, 320, 3), 120, np.uint8))
    views = drawn(path, report_of(path, [0.0]), tmp_path)
    assert views.heat is not None
    plain, heat = (np.asarray(Pictures.open(out)).astype(int) for out in (views.plain, views.heat))
    assert plain.shape == heat.shape == (240, 320, 3)
    assert np.abs(plain - 120).max() < 3
    assert np.abs(heat - plain).max() > 30
    assert views.annotated is not None
    assert Pictures.open(views.annotated).size == (320, 240)


def test_the_viewer_does_not_wait_for_the_annotated_video(tmp_path: Path) -> None:
    path = numbered(tmp_path, SECONDS)
    assert drawn(path, report_of(path, [0.0]), tmp_path).annotated is None


def test_preview_encoding_has_no_lower_quality(tmp_path: Path) -> None:
    """In less time, and for a larger file."""
    images = list(moving_portrait(10))
    height, width = images[0].shape[:2]
    likeness = {}
    for preset in (FOR_PREVIEW, FOR_STORAGE):
        with VideoWriter(tmp_path / f"{preset}.mp4", width, height, 25.0, preset=preset) as out:
            for k, image in enumerate(images):
                out.write(image, k / 25)
        shown = [frame.image for frame in read_all(out.path)]
        likeness[preset] = np.mean([cv2.PSNR(*pair) for pair in zip(images, shown, strict=True)])
    assert likeness[FOR_PREVIEW] > likeness[FOR_STORAGE] - 0.5


def test_called_off_it_leaves_nothing_behind(tmp_path: Path) -> None:
    path = numbered(tmp_path, SECONDS)
    out = tmp_path / "out"
    out.mkdir()
    stop = Progress(None, lambda: True)
    with pytest.raises(CancelledError):
        drawn(path, report_of(path, [0.0]), out, stop)
    assert list(out.iterdir()) == []
