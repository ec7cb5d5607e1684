"""What makes an answer weaker than its number, about whom, and what can be done."""

from __future__ import annotations

from detector.records import Report, Warn
from detector.text.messages import ADVICE_MORE, WARNINGS


def warning_text(warning: Warn, *, more: bool = True) -> str:
    """What a warning means for the result and what to do about it; with `more`, if there are
    frames that were not analysed, that they could be."""
    advice = ADVICE_MORE.get(warning) if more else None
    return f"{WARNINGS[warning]} {advice}" if advice else str(WARNINGS[warning])


def warnings_of(report: Report) -> list[tuple[str, int | None]]:
    """Every warning as a sentence, with the person it is about, or None for the whole video."""
    more = report.frames_sampled < report.video.frames
    own = {warning for person in report.people for warning in person.warnings}
    found: list[tuple[str, int | None]] = [
        (warning_text(warning, more=more), None)
        for warning in report.warnings
        if warning not in own
    ]
    for person in report.people:
        found += [(warning_text(warning, more=more), person.id) for warning in person.warnings]
    return found
