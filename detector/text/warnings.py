"""What makes an answer weaker than its number, about whom, and what can be done."""

from __future__ import annotations

from detector.language import _
from detector.records import Report, Verdict, Warn
from detector.text.messages import ADVICE_MORE, WARNINGS


def warning_text(warning: Warn, *, more: bool = True) -> str:
    """What a warning means for the result and what to do about it; with `more`, if there are
    frames that were not analysed, that they could be."""
    advice = ADVICE_MORE.get(warning) if more else None
    return f"{WARNINGS[warning]} {advice}" if advice else str(WARNINGS[warning])


def warnings_of(report: Report) -> list[tuple[str, int | None]]:
    """Every warning as a sentence, with the person it is about, or None for the whole video."""
    more = report.frames_sampled < report.video.frames
    # A person's warning is also the report's; it is listed once, with the person.
    own = {warning for person in report.people for warning in person.warnings}
    found: list[tuple[str, int | None]] = [
        (warning_text(warning, more=more), None)
        for warning in report.warnings
        if warning not in own
    ]
    for person in report.people:
        found += [(warning_text(warning, more=more), person.id) for warning in person.warnings]
    return found


def reach_text(report: Report) -> str:
    """That the interval reaches beyond the undecided range, to where the verdict would be the
    opposite one; "" where it does not."""
    if report.interval is None:
        return ""
    (low, high), (below, above) = report.interval, report.undecided
    if report.verdict is Verdict.NO_SIGN and high > above:
        return _(
            "The 95 % interval reaches into the range that is called manipulated, so manipulation "
            "is not ruled out."
        )
    if report.verdict is Verdict.FAKE and low < below:
        return _(
            "The 95 % interval reaches into the range without a sign of manipulation, so the "
            "evidence is not clear."
        )
    return ""
