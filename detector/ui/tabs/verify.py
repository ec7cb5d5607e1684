"""The tab in which a report is compared with a file, and the result of each check is shown."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from detector.errors import ReportError, VideoError, shown
from detector.language import _, lazy, mark
from detector.progress import OnProgress, ShouldStop
from detector.service.jobs import Step, run_job
from detector.ui import html
from detector.ui.cancelling import build_cancel, cancellable, wire_cancel
from detector.ui.greeting import greeting
from detector.ui.handlers import Detectors
from detector.ui.templates import piece, steps
from detector.verify.report_reader import MAX_BYTES, read_claims
from detector.verify.verify import LISTED, Verification, verify_origin, verify_report

_MARKS = {
    True: ("holds", "✓", lazy("Yes")),
    False: ("fails", "✕", lazy("No")),
    None: ("open", "–", lazy("Not checked")),
}


def introduction() -> Markup:
    return steps(
        _("Is this report correct?"),
        (_("Same file?"), _("to the last byte, by its SHA-256")),
        (_("Same weights?"), _("those that the report names, by their SHA-256")),
        (_("Same answer?"), _("analysed again with the report's own settings")),
    )


def compare(
    detectors: Detectors, video: str, report: str, rerun: bool
) -> Generator[Step | Verification | ReportError | VideoError, None, None]:
    """The steps of a second analysis, then what came of the comparison, or why there is none."""
    # One byte more, so that a report that is too long is recognised as such.
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
            report = gr.File(
                label=mark("The report (JSON)"),
                file_types=[".json"],
                elem_id="verify-report",
                height=130,
            )
            video = gr.File(label=mark("The video or picture"), elem_id="verify-video", height=130)
            rerun = gr.Checkbox(True, label=mark("Analyse it again and compare the answers"))
            with gr.Row():
                start = gr.Button(
                    mark("Verify"), variant="primary", elem_id="verify-start", scale=3
                )
                cancel = build_cancel(mark("Cancel"), "verify-cancel")
        with gr.Column(scale=7, min_width=320):
            answer = greeting(gr.HTML, introduction, elem_id="verification", elem_classes="report")

    def verify(video: str | None, report: str | None, rerun: bool) -> Iterator[dict[Any, Any]]:
        if not report or not video:
            raise gr.Error(
                _("Choose a report and the file it is about."), title=_("Nothing to compare")
            )
        with closing(compare(detectors, video, report, rerun)) as steps:
            shown = ({answer: _shown(item, Path(video).name)} for item in steps)
            yield from cancellable(cancel, shown)

    running = start.click(
        verify,
        [video, report, rerun],
        [answer, cancel],
        show_progress="hidden",
        api_visibility="private",
        **heavy,
    )
    light: dict[str, Any] = {"queue": False, "api_visibility": "private"}
    stopped = wire_cancel(cancel, running)
    stopped.then(html.cancelled, None, answer, **light)
    # What was compared is no longer what is beside the answer.
    inputs = [given.change for given in (report, video, rerun)]
    changed = gr.on(inputs, None, cancels=running, **light)
    cleared = changed.then(introduction, None, answer, **light)
    cleared.then(lambda: gr.update(interactive=False), None, cancel, **light)


def _shown(item: Step | Verification | ReportError | VideoError, name: str) -> Markup:
    return html.working(item) if isinstance(item, Step) else verification_card(item, name)


def verification_card(found: Verification | ReportError | VideoError, name: str) -> Markup:
    """The result of each check, and where the report differs; `name` is that of the file that was
    compared."""
    if isinstance(found, VideoError):
        return html.problem(found)
    if isinstance(found, ReportError):
        return html.no_answer(str(found), _("Nothing was compared."))
    title, tone = _outcome(found)
    gap = found.max_abs_diff
    return piece(
        "verification.html",
        title=title,
        tone=tone,
        name=shown(name),
        answers=[_answer(*answer) for answer in found.answers()],
        gap="" if gap is None else f"{gap:.4f}",
        differences=[
            tuple(map(_short, (part.where, part.reported, part.found)))
            for part in found.differences[:LISTED]
        ],
        more=len(found.differences) - LISTED,
    )


def _outcome(found: Verification) -> tuple[str, str]:
    """The title of the card, and its CSS class."""
    if False in (found.same_file, found.same_weights, found.same_score):
        return _("This report is not correct"), "fake"
    if found.ok:
        return _("Everything in this report is correct"), "no_sign"
    return _("This report is not confirmed"), "undecided"


def _answer(question: str, confirmed: bool | None, sentence: str) -> tuple[str, str, str, str]:
    kind, sign, word = _MARKS[confirmed]
    return kind, sign, _("{question}: {answer}", question=question, answer=word), sentence


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
