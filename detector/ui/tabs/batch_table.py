"""What the tab for several files shows of them: the queue, the table of answers, one answer."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from detector.errors import VideoError, shown
from detector.language import _, lazy
from detector.records import Report, Status, verdict_name
from detector.render import sections
from detector.render.answer_card import answer_card
from detector.render.batch import unpacked
from detector.render.document import summary_row
from detector.service.batch import Batch, Item, Place
from detector.service.jobs import Step
from detector.text.summary import clock, headline, percent, verdict_text
from detector.ui import html
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
# Gradio's types of the columns, in the order of `HEADS`; numbers are sorted as such.
KINDS: Any = ["str", "str", "number", "str", "number", "str", "number"]
_PLACES = {
    Place.WAITING: lazy("Waiting"),
    Place.WORKING: lazy("At work"),
    Place.DONE: lazy("Done"),
    Place.LEFT_OUT: lazy("Left out"),
}


def introduction() -> Markup:
    return steps(
        _("Several files, one after the other"),
        (
            _("A file that cannot be used costs only itself"),
            _("it gets a status with the reason"),
        ),
        (_("Every file waits its turn"), _("so that other visitors get theirs")),
        (
            _("Each answer opens into its whole report"),
            _("and all of them can be downloaded at once"),
        ),
    )


def table(batch: Batch, order: str) -> dict[str, Any]:
    """The answers under their heads, as `gr.Dataframe` takes them; `order` is "given" or
    "risk"."""
    return {"headers": [str(head) for head in HEADS], "data": table_rows(batch, order)}


def table_rows(batch: Batch, order: str = "given") -> list[list[Any]]:
    """A row per answered file, one cell per head in `HEADS`."""
    items = batch.by_risk() if order == "risk" else batch.items
    return [_cells(item.name, item.answer) for item in items if item.answer is not None]


def _cells(name: str, answer: Report | VideoError) -> list[Any]:
    row = summary_row(answer, name)
    peak = row["peak_second"]
    return [
        name,
        answer_text(answer),
        # A number, not a text: the browser sorts the column by value.
        None if row["p_fake"] is None else round(100 * row["p_fake"], 1),
        _interval(*row["interval"]) if row["interval"] else "",
        row["most_suspicious_person"],
        "" if peak is None else clock(peak),
        row["seconds"],
    ]


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


def _row(item: Item, step: Step | None) -> dict[str, Any]:
    text, tone, bar = str(_PLACES[item.place]), item.place.value, ""
    if isinstance(item.answer, Report):
        text, tone = headline(item.answer), f"{tone} {verdict_name(item.answer.verdict) or 'none'}"
    elif item.answer is not None:
        text, tone = str(item.answer), f"{tone} none"
    elif item.place is Place.WORKING and step is not None and step.place is not None:
        text = _("Number {place} in line", place=step.place)
    elif item.place is Place.WORKING and step is not None:
        text = _(
            "{stage}: {done} of {total}", stage=_(step.stage), done=step.done, total=step.total
        )
        bar = html.bar(step)
    row = {"name": shown(item.name), "key": item.name, "text": text, "tone": tone, "bar": bar}
    return row | {"opens": isinstance(item.answer, Report)}


def report_of(item: Item) -> Report | None:
    """The report of a file with its pictures; None where there is none."""
    # Packed as JPEG between events: a session keeps the whole batch in memory.
    return unpacked(item.answer, item.pictures) if isinstance(item.answer, Report) else None


def opened(item: Item) -> Markup:
    """The whole answer about one file."""
    report = report_of(item)
    if report is None:
        assert isinstance(item.answer, VideoError), "this file has no answer yet"
        parts = [html.problem(item.answer)]
    else:
        parts = [
            answer_card(report) + sections.people(report),
            sections.findings(report) + sections.signals(report),
            sections.moments(report),
            sections.numbers(report),
        ]
    return piece("opened.html", name=shown(item.name), parts=[part for part in parts if part])
