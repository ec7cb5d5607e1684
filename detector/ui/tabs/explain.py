"""The panel of explanations: why one frame, how robust the score is, and the findings retold.

Nothing in it is computed before its button is pressed. The visitor's report is kept in their
session, no longer than their files; what is shown comes from the detector, behind the admission.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from detector.errors import VideoError
from detector.heat_methods import DEFAULT_METHOD
from detector.language import _, lazy, mark
from detector.records import Report, Status
from detector.render.html import closeup, robustness
from detector.render.sections import retelling
from detector.service.identity import visitor_language
from detector.service.jobs import Step
from detector.service.temp_files import KEPT_SECONDS
from detector.settings import HEAT_METHODS, HEAT_TARGETS, FrameQuestion
from detector.text.llm import narrator_of
from detector.text.phrases import TARGET_NAMES
from detector.ui import html
from detector.ui.cancelling import build_cancel, cancellable, wire_cancel
from detector.ui.greeting import greeting
from detector.ui.handlers import (
    Detectors,
    Question,
    explain,
    retell,
    try_copies,
    write_documents,
)
from detector.ui.templates import section

Answered = tuple[Question, Report]
Updates = dict[gr.Component, Any]
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
NOT_CONFIGURED = lazy("No language model is configured here, so nothing can be retold.")
# What the viewer shows now stands in its data attributes (viewer.js).
AT_THE_VIEWER = """(answered, method, of) => {
  const shown = document.querySelector("#viewer [data-part=viewer]").dataset;
  return [answered, method, of, Number(shown.person), Number(shown.second)];
}"""


@dataclass(frozen=True, slots=True)
class Panel:
    """Its components; the value of `answered` is the visitor's `Answered`, or None."""

    answered: gr.State
    method: gr.Dropdown
    of: gr.Radio
    person: gr.Number
    second: gr.Number
    explain_button: gr.Button
    leave: gr.Button
    found: gr.HTML
    tries: gr.Button
    stop: gr.Button
    steady: gr.HTML
    retell_button: gr.Button
    retelling: gr.HTML

    def answers(self) -> list[gr.HTML]:
        return [self.found, self.steady, self.retelling]


def closer() -> str:
    return section(
        "invitation",
        _("Look closer at this frame"),
        _(
            "Measures which parts of the face carry the evidence in the frame that is shown above, "
            "and tests them by blurring."
        ),
    )


def steadiness() -> str:
    return section(
        "invitation",
        _("Robustness"),
        _(
            "A score that changes when the file is saved again is not reliable. The same frames "
            "are re-encoded, reduced and blurred, and scored again; that takes about three times "
            "as long as an analysis of 20 frames."
        ),
    )


def retold() -> str:
    return section(
        "invitation",
        _("In other words"),
        _(
            "A language model may retell the findings. It receives sentences, never a picture; a "
            "text that contains more than the findings is not shown."
        ),
    )


def of_update(report: Report) -> Any:
    """What is offered to be explained: a still picture is no part of a video."""
    if report.video.is_still:
        return gr.update(visible=False, value=HEAT_TARGETS[0])
    return gr.update(visible=True)


def build_panel() -> Panel:
    """Add the panel to the page that is being built; retelling only where it is configured."""
    answered = gr.State(None, time_to_live=KEPT_SECONDS)
    # Filled in the browser by `AT_THE_VIEWER`: the inputs of an event must be components.
    person, second = gr.Number(visible=False), gr.Number(visible=False)
    with gr.Row(equal_height=False, elem_id="explain"):
        with gr.Column(scale=7, min_width=320, elem_classes="panel-card"):
            greeting(gr.HTML, closer, elem_classes="report")
            targets = [(str(TARGET_NAMES[name]), name) for name in HEAT_TARGETS]
            of = gr.Radio(targets, value=HEAT_TARGETS[0], label=mark("Question"), elem_id="heat-of")
            methods = [(method.name, key) for key, method in HEAT_METHODS.items()]
            method = gr.Dropdown(
                methods, value=DEFAULT_METHOD, label=mark("Heat map by"), elem_id="heat-method"
            )
            with gr.Row():
                explain_button = gr.Button(
                    mark("Explain this frame"), elem_id="closeup-start", scale=3
                )
                leave = build_cancel(mark("Cancel"), "closeup-cancel")
            found = gr.HTML(elem_id="closeup", elem_classes="report")
        with gr.Column(scale=5, min_width=320, elem_classes="panel-card"):
            greeting(gr.HTML, steadiness, elem_classes="report")
            with gr.Row():
                tries = gr.Button(mark("Test robustness"), elem_id="copies-start", scale=3)
                stop = build_cancel(mark("Cancel"), "copies-cancel")
            steady = gr.HTML(elem_id="steadiness", elem_classes="report")
            # Built in any case: its events name components that must exist.
            with gr.Column(visible=narrator_of() is not None):
                greeting(gr.HTML, retold, elem_classes="report")
                retell_button = gr.Button(mark("Retell the findings"), elem_id="retelling-start")
                retelling = gr.HTML(elem_id="retelling", elem_classes="report")
    return Panel(
        answered=answered,
        method=method,
        of=of,
        person=person,
        second=second,
        explain_button=explain_button,
        leave=leave,
        found=found,
        tries=tries,
        stop=stop,
        steady=steady,
        retell_button=retell_button,
        retelling=retelling,
    )


def wire_panel(
    detectors: Detectors, panel: Panel, files: gr.Files, renewed: list[Any], heavy: dict[str, Any]
) -> None:
    """Each of the events `renewed`, after which the answer is another one, cancels what still runs
    about the last. `files` are the answer's downloads."""
    events = PanelEvents(detectors, panel, files)
    state = [panel.answered, files]
    choice = [panel.answered, panel.method, panel.of, panel.person, panel.second]
    explaining = panel.explain_button.click(
        events.explain_shown_frame,
        choice,
        [panel.found, panel.leave],
        js=AT_THE_VIEWER,
        **QUIET,
        **heavy,
    )
    tried = [panel.steady, panel.stop, *state]
    trying = panel.tries.click(events.copies, state, tried, **QUIET, **heavy)
    retelling_run = panel.retell_button.click(
        events.retell, state, [panel.retelling, *state], **QUIET, **heavy
    )
    for button, running, shown in (
        (panel.leave, explaining, panel.found),
        (panel.stop, trying, panel.steady),
    ):
        stopped = wire_cancel(button, running)
        stopped.then(lambda: "", None, shown, queue=False, **QUIET)
    stops = [explaining, trying, retelling_run]
    ended = gr.on(renewed, None, cancels=stops, queue=False, **QUIET)
    cleared = [*panel.answers(), panel.leave, panel.stop]
    off = gr.update(interactive=False)
    ended.then(lambda: ["", "", "", off, off], None, cleared, queue=False, **QUIET)


class PanelEvents:
    """The panel's events; their state is detectors and components, and nothing of any visitor."""

    def __init__(self, detectors: Detectors, panel: Panel, files: gr.Files) -> None:
        self.detectors = detectors
        self.panel = panel
        self.files = files

    def explain_shown_frame(
        self, answered: Answered | None, method: str, of: str, person: float, second: float
    ) -> Iterator[Updates]:
        """The frame that the viewer shows, of the person who is chosen there."""
        question, report = _scored(answered)
        frame = FrameQuestion(int(person), float(second), method, of)
        if all(one.id != frame.person or not one.clips for one in report.people):
            raise gr.Error(
                _("This person has no score that could be explained."), title=_("No score")
            )
        found = self.panel.found
        with closing(explain(self.detectors, question, report, frame)) as steps:
            yield from cancellable(
                self.panel.leave, ({found: _progress_or_result(item)} for item in steps)
            )

    def copies(self, answered: Answered | None, files: list[str] | None) -> Iterator[Updates]:
        question, report = _scored(answered)
        with closing(try_copies(self.detectors, question, report)) as steps:
            shown = self._shown(steps, question, self.panel.steady, files or [])
            yield from cancellable(self.panel.stop, shown)

    def retell(self, answered: Answered | None, files: list[str] | None) -> Iterator[Updates]:
        question, report = _scored(answered)
        narrator = narrator_of()
        if narrator is None:
            raise gr.Error(str(NOT_CONFIGURED), title=_("No language model"))
        with closing(retell(self.detectors[question.model], report, narrator)) as steps:
            yield from self._shown(steps, question, self.panel.retelling, files or [])

    def _shown(
        self, steps: Iterator[Any], question: Question, place: gr.HTML, files: Sequence[str]
    ) -> Iterator[Updates]:
        """Steps as they come; then the report, which replaces the visitor's last one,
        in the downloads as well."""
        for item in steps:
            if isinstance(item, Step):
                yield {place: html.working(item)}
            elif isinstance(item, VideoError):
                yield {place: html.problem(item)}
            else:
                show = robustness if place is self.panel.steady else retelling
                yield {place: show(item), self.panel.answered: (question, item)}
                yield from self._renewed(item, files)

    def _renewed(self, report: Report, files: Sequence[str]) -> Iterator[Updates]:
        with tempfile.TemporaryDirectory(prefix="answer-") as folder:
            written = write_documents(report, Path(folder), visitor_language())
            names = {path.name for path in written}
            # The annotated video stays; documents are replaced by those of the same names.
            drawn = [path for path in files if Path(path).name not in names]
            yield {self.files: [*drawn, *map(str, written)]}


def _progress_or_result(item: Step | Report | VideoError) -> str:
    if isinstance(item, Step):
        return html.working(item)
    return html.problem(item) if isinstance(item, VideoError) else closeup(item)


def _scored(answered: Answered | None) -> Answered:
    if answered is None or answered[1].status is not Status.OK:
        raise gr.Error(
            _("There is no score yet that could be explained."), title=_("Nothing to explain")
        )
    return answered
