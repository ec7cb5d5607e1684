"""What happens when a visitor presses a button: one heavy event that analyses, shows and draws."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from detector.errors import VideoError
from detector.records import Report
from detector.render import sections
from detector.render.answer_card import answer_card
from detector.render.timeline import charts
from detector.settings import Settings
from detector.ui import cards
from detector.ui.handlers import Detectors, Question, draw, look, write_documents
from detector.ui.jobs import Step

# How the timeline is used; the keys are those of `seek.js`.
HINT = (
    '<p class="hint">Click the chart to go there. With the chart in focus, arrow keys step through '
    "the judged frames, Home and End go to the first and last, N to the next suspicious stretch."
    "</p>"
)
Updates = dict[gr.Component | gr.Column, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """The components that hold the visitor's question."""

    kind: gr.State
    video: gr.Video
    picture: gr.Image
    frames: gr.Radio
    exact: gr.Slider
    threshold: gr.Slider
    people: gr.Slider
    heat: gr.Checkbox
    model: gr.Dropdown

    def components(self) -> list[gr.Component]:
        return [getattr(self, name) for name in self.__slots__]

    @classmethod
    def question(cls, values: tuple[Any, ...]) -> Question:
        """What the components hold, in the order of `components`."""
        held = dict(zip(cls.__slots__, values, strict=True))
        chosen = held[held["kind"]]
        settings = Settings(
            frames=max(int(held["exact"]), 8) if held["exact"] else int(held["frames"]),
            threshold=held["threshold"] or None,
            max_faces=int(held["people"]),
            heat=bool(held["heat"]),
        )
        return Question(Path(chosen) if chosen else None, settings, held["model"])


@dataclass(frozen=True, slots=True)
class Shown:
    """The components that an answer fills."""

    verdict: gr.HTML
    area: gr.Column
    drawing: gr.HTML
    player: gr.Video
    timeline: gr.HTML
    people: gr.HTML
    findings: gr.HTML
    moments: gr.HTML
    numbers: gr.HTML
    files: gr.Files
    analyse: gr.Button
    cancel: gr.Button

    def components(self) -> list[gr.Component | gr.Column]:
        return [getattr(self, name) for name in self.__slots__]


class Events:
    """The page's events; it holds components and detectors, and nothing of any visitor."""

    def __init__(self, detectors: Detectors, shown: Shown) -> None:
        self.detectors = detectors
        self.shown = shown

    def check(self, *values: Any) -> Iterator[Updates]:
        """The values of `Asked` become steps, an answer, then the annotated video."""
        question = Asked.question(values)
        question.given()
        shown = self.shown
        yield {
            shown.analyse: gr.update(interactive=False),
            shown.cancel: gr.update(interactive=True),
            shown.area: gr.update(visible=False),
            shown.drawing: "",
            shown.verdict: cards.working(Step("Starting", 0, 1)),
        }
        with closing(look(self.detectors, question)) as steps:
            for item in steps:
                if isinstance(item, Step):
                    yield {shown.verdict: cards.working(item)}
                elif isinstance(item, Report):
                    yield from self._answer(question, item)
                else:
                    yield {shown.verdict: cards.problem(item)} | self._idle()

    def cancel(self) -> Updates:
        """What is shown once the running event was called off."""
        return {self.shown.verdict: cards.cancelled(), self.shown.drawing: ""} | self._idle()

    def _idle(self) -> Updates:
        return {
            self.shown.analyse: gr.update(interactive=True),
            self.shown.cancel: gr.update(interactive=False),
        }

    def _answer(self, question: Question, report: Report) -> Iterator[Updates]:
        with tempfile.TemporaryDirectory(prefix="answer-") as name:
            folder = Path(name)
            files = write_documents(report, folder)
            yield self._report(question, report) | {self.shown.files: list(map(str, files))}
            if report.people and not report.video.is_still:
                yield from self._movie(question, report, folder, files)
            yield self._idle()

    def _report(self, question: Question, report: Report) -> Updates:
        shown = self.shown
        player = gr.update(value=str(question.path), label="Your video")
        if report.video.is_still:
            player = gr.update(value=None, visible=False)
        return {
            shown.verdict: answer_card(report),
            shown.area: gr.update(visible=bool(report.people)),
            shown.player: player,
            shown.timeline: charts(report, width=680, interactive=True) + HINT,
            shown.people: sections.people(report),
            shown.findings: sections.findings(report, interactive=True),
            shown.moments: sections.moments(report, interactive=True),
            shown.numbers: sections.numbers(report),
        }

    def _movie(
        self, question: Question, report: Report, folder: Path, files: list[Path]
    ) -> Iterator[Updates]:
        with closing(draw(self.detectors[question.model], question, report, folder)) as steps:
            for item in steps:
                if isinstance(item, Step):
                    yield {self.shown.drawing: cards.working(item)}
                elif isinstance(item, VideoError):
                    yield {self.shown.drawing: cards.undrawn(item)}
                else:
                    yield {
                        self.shown.drawing: "",
                        self.shown.player: gr.update(value=str(item), label="Annotated video"),
                        self.shown.files: [str(item), *map(str, files)],
                    }
