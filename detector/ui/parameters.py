"""The parameters of the public endpoints, and what a caller gave as `Settings`."""

from __future__ import annotations

from typing import Any

import gradio as gr

from detector.heat_methods import DEFAULT_METHOD
from detector.settings import HEAT_METHODS, Settings

NO_HEAT = "none"


def file_and_settings() -> list[gr.Component]:
    """The parameters of an analysis: a file, how closely to analyse it, and which model."""
    # In the order of the endpoints' arguments, and labelled by their names.
    return [
        gr.File(label="video"),
        gr.Number(0, label="n_frames", precision=0),
        gr.Number(8, label="max_faces", precision=0),
        gr.Number(None, label="threshold"),
        gr.Textbox("", label="model"),
    ]


def stretch_and_track() -> list[gr.Component]:
    """The parameters that name a part of the file."""
    return [
        gr.Number(0, label="start"),
        gr.Number(None, label="end"),
        gr.Number(0, label="track", precision=0),
    ]


def part_of(start: float | None, end: float | None, track: int | None) -> dict[str, Any]:
    """Fields of `Settings`; what a caller leaves empty is the whole file and its own track."""
    return {"start": float(start or 0), "end": end, "track": int(track or 0)}


def method_choice(*more: str) -> gr.Dropdown:
    """A parameter that names a kind of heat map; the first of `more` is the default."""
    value = more[0] if more else DEFAULT_METHOD
    return gr.Dropdown([*more, *HEAT_METHODS], value=value, label="heat_method")


def read_settings(**given: Any) -> Settings:
    """What the caller gave as `Settings`; gr.Error names a number out of range."""
    try:
        return Settings(**given)
    except ValueError as error:
        # A mistake of the caller: no traceback in our log.
        raise gr.Error(f"{error}.", print_exception=False) from error
