"""The one place for the visitor's file, a video or a picture: dropped, chosen or recorded, and
shown."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from markupsafe import Markup

from detector.language import _, mark
from detector.records import VideoInfo
from detector.ui.templates import piece

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
# A browser may lack the codec that this machine has.
UNSHOWN = """const unshown = ({ target }) => {
  if (!target.matches('img, video') || target.videoWidth > 0) return;
  target.hidden = true;
  element.querySelector('figcaption').hidden = false;
};
for (const kind of ['error', 'loadedmetadata']) element.addEventListener(kind, unshown, true);"""


def build_given() -> tuple[gr.File, gr.HTML]:
    """Add the place to drop a file, what is shown of it, and a camera behind a button; returns
    the first two."""
    file = gr.File(label=mark("Video or picture"), elem_id="upload", height=190)
    preview = gr.HTML(elem_id="preview", js_on_load=UNSHOWN)
    _add_camera(file)
    return file, preview


def shown_preview(path: Path | None, info: VideoInfo | None) -> Markup:
    """The file as a browser shows it. `info`, what its content is, is None where that is not known
    yet."""
    if path is None:
        return Markup()
    still = is_picture(path, info)
    # A relative address, so that it is right behind a proxy with a prefix, too.
    return piece("preview.html", url=f"gradio_api/file={quote(path.as_posix())}", still=still)


def is_picture(path: Path, info: VideoInfo | None) -> bool:
    """By its content; by its name where `info` is None."""
    if info is not None:
        return info.is_still
    return (mimetypes.guess_type(path.name)[0] or "").startswith("image/")


def _add_camera(file: gr.File) -> None:
    """A camera that is shown on demand; what it records becomes the value of `file`."""
    is_open = gr.State(False)
    switch = gr.Button(mark("Record with the camera"), elem_id="record")
    with gr.Column(visible=False) as place:
        camera = gr.Video(
            label=mark("Your camera"),
            sources=["webcam"],
            include_audio=True,
            height=320,
            elem_id="recorder",
        )

    def turned(on: bool) -> list[Any]:
        label = _("Close the camera") if on else _("Record with the camera")
        return [on, gr.update(value=label), gr.update(visible=on), None]

    def taken(path: str | None) -> list[Any]:
        # Without a path it is the change that `turned` itself makes by emptying the camera.
        return [path, *turned(False)] if path else [gr.skip()] * 5

    shown: list[Any] = [is_open, switch, place, camera]
    switch.click(lambda was_open: turned(not was_open), is_open, shown, **QUIET)
    camera.change(taken, camera, [file, *shown], **QUIET)
