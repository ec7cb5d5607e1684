"""What happens when a visitor presses a button: one heavy event that analyses, shows and draws."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from detector.errors import VideoError
from detector.language import _
from detector.progress import EXPLAINING
from detector.records import Report, VideoInfo
from detector.render import sections
from detector.render.answer_card import answer_card
from detector.render.dispute import dispute
from detector.render.viewer_media import Views
from detector.service.identity import visitor_language
from detector.service.jobs import STARTING, Step
from detector.settings import Settings
from detector.ui import html
from detector.ui.handlers import Detectors, Question, analyse, draw, draw_views, write_documents
from detector.ui.tabs.explain import Panel, of_update
from detector.ui.tabs.given import shown_preview
from detector.ui.tabs.part import Part, inspected, plan_text, shown_plan, track_update, with_part
from detector.ui.viewer import ViewerData, viewer_data

# Between two drawings of the answer so far: a browser takes a tenth of a second for each.
PARTIAL_SECONDS = 1.0
# By component, not by position: an event names only those that change.
Updates = dict[gr.Component | gr.Column | gr.Accordion, Any]


@dataclass(frozen=True, slots=True)
class QuestionForm:
    """The components by which a visitor chooses a file and how to analyse it."""

    file: gr.File
    frames: gr.Radio
    exact: gr.Slider
    threshold: gr.Slider
    people: gr.Slider
    heat: gr.Checkbox
    model: gr.Dropdown
    part: Part

    def components(self) -> list[gr.Component]:
        return [
            getattr(self if name in self.__slots__ else self.part, name) for name in self.names()
        ]

    @classmethod
    def names(cls) -> list[str]:
        """Of all components, those of `part` included."""
        return [*(name for name in cls.__slots__ if name != "part"), "start", "end", "track"]

    @classmethod
    def by_name(cls, values: tuple[Any, ...]) -> dict[str, Any]:
        """The values of the components, by name."""
        # Gradio passes values by position only.
        return dict(zip(cls.names(), values, strict=True))

    @classmethod
    def chosen(cls, values: tuple[Any, ...]) -> Path | None:
        """The video or picture."""
        path = cls.by_name(values)["file"]
        return Path(path) if path else None

    @classmethod
    def question(cls, values: tuple[Any, ...]) -> Question:
        """The request by the values of the components, in the order of `components`."""
        chosen = cls.by_name(values)
        settings = Settings(
            # 8 is the least that `Settings` accepts; 0 on the slider is "by length".
            frames=max(int(chosen["exact"]), 8) if chosen["exact"] else 0,
            preset=chosen["frames"],
            threshold=chosen["threshold"] or None,  # 0 on the slider: the model's own
            max_faces=int(chosen["people"]),
            heat=bool(chosen["heat"]),
        )
        settings = with_part(settings, chosen["start"], chosen["end"], chosen["track"])
        return Question(cls.chosen(values), settings, chosen["model"])


@dataclass(frozen=True, slots=True)
class Shown:
    """The components that an answer fills."""

    form: gr.Accordion
    outdated: gr.HTML
    verdict: gr.HTML
    area: gr.Column
    beside: gr.Column
    drawing: gr.HTML
    viewer: gr.HTML
    panel: Panel
    findings: gr.HTML
    people: gr.HTML
    moments: gr.HTML
    numbers: gr.HTML
    dispute: gr.HTML
    files: gr.Files
    analyse: gr.Button
    cancel: gr.Button

    def components(self) -> list[gr.Component | gr.Column | gr.Accordion]:
        own = [getattr(self, name) for name in self.__slots__ if name != "panel"]
        return [*own, self.panel.answered, self.panel.of, *self.panel.answers()]


class Events:
    """The page's events; their state is components and detectors, and nothing of any visitor."""

    def __init__(self, detectors: Detectors, shown: Shown) -> None:
        self.detectors = detectors
        self.shown = shown

    def check(self, answered: Any, *values: Any) -> Iterator[Updates]:
        """The values of `QuestionForm` become steps, an answer, then the files drawn from it;
        `answered` is what was shown before, if anything."""
        question = QuestionForm.question(values)
        question.given()
        shown = self.shown
        # Before the first step, so that no earlier answer is beside the new progress, and the
        # progress is not below the form.
        yield self._empty(answered) | {
            shown.form: gr.update(open=False),
            shown.analyse: gr.update(interactive=False),
            shown.cancel: gr.update(visible=True),
            shown.verdict: html.working(Step(STARTING, 0, 1)),
        }
        drawn: Report | None = None
        next_drawing = 0.0
        with closing(analyse(self.detectors, question, partial=True)) as steps:
            for item in steps:
                if isinstance(item, Report):
                    yield from self._answer(question, item)
                elif not isinstance(item, Step):
                    yield self._empty() | {shown.verdict: html.problem(item)} | self._idle()
                # The answer is next once the analysis is explained.
                elif (
                    item.so_far is drawn
                    or item.stage == EXPLAINING
                    or time.monotonic() < next_drawing
                ):
                    yield {shown.verdict: html.working(item)}
                else:
                    drawn, next_drawing = item.so_far, time.monotonic() + PARTIAL_SECONDS
                    yield {shown.verdict: html.working(item)} | self._partial(question, drawn)

    def inspect(self, *values: Any) -> list[Any]:
        """The contents of the chosen file: its facts, the tracks to choose from, the plan and a
        preview; then what is offered, which for a still picture is no frames and no stretch of
        time."""
        detector = self.detectors[QuestionForm.by_name(values)["model"]]
        path = QuestionForm.chosen(values)
        info, why = inspected(detector, path)
        still = info is not None and info.is_still
        text = why or (plan_text(detector, info, Settings()) if still else "")
        plan = shown_plan(text) if text else self.plan(*values, info)
        # A stretch that was chosen for an earlier video is emptied: a picture has none.
        offered, stretch = gr.update(visible=not still), "" if still else gr.skip()
        preview = shown_preview(None if why else path, info)
        return [info, track_update(info), plan, preview, offered, offered, stretch, stretch]

    def plan(self, *values: Any) -> str:
        """The plan anew, for another choice about the same file."""
        try:
            question = QuestionForm.question(values[:-1])
        except gr.Error as error:  # an event outside Gradio's queue may not show it as such
            return shown_plan(str(error.message))
        info: VideoInfo | None = values[-1]
        return shown_plan(plan_text(self.detectors[question.model], info, question.settings))

    def cancel(self, answered: Any) -> Updates:
        """What is shown once the running event was cancelled; an answer that was given stays."""
        if answered is not None:
            return {self.shown.drawing: ""} | self._idle()
        return (
            self._empty()
            | {self.shown.verdict: html.cancelled(), self.shown.form: gr.update(open=True)}
            | self._idle()
        )

    def put_aside(self, answered: Any, *values: Any) -> Updates:
        """Another file was chosen, or none: nothing of the answer about the last one stays.

        A browser may report late, or twice, the file that the answer is about."""
        if answered is None or answered[0].path == QuestionForm.chosen(values):
            # Gradio takes an empty dictionary for a value, not for "no update".
            return {self.shown.drawing: gr.skip()}
        return self._empty(answered) | {self.shown.verdict: html.welcome()}

    def compare_options(self, answered: Any, *values: Any) -> Markup:
        """A sentence where the options are not those of the answer that is shown."""
        # Of another file nothing is shown any more, or will be in a moment.
        if answered is None or answered[0].path != QuestionForm.chosen(values):
            return Markup()
        try:
            same = answered[0] == QuestionForm.question(values)
        except gr.Error:  # a stretch of time that cannot be meant
            same = False
        return Markup() if same else html.outdated()

    def _empty(self, answered: Any = None) -> Updates:
        """No answer: nothing of `answered`, an earlier one, stays beside a new question."""
        shown = self.shown
        texts = [shown.drawing, shown.findings, shown.people, shown.moments, shown.numbers]
        texts += [shown.dispute, shown.outdated, *shown.panel.answers()]
        nothing: Updates = {shown.area: gr.update(visible=False), shown.viewer: None}
        nothing |= {shown.beside: gr.update(visible=False)}
        # Where nothing was answered there are no downloads; emptying them starts their events.
        nothing |= {} if answered is None else {shown.files: None, shown.panel.answered: None}
        return nothing | dict.fromkeys(texts, "")

    def _idle(self) -> Updates:
        return {
            self.shown.analyse: gr.update(interactive=True),
            self.shown.cancel: gr.update(visible=False),
        }

    def _partial(self, question: Question, report: Report | None) -> Updates:
        """What is found while scoring goes on: the timeline grows under the visitor's own file."""
        if report is None or not report.people:
            return {}
        note = _("Scoring goes on: {frames} frames so far", frames=report.frames_sampled)
        viewer = self._viewed(question, report, note=note)
        return {self.shown.beside: gr.update(visible=True), self.shown.viewer: viewer}

    def _viewed(
        self, question: Question, report: Report, views: Views | None = None, note: str = ""
    ) -> ViewerData:
        return viewer_data(report, question.given(), views=views, note=note)

    def _answer(self, question: Question, report: Report) -> Iterator[Updates]:
        # Gradio copies the files of each yield into its cache; the folder outlives the last one.
        with tempfile.TemporaryDirectory(prefix="answer-") as name:
            folder = Path(name)
            # By itself, so that the browser paints it before it lays out all the rest.
            yield {self.shown.verdict: answer_card(report)}
            files = write_documents(report, folder, visitor_language())
            yield self._report(question, report) | {self.shown.files: list(map(str, files))}
            # After the downloads, which need not wait until pictures are drawn.
            if report.people:
                yield from self._views(question, report, folder, files)
            yield self._idle()

    def _report(self, question: Question, report: Report) -> Updates:
        shown = self.shown
        return {
            shown.panel.answered: (question, report),
            shown.panel.of: of_update(report),
            shown.area: gr.update(visible=bool(report.people)),
            shown.beside: gr.update(visible=bool(report.people)),
            shown.viewer: self._viewed(question, report) if report.people else None,
            shown.findings: sections.findings(report, interactive=True) + sections.signals(report),
            shown.people: sections.people(report),
            shown.moments: sections.moments(report, interactive=True),
            shown.numbers: sections.numbers(report),
            shown.dispute: dispute(report),
        }

    def _views(
        self, question: Question, report: Report, folder: Path, files: list[Path]
    ) -> Iterator[Updates]:
        """First what the viewer shows, then the annotated video, to be kept."""
        detector = self.detectors[question.model]
        shown: Updates = {}
        annotated: Path | None = None
        with closing(draw_views(detector, question, report, folder)) as steps:
            for item in steps:
                if isinstance(item, Views):
                    shown = {self.shown.viewer: self._viewed(question, report, item)}
                    annotated = item.annotated
                # The bar goes on where another video is still to be drawn.
                more = isinstance(item, Views) and annotated is None
                yield shown if more else self._drawing(item) | shown
        if not shown:
            return
        if annotated is None:
            with closing(draw(detector, question, report, folder)) as drawing:
                for part in drawing:
                    annotated = part if isinstance(part, Path) else None
                    yield self._drawing(part)
        if annotated is not None:
            yield {self.shown.files: [str(annotated), *map(str, files)]}

    def _drawing(self, item: Step | Views | Path | VideoError) -> Updates:
        """How far the drawing is, or why there is none; nothing once it is done."""
        if isinstance(item, Step):
            return {self.shown.drawing: html.working(item)}
        if isinstance(item, VideoError):
            return {self.shown.drawing: html.undrawn(item)}
        return {self.shown.drawing: ""}
