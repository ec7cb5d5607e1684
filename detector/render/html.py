"""The evidence behind a score: the parts of a face, and the scores of worse copies.

Every chart has a table beside it with the same values; the bars are hidden from screen readers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from detector.findings import RegionShare, Robustness
from detector.language import _
from detector.records import Moment, Report, Verdict
from detector.render.sections import moment_view
from detector.render.templates import html
from detector.text.messages import LIMIT_HEAT
from detector.text.phrases import (
    COPY_NAMES,
    REGION_NAMES,
    heat_text,
    odds,
    robustness_text,
    share,
    where_text,
)
from detector.text.summary import clock, percent, verdict_text


def _heads() -> tuple[str, ...]:
    return (
        _("Part of the face"),
        _("Heat"),
        _("Picture"),
        _("Real faces"),
        _("Log-odds if blurred"),
        _("Confirmed"),
    )


def closeup(report: Report) -> Markup:
    """The one moment that a report of `ExplainFrame` has; "" if there is none."""
    moment = next((moment for person in report.people for moment in person.moments), None)
    if moment is None:
        return Markup()
    return html(
        "closeup.html",
        **moment_view(moment, report),
        title=_title(moment, report),
        sentences=list(_sentences(moment, report)),
        heads=_heads(),
        rows=[_region_row(row) for row in moment.regions],
        method=heat_text(report.settings),
        limit=str(LIMIT_HEAT),
    )


def _title(moment: Moment, report: Report) -> str:
    time = "" if report.video.is_still else clock(moment.second)
    given = {"person": moment.person, "time": time, "score": percent(moment.fake)}
    if report.settings.heat_of == "video":
        if time:
            return _("What Person {person} at {time} adds to the video", **given)
        return _("What Person {person} adds to the video", **given)
    if time:
        return _("Why Person {person} at {time} scores {score}", **given)
    return _("Why Person {person} scores {score}", **given)


def _sentences(moment: Moment, report: Report) -> Iterator[str]:
    """Where the evidence is, or why it is not localised; then what the frame weighs."""
    yield where_text(moment)
    person = next(one for one in report.people if one.id == moment.person)
    if moment.without is not None and person.fake is not None:
        yield _(
            "Without this frame the score of Person {person} would be {without} instead of {fake}.",
            person=person.id,
            without=percent(moment.without),
            fake=percent(person.fake),
        )


def _region_row(row: RegionShare) -> list[str]:
    return [
        str(REGION_NAMES[row.region]),
        share(row.evidence),
        share(row.area),
        _("not measured") if row.expected is None else share(row.expected),
        _("not tried") if row.drop is None else odds(-row.drop, "+"),
        _("yes") if row.confirmed else _("no"),
    ]


def regions(report: Report) -> Markup:
    """Every part of the face at the moments that are shown, unfoldable; "" if there is none."""
    # A still picture has one moment.
    time = not report.video.is_still
    rows = [
        [
            _("Person {person}", person=moment.person),
            *([clock(moment.second)] if time else []),
            *_region_row(row),
        ]
        for person in report.people
        for moment in person.moments
        for row in moment.regions
    ]
    if not rows:
        return Markup()
    heads = (_("Person"), *([_("Time")] if time else []), *_heads())
    return html("parts.html", heads=heads, rows=rows)


def robustness(report: Report) -> Markup:
    """How far worse copies move the score, drawn and as a table; "" if that was not tried."""
    found = report.robustness
    if found is None:
        return Markup()
    return html(
        "robustness.html",
        sentence=robustness_text(found),
        copies=[
            {"name": name, "fake": fake, "score": _score(fake)}
            for name, fake, _verdict in _scores(found)
        ],
        first=found.fake,
        threshold=report.threshold,
        rows=_copy_rows(found),
    )


def _scores(found: Robustness) -> Sequence[tuple[str, float | None, str | None]]:
    given = (_("As given"), found.fake, found.verdict)
    copies = [(str(COPY_NAMES[copy.kind]), copy.fake, copy.verdict) for copy in found.copies]
    return [given, *copies]


def _score(fake: float | None) -> str:
    return _("no score") if fake is None else percent(fake)


def _copy_rows(found: Robustness) -> list[list[str]]:
    rows = []
    for index, (name, fake, verdict) in enumerate(_scores(found)):
        moved = "–"
        if index and fake is not None and found.fake is not None:
            moved = f"{round(100 * (fake - found.fake)):+d}"
        rows.append(
            [name, _score(fake), moved, verdict_text(Verdict(verdict) if verdict else None)]
        )
    return rows
