"""Saves a frame of the viewer at the size of the original, which a player does not show.

The viewer requests the frame of a moment (`download`); the answer is a file, or None where the
original cannot be read, or not soon. Then the viewer saves what it shows.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData, GradioModel

from detector.records import Report
from detector.service.jobs import Step
from detector.ui.handlers import Detectors, Question, original_frame

ELEM_ID = "saved-frame"
PATIENCE = 8.0  # seconds in the queue behind others, after which what is shown is saved
ON_VALUE = """watch('value', () => document.dispatchEvent(
  new CustomEvent('viewer-frame', { detail: props.value })));"""


class SavedFrame(GradioModel):
    """The answer to the request `ticket`."""

    ticket: int
    file: FileData | None


def build_saving(
    detectors: Detectors, viewer: gr.HTML, answered: gr.State, heavy: dict[str, Any]
) -> None:
    """Wire `viewer` to what saves its frames; the value of `answered` is the visitor's question
    and its report, or None."""
    saved = gr.HTML(
        html_template="", js_on_load=ON_VALUE, visible="hidden", elem_id=ELEM_ID, padding=False
    )
    saved.data_model = SavedFrame

    def save(answer: tuple[Question, Report] | None, event: gr.EventData) -> Iterator[SavedFrame]:
        ticket, second = int(event.ticket), float(event.second)
        if answer is None or not math.isfinite(second):
            yield SavedFrame(ticket=ticket, file=None)
            return
        # A generator: Gradio copies the file before the folder is deleted.
        with tempfile.TemporaryDirectory(prefix="frame-") as folder:
            path = _saved(detectors, answer, second, Path(folder))
            file = None if path is None else FileData(path=str(path), orig_name=path.name)
            yield SavedFrame(ticket=ticket, file=file)

    viewer.download(
        save, answered, saved, show_progress="hidden", api_visibility="private", **heavy
    )


def _saved(
    detectors: Detectors, answer: tuple[Question, Report], second: float, folder: Path
) -> Path | None:
    question, report = answer
    end = time.monotonic() + PATIENCE
    steps = original_frame(detectors[question.model], question, report, second, folder)
    with closing(steps):
        for item in steps:
            if isinstance(item, Path):
                return item
            if isinstance(item, Step) and item.place is not None and time.monotonic() > end:
                break
    return None
