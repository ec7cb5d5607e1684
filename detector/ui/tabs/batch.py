"""The tab for several files: a queue, one table of answers, and both as downloads.

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

from detector.batch import Batch, Item, Place
from detector.errors import VideoError, shown
from detector.language import _, lazy, mark
from detector.records import Report, Status, verdict_name
from detector.render.batch import batch_csv, batch_json
from detector.render.document import summary_row
from detector.service.jobs import Step
from detector.settings import Settings
from detector.text.summary import clock, headline, percent, verdict_text
from detector.ui import html
from detector.ui.gradio_patches import untouched
from detector.ui.greeting import greeting
from detector.ui.handlers import Detectors, Question, look
from detector.ui.tabs.check import PRESET_LABELS
from detector.ui.templates import piece, steps

HEADS = (
    lazy("File"),
    lazy("Answer"),
    lazy("Score (%)"),
    lazy("95 % interval"),
    lazy("Person"),
    lazy("Peak"),
    lazy("Length (s)"),
)
KINDS: Any = ["str", "str", "number", "str", "number", "str", "number"]
_PLACES = {
    Place.WAITING: lazy("Waiting"),
    Place.WORKING: lazy("At work"),
    Place.DONE: lazy("Done"),
    Place.LEFT_OUT: lazy("Left out"),
}
Updates = dict[gr.Component, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """The components that a batch fills; `turn` rises by one for each file."""

    batch: gr.State
    turn: gr.State
    queue: gr.HTML
    table: gr.Dataframe
    files: gr.Files
    start: gr.Button
    cancel: gr.Button

    def components(self) -> list[gr.Component]:
        return [getattr(self, name) for name in self.__slots__]


def introduction() -> Markup:
    return steps(
        _("Several files, one after the other"),
        (
            _("A file that cannot be used costs only itself"),
            _("it gets an answer that says why"),
        ),
        (_("Every file waits its turn"), _("so that other visitors get theirs")),
        (_("Cancel keeps what is done"), _("as a table, as CSV and as JSON")),
    )


def build_batch(detectors: Detectors, heavy: dict[str, Any]) -> None:
    """Add the tab's components to the page that is being built."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            given = untouched(
                gr.Files(label=mark("Your videos and pictures"), elem_id="batch-given", height=220)
            )
            frames = gr.Radio(
                PRESET_LABELS,
                value="standard",
                label=mark("How closely to look"),
                elem_id="batch-frames",
            )
            with gr.Row():
                start = gr.Button(
                    mark("Analyse all"), variant="primary", elem_id="batch-start", scale=3
                )
                cancel = gr.Button(
                    mark("Cancel"), elem_id="batch-cancel", interactive=False, scale=1
                )
        with gr.Column(scale=7, min_width=320):
            queue = greeting(gr.HTML, introduction, elem_id="batch-queue", elem_classes="report")
    table = gr.Dataframe(
        headers=[str(head) for head in HEADS],
        datatype=KINDS,
        interactive=False,
        visible=False,
        column_widths=["28%", "18%", "11%", "16%", "9%", "9%", "9%"],
        label=mark("Answers (the menu in each head sorts and filters)"),
        elem_id="batch-table",
    )
    files = gr.Files(
        label=mark("Downloads"), visible=False, interactive=False, elem_id="batch-files"
    )
    shown = Shown(gr.State(Batch()), gr.State(0), queue, table, files, start, cancel)
    _wire(BatchEvents(detectors, shown), given, frames, heavy)


def _wire(events: BatchEvents, given: gr.Files, frames: gr.Radio, heavy: dict[str, Any]) -> None:
    """All but `cancel` go through the queue: a changed state starts an event only there."""
    shown = events.shown
    every, held = shown.components(), [shown.batch, shown.turn]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    shown.start.click(events.begin, [given, shown.turn], every, **quiet)
    running = shown.turn.change(events.step, [*held, frames], every, **quiet, **heavy)
    running.failure(events.skip, held, every, **quiet)
    shown.cancel.click(events.cancel, shown.batch, every, cancels=running, queue=False, **quiet)
    given.change(events.put_aside, shown.batch, every, queue=False, **quiet)


class BatchEvents:
    """The tab's events; the visitor's batch is in their own session."""

    def __init__(self, detectors: Detectors, shown: Shown) -> None:
        self.detectors = detectors
        self.shown = shown
        self.model = next(iter(detectors))

    def begin(self, given: list[str] | None, turn: int) -> Updates:
        """The chosen files form a queue; that `turn` rises starts the first of them."""
        if not given:
            raise gr.Error(_("Choose some files first."), title=_("Nothing to look at"))
        try:
            batch = Batch.of(given)
        except ValueError as error:
            raise gr.Error(str(error), title=_("Too many files")) from error
        shown = self.shown
        return {
            shown.batch: batch,
            shown.turn: turn + 1,
            shown.queue: queue_list(batch),
            shown.table: gr.update(value=None, visible=False),
            shown.files: gr.update(value=None, visible=False),
            shown.start: gr.update(interactive=False),
            shown.cancel: gr.update(interactive=True),
        }

    def step(self, batch: Batch, turn: int, preset: str) -> Iterator[Updates]:
        """One file, from the queue to its answer."""
        shown, batch = self.shown, batch.started()
        if batch.current is None:
            return
        yield {shown.batch: batch, shown.queue: queue_list(batch)}
        path = batch.items[batch.current].path
        settings = Settings(preset=preset, heat=False)
        with closing(look(self.detectors, Question(path, settings, self.model))) as steps:
            for item in steps:
                if isinstance(item, Step):
                    yield {shown.queue: queue_list(batch, item)}
                else:
                    yield from self._answers(batch.answered(item), turn)

    def skip(self, batch: Batch, turn: int) -> Iterator[Updates]:
        """After a mistake of ours: the file at work is told so, and the next one begins."""
        yield from self._answers(batch.broken(), turn)

    def cancel(self, batch: Batch) -> Iterator[Updates]:
        yield from self._answers(batch.cancelled(), None)

    def put_aside(self, batch: Batch) -> Updates:
        """Other files were chosen: answers about the last ones go, unless they still come."""
        shown = self.shown
        if batch.waiting or batch.current is not None:
            return {shown.batch: gr.skip()}
        return {
            shown.batch: Batch(),
            shown.queue: introduction(),
            shown.table: gr.update(value=None, visible=False),
            shown.files: gr.update(value=None, visible=False),
        }

    def _answers(self, batch: Batch, turn: int | None) -> Iterator[Updates]:
        """Queue and table, then the next turn or the downloads; `turn` is None if cancelled."""
        shown, busy = self.shown, batch.waiting > 0
        updates: Updates = {
            shown.batch: batch,
            shown.queue: queue_list(batch),
            shown.table: gr.update(value=table(batch), visible=True),
        }
        if busy and turn is not None:
            yield updates | {shown.turn: turn + 1}
            return
        updates |= {
            shown.start: gr.update(interactive=True),
            shown.cancel: gr.update(interactive=False),
        }
        with tempfile.TemporaryDirectory(prefix="answer-") as folder:
            files = write_tables(batch, Path(folder))
            yield updates | {shown.files: gr.update(value=files, visible=True)}


def write_tables(batch: Batch, folder: Path) -> list[str]:
    """All answers as CSV and as JSON, for download."""
    texts = {"results.csv": batch_csv(batch.answers), "results.json": batch_json(batch.answers)}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return [str(folder / name) for name in texts]


def table(batch: Batch) -> dict[str, Any]:
    """The answers under their heads, as `gr.Dataframe` takes them."""
    return {"headers": [str(head) for head in HEADS], "data": table_rows(batch)}


def table_rows(batch: Batch) -> list[list[Any]]:
    """A row per answered file, one cell per head in `HEADS`."""
    rows = []
    for name, answer in batch.answers:
        row = summary_row(answer, name)
        low_high = row["interval"] and _interval(*row["interval"])
        peak = row["peak_second"]
        rows.append(
            [
                name,
                answer_text(answer),
                None if row["p_fake"] is None else round(100 * row["p_fake"], 1),
                low_high or "",
                row["most_suspicious_person"],
                "" if peak is None else clock(peak),
                row["seconds"],
            ]
        )
    return rows


def answer_text(answer: Report | VideoError) -> str:
    """The verdict in a word or two, or that there is none."""
    if isinstance(answer, VideoError) or answer.status is not Status.OK:
        return _("No answer")
    return verdict_text(answer.verdict)


def _interval(low: float, high: float) -> str:
    return _("{low} to {high}", low=percent(low), high=percent(high))


def queue_list(batch: Batch, step: Step | None = None) -> Markup:
    """Every file with where it stands; `step` is how far the one at work is."""
    rows = [_row(item, step) for item in batch.items]
    return piece("queue.html", done=len(batch.answers), rows=rows)


def _row(item: Item, step: Step | None) -> dict[str, str]:
    said, tone, bar = str(_PLACES[item.place]), item.place.value, ""
    if isinstance(item.answer, Report):
        said, tone = headline(item.answer), f"{tone} {verdict_name(item.answer.verdict) or 'none'}"
    elif item.answer is not None:
        said, tone = str(item.answer), f"{tone} none"
    elif item.place is Place.WORKING and step is not None and step.place is not None:
        said = _("Number {place} in line", place=step.place)
    elif item.place is Place.WORKING and step is not None:
        said = _(
            "{stage}: {done} of {total}", stage=_(step.stage), done=step.done, total=step.total
        )
        bar = html.bar(step)
    return {"name": shown(item.path.name), "said": said, "tone": tone, "bar": bar}
