"""The tab with the results of this visit, and the button that deletes its files.

The list lives in the visitor's own session and holds nothing but names and places of files that
are deleted anyway; when they are gone, it says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from detector.service.session_files import Ledger, paths_in
from detector.ui.gradio_patches import components, shown_to

EMPTY = (
    '<section class="welcome"><h2>Nothing yet</h2><p>What you check in this visit is listed here '
    "until you leave the page or delete it.</p></section>"
)
CHOOSE = (
    '<section class="welcome"><h2>Choose a result above</h2><p>It is shown here as it was then.</p>'
    "</section>"
)
TOGETHER = (
    '<section class="welcome"><h2>Several files, answered together</h2><p>The answers are in the '
    "table and in the JSON file below.</p></section>"
)
GONE = (
    '<section class="answer undecided"><h1>This result is gone</h1><p>Its files were deleted. '
    "Analyse the video again to see it.</p></section>"
)
DOWNLOADS, OF_BATCH = "downloads", "batch-files"


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
    """Add the tab; it is built after those whose results and files it lists. `answered` holds the
    visitor's last answer."""
    events = HistoryEvents(page)
    past = gr.State([])
    with gr.Row(equal_height=True):
        choice = gr.Radio([], label="Results of this visit", elem_id="history", scale=4)
        ask = gr.Button("Delete my files now", variant="stop", elem_id="delete-files", scale=1)
    with gr.Row(visible=False) as sure:
        delete = gr.Button("Delete them for good", variant="stop", elem_id="delete-sure")
        keep = gr.Button("Keep them", elem_id="delete-not")
    shown = gr.HTML(EMPTY, elem_id="history-shown", elem_classes="report")
    files = gr.Files(label="Downloads", visible=False, interactive=False, elem_id="history-files")
    light: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
    light["api_visibility"] = "private"
    raw = {**light, "preprocess": False}  # files as they were sent, not as components read them
    holders, downloads = events.holders, events.downloads
    changes = [block.change for block in [*events.uploads, downloads]]
    gr.on(changes, events.note, holders, **raw)
    for given in (downloads, events.of_batch):
        given.change(events.remember, [past, choice, given], [past, choice, shown], **raw)
    choice.change(events.show, [choice, past], [shown, files], **light)
    cleared = [*holders, *events.results, answered, past, choice, shown]
    ask.click(lambda: gr.update(visible=True), None, sure, **light)
    gr.on([keep.click, delete.click], lambda: gr.update(visible=False), None, sure, **light)
    delete.click(events.forget, [*holders, files], [*cleared, events.answer, events.form], **raw)
    page.unload(events.leave)


class HistoryEvents:
    """The tab's events; of visitors they hold only which files are whose."""

    def __init__(self, page: gr.Blocks) -> None:
        self.ledger = Ledger(lambda: kept_files(page))
        self.page = page
        self.holders = file_components(page)
        self.results = report_components(page)
        named = {block.elem_id: block for block in self.holders}
        self.downloads, self.of_batch = named[DOWNLOADS], named[OF_BATCH]
        self.answer = next(b for b in components(page) if b.elem_id == "answer")
        self.form = next(b for b in components(page) if b.elem_id == "asked")
        self.uploads = [block for block in self.holders if takes_files(block)]

    def note(self, request: gr.Request, *values: Any) -> None:
        """What the browser holds, and what the server last showed it: a viewer's files, too."""
        session = request.session_hash or ""
        self.ledger.note(session, [*values, shown_to(self.page, session)])

    def remember(
        self, known: list[Past], chosen: str | None, given: Any
    ) -> tuple[list[Past], Any, Any]:
        """The documents of an answer, or of a batch, join the list."""
        known = with_result(known, list(paths_in(given)))
        choices = gr.update(choices=[(entry.line, entry.name) for entry in known])
        return known, choices, CHOOSE if known and not chosen else gr.skip()

    def show(self, name: str | None, known: list[Past]) -> tuple[str, Any]:
        entry = next((entry for entry in known if entry.name == name), None)
        if entry is None:
            return CHOOSE if known else EMPTY, gr.update(visible=False)
        there = [str(path) for path in entry.files if path.is_file()]
        return frame(entry), gr.update(value=there, visible=bool(there))

    def forget(self, request: gr.Request, *values: Any) -> list[Any]:
        """Delete every file of this visit, and show the page as it was at first."""
        self.note(request, *values)
        count = self.ledger.forget(request.session_hash or "")
        cleared = [gr.update(value=None) for _ in self.holders]
        begun = [gr.update(value=block.value) for block in self.results]
        emptied: list[Any] = [None, [], gr.update(choices=[], value=None), deleted(count)]
        return [*cleared, *begun, *emptied, gr.update(visible=False), gr.update(open=True)]

    def leave(self, request: gr.Request) -> None:
        self.note(request)
        self.ledger.forget(request.session_hash or "")


def with_result(known: list[Past], paths: list[Path]) -> list[Past]:
    """`known` and the result whose documents lie at `paths`, the newest first; an analysis
    whose files are more or newer replaces itself."""
    report = next((path for path in paths if path.suffix == ".json"), None)
    if report is None or not report.is_file():
        return known
    content = json.loads(report.read_text(encoding="utf-8"))
    line, analysis = _of_batch(content) if isinstance(content, list) else _of_one(content)
    others = [entry for entry in known if entry.analysis != analysis]
    taken = {entry.line for entry in others}
    while line in taken:
        line += "*"
    return [Past(analysis, line, tuple(paths)), *others]


def _of_one(content: dict[str, Any]) -> tuple[str, tuple[str, str]]:
    """The line of one file's report, and which analysis it is of."""
    clock = content["created_utc"][11:16]
    line = f"{content['video']['name']} · {content['headline']} · {clock} UTC"
    return line, (content["created_utc"], content["video"]["sha256"])


def _of_batch(answers: list[dict[str, Any]]) -> tuple[str, tuple[str, str]]:
    """The same for the answers of a batch, the last of which says when it was."""
    names = [answer["video"]["name"] for answer in answers]
    created = max((answer["created_utc"] for answer in answers), default="")
    clock = f" · {created[11:16]} UTC" if created else ""
    return f"{len(names)} files: {', '.join(names)[:80]}{clock}", (created, "\n".join(names))


def frame(entry: Past) -> str:
    """The result's own page, which runs no script, within ours."""
    if entry.page is None and all(path.is_file() for path in entry.files):
        return TOGETHER
    if entry.page is None or not entry.page.is_file():
        return GONE
    text = entry.page.read_text(encoding="utf-8")
    said = f'title="{escape(entry.line)}" srcdoc="{escape(text)}"'
    return f'<iframe class="past" sandbox {said}></iframe>'


def deleted(count: int) -> str:
    files = "1 file was" if count == 1 else f"{count} files were"
    return (
        f'<section class="welcome" role="status"><h2>{files} deleted</h2><p>Nothing that you sent '
        "or received in this visit is left on this machine. Copies that you downloaded are yours."
        "</p></section>"
    )


def file_components(page: gr.Blocks) -> list[Any]:
    """Whatever holds files: uploads, players, downloads and our own viewers of them."""
    return [block for block in components(page) if _holds_files(block)]


def _holds_files(block: Any) -> bool:
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
