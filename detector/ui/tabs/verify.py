"""The tab in which a report and a file come back, and what holds of the report is shown."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from detector.errors import ReportError, VideoError, shown
from detector.progress import OnProgress, ShouldStop
from detector.service.jobs import Step, run_job
from detector.ui import html
from detector.ui.gradio_patches import untouched
from detector.ui.handlers import Detectors
from detector.verify.report_reader import MAX_BYTES, read_claims
from detector.verify.verify import LISTED, Verification, verify_origin, verify_report

_MARKS = {
    True: ("holds", "✓", "Yes"),
    False: ("fails", "✕", "No"),
    None: ("open", "–", "Not asked"),
}
INTRODUCTION = (
    '<section class="welcome"><h2>Does this report hold?</h2><ol>'
    "<li><b>Same file?</b><span>to the last byte, by its SHA-256</span></li>"
    "<li><b>Same weights?</b><span>those that the report names, by their SHA-256</span></li>"
    "<li><b>Same answer?</b><span>analysed again with the report's own settings</span></li>"
    "</ol></section>"
)


def compare(
    detectors: Detectors, video: str, report: str, rerun: bool
) -> Generator[Step | Verification | ReportError | VideoError, None, None]:
    """The steps of a second analysis, then what came of the comparison, or why there is none."""
    text, path = Path(report).read_bytes()[: MAX_BYTES + 1], Path(video)
    everyone = list(detectors.values())

    def work(on_progress: OnProgress, should_stop: ShouldStop) -> Verification:
        if not rerun:
            return verify_origin(read_claims(text), path, everyone)
        return verify_report(text, path, everyone, on_progress=on_progress, should_stop=should_stop)

    try:
        yield from run_job(work)
    except (ReportError, VideoError) as error:
        yield error


def build_verify(detectors: Detectors, heavy: dict[str, Any]) -> None:
    """Add the tab's components to the page that is being built."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            report = untouched(
                gr.File(
                    label="The report (JSON)",
                    file_types=[".json"],
                    elem_id="verify-report",
                    height=130,
                )
            )
            video = untouched(
                gr.File(label="The video or picture", elem_id="verify-video", height=130)
            )
            rerun = gr.Checkbox(True, label="Analyse it again and compare the answers")
            with gr.Row():
                start = gr.Button("Verify", variant="primary", elem_id="verify-start", scale=3)
                cancel = gr.Button("Cancel", elem_id="verify-cancel", scale=1)
        with gr.Column(scale=7, min_width=320):
            answer = gr.HTML(INTRODUCTION, elem_id="verification", elem_classes="report")

    def verify(video: str | None, report: str | None, rerun: bool) -> Iterator[str]:
        if not report or not video:
            raise gr.Error("Choose a report and the file it is about.", title="Nothing to compare")
        with closing(compare(detectors, video, report, rerun)) as steps:
            for item in steps:
                if isinstance(item, Step):
                    yield html.working(item)
                else:
                    yield verification_card(item, Path(video).name)

    running = start.click(
        verify,
        [video, report, rerun],
        answer,
        show_progress="hidden",
        api_visibility="private",
        **heavy,
    )
    # In this order: else the running event's last step could be the last word.
    light: dict[str, Any] = {"queue": False, "api_visibility": "private"}
    cancel.click(None, cancels=running, **light).then(html.cancelled, None, answer, **light)
    # What was compared is no longer what stands beside the answer.
    inputs = [given.change for given in (report, video, rerun)]
    gr.on(inputs, None, cancels=running, **light).then(lambda: INTRODUCTION, None, answer, **light)


def verification_card(found: Verification | ReportError | VideoError, name: str) -> str:
    """What holds, question by question, and where the report says something else; `name` is that
    of the file that was compared."""
    if isinstance(found, VideoError):
        return html.problem(found)
    if isinstance(found, ReportError):
        return html.no_answer(str(found), "Nothing was compared.")
    rows = "".join(_row(*answer) for answer in found.answers())
    title = "Everything in this report holds" if found.ok else "This report is not confirmed"
    tone = "no_sign" if found.ok else "undecided"
    if False in (found.same_file, found.same_weights, found.same_score):
        title, tone = "This report does not hold", "fake"
    gap = ""
    if found.max_abs_diff is not None:
        gap = f'<p class="soft small">Largest difference of a score: {found.max_abs_diff:.4f}.</p>'
    return (
        f'<section class="answer verification {tone}"><p class="soft small" translate="no">'
        f'{escape(shown(name))}</p><h1>{title}</h1><ul class="answers">{rows}'
        f"</ul>{gap}{_differences(found)}</section>"
    )


def _row(question: str, holds: bool | None, sentence: str) -> str:
    kind, mark, word = _MARKS[holds]
    return (
        f'<li class="{kind}"><i aria-hidden="true">{mark}</i><b>{question}: {word}</b>'
        f"<span>{sentence}</span></li>"
    )


def _differences(found: Verification) -> str:
    if not found.differences:
        return ""
    rows = "".join(
        f"<tr><td>{_short(part.where)}</td><td>{_short(part.reported)}</td>"
        f"<td>{_short(part.found)}</td></tr>"
        for part in found.differences[:LISTED]
    )
    more = len(found.differences) - LISTED
    rest = f'<p class="soft small">and {more} more</p>' if more > 0 else ""
    return (
        '<div class="wide"><table><caption>Where it differs</caption><thead><tr>'
        '<th scope="col">In the report</th><th scope="col">It says</th>'
        f'<th scope="col">Found</th></tr></thead><tbody>{rows}</tbody></table></div>{rest}'
    )


def _short(value: object) -> str:
    text = str(value)
    return escape(text if len(text) <= 60 else f"{text[:60]}…")
