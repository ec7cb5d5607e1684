"""From an answer to a closer analysis of its most suspicious part."""

from __future__ import annotations

from typing import Any

import gradio as gr

from detector.language import mark
from detector.records import Report
from detector.text.figures import clock
from detector.ui.events import QuestionForm
from detector.ui.handlers import Question
from detector.ui.tabs.batch_view import ANALYSE
from detector.ui.tabs.given import QUIET

CLOSEST = "thorough"  # of the presets
AROUND = 1.0  # seconds before and after, in which a stretch may really begin or end; set by hand


def build_closer() -> gr.Button:
    """Add the button, which is there beside an answer with a suspicious stretch."""
    return gr.Button(
        mark("Analyse the most suspicious part closely"), visible=False, elem_id="closer"
    )


def wire_closer(button: gr.Button, answered: gr.State, files: gr.Files, form: QuestionForm) -> None:
    """The value of `answered` are the last question and its report, or None; `files` change with
    it."""
    files.change(_offered, answered, button, **QUIET)
    chosen = button.click(
        _given, answered, [form.part.start, form.part.end, form.exact, form.frames], **QUIET
    )
    chosen.success(None, js=ANALYSE, **QUIET)


def suspicious_part(report: Report) -> tuple[float, float] | None:
    """First and last second of the stretch with the highest score, and a little around it; None
    where there is none, or where that was analysed as closely already."""
    stretches = [stretch for person in report.people for stretch in person.segments]
    worst = max(stretches, key=lambda stretch: stretch.peak, default=None)
    if worst is None:
        return None
    settings = report.settings
    first = settings.start
    last = report.end if settings.end is None else min(settings.end, report.end)
    start, end = max(worst.start - AROUND, first), min(worst.end + AROUND, last)
    # A tenth: the form has no more digits.
    whole = start <= first + 0.1 and end >= last - 0.1
    closely = settings.preset == CLOSEST and not settings.frames
    return None if whole and closely else (start, end)


def _offered(answered: tuple[Question, Report] | None) -> Any:
    return gr.update(visible=answered is not None and suspicious_part(answered[1]) is not None)


def _given(answered: tuple[Question, Report]) -> list[Any]:
    part = suspicious_part(answered[1])
    assert part is not None, "the button is hidden"
    start, end = part
    return [clock(start), clock(end), 0, CLOSEST]
