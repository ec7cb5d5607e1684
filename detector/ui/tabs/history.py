"""The tab with the results of this visit, and the button that deletes its files.

The list lives in the visitor's own session and contains only names and places of files that
are deleted anyway; when they are gone, that is shown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from detector.language import _, mark
from detector.records import Report
from detector.service.session_files import Ledger, paths_in
from detector.text.summary import headline
from detector.ui.gradio_patches import components, shown_to
from detector.ui.greeting import begun, greeting
from detector.ui.tabs.saving import ELEM_ID as FRAME
from detector.ui.templates import piece, section

DOWNLOADS, OF_BATCH, COMPARED = "downloads", "batch-files", "compare-files"


@dataclass(frozen=True, slots=True)
class Past:
    """One result of this visit: which analysis it is of, its line in the list, and where its
    documents lie."""

    analysis: tuple[str, str]
    line: str
    files: tuple[Path, ...]

    @property
    def name(self) -> str:
        """By what the browser names it, whatever the language of its line."""
        return next(str(path) for path in self.files if path.suffix == ".json")

    @property
    def page(self) -> Path | None:
        return next((path for path in self.files if path.suffix == ".html"), None)


def build_history(page: gr.Blocks, answered: gr.State) -> None:
    """Add the tab; it is built after those whose results and files it lists. The value of
    `answered` is the visitor's last answer."""
    events = HistoryEvents(page)
    past = gr.State([])
    with gr.Row(equal_height=True):
        choice = gr.Radio([], label=mark("Results of this visit"), elem_id="history", scale=4)
        delete_now = gr.Button(
            mark("Delete my files now"), variant="stop", elem_id="delete-files", scale=1
        )
    with gr.Row(visible=False) as sure:
        delete = gr.Button(mark("Delete them for good"), variant="stop", elem_id="delete-sure")
        keep = gr.Button(mark("Keep them"), elem_id="delete-not")
    shown = greeting(gr.HTML, empty, elem_id="history-shown", elem_classes="report")
    files = gr.Files(
        label=mark("Downloads"), visible=False, interactive=False, elem_id="history-files"
    )
    light: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
    light["api_visibility"] = "private"
    raw = {**light, "preprocess": False}  # files as they were sent, not as components read them
    holders, downloads = events.holders, events.downloads
    changes = [block.change for block in [*events.uploads, downloads, events.frame]]
    gr.on(changes, events.note, holders, **raw)
    for given in (downloads, events.of_batch, events.compared):
        held = [past, choice, answered, given]
        given.change(events.remember, held, [past, choice, shown], **raw)
    # By the visitor alone: deleting empties it, too, and has its own receipt to show.
    choice.input(events.show, [choice, past], [shown, files], **light)
    cleared = [*holders, *events.results, answered, past, choice, shown]
    delete_now.click(lambda: gr.update(visible=True), None, sure, **light)
    gr.on([keep.click, delete.click], lambda: gr.update(visible=False), None, sure, **light)
    delete.click(events.forget, [*holders, files], [*cleared, events.answer, events.form], **raw)
    page.unload(events.leave)  # also when the browser is closed


class HistoryEvents:
    """The tab's events; of visitors they store only which files are whose."""

    def __init__(self, page: gr.Blocks) -> None:
        self.ledger = Ledger(lambda: kept_files(page))
        self.page = page
        self.holders = file_components(page)
        self.results = report_components(page)
        named = {block.elem_id: block for block in self.holders}
        self.downloads, self.of_batch = named[DOWNLOADS], named[OF_BATCH]
        self.compared = named[COMPARED]
        self.frame = next(b for b in components(page) if b.elem_id == FRAME)
        self.answer = next(b for b in components(page) if b.elem_id == "answer")
        self.form = next(b for b in components(page) if b.elem_id == "request")
        self.uploads = [block for block in self.holders if takes_files(block)]

    def note(self, request: gr.Request, *values: Any) -> None:
        """The files that the browser has, and those last sent to it: a viewer's, too."""
        session = request.session_hash or ""
        self.ledger.note(session, [*values, shown_to(self.page, session)])

    def remember(
        self, results: list[Past], chosen: str | None, answered: Any, given: Any
    ) -> tuple[list[Past], Any, Any]:
        """The documents of an answer, a batch or a comparison join the list; `answered` is the
        visitor's last question and its report, or None."""
        report = answered[1] if answered else None
        results = with_result(results, list(paths_in(given)), report)
        choices = gr.update(choices=[(entry.line, entry.name) for entry in results])
        return results, choices, choose() if results and not chosen else gr.skip()

    def show(self, name: str | None, results: list[Past]) -> tuple[str, Any]:
        entry = next((entry for entry in results if entry.name == name), None)
        if entry is None:
            return choose() if results else empty(), gr.update(visible=False)
        there = [str(path) for path in entry.files if path.is_file()]
        return frame(entry), gr.update(value=there, visible=bool(there))

    def forget(self, request: gr.Request, *values: Any) -> list[Any]:
        """Delete every file of this visit, and show the page as it was at first."""
        self.note(request, *values)
        count = self.ledger.delete(request.session_hash or "")
        cleared = [gr.update(value=None) for _ in self.holders]
        first = [gr.update(value=begun(block)) for block in self.results]
        emptied: list[Any] = [None, [], gr.update(choices=[], value=None), deleted(count)]
        return [*cleared, *first, *emptied, gr.update(visible=False), gr.update(open=True)]

    def leave(self, request: gr.Request) -> None:
        self.note(request)
        self.ledger.delete(request.session_hash or "")


def with_result(results: list[Past], paths: list[Path], answer: Report | None = None) -> list[Past]:
    """`results` and the result whose documents lie at `paths`, the newest first; an analysis
    whose files are more or newer replaces itself. Where it is `answer`, its line is in the active
    language."""
    report = next((path for path in paths if path.suffix == ".json"), None)
    if report is None or not report.is_file():
        return results
    content = json.loads(report.read_text(encoding="utf-8"))
    if isinstance(content, list):
        line, analysis = _of_batch(content)
    elif "answers" in content:
        line, analysis = _of_pair(content)
    else:
        line, analysis = _of_one(content, answer)
    others = [entry for entry in results if entry.analysis != analysis]
    taken = {entry.line for entry in others}
    while line in taken:
        line += "*"  # a radio with two equal lines could not be read
    return [Past(analysis, line, tuple(paths)), *others]


def _of_one(content: dict[str, Any], report: Report | None) -> tuple[str, tuple[str, str]]:
    """The line of one file's report, and which analysis it is of."""
    analysis = content["created_utc"], content["video"]["sha256"]
    text = content["headline"]
    if report is not None and (report.created_utc, report.video.sha256) == analysis:
        text = headline(report)  # the document's own is English
    return f"{content['video']['name']} · {text} · {content['created_utc'][11:16]} UTC", analysis


def _of_batch(answers: list[dict[str, Any]]) -> tuple[str, tuple[str, str]]:
    """The same for the answers of a batch, the last of which has the time."""
    names = [answer["video"]["name"] for answer in answers]
    created = max((answer["created_utc"] for answer in answers), default="")
    clock = f" · {created[11:16]} UTC" if created else ""
    line = _("{count} files: {names}", count=len(names), names=", ".join(names)[:80])
    return f"{line}{clock}", (created, "\n".join(names))


def _of_pair(content: dict[str, Any]) -> tuple[str, tuple[str, str]]:
    """The same for two answers that were compared."""
    names = [answer["video"]["name"] for answer in content["answers"]]
    created = content["created_utc"]
    clock = f" · {created[11:16]} UTC" if created else ""
    line = _("Comparison: {first} and {second}", first=names[0], second=names[1])
    return f"{line}{clock}", (created, "\n".join(names))


def frame(entry: Past) -> Markup:
    """The result's own page, which runs no script, within ours."""
    if entry.page is None and all(path.is_file() for path in entry.files):
        return together()
    if entry.page is None or not entry.page.is_file():
        return piece("gone.html")
    return piece("past.html", title=entry.line, page=entry.page.read_text(encoding="utf-8"))


def empty() -> Markup:
    return section(
        "welcome",
        _("Nothing yet"),
        _("What you check in this visit is listed here until you leave the page or delete it."),
    )


def choose() -> Markup:
    return section("welcome", _("Choose a result above"), _("It is shown here as it was then."))


def together() -> Markup:
    return section(
        "welcome",
        _("Several files, answered together"),
        _("The answers are in the table and in the JSON file below."),
    )


def deleted(count: int) -> Markup:
    title = _("1 file was deleted") if count == 1 else _("{count} files were deleted", count=count)
    return section(
        "welcome",
        title,
        _(
            "Nothing that you sent or received in this visit is left on this machine. "
            "Copies that you downloaded are yours."
        ),
        role="status",
    )


def file_components(page: gr.Blocks) -> list[Any]:
    """All components with files: uploads, players, downloads and our own viewers of them."""
    return [block for block in components(page) if _has_files(block)]


def _has_files(block: Any) -> bool:
    if isinstance(block, gr.HTML):
        return type(block) is not gr.HTML
    streams = getattr(block, "streaming", False)
    return isinstance(block, gr.Video | gr.File | gr.Image) and not streams


def takes_files(block: Any) -> bool:
    """Whether a visitor can put files into it, in whatever tab it stands."""
    return not isinstance(block, gr.HTML) and block.interactive is not False


def report_components(page: gr.Blocks) -> list[Any]:
    """Where answers are shown in words."""
    return [
        block
        for block in components(page)
        if type(block) is gr.HTML and block.elem_id and "report" in (block.elem_classes or [])
    ]


def kept_files(page: gr.Blocks) -> set[str]:
    """The page's own files, such as its examples."""
    return {path for block in components(page) for path in getattr(block, "keep_in_cache", ())}
