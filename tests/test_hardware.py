"""Decoding on a GPU gives the frames of software decoding, and without one nothing changes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from detector import Detector, pipeline
from detector.records import Image
from detector.render.document import to_json
from detector.settings import Settings
from detector.video import decode, hardware, reading
from detector.video.drawing import Drawing
from detector.video.packets import DecodeNotes
from detector.video.sampling import SamplingRange
from tests.bench.scene import scene
from tests.clips import write_clip
from tests.tiny import tiny_weights


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", scene(30, (640, 360)), fps=30.0)


def frames_of(path: Path) -> list[VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def drawn(frame: VideoFrame) -> Image:
    return Drawing((frame.width, frame.height), DecodeNotes())(frame)


def read(path: Path, *, on_gpu: bool) -> list[Image]:
    with reading.opened(path, on_gpu=on_gpu) as file:
        clips = file.clips([SamplingRange(12)], DecodeNotes())
        return [frame.image for clip in clips for frame in clip]


@pytest.mark.parametrize("matrix", [1, 2, 8])  # BT.709, none, and one that FFmpeg refuses
@pytest.mark.parametrize(
    ("software", "gpu"), [("yuv420p", "nv12"), ("yuvj420p", "nv12"), ("yuv420p10le", "p010le")]
)
def test_a_frame_as_a_gpu_returns_it_becomes_the_same_picture(
    tmp_path: Path, software: str, gpu: str, matrix: int
) -> None:
    path = write_clip(tmp_path / "clip.mp4", scene(4, (320, 240)), pixel_format=software)
    plain, other = frames_of(path)[-1], frames_of(path)[-1]
    stored = VideoReformatter().reformat(other, format=gpu)
    plain.colorspace = stored.colorspace = matrix
    assert (plain.format.name, stored.format.name) == (software, gpu)
    np.testing.assert_array_equal(drawn(stored), drawn(plain))


@pytest.fixture
def untried() -> Iterator[None]:
    """The result of the trial of this machine is kept; here it is another one's."""
    hardware.gpu_decodes.cache_clear()
    yield
    hardware.gpu_decodes.cache_clear()


@pytest.mark.usefixtures("untried")
def test_where_no_gpu_decodes_files_are_confined_as_ever_and_the_reason_is_logged(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hardware, "HWAccel", lambda *_, **__: None)  # as FFmpeg falls back
    with caplog.at_level(logging.WARNING):
        detector = Detector.load(tiny_weights(tmp_path) / "tiny.safetensors", decode_on_gpu=True)
    assert detector.isolate
    assert any("No GPU decodes video here" in text for text in caplog.messages)
    assert detector.analyze(clip, Settings(frames=8)).status == "ok"


@pytest.mark.usefixtures("untried")
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_machine_without_a_gpu_decodes_on_none(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert not hardware.gpu_decodes()
    assert any("No GPU decodes video here" in text for text in caplog.messages)


def test_decoding_on_a_gpu_changes_nothing_in_a_report(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tiny_weights(tmp_path) / "tiny.safetensors"
    monkeypatch.setattr(pipeline, "gpu_decodes", lambda: True)
    monkeypatch.setattr(decode, "accelerator", lambda: None)  # all of it is left to software
    there = Detector.load(weights, decode_on_gpu=True)
    assert not there.isolate
    reports = [each.analyze(clip, Settings(frames=8)) for each in (Detector.load(weights), there)]
    same = {"timing_ms": {}, "created_utc": ""}
    confined, here = (to_json(report) | same for report in reports)
    assert here == confined


@pytest.mark.gpu
@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9"])
def test_on_a_gpu_the_frames_are_those_of_software(tmp_path: Path, codec: str) -> None:
    if not hardware.gpu_decodes():
        pytest.skip("the GPU, or its driver in this container, decodes no video")
    path = write_clip(tmp_path / "clip.mkv", scene(60, (640, 360)), fps=30.0, codec=codec)
    for ours, theirs in zip(read(path, on_gpu=True), read(path, on_gpu=False), strict=True):
        np.testing.assert_array_equal(ours, theirs)
