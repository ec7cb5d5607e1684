"""Keeps Gradio from decoding what visitors send: only a confined process may do that.

It opens every picture with Pillow, and saves many anew, before an event is told of them; and
where ffmpeg is installed it looks at every video that it shows, and converts some.
"""

from __future__ import annotations

import gradio as gr
from gradio import processing_utils
from gradio.data_classes import ImageData


def untouched(picture: gr.Image) -> gr.Image:
    """The component gives events the path of the file as it was sent, without a look at it."""
    vars(picture)["preprocess"] = _path_of
    return picture


def forbid_conversion() -> None:
    """Gradio finds no ffmpeg."""
    processing_utils.ffmpeg_installed = _never


def _path_of(payload: ImageData | None) -> str | None:
    return None if payload is None else payload.path


def _never() -> bool:
    return False
