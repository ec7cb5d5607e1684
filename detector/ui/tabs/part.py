"""Which part of a file is analysed, and how long that will take, shown before it begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from detector.errors import VideoError
from detector.language import _, joined, mark
from detector.records import VideoInfo
from detector.scoring.coverage import frames_again, frames_for
from detector.service.admission import Served
from detector.settings import Settings
from detector.text.figures import clock, length_text, moment


@dataclass(frozen=True, slots=True)
class Part:
    """The components: a stretch of time, the place of what only a video has, a video track, the
    file's facts, and the plan."""

    start: gr.Textbox
    end: gr.Textbox
    of_video: gr.Column
    track: gr.Dropdown
    info: gr.State
    plan: gr.HTML


def build_plan() -> tuple[gr.Dropdown, gr.State, gr.HTML]:
    """Add the choice of a video track, shown where a file has several, and the plan."""
    track = gr.Dropdown(
        [("1", 0)], value=0, label=mark("Video track"), visible=False, elem_id="track"
    )
    return track, gr.State(None), gr.HTML(elem_id="plan", elem_classes="report")


def build_stretch() -> tuple[gr.Textbox, gr.Textbox]:
    """Add the choice of a stretch of time."""
    with gr.Row():
        return (
            gr.Textbox(
                label=mark("From"), placeholder="0:00", max_lines=1, min_width=90, elem_id="from"
            ),
            gr.Textbox(
                label=mark("To"), placeholder=mark("end"), max_lines=1, min_width=90, elem_id="to"
            ),
        )


def with_part(settings: Settings, start: str, end: str, track: int | None) -> Settings:
    """`settings` with the values of the components. Raises gr.Error, which the visitor reads, for a
    moment that is none."""
    first, last = _moment(start) or 0.0, _moment(end)
    if last is not None and last <= first:
        raise gr.Error(
            _("The part must end after it begins: {start} to {end}.", start=start, end=end),
            print_exception=False,
        )
    return replace(settings, start=first, end=last, track=int(track or 0))


def _moment(text: str) -> float | None:
    if not (text or "").strip():  # an emptied box sends None
        return None
    try:
        return moment(text)
    except ValueError as error:
        raise gr.Error(
            _("{moment} is no moment of a video; write it as 83.5 or 1:23.5.", moment=text),
            print_exception=False,
        ) from error


def inspected(detector: Served, path: Path | None) -> tuple[VideoInfo | None, str]:
    """The facts of a file, or a sentence on why it cannot be used; neither while others are being
    served, who would have to wait for it."""
    if not path or len(detector.admission.queue):
        return None, ""
    try:
        return detector.inspect(path), ""
    except VideoError as error:
        return None, str(error)


def track_choices(info: VideoInfo | None) -> list[tuple[str, int]]:
    """The tracks of a file by name and number; the one that a player shows, first, is 0."""
    if info is None or len(info.tracks) < 2:
        return []
    named = {
        track.number: f"{track.number} · {track.codec} · {track.width} × {track.height}"
        for track in info.tracks
    }
    others = [(name, number) for number, name in named.items() if number != info.track]
    return [(_("{track} (shown by players)", track=named[info.track]), 0), *others]


def plan_text(detector: Served, info: VideoInfo | None, settings: Settings) -> str:
    """How long the file is, how much of it will be analysed, and how long that takes here."""
    if info is None:
        return ""
    if info.is_still:
        return _("A picture of {width} × {height} pixels.", width=info.width, height=info.height)
    first = frames_for(settings, info)
    more = frames_again(settings, first)
    first = min(first, info.frames or first)  # 0 where the number of frames is unknown
    sentences = [
        _(
            "{length} long, {width} × {height}.",
            length=length_text(info.seconds),
            width=info.width,
            height=info.height,
        ),
        _frame_count(first, min(more, max(info.frames - first, 0) if info.frames else more)),
    ]
    if settings.start or settings.end is not None:
        end = info.seconds if settings.end is None else min(settings.end, info.seconds)
        sentences.insert(
            1, _("From {start} to {end}.", start=clock(settings.start), end=clock(end))
        )
    return joined(*sentences, _time(detector, first))


def _frame_count(first: int, more: int) -> str:
    if more <= 0:
        return _("{count} frames will be analysed.", count=first)
    return _(
        "{count} frames will be analysed, and up to {more} more where doubt is left.",
        count=first,
        more=more,
    )


def _time(detector: Served, frames: int) -> str:
    minutes = f"{detector.admission.terms.job_seconds / 60:g}"
    seconds = detector.admission.pace.seconds(detector.info.id, frames)
    if seconds is None:
        return _("It stops after {minutes} minutes.", minutes=minutes)
    return _(
        "About {time} on this machine; it stops after {minutes} minutes.",
        time=length_text(max(seconds, 1.0)),  # a part of a second is no wait
        minutes=minutes,
    )


def shown_plan(text: str) -> Markup:
    return Markup("<p>{}</p>").format(text) if text else Markup("")


def track_update(info: VideoInfo | None) -> Any:
    """The choice of a track, shown where there is one."""
    choices = track_choices(info)
    # Never without a choice: Gradio rejects a value that is not among them.
    return gr.update(choices=choices or [("1", 0)], value=0, visible=bool(choices))
