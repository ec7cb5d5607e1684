"""The annotated video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFont

from detector.errors import CancelledError
from detector.records import Box, Frame, Image, Person, Report, Status, Verdict
from detector.render import movie
from detector.render.movie import annotate_video
from detector.video import probe, read_all
from tests import reports
from tests.clips import plain, write_clip

SIZE = (320, 240)


def clip(folder: Path, count: int = 30, size: tuple[int, int] = SIZE, **options: object) -> Path:
    images = [np.full((size[1], size[0], 3), 120, np.uint8)] * count
    return write_clip(folder / "clip.mp4", images, **options)  # type: ignore[arg-type]


def moving_face(seconds: Sequence[float], *, fake: float = 0.8, heat: bool = False) -> Person:
    """A face that moves right by 100 pixels a second."""
    scores = tuple(
        replace(
            reports.score_at(second, fake),
            box=Box(40 + 100 * second, 100, 100 + 100 * second, 170),
            heat=np.ones((7, 7), np.float32) if heat else None,
        )
        for second in seconds
    )
    return Person(1, Status.OK, fake, None, Verdict.FAKE, scores)


def report_of(path: Path, person: Person, sampled: Sequence[float]) -> Report:
    return reports.report((person,), list(sampled), video=probe(path))


def left_edge(image: Image) -> float | None:
    """Where the box begins: the first column that is drawn on all along the face's middle."""
    drawn = np.abs(image[110:160].astype(int) - 120).max(axis=2) > 25
    columns = np.nonzero(drawn.mean(axis=0) > 0.8)[0]
    return float(columns[0]) if len(columns) else None


def annotated(path: Path, report: Report, out: Path, *, heat: bool = False) -> dict[float, Image]:
    made = annotate_video(path, report, out, margin=0.3, heat=heat)
    return {round(frame.second, 2): frame.image for frame in read_all(made)}


def test_every_frame_comes_back_at_its_own_time(tmp_path: Path) -> None:
    seconds = [0.0, 0.04, 0.2, 0.24, 0.9, 1.0]
    path = clip(tmp_path, len(seconds), seconds=seconds)
    shown = annotated(path, report_of(path, moving_face([0.0]), [0.0]), tmp_path / "out.mp4")
    assert list(shown) == pytest.approx(seconds, abs=0.011)


def test_a_box_moves_with_the_face_between_two_samples(tmp_path: Path) -> None:
    path = clip(tmp_path)
    report = report_of(path, moving_face([0.0, 0.4, 0.8]), [0.0, 0.4, 0.8])
    shown = annotated(path, report, tmp_path / "out.mp4")
    for second in (0.0, 0.2, 0.4, 0.6, 0.8):
        assert left_edge(shown[second]) == pytest.approx(40 + 100 * second, abs=3)


def test_no_box_is_interpolated_over_more_than_four_seconds_without_detection(
    tmp_path: Path,
) -> None:
    path = clip(tmp_path, 150)
    report = report_of(path, moving_face([0.0, 0.2, 4.8, 5.0]), [0.0, 0.2, 4.8, 5.0])
    shown = annotated(path, report, tmp_path / "out.mp4")
    assert left_edge(shown[0.2]) is not None
    assert left_edge(shown[4.8]) is not None
    assert left_edge(shown[2.4]) is None
    assert (shown[2.4][-40:, :120] < 90).any(), "a note states that no frame was sampled"


def test_no_box_is_interpolated_across_a_frame_without_a_face(tmp_path: Path) -> None:
    path = clip(tmp_path, 60)
    report = report_of(path, moving_face([0.0, 0.2, 1.6, 1.8]), [0.0, 0.2, 0.9, 1.6, 1.8])
    shown = annotated(path, report, tmp_path / "out.mp4")
    assert left_edge(shown[0.2]) is not None
    assert left_edge(shown[1.6]) is not None
    assert left_edge(shown[0.6]) is None


@pytest.mark.parametrize(("second", "note"), [(0.9, "#?"), (2.0, "#0"), (0.1, None)])
def test_a_frame_without_a_box_states_the_reason(
    monkeypatch: pytest.MonkeyPatch, second: float, note: str | None
) -> None:
    """Shortly after a face was seen, "no face" would be wrong: no frame was sampled there."""
    notes: list[str] = []
    monkeypatch.setattr(movie, "draw_note", lambda image, text: notes.append(text) or image)
    report = reports.report((moving_face([0.0, 0.2, 0.8]),), [0.0, 0.2, 0.8, 1.9, 2.1])
    image = np.full((240, 320, 3), 120, np.uint8)
    movie.Annotator(report, margin=0.3).draw(Frame(second, image))
    assert notes == ([note] if note else [])


def test_nothing_is_drawn_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A video is in no language, and every sign is in the typeface of every machine."""
    labels: list[str] = []
    monkeypatch.setattr(
        movie, "draw_face", lambda image, _box, label, *_, **__: labels.append(label) or image
    )
    image = np.full((240, 320, 3), 120, np.uint8)
    for fake in (0.0, 0.004, 0.5, 0.998):
        person = moving_face([0.0], fake=fake)
        movie.Annotator(reports.report((person,), [0.0]), margin=0.3).draw(Frame(0.0, image))
    movie.Annotator(reports.untrained(), margin=0.3).draw(Frame(0.0, image))
    assert labels == ["#1 · <1 %", "#1 · <1 %", "#1 · 50 %", "#1 · >99 %", "#1 · ?"]
    missing = bytes(ImageFont.load_default(20).getmask("\uffff"))
    for sign in set("".join([*labels, movie.NO_FACE, movie.NOT_SAMPLED])) - {" "}:
        assert bytes(ImageFont.load_default(20).getmask(sign)) != missing, sign


def test_heat_is_drawn_near_its_own_frame_only_and_only_on_request(tmp_path: Path) -> None:
    path = clip(tmp_path)
    report = report_of(path, moving_face([0.0, 0.8], heat=True), [0.0, 0.8])
    warm = annotated(path, report, tmp_path / "warm.mp4", heat=True)
    cool = annotated(path, report, tmp_path / "cool.mp4", heat=False)
    middle = slice(120, 150), slice(62, 76)
    assert np.abs(warm[0.0][middle].astype(int) - 120).mean() > 20
    assert np.abs(cool[0.0][middle].astype(int) - 120).mean() < 6
    away = slice(120, 150), slice(102, 120)
    assert np.abs(warm[0.4][away].astype(int) - 120).mean() < 6


def test_a_large_video_is_shrunk_and_odd_sizes_made_even(tmp_path: Path) -> None:
    path = clip(tmp_path, 3, (1922, 1082))
    out = annotate_video(
        path, report_of(path, moving_face([0.0]), [0.0]), tmp_path / "out.mp4", margin=0.3
    )
    info = probe(out)
    assert max(info.width, info.height) <= 1280
    assert info.width / info.height == pytest.approx(1922 / 1082, rel=0.01)
    assert (info.codec, info.frames) == ("h264", 3)


def test_the_sound_stays(tmp_path: Path) -> None:
    path = clip(tmp_path, audio=True)
    report = report_of(path, moving_face([0.0]), [0.0])
    assert probe(annotate_video(path, report, tmp_path / "out.mp4", margin=0.3)).has_audio


def test_a_still_picture_is_shown_for_two_seconds(tmp_path: Path) -> None:
    from PIL import Image as Pictures

    path = tmp_path / "still.png"
    Pictures.fromarray(np.full((240, 320, 3), 120, np.uint8)).save(path)
    report = report_of(path, moving_face([0.0]), [0.0])
    shown = annotated(path, report, tmp_path / "out.mp4")
    assert max(shown) == pytest.approx(1.96, abs=0.02)
    assert all(left_edge(image) is not None for image in shown.values())


def test_faces_without_a_score_are_shown_without_one(tmp_path: Path) -> None:
    """Untrained: the box is drawn, and nothing crashes for want of a number."""
    path = clip(tmp_path, 5)
    report = replace(reports.untrained(), video=probe(path))
    nobody = report.people[0]
    moved_box = (replace(nobody.unscored[0], box=Box(40, 100, 100, 170)),)
    shown = annotated(
        path, replace(report, people=(replace(nobody, unscored=moved_box),)), tmp_path / "out.mp4"
    )
    assert left_edge(shown[0.0]) == pytest.approx(40, abs=3)


def test_a_cancelled_video_leaves_no_file_behind(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", plain(20))
    folder = tmp_path / "out"
    folder.mkdir()
    drawn: list[int] = []
    with pytest.raises(CancelledError):
        annotate_video(
            path,
            report_of(path, moving_face([0.0]), [0.0]),
            folder / "out.mp4",
            margin=0.3,
            on_progress=lambda done, total, what: drawn.append(done),
            should_stop=lambda: len(drawn) >= 3,
        )
    assert len(drawn) == 3
    assert list(folder.iterdir()) == []


def test_progress_runs_to_the_number_of_frames(tmp_path: Path) -> None:
    path = clip(tmp_path, 12)
    progress: list[tuple[int, int]] = []
    annotate_video(
        path,
        report_of(path, moving_face([0.0]), [0.0]),
        tmp_path / "out.mp4",
        margin=0.3,
        on_progress=lambda _stage, done, total: progress.append((done, total)),
    )
    assert progress[-1] == (12, 12)
    assert [done for done, _ in progress] == sorted(done for done, _ in progress)
