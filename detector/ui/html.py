"""The page's own small pieces of HTML: head, invitation, waiting, trouble."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from detector.errors import VideoError
from detector.language import LANGUAGES, _, active_language, catalogue, joined, mark
from detector.records import ModelInfo
from detector.service.identity import LANGUAGE_COOKIE
from detector.service.jobs import Step
from detector.service.temp_files import KEPT_SECONDS
from detector.text.summary import status_text
from detector.ui.templates import piece, section, steps
from detector.video import Limits

HERE = Path(__file__).parent
# Texts of the scripts of the masthead.
WORDS = {
    "title": mark("Is this face real?"),
    "webcam": mark("Click to use the camera"),
    "failure": mark("An error occurred."),
    "too_large": mark(
        "{file} has {size} MB; at most {most} MB are accepted. "
        "Cut out the part that matters, or save it smaller."
    ),
}

SCRIPTS = ("chosen.js", "widgets.js", "toolarge.js", "progress.js")
# What Gradio's widgets are called for a screen reader or under a pointer, in English whatever the
# language of the page.
WIDGET_NAMES = (
    mark("Click to upload or drop files"),
    mark("File upload"),
    mark("Upload file"),
    mark("Uploaded files"),
    mark("Remove this file"),
    mark("Empty value"),
    mark("Open cell menu"),
    mark("Copy table data"),
    mark("Table actions"),
    mark("Fullscreen"),
    mark("More tabs"),
    mark("Code input container"),
    mark("Copied"),
    mark("Download"),
    mark("Close"),
    mark("Gradio footer navigation"),
    mark("Select input device"),
    mark("select input source"),
    mark("grant webcam access"),
    mark("capture photo"),
    mark("start recording"),
    mark("stop recording"),
)
COPY = mark("Copy to the clipboard")  # "Copy" alone is a noun on this page


def expectation(card: Mapping[str, Any]) -> str:
    """How often the model is wrong, in one line, from its card's figures; "" where it has none.

    A card may state it itself (`metrics.expectation`); else it is what its validation videos show.
    """
    metrics = card.get("metrics") or {}
    found = metrics.get("expectation") or (metrics.get("videos") or {}).get("all") or {}
    alarms, misses = found.get("false_alarms"), found.get("misses")
    # A card is a file: either may be missing, or no number.
    if not isinstance(alarms, int | float) or not isinstance(misses, int | float):
        return ""
    return _(
        "Of 100 real people it calls about {alarms} fake; of 100 fakes like those it was tested "
        "on it misses about {misses}.",
        alarms=f"{100 * alarms:.0f}",
        misses=f"{100 * misses:.0f}",
    )


def masthead(model: ModelInfo, card: Mapping[str, Any]) -> Markup:
    """Title, purpose, expected errors, and the choice of a language."""
    return piece(
        "masthead.html",
        trust=expectation(card) if model.trained else "",
        trained=model.trained,
        languages=LANGUAGES,
        language=active_language(),
    )


def masthead_js(limits: Limits) -> str:
    """The scripts of the masthead: one keeps the chosen language, one names Gradio's widgets in it,
    one fills `#too-large`."""
    translations = {name: _words(name) for name in LANGUAGES}
    given = {"cookie": LANGUAGE_COOKIE, "most": limits.max_bytes, "translations": translations}
    constants = [f"const {name} = {json.dumps(value)};" for name, value in given.items()]
    scripts = [(HERE / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return "\n".join([*constants, *scripts])


def _words(language: str) -> dict[str, Any]:
    """The texts of the scripts in a language; `widgets` by what Gradio has in English."""
    translated = catalogue(language).gettext
    widgets = {name: translated(name) for name in WIDGET_NAMES}
    widgets["Copy"] = translated(COPY)
    return {key: translated(word) for key, word in WORDS.items()} | {"widgets": widgets}


def origin(model: ModelInfo, device: str, limits: Limits) -> Markup:
    """Which model answers, and under which limits; small, at the foot of the page."""
    return piece(
        "origin.html",
        model=model,
        name=Markup("<b>{}</b>").format(model.id),
        device=device.upper(),
        size=limits.max_bytes // 2**20,
        minutes=f"{limits.max_seconds / 60:.0f}",
        pixels=f"{limits.max_pixels / 1e6:.0f}",
        kept=KEPT_SECONDS // 60,
    )


def welcome() -> Markup:
    """What is shown where the answer will be."""
    return steps(
        _("What it does with your video"),
        (_("Finds and follows every face"), _("one line for each person")),
        (
            _("Scores runs of frames"),
            _("spread over the whole video, each frame with its neighbours"),
        ),
        (_("How likely, when and why"), _("or plainly that it is undecided")),
    )


def working(step: Step) -> Markup:
    """Stage, frames done of total, time left; or the place in line."""
    if step.place is not None:
        return _in_line(step.place)
    details = []  # a stage of one step has none
    if step.total > 1:
        details.append(_("{done} of {total} frames", done=step.done, total=step.total))
    if step.seconds_left is not None and step.done < step.total:
        details.append(_("about {seconds} s left", seconds=f"{step.seconds_left:.0f}"))
    return piece("working.html", stage=_(step.stage), bar=bar(step), details=details)


def bar(step: Step) -> Markup:
    """How much is done."""
    return piece("bar.html", stage=_(step.stage), share=round(100 * step.share))


def _in_line(place: int) -> Markup:
    before = _("The one before you is being analysed now.")
    if place > 1:
        before = _(
            "{count} are before you, and one of them is being analysed now.",
            count=place,
        )
    return section(
        "working",
        _("You are number {place} in line", place=place),
        joined(before, _("It goes on by itself; keep this page open.")),
        aria_live="polite",
    )


def undrawn(error: VideoError) -> Markup:
    """Why there is no annotated video beside the answer."""
    why = joined(error, _("The result above does not need it."))
    return section("working", _("The video was not annotated"), why, role="status")


def problem(error: VideoError) -> Markup:
    """Why a file cannot be analysed, and what to do."""
    return no_answer(str(error), status_text(error.status))


def no_answer(why: str, next_step: str) -> Markup:
    """Why there is no answer, and what to do."""
    return piece("no_answer.html", why=why, next_step=next_step)


def outdated() -> Markup:
    """What is said beside a result once an option is not the one it was made with."""
    return piece("outdated.html")


def cancelled() -> Markup:
    return section(
        "welcome",
        _("Cancelled"),
        _("Nothing of this analysis was kept. Start again whenever you like."),
    )
