"""Gradio opens no visitor's picture or video by itself."""

from __future__ import annotations

import base64
from pathlib import Path

import gradio as gr
import pytest
from gradio import utils
from gradio.data_classes import FileData, ImageData, ListFiles
from gradio_client.utils import apply_diff

from detector import Detector
from detector.ui.page import build_page
from detector.ui.tabs.history import HistoryEvents
from detector.video import Limits
from tests.clips import plain, write_clip


@pytest.fixture
def page(detector: Detector) -> gr.Blocks:
    return build_page({"tiny": detector}, Limits())


@pytest.fixture
def parts(page: gr.Blocks) -> list[gr.blocks.Block]:
    return list(page.blocks.values())


def rebuilt(part: gr.blocks.Block) -> gr.blocks.Block:
    """As Gradio replaces a component in a session at its first update, even an empty one."""
    return type(part)(**part.constructor_args, render=False)


def test_what_is_recorded_reaches_the_decoder_as_it_was_sent(
    parts: list[gr.blocks.Block], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradio would mirror it with ffmpeg."""
    monkeypatch.setenv("PATH", str(tmp_path))
    path = write_clip(tmp_path / "clip.avi", plain(3), codec="mpeg4")
    (camera,) = [part for part in parts if isinstance(part, gr.Video)]
    for one in (camera, rebuilt(camera)):
        assert one.preprocess(FileData(path=str(path), orig_name=path.name)) == str(path)
        assert one.preprocess(None) is None


def test_a_camera_s_picture_reaches_the_decoder_as_it_was_sent(
    parts: list[gr.blocks.Block],
) -> None:
    (camera,) = [part for part in parts if isinstance(part, gr.Image) and part.streaming]
    sent = ImageData(url="data:image/png;base64," + base64.b64encode(b"no picture").decode())
    assert camera.preprocess(sent) == b"no picture"
    for other in ("data:image/png;base64,abc", "https://example.com/a.png", ""):
        assert camera.preprocess(ImageData(path="a.png", url=other)) == b""


def test_a_file_reaches_an_event_by_its_path_and_leaves_no_other_behind(
    page: gr.Blocks, tmp_path: Path
) -> None:
    sent = FileData(path=str(tmp_path / "clip.mp4"), orig_name="clip.mp4")
    events = [event for event in page.fns.values() if event.preprocess]
    files = {part for event in events for part in event.inputs if isinstance(part, gr.File)}
    assert len(files) > 10  # the downloads as well: what was tried replaces some of them
    for part in [*files, *map(rebuilt, files)]:
        part.GRADIO_CACHE = str(tmp_path)
        if part.file_count == "single":
            assert part.preprocess(sent) == sent.path
        else:
            assert part.preprocess(ListFiles(root=[sent, sent])) == [sent.path, sent.path]
    assert list(tmp_path.iterdir()) == []


def test_no_video_is_opened_by_the_ffmpeg_of_gradio(
    parts: list[gr.blocks.Block], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on a machine where it is installed, which a Space is."""
    tools, trace = tmp_path / "tools", tmp_path / "trace"
    tools.mkdir()
    for name in ("ffmpeg", "ffprobe"):
        (tools / name).write_text(f"#!/bin/sh\ntouch {trace}\nexit 1\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=":")
    monkeypatch.chdir(tmp_path)
    path = write_clip(tmp_path / "clip.avi", plain(3), codec="mpeg4")
    videos = [part for part in parts if isinstance(part, gr.Video)]
    assert videos
    for video in videos:
        video.postprocess(path)
    assert not trace.exists()


def test_the_files_of_a_tab_that_is_added_are_noted_and_can_be_deleted(page: gr.Blocks) -> None:
    """No list names the tabs: whatever takes files from a visitor is found."""
    with page:
        given = gr.File(label="Another tab")
    events = HistoryEvents(page)
    assert given in events.uploads
    assert given in events.holders
    assert {"upload", "batch-given", "verify-report", "verify-video"} <= {
        block.elem_id for block in events.uploads
    }
    assert "downloads" not in {block.elem_id for block in events.uploads}


def test_a_step_that_follows_quickly_does_not_change_what_was_not_shown_yet(
    page: gr.Blocks,
) -> None:
    """Gradio's page kept the values of a step until it painted, and changed them meanwhile."""
    steps = [{"visible": True, "__type__": "update"}, {"__type__": "update"}]
    (edit,) = utils.diff(*steps)
    assert apply_diff(steps[0], [edit]) == steps[1]
    assert steps[0]["visible"]
    assert utils.diff(steps[0], dict(steps[0])) == []
