"""The tab that scores a camera while it runs: the last two seconds, again and again."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from detector.errors import VideoError
from detector.live import (
    EVERY_SECONDS,
    PAUSE_SECONDS,
    TIME_LIMIT,
    WINDOW,
    Stream,
    clips_of,
)
from detector.records import Report, verdict_name
from detector.render.templates import definitions
from detector.settings import Settings
from detector.text.summary import headline, percent, verdict_text
from detector.ui import html
from detector.ui.gradio_patches import undecoded
from detector.ui.handlers import Detectors

# Two cameras at most: a stream holds its place as long as it runs.
LIVE: dict[str, Any] = {"concurrency_id": "live", "concurrency_limit": 2}
INTRODUCTION = (
    '<section class="welcome"><h2>Your camera, scored while it runs</h2><ol>'
    f"<li><b>A window of {WINDOW} pictures slides along</b><span>about two seconds</span></li>"
    "<li><b>What is missed is counted</b><span>pictures go by while the network works</span></li>"
    f"<li><b>It ends after {TIME_LIMIT} seconds</b><span>pictures are let go as soon as "
    "they are scored</span></li></ol></section>"
)
# Gradio's own limit counts the time of work, not of watching, and its camera starts anew after it.
STOP = """watch('value', () => {
  const stop = document.querySelector('#camera .button-wrap button');
  if (element.querySelector('[data-over]')) stop.click();
});"""


def build_live(detectors: Detectors) -> None:
    """Add the tab's components to the page that is being built."""
    detector = next(iter(detectors.values()))
    stream = gr.State(Stream())
    with gr.Row(equal_height=False):
        with gr.Column(scale=6, min_width=320):
            camera = undecoded(
                gr.Image(
                    sources=["webcam"],
                    streaming=True,
                    label="Your camera",
                    elem_id="camera",
                    height=400,
                )
            )
        with gr.Column(scale=5, min_width=320):
            shown = gr.HTML(INTRODUCTION, js_on_load=STOP, elem_id="live", elem_classes="report")

    def look(picture: bytes | None, stream: Stream) -> tuple[str, Stream]:
        if picture is None:
            return INTRODUCTION, Stream()
        stream = stream.take(picture, time.monotonic())
        if stream.elapsed > TIME_LIMIT + PAUSE_SECONDS:  # a browser that does not do as asked
            raise gr.Error("The camera's time is over.", print_exception=False)
        if stream.elapsed > TIME_LIMIT:
            return over(), stream
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
        look,
        [camera, stream],
        [shown, stream],
        time_limit=TIME_LIMIT,
        stream_every=EVERY_SECONDS,
        show_progress="hidden",
        api_visibility="private",
        **LIVE,
    )


def waiting(stream: Stream) -> str:
    return (
        '<section class="working"><h2>Filling the first window</h2>'
        f"<p>{stream.missing} more picture{'s' * (stream.missing > 1)}</p></section>"
    )


def over() -> str:
    """The camera's time is used up; the mark in it has the browser stop."""
    return (
        f'<section class="welcome" data-over><h2>The {TIME_LIMIT} seconds are over</h2>'
        "<p>The camera was stopped. After a few seconds you can start it again.</p></section>"
    )


def live_card(stream: Stream, report: Report) -> str:
    """The newest window's answer, the ones before it, and what was missed."""
    last = stream.scores[-1]
    number = "No score" if last.fake is None else percent(last.fake)
    facts = [
        ("Answer after", f"{last.took * 1000:.0f} ms"),
        ("Pictures seen", str(stream.seen)),
        ("Dropped", str(stream.dropped)),
        ("Time left", f"{max(TIME_LIMIT - stream.elapsed, 0):.0f} s"),
    ]
    return (
        f'<section class="answer {verdict_name(report.verdict) or "none"}" aria-live="polite">'
        f'<span class="badge">{verdict_text(report.verdict)}</span>'
        f'<p class="number">{number}</p><p>{headline_now(report)}</p>{_trend(stream, report)}'
        f"{definitions('facts', facts)}</section>"
    )


def headline_now(report: Report) -> str:
    """The headline; a live picture has no moments to go back to."""
    return headline(report, timed=False)


def _trend(stream: Stream, report: Report) -> str:
    """The scores so far as a line from left to right; a gap where there was none."""
    marks = [
        f'<circle cx="{4 + 292 * score.second / TIME_LIMIT:.1f}" cy="{62 - 58 * score.fake:.1f}" '
        f'r="3"><title>{score.second:.0f} s: {percent(score.fake)}</title></circle>'
        for score in stream.scores
        if score.fake is not None
    ]
    limit = f"{62 - 58 * report.threshold:.1f}"
    return (
        '<svg class="trend" viewBox="0 0 300 66" role="img" aria-label="Scores so far">'
        f'<line x1="4" x2="296" y1="{limit}" y2="{limit}"/>{"".join(marks)}</svg>'
    )
