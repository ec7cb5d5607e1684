"""The tab that puts two answers side by side: of two files, or of two models about one file."""

from __future__ import annotations

import secrets
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
from detector.render.comparison import comparison_json, comparison_page, comparison_sections
from detector.service.identity import visitor_language
from detector.service.jobs import STARTING, Step
from detector.text.comparison import LETTERS
from detector.ui import html
from detector.ui.greeting import greeting
from detector.ui.handlers import Detectors, Question, analyse
from detector.ui.tabs.batch_view import Lead
from detector.ui.tabs.check import PRESET_LABELS
from detector.ui.tabs.given import is_picture
from detector.ui.tabs.kept import Kept, given_sides, kept_side, name_of, under_other_model
from detector.ui.tabs.part import inspected
from detector.ui.templates import piece, steps

Updates = dict[gr.Component, Any]
FILES = "compare-files"
# A side has a file or a result: the one that was given last.
UNLESS_FILE = "(file, result) => file ? null : result"
UNLESS_RESULT = "(file, result) => result ? null : file"


@dataclass(frozen=True, slots=True)
class SideForm:
    """The components of A or of B: a file, a result of this visit in its place, and the model
    that scores the file."""

    file: gr.File
    result: gr.Dropdown
    model: gr.Dropdown


@dataclass(frozen=True, slots=True)
class Compared:
    """The components: what is given for both sides, how closely to look, the buttons, and what is
    shown. The values of `past` are the results of this visit, of `answers` those compared last, and
    of `about` what was given for these; `put_aside` changes when that is no longer given."""

    sides: tuple[SideForm, SideForm]
    frames: gr.Radio
    start: gr.Button
    cancel: gr.Button
    answer: gr.HTML
    leads: tuple[Lead, Lead]
    downloads: gr.Files
    answers: gr.State
    past: gr.State
    about: gr.State
    put_aside: gr.State

    def of_both(self, name: str) -> list[Any]:
        """The components `name` of A and B."""
        return [getattr(side, name) for side in self.sides]

    def given(self) -> list[Any]:
        """What `given_sides` takes."""
        both = [one for name in ("file", "result", "model") for one in self.of_both(name)]
        return [*both, self.frames, self.past]

    def filled(self) -> list[Any]:
        done = [self.answer, self.start, self.cancel, self.downloads, self.answers, self.about]
        return [*done, *(part for lead in self.leads for part in lead.filled())]


def introduction() -> Markup:
    return steps(
        _("Two answers, side by side"),
        (
            _("Two clips, or one under two models"),
            _("both analysed in the same way; results of this visit are taken as they are"),
        ),
        (_("Do the scores differ clearly?"), _("by their intervals, not by their numbers alone")),
        (_("What else differs?"), _("the timelines on one axis, and both files line by line")),
    )


def build_compare(detectors: Detectors, heavy: dict[str, Any]) -> Compared:
    """Add the tab's components to the page that is being built; what leads to the viewer, and the
    results to choose from, are wired elsewhere."""
    with gr.Row(equal_height=False):
        first, second = (_side(letter, list(detectors)) for letter in LETTERS)
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
        leads = (
            _lead("a", mark("Open A with player and heat map")),
            _lead("b", mark("Open B with player and heat map")),
        )
    downloads = gr.Files(label=mark("Downloads"), visible=False, interactive=False, elem_id=FILES)
    given = (first, second), frames, start, cancel
    states = gr.State(()), gr.State([]), gr.State(None), gr.State("")
    shown = Compared(*given, answer, leads, downloads, *states)
    _wire(CompareEvents(detectors, shown), heavy)
    return shown


def _lead(letter: str, label: str) -> Lead:
    states = gr.State(None), gr.State("standard"), gr.State("")
    return Lead(*states, gr.Button(label, visible=False, elem_id=f"compare-view-{letter}"))


def _side(letter: str, names: list[str]) -> SideForm:
    several, is_a = len(names) > 1, letter == "A"
    second = mark("Video or picture B (none: as A)") if several else mark("Video or picture B")
    with gr.Column(scale=1, min_width=300):
        file = gr.File(
            label=mark("Video or picture A") if is_a else second,
            elem_id=f"compare-{letter.lower()}",
            height=130,
        )
        result = gr.Dropdown(
            [],
            value=None,
            label=mark("Or a result of this visit (A)")
            if is_a
            else mark("Or a result of this visit (B)"),
            visible=False,
            elem_id=f"compare-result-{letter.lower()}",
        )
        model = gr.Dropdown(
            names,
            value=names[0] if is_a else names[-1],
            label=mark("Model for A") if is_a else mark("Model for B"),
            visible=several,
        )
    return SideForm(file, result, model)


def _wire(events: CompareEvents, heavy: dict[str, Any]) -> None:
    shown = events.shown
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    light = {**quiet, "queue": False}
    running = shown.start.click(
        events.compare_both, shown.given(), shown.filled(), **quiet, **heavy
    )
    # First the end of the running event: else its last step could be the last word.
    stopped = shown.cancel.click(None, cancels=running, **light)
    stopped.then(lambda: events.nothing(html.cancelled()), None, shown.filled(), **light)
    # What was compared is no longer what is above the answer. Browsers report changes twice, and
    # of components that only gave way to others: values are compared before the end of an event.
    changes = [one.change for one in shown.given() if one is not shown.past]
    gr.on(changes, events.look, [shown.about, *shown.given()], shown.put_aside, **quiet)
    changed = shown.put_aside.change(None, cancels=running, **light)
    changed.then(lambda: events.nothing(introduction()), None, shown.filled(), **light)
    for side in shown.sides:
        both = [side.file, side.result]
        side.file.change(None, both, side.result, js=UNLESS_FILE, **light)
        side.result.input(None, both, side.file, js=UNLESS_RESULT, **light)
    gr.on(
        [one.change for name in ("file", "result") for one in shown.of_both(name)],
        events.offered,
        shown.given(),
        [*shown.of_both("model"), shown.frames],
        trigger_mode="always_last",
        **quiet,
    )


class CompareEvents:
    """The tab's events; their state is detectors and components, and nothing of any visitor."""

    def __init__(self, detectors: Detectors, shown: Compared) -> None:
        self.detectors = detectors
        self.shown = shown

    def offered(self, *values: Any) -> list[Any]:
        """A model is offered for a file, and numbers of frames unless nothing is to be analysed in
        which there are several."""
        given = given_sides(*values)
        to_analyse = [one for one in given if isinstance(one, Question)]
        moving = [one for one in to_analyse if not self._is_picture(one)]
        several = len(self.detectors) > 1
        models = [gr.update(visible=several and not isinstance(one, Kept)) for one in given]
        return [*models, gr.update(visible=bool(moving) or given == (None, None))]

    def _is_picture(self, question: Question) -> bool:
        path = question.given()
        return is_picture(path, inspected(self.detectors[question.model], path)[0])

    def look(self, about: tuple[Any, ...] | None, *values: Any) -> Any:
        """Whether other things are given than those that the comparison is about."""
        return gr.skip() if about in (None, values[:-1]) else secrets.token_hex(8)

    def compare_both(self, *values: Any) -> Iterator[Updates]:
        """One answer after the other, then both side by side."""
        first, second = given_sides(*values)
        if first is not None and second is None:
            second = under_other_model(first, values[5], values[6])
        if first is None or second is None:
            text = _("Choose two files or results first.")
            raise gr.Error(text, title=_("Nothing to compare"))
        shown = self.shown
        yield self.nothing(html.working(Step(STARTING, 0, 1))) | {
            shown.start: gr.update(interactive=False),
            shown.cancel: gr.update(interactive=True),
            shown.about: values[:-1],
        }
        sides: list[Side] = []
        for letter, one in zip(LETTERS, (first, second), strict=True):
            for item in self._steps(one):
                if isinstance(item, Step):
                    working = html.working(item)
                    yield {shown.answer: piece("side.html", letter=letter, working=working)}
                else:
                    sides.append(item)
        found = compare_answers(sides[0], sides[1], (name_of(first), name_of(second)))
        yield from self._answer(found, (first, second))

    def _steps(self, given: Question | Kept) -> Iterator[Step | Side]:
        """The steps of an analysis, if one is needed, and the answer."""
        if isinstance(given, Kept):
            yield given.report
            return
        with closing(analyse(self.detectors, given)) as steps:
            yield from steps

    def _answer(
        self, found: Comparison, given: tuple[Question | Kept, Question | Kept]
    ) -> Iterator[Updates]:
        shown = self.shown
        updates = self.nothing(comparison_sections(found))
        del updates[shown.about]
        kept = [kept_side(side, one) for side, one in zip(found.sides, given, strict=True)]
        updates[shown.answers] = tuple(one for one in kept if one is not None)
        for one, lead in zip(kept, shown.leads, strict=True):
            updates |= dict(zip(lead.filled(), _led(one), strict=True))
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
            shown.answers: (),
            shown.about: None,
        }
        for lead in shown.leads:
            updates |= dict(zip(lead.filled(), _led(None), strict=True))
        return updates


def _led(kept: Kept | None) -> list[Any]:
    """The values of `Lead.filled`: an answer is shown with its pictures by giving it again."""
    if kept is None or not kept.can_be_repeated:
        return [None, "standard", "", gr.update(visible=False)]
    question = kept.question
    return [str(question.path), question.settings.preset, question.model, gr.update(visible=True)]


def write_comparison(found: Comparison, folder: Path, language: str) -> list[str]:
    """The comparison as a page in `language` and as JSON."""
    texts = {
        "comparison.html": comparison_page(found, language),
        "comparison.json": comparison_json(found),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [str(folder / name) for name in texts]
