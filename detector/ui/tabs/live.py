"""The tab that scores a camera while it runs: the last two seconds, again and again."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr
from markupsafe import Markup

from detector.errors import VideoError
from detector.language import _, mark
from detector.records import Report, verdict_name
from detector.settings import Settings
from detector.text.figures import whole_seconds
from detector.text.summary import headline, percent, verdict_text
from detector.ui import html
from detector.ui.greeting import greeting
from detector.ui.handlers import Detectors
from detector.ui.templates import piece, section, steps
from detector.video.live import (
    EVERY_SECONDS,
    TIME_LIMIT,
    WINDOW,
    Stream,
    clips_of,
    notified,
)

# Two cameras at most: a stream keeps its place as long as it runs.
LIVE: dict[str, Any] = {"concurrency_id": "live", "concurrency_limit": 2}
# Gradio's own limit counts the time of work, not of watching, and its camera starts anew after it:
# it is for a browser that does not stop, and comes later than ours, however slow a score is.
SPARE_SECONDS = 60
STOP = """watch('value', () => {
  // The same button would start a camera that has stopped already.
  const stop = document.querySelector('#camera .button-wrap [title="stop recording"]');
  if (element.querySelector('[data-over]')) stop?.closest('button').click();
});"""


def introduction() -> Markup:
    return steps(
        _("Your camera, scored while it runs"),
        (_("A window of {count} pictures slides along", count=WINDOW), _("about two seconds")),
        (_("What is missed is counted"), _("pictures go by while the network works")),
        (
            _("It ends after {seconds} seconds", seconds=TIME_LIMIT),
            _("pictures are released as soon as they are scored"),
        ),
    )


def build_live(detectors: Detectors) -> None:
    """Add the tab's components to the page that is being built."""
    detector = next(iter(detectors.values()))
    stream = gr.State(Stream())
    with gr.Row(equal_height=False):
        with gr.Column(scale=6, min_width=320):
            camera = gr.Image(
                sources=["webcam"],
                streaming=True,
                label=mark("Your camera"),
                elem_id="camera",
                height=400,
            )
        with gr.Column(scale=5, min_width=320):
            shown = greeting(
                gr.HTML, introduction, js_on_load=STOP, elem_id="live", elem_classes="report"
            )

    def on_picture(picture: bytes | None, stream: Stream) -> tuple[str, Stream]:
        if picture is None:  # the camera was turned off
            return introduction(), Stream()
        stream = stream.take(picture, time.monotonic())
        if stream.overdue:  # a browser that did not stop
            raise gr.Error(_("The camera's time is over."), print_exception=False)
        if stream.elapsed > TIME_LIMIT:
            return over(), notified(stream)
        if not stream.due:
            return (waiting(stream), stream) if not stream.scores else (gr.skip(), stream)
        begun = time.monotonic()
        try:
            report = detector.analyze_clips(
                clips_of(stream.shots), Settings(frames=WINDOW, heat=False)
            )
        except VideoError as error:
            return html.problem(error), Stream()
        now = time.monotonic()
        stream = stream.scored(report, now - begun, now)
        return live_card(stream, report), stream

    camera.stream(
        on_picture,
        [camera, stream],
        [shown, stream],
        time_limit=TIME_LIMIT + SPARE_SECONDS,
        stream_every=EVERY_SECONDS,
        show_progress="hidden",
        api_visibility="private",
        **LIVE,
    )


def waiting(stream: Stream) -> Markup:
    more = _("1 more picture")
    if stream.missing > 1:
        more = _("{count} more pictures", count=stream.missing)
    return section("working", _("Filling the first window"), more)


def over() -> Markup:
    """The camera's time is used up; the mark in it has the browser stop."""
    return section(
        "welcome",
        _("The {seconds} seconds are over", seconds=TIME_LIMIT),
        _("The camera was stopped. After a few seconds you can start it again."),
        data_over="",
    )


def live_card(stream: Stream, report: Report) -> Markup:
    """The newest window's answer, the ones before it, and what was missed."""
    last = stream.scores[-1]
    return piece(
        "live.html",
        tone=verdict_name(report.verdict) or "none",
        verdict=verdict_text(report.verdict),
        number=_("No score") if last.fake is None else percent(last.fake),
        headline=headline_now(report),
        # In units of the drawing, as in `_trend`.
        limit=f"{62 - 58 * report.threshold:.1f}",
        marks=_trend(stream),
        facts=[
            (_("Answer after"), f"{last.took * 1000:.0f} ms"),
            (_("Pictures seen"), str(stream.received)),
            (_("Dropped"), str(stream.dropped)),
            (_("Time left"), whole_seconds(max(TIME_LIMIT - stream.elapsed, 0))),
        ],
    )


def headline_now(report: Report) -> str:
    """The headline; a live picture has no moments to go back to."""
    return headline(report, timed=False)


def _trend(stream: Stream) -> list[tuple[str, str, str]]:
    """Where the scores so far lie from left to right, as x, y and in words; a gap where there
    was none."""
    # In units of the drawing in live.html, 300 wide and 66 high: scores from y = 62 up to 4.
    return [
        (
            f"{4 + 292 * score.second / TIME_LIMIT:.1f}",
            f"{62 - 58 * score.fake:.1f}",
            f"{whole_seconds(score.second)}: {percent(score.fake)}",
        )
        for score in stream.scores
        if score.fake is not None
    ]
