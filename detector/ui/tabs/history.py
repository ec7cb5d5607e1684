"""The tab with the results of this visit, and the button that deletes its files.

The list lives in the visitor's own session and contains only names and places of files that
are deleted anyway; when they are gone, that is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from markupsafe import Markup

from detector.language import _, mark
from detector.records import Report
from detector.service.batch import Batch
from detector.service.session_files import SessionFiles, paths_in
from detector.ui.gradio_patches import components, shown_to
from detector.ui.greeting import begun, greeting
from detector.ui.handlers import Question
from detector.ui.tabs.batch_view import Lead
from detector.ui.tabs.compare import Compared
from detector.ui.tabs.kept import NO_RESULT, Kept, choices_of, kept_answer, kept_answers
from detector.ui.tabs.past import Past, with_result
from detector.ui.tabs.saving import ELEM_ID as FRAME
from detector.ui.templates import piece, section

DOWNLOADS, OF_BATCH, COMPARED = "downloads", "batch-files", "compare-files"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where results come from: the states with the visitor's last answer and batch, what leads
    from the batch to the viewer, and the tab that compares."""

    answered: gr.State
    batch: gr.State
    lead: Lead
    compared: Compared


def build_history(page: gr.Blocks, sources: Sources) -> None:
    """Add the tab; it is built after those whose results and files it lists."""
    events = HistoryEvents(page)
    past = sources.compared.past
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
    of_batch = [sources.batch, sources.lead.frames, sources.lead.model]
    added = [
        files_of.change(event, [past, choice, files_of, *held], [past, choice, shown], **raw)
        for files_of, event, held in (
            (downloads, events.add_answer, [sources.answered]),
            (events.of_batch, events.add_batch, of_batch),
            (events.compared, events.add_pair, [sources.compared.answers]),
        )
    ]
    # By the visitor alone: deleting empties it, too, and has its own receipt to show.
    choice.input(events.show, [choice, past], [shown, files], **light)
    cleared = [*holders, *events.results, sources.answered, past, choice, shown]
    delete_now.click(lambda: gr.update(visible=True), None, sure, **light)
    gr.on([keep.click, delete.click], lambda: gr.update(visible=False), None, sure, **light)
    deleted = delete.click(
        events.delete_all, [*holders, files], [*cleared, events.answer, events.form], **raw
    )
    to_compare = sources.compared.of_both("result")
    for changed in (*added, deleted):
        changed.then(events.offer, [past, *to_compare], to_compare, **light)
    page.unload(events.leave)  # also when the browser is closed


class HistoryEvents:
    """The tab's events; of visitors they store only which files are whose."""

    def __init__(self, page: gr.Blocks) -> None:
        self.files = SessionFiles(lambda: kept_files(page))
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
        self.files.note(session, [*values, shown_to(self.page, session)])

    def add_answer(
        self,
        results: list[Past],
        chosen: str | None,
        given: Any,
        answered: tuple[Question, Report] | None,
    ) -> tuple[list[Past], Any, Any]:
        """The documents of an answer join the list; `answered` is the last question and its
        report."""
        kept = (kept_answer(*answered),) if answered else ()
        return _added(results, chosen, given, kept)

    def add_batch(
        self, results: list[Past], chosen: str | None, given: Any, batch: Batch, *about: str
    ) -> tuple[list[Past], Any, Any]:
        """Those of a batch; it began with the preset and model of `about`."""
        # Also called once the downloads are emptied.
        kept = kept_answers(batch, *about) if given else ()
        return _added(results, chosen, given, kept)

    def add_pair(
        self, results: list[Past], chosen: str | None, given: Any, kept: tuple[Kept, ...]
    ) -> tuple[list[Past], Any, Any]:
        """Those of a comparison."""
        return _added(results, chosen, given, kept)

    def offer(self, results: list[Past], *chosen: str | None) -> list[Any]:
        """The answers to choose from, where two are compared."""
        choices = choices_of(one for entry in results for one in entry.kept)
        keys = {key for _line, key in choices}
        none = (_("No result"), NO_RESULT)  # Gradio's own list cannot be emptied by hand
        update: dict[str, Any] = {"choices": [none, *choices], "visible": bool(choices)}
        # The value only where it is gone: a choice that is just being made must not be undone.
        gone = [key not in (None, NO_RESULT, *keys) for key in chosen]
        return [gr.update(**update, **({"value": None} if one else {})) for one in gone]

    def show(self, name: str | None, results: list[Past]) -> tuple[str, Any]:
        entry = next((entry for entry in results if entry.name == name), None)
        if entry is None:
            return choose() if results else empty(), gr.update(visible=False)
        there = [str(path) for path in entry.files if path.is_file()]
        return frame(entry), gr.update(value=there, visible=bool(there))

    def delete_all(self, request: gr.Request, *values: Any) -> list[Any]:
        """Delete every file of this visit, and show the page as it was at first."""
        self.note(request, *values)
        count = self.files.delete(request.session_hash or "")
        cleared = [gr.update(value=None) for _ in self.holders]
        first = [gr.update(value=begun(block)) for block in self.results]
        emptied: list[Any] = [None, [], gr.update(choices=[], value=None), deleted(count)]
        return [*cleared, *first, *emptied, gr.update(visible=False), gr.update(open=True)]

    def leave(self, request: gr.Request) -> None:
        self.note(request)
        self.files.delete(request.session_hash or "")


def _added(
    results: list[Past], chosen: str | None, given: Any, kept: tuple[Kept, ...]
) -> tuple[list[Past], Any, Any]:
    """The results, the list of them, and what is shown of one."""
    results = with_result(results, list(paths_in(given)), kept)
    choices = gr.update(choices=[(entry.line, entry.name) for entry in results])
    return results, choices, choose() if results and not chosen else gr.skip()


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
