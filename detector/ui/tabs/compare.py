"""The tab that puts two answers side by side: of two files, or of two models about one file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from detector.comparison import Comparison, Side, compare_answers
from detector.language import _, mark
from detector.records import Report
from detector.render.comparison import comparison_json, comparison_page, comparison_sections
from detector.service.identity import visitor_language
from detector.service.jobs import STARTING, Step
from detector.settings import Settings
from detector.text.comparison import LETTERS
from detector.ui import html
from detector.ui.greeting import greeting
from detector.ui.handlers import Detectors, Question, analyse
from detector.ui.tabs.batch_view import Lead
from detector.ui.tabs.check import PRESET_LABELS
from detector.ui.tabs.given import is_picture
from detector.ui.tabs.part import inspected
from detector.ui.templates import piece, steps

Updates = dict[gr.Component, Any]
FILES = "compare-files"


@dataclass(frozen=True, slots=True)
class Compared:
    """The components: both files and models, how closely to look, the buttons, and what is
    shown."""

    files: tuple[gr.File, gr.File]
    models: tuple[gr.Dropdown, gr.Dropdown]
    frames: gr.Radio
    start: gr.Button
    cancel: gr.Button
    answer: gr.HTML
    leads: tuple[Lead, Lead]
    downloads: gr.Files

    def given(self) -> list[Any]:
        return [*self.files, *self.models, self.frames]

    def filled(self) -> list[Any]:
        led = [part for lead in self.leads for part in (lead.path, lead.button)]
        return [self.answer, self.start, self.cancel, self.downloads, *led]


def introduction() -> Markup:
    return steps(
        _("Two answers, side by side"),
        (_("Two clips, or one under two models"), _("both analysed in the same way")),
        (_("Do the scores differ clearly?"), _("by their intervals, not by their numbers alone")),
        (_("What else differs?"), _("the timelines on one axis, and both files line by line")),
    )


def build_compare(detectors: Detectors, heavy: dict[str, Any]) -> tuple[Lead, Lead]:
    """Add the tab's components to the page that is being built; what leads to the viewer is
    returned, to be wired to it."""
    names = list(detectors)
    with gr.Row(equal_height=False):
        sides = [_side(letter, names) for letter in LETTERS]
    with gr.Row(equal_height=False, elem_id="compare-how"):
        frames = gr.Radio(
            PRESET_LABELS,
            value="standard",
            label=mark("Number of frames"),
            elem_id="compare-frames",
            scale=3,
            min_width=360,
        )
        start = gr.Button(mark("Compare"), variant="primary", elem_id="compare-start", scale=2)
        cancel = gr.Button(mark("Cancel"), elem_id="compare-cancel", interactive=False, scale=1)
    answer = greeting(gr.HTML, introduction, elem_id="comparison", elem_classes="report")
    with gr.Row():
        labels = (mark("Open A with player and heat map"), mark("Open B with player and heat map"))
        leads = [
            Lead(
                gr.State(None),
                frames,
                model,
                gr.Button(label, visible=False, elem_id=f"compare-view-{letter.lower()}"),
            )
            for label, letter, (_file, model) in zip(labels, LETTERS, sides, strict=True)
        ]
    downloads = gr.Files(label=mark("Downloads"), visible=False, interactive=False, elem_id=FILES)
    (first, first_model), (second, second_model) = sides
    shown = Compared(
        (first, second),
        (first_model, second_model),
        frames,
        start,
        cancel,
        answer,
        (leads[0], leads[1]),
        downloads,
    )
    _wire(CompareEvents(detectors, shown), heavy)
    return shown.leads


def _side(letter: str, names: list[str]) -> tuple[gr.File, gr.Dropdown]:
    """A file, and the model that scores it, where there is a choice."""
    several = len(names) > 1
    with gr.Column(scale=1, min_width=300):
        label = mark("Video or picture A")
        if letter == "B":
            label = (
                mark("Video or picture B (none: as A)") if several else mark("Video or picture B")
            )
        file = gr.File(label=label, elem_id=f"compare-{letter.lower()}", height=130)
        name = mark("Model for A") if letter == "A" else mark("Model for B")
        value = names[0] if letter == "A" else names[-1]
        model = gr.Dropdown(names, value=value, label=name, visible=several)
    return file, model


def _wire(events: CompareEvents, heavy: dict[str, Any]) -> None:
    shown = events.shown
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    light = {**quiet, "queue": False}
    running = shown.start.click(events.compare, shown.given(), shown.filled(), **quiet, **heavy)
    # First the end of the running event: else its last step could be the last word.
    stopped = shown.cancel.click(None, cancels=running, **light)
    stopped.then(lambda: events.nothing(html.cancelled()), None, shown.filled(), **light)
    # What was compared is no longer what is above the answer.
    changes = [one.change for one in shown.given()]
    changed = gr.on(changes, None, cancels=running, **light)
    changed.then(lambda: events.nothing(introduction()), None, shown.filled(), **light)
    gr.on(
        [file.change for file in shown.files],
        events.offered,
        [*shown.files, *shown.models],
        shown.frames,
        trigger_mode="always_last",
        **quiet,
    )


class CompareEvents:
    """The tab's events; their state is detectors and components, and nothing of any visitor."""

    def __init__(self, detectors: Detectors, shown: Compared) -> None:
        self.detectors = detectors
        self.shown = shown

    def offered(self, first: str | None, second: str | None, model: str, other: str) -> Any:
        """Numbers of frames are offered unless every given file is a picture."""
        given = [(Path(path), name) for path, name in ((first, model), (second, other)) if path]
        pictures = [
            is_picture(path, inspected(self.detectors[name], path)[0]) for path, name in given
        ]
        return gr.update(visible=not (pictures and all(pictures)))

    def compare(
        self, first: str | None, second: str | None, model: str, other: str, preset: str
    ) -> Iterator[Updates]:
        """One answer after the other, then both side by side."""
        if not first or not (second or model != other):
            raise gr.Error(_("Choose two files first."), title=_("Nothing to compare"))
        paths, shown = (Path(first), Path(second or first)), self.shown
        yield self.nothing(html.working(Step(STARTING, 0, 1))) | {
            shown.start: gr.update(interactive=False),
            shown.cancel: gr.update(interactive=True),
        }
        sides: list[Side] = []
        for letter, path, name in zip(LETTERS, paths, (model, other), strict=True):
            question = Question(path, Settings(preset=preset), name)
            with closing(analyse(self.detectors, question)) as steps:
                for item in steps:
                    if isinstance(item, Step):
                        working = html.working(item)
                        yield {shown.answer: piece("side.html", letter=letter, working=working)}
                    else:
                        sides.append(item)
        found = compare_answers(sides[0], sides[1], (paths[0].name, paths[1].name))
        yield from self._answer(found, paths)

    def _answer(self, found: Comparison, paths: tuple[Path, Path]) -> Iterator[Updates]:
        shown = self.shown
        updates = self.nothing(comparison_sections(found))
        for side, path, lead in zip(found.sides, paths, shown.leads, strict=True):
            scored = isinstance(side, Report) and bool(side.people)
            values = lead.updates(str(path) if scored else None)
            updates |= dict(zip((lead.path, lead.button), values, strict=True))
        # A generator: Gradio copies the files before the folder is deleted.
        with tempfile.TemporaryDirectory(prefix="compared-") as folder:
            files = write_comparison(found, Path(folder), visitor_language())
            yield updates | {shown.downloads: gr.update(value=files, visible=True)}

    def nothing(self, text: Markup) -> Updates:
        """No comparison, and `text` in its place."""
        shown = self.shown
        updates: Updates = {
            shown.answer: text,
            shown.start: gr.update(interactive=True),
            shown.cancel: gr.update(interactive=False),
            shown.downloads: gr.update(value=None, visible=False),
        }
        for lead in shown.leads:
            updates |= dict(zip((lead.path, lead.button), lead.updates(None), strict=True))
        return updates


def write_comparison(found: Comparison, folder: Path, language: str) -> list[str]:
    """The comparison as a page in `language` and as JSON."""
    texts = {
        "comparison.html": comparison_page(found, language),
        "comparison.json": comparison_json(found),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [str(folder / name) for name in texts]
