"""The tab for several files: a queue, one table of answers that open, and all as downloads.

Each file is an event of its own, so that other visitors get their turn between two files, and a
failure ends one file and not the batch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from detector.language import _, mark
from detector.records import Report
from detector.render.batch import packed
from detector.service.batch import Batch
from detector.service.identity import visitor_language
from detector.service.jobs import Step
from detector.settings import Settings
from detector.ui import html
from detector.ui.greeting import greeting
from detector.ui.handlers import Detectors, Question, analyse, write_documents
from detector.ui.tabs.batch_files import write_downloads
from detector.ui.tabs.batch_labels import build_labels, measured
from detector.ui.tabs.batch_table import (
    HEADS,
    KINDS,
    introduction,
    opened,
    queue_list,
    report_of,
    table,
)
from detector.ui.tabs.batch_view import Lead, build_lead
from detector.ui.tabs.check import PRESET_LABELS

Updates = dict[gr.Component, Any]
ORDERS = [(mark("Order given"), "given"), (mark("Most suspicious first"), "risk")]
# A name in the queue is a button that opens its answer.
OPEN = """element.addEventListener('click', (event) => {
  const name = event.target.closest('button[data-name]')?.dataset.name;
  if (name) trigger('click', { name });
});"""
TO_THE_OPENED = """() => {
  const head = document.querySelector("#batch-row h2");
  head?.scrollIntoView({block: "start"});
  head?.focus({preventScroll: true});
}"""


@dataclass(frozen=True, slots=True)
class Shown:
    """The components that a batch fills; `turn` rises by one for each file, `preset` is what it
    began with."""

    batch: gr.State
    turn: gr.State
    preset: gr.State
    outdated: gr.HTML
    queue: gr.HTML
    order: gr.Radio
    table: gr.Dataframe
    row: gr.HTML
    lead: Lead
    row_files: gr.Files
    files: gr.Files
    start: gr.Button
    cancel: gr.Button

    def components(self) -> list[gr.Component]:
        own = [getattr(self, name) for name in self.__slots__ if name != "lead"]
        return [*own, self.lead.path, self.lead.button]

    def opened(self) -> list[gr.Component]:
        """Those that show one of the answers."""
        return [self.row, self.row_files, self.lead.path, self.lead.button]


def build_batch(detectors: Detectors, heavy: dict[str, Any]) -> tuple[Lead, gr.State]:
    """Add the tab's components to the page that is being built. Returns what leads to the viewer,
    to be wired to it, and the state with the visitor's batch."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=300):
            given = gr.Files(
                label=mark("Your videos and pictures"), elem_id="batch-given", height=220
            )
            frames = gr.Radio(
                PRESET_LABELS,
                value="standard",
                label=mark("Number of frames"),
                elem_id="batch-frames",
            )
            labels, threshold = build_labels()
            with gr.Row():
                start = gr.Button(
                    mark("Analyse all"), variant="primary", elem_id="batch-start", scale=3
                )
                cancel = gr.Button(
                    mark("Cancel"), elem_id="batch-cancel", interactive=False, scale=1
                )
        with gr.Column(scale=7, min_width=300):
            outdated = gr.HTML(elem_id="batch-outdated", elem_classes="report")
            queue = greeting(
                gr.HTML, introduction, js_on_load=OPEN, elem_id="batch-queue", elem_classes="report"
            )
    answers = _answers()
    found = gr.HTML(elem_id="batch-measured", elem_classes="report")
    files = _downloads(mark("Downloads of all files"), "batch-files")
    row = gr.HTML(elem_id="batch-row", elem_classes="report")
    preset = gr.State(frames.value)
    lead = build_lead(preset, next(iter(detectors)))
    row_files = _downloads(mark("Downloads of this file"), "batch-row-files")
    states = gr.State(Batch()), gr.State(0), preset
    shown = Shown(*states, outdated, queue, *answers, row, lead, row_files, files, start, cancel)
    events = BatchEvents(detectors, shown)
    _wire(events, given, frames, heavy)
    inputs = [shown.batch, labels, threshold]
    # `files` changes once more when the last answer is there.
    gr.on(
        [labels.change, threshold.release, files.change],
        events.measure,
        inputs,
        found,
        show_progress="hidden",
        api_visibility="private",
    )
    return lead, shown.batch


def _answers() -> tuple[gr.Radio, gr.Dataframe]:
    """The table of answers, and how it is sorted."""
    order = gr.Radio(
        ORDERS, value="given", label=mark("Sort by"), visible=False, elem_id="batch-order"
    )
    answers = gr.Dataframe(
        headers=[str(head) for head in HEADS],
        datatype=KINDS,
        interactive=False,
        visible=False,
        column_widths=["28%", "18%", "11%", "16%", "9%", "9%", "9%"],
        label=mark("Answers: choose a row to open it; the menu in each head sorts and filters"),
        elem_id="batch-table",
    )
    return order, answers


def _downloads(label: str, elem_id: str) -> gr.Files:
    return gr.Files(label=label, visible=False, interactive=False, elem_id=elem_id)


def _wire(events: BatchEvents, given: gr.Files, frames: gr.Radio, heavy: dict[str, Any]) -> None:
    """All but `cancel` go through the queue: a changed state starts an event only there."""
    shown = events.shown
    every, state = shown.components(), [shown.batch, shown.turn, shown.order]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    light = {**quiet, "queue": False}
    shown.start.click(events.begin, [given, shown.turn, frames], every, **quiet)
    running = shown.turn.change(events.step, [*state, shown.preset], every, **quiet, **heavy)
    chosen = [shown.batch, shown.preset, frames]
    frames.change(events.compare_options, chosen, shown.outdated, **light)
    # Also an unexpected error must end in a new turn, or the batch would stop there.
    running.failure(events.skip, state, every, **quiet)
    ended = [shown.batch, shown.order]
    # Not in the queue, where it would wait for the event that it cancels.
    shown.cancel.click(events.cancel, ended, every, cancels=running, **light)
    given.change(events.put_aside, shown.batch, every, **light)
    shown.order.change(events.sort, ended, shown.table, **light)
    for choose, event in ((shown.table.select, events.select), (shown.queue.click, events.open)):
        choose(event, shown.batch, shown.opened(), **light)
    shown.row.change(None, js=TO_THE_OPENED, **light)


class BatchEvents:
    """The tab's events; the visitor's batch is in their own session."""

    def __init__(self, detectors: Detectors, shown: Shown) -> None:
        self.detectors = detectors
        self.shown = shown
        self.model = next(iter(detectors))  # the tab offers no choice of a model

    def begin(self, given: list[str] | None, turn: int, preset: str) -> Updates:
        """The chosen files form a queue; that `turn` rises starts the first of them."""
        if not given:
            raise gr.Error(_("Choose some files first."), title=_("Nothing to show"))
        try:
            batch = Batch.of(given)
        except ValueError as error:
            raise gr.Error(str(error), title=_("Too many files")) from error
        shown = self.shown
        return self._empty() | {
            shown.batch: batch,
            shown.turn: turn + 1,
            shown.preset: preset,
            shown.queue: queue_list(batch),
            shown.start: gr.update(interactive=False),
            shown.cancel: gr.update(interactive=True),
        }

    def step(self, batch: Batch, turn: int, order: str, preset: str) -> Iterator[Updates]:
        """One file, from the queue to its answer."""
        shown, batch = self.shown, batch.started()
        if batch.current is None:
            return
        yield {shown.batch: batch, shown.queue: queue_list(batch)}
        path = batch.items[batch.current].path
        question = Question(path, Settings(preset=preset), self.model)
        with closing(analyse(self.detectors, question)) as steps:
            for item in steps:
                if isinstance(item, Step):
                    yield {shown.queue: queue_list(batch, item)}
                else:
                    pictures = packed(item) if isinstance(item, Report) else ()
                    yield from self._answers(batch.answered(item, pictures), turn, order)

    def skip(self, batch: Batch, turn: int, order: str) -> Iterator[Updates]:
        """After an unexpected error, which is the running file's answer; the next one begins."""
        yield from self._answers(batch.broken(), turn, order)

    def cancel(self, batch: Batch, order: str) -> Iterator[Updates]:
        yield from self._answers(batch.cancelled(), None, order)

    def put_aside(self, batch: Batch) -> Updates:
        """Other files were chosen: answers about the last ones go, unless they still come."""
        if batch.waiting or batch.current is not None:
            return {self.shown.batch: gr.skip()}
        return self._empty() | {self.shown.batch: Batch(), self.shown.queue: introduction()}

    def compare_options(self, batch: Batch, preset: str, chosen: str) -> Markup:
        return html.outdated() if batch.items and chosen != preset else Markup()

    def sort(self, batch: Batch, order: str) -> Any:
        return gr.update(value=table(batch, order))

    def select(self, batch: Batch, event: gr.SelectData) -> Iterator[list[Any]]:
        """A row of the table, however the browser has sorted it: names differ."""
        # The index would be that of the order on the screen, which the server does not receive.
        yield from self._open(batch, event.row_value[0])

    def open(self, batch: Batch, event: gr.EventData) -> Iterator[list[Any]]:
        yield from self._open(batch, event.name)

    def _open(self, batch: Batch, name: Any) -> Iterator[list[Any]]:
        """The whole answer about the file, and its documents."""
        item = batch.named(name)
        if item is None or item.answer is None:
            yield [gr.skip() for _one in self.shown.opened()]
            return
        report = report_of(item)
        # A generator: Gradio copies the files before the folder is deleted.
        with tempfile.TemporaryDirectory(prefix="answer-") as folder:
            files = write_documents(report, Path(folder), visitor_language()) if report else []
            downloads = gr.update(value=list(map(str, files)) or None, visible=bool(files))
            path = str(item.path) if report and report.people else None
            yield [opened(item), downloads, *self.shown.lead.updates(path)]

    def measure(self, batch: Batch, labels: str | None, threshold: float) -> Markup:
        return measured(batch, labels, threshold)

    def _empty(self) -> Updates:
        """No answer, and none that is opened."""
        shown = self.shown
        return {
            shown.table: gr.update(value=None, visible=False),
            shown.order: gr.update(visible=False),
            shown.row: "",
            shown.outdated: "",
            shown.lead.path: None,
            shown.lead.button: gr.update(visible=False),
            shown.row_files: gr.update(value=None, visible=False),
            shown.files: gr.update(value=None, visible=False),
        }

    def _answers(self, batch: Batch, turn: int | None, order: str) -> Iterator[Updates]:
        """Queue and table, then the next turn or the downloads; `turn` is None if cancelled."""
        shown, busy = self.shown, batch.waiting > 0
        updates: Updates = {
            shown.batch: batch,
            shown.queue: queue_list(batch),
            shown.table: gr.update(value=table(batch, order), visible=True),
            shown.order: gr.update(visible=True),
        }
        if busy and turn is not None:
            # The changed turn is a new event, so other visitors' requests come in between.
            yield updates | {shown.turn: turn + 1}
            return
        updates |= {
            shown.start: gr.update(interactive=True),
            shown.cancel: gr.update(interactive=False),
        }
        with tempfile.TemporaryDirectory(prefix="answer-") as folder:
            files = write_downloads(batch, Path(folder), visitor_language())
            yield updates | {shown.files: gr.update(value=files, visible=True)}
