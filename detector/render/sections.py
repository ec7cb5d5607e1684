"""The parts of a report as HTML sections; the report's own page and the live page share them.

With `interactive`, what is about a moment has `data-second` and is a button: the live page
seeks its player by it.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from markupsafe import Markup

from detector.language import _
from detector.records import Moment, Report, verdict_name
from detector.render.overlay import blend_heat, heat_legend
from detector.render.templates import data_uri, html
from detector.text.llm import retelling_text
from detector.text.messages import SIGNAL_STATUS
from detector.text.phrases import heat_text, region_text
from detector.text.summary import clock, limits, sentences, status_text
from detector.text.warnings import warnings_of

MOMENTS_SHOWN = 6  # as many as `keyframes.MOMENTS` of one person


def sections_css() -> str:
    """The style of the sections; colours come from the custom properties that a page defines."""
    return resources.files("detector.render").joinpath("sections.css").read_text("utf-8")


def people(report: Report) -> Markup:
    """A small card per person; "" if nobody was found."""
    if not report.people:
        return Markup()
    return html("people.html", people=report.people, status_text=status_text)


def moments(report: Report, *, interactive: bool = False) -> Markup:
    """The most suspicious frames beside their heat maps; "" if none was kept."""
    found = [moment for person in report.people for moment in person.moments]
    if not found:
        return Markup()
    shown = sorted(found, key=lambda moment: -moment.fake)[:MOMENTS_SHOWN]
    warm = any(moment.heat is not None for moment in shown)
    return html(
        "moments.html",
        moments=[moment_view(moment, report) for moment in shown],
        interactive=interactive,
        timed=not report.video.is_still,
        legend=data_uri(heat_legend()) if warm else None,
        heat=heat_text(report.settings),
    )


def moment_view(moment: Moment, report: Report) -> dict[str, Any]:
    """A moment's pictures and words: the network's input, beside its heat map."""
    heat = None
    if moment.heat is not None:
        heat = data_uri(blend_heat(moment.crop, moment.heat, report.heat_scale))
    return {
        "moment": moment,
        "tone": _tone(moment.person, report),
        "what": _("Person {person} at {time}", person=moment.person, time=clock(moment.second)),
        "where": region_text(moment),
        "crop": data_uri(moment.crop),
        "heat": heat,
    }


def _tone(person: int, report: Report) -> str:
    """The verdict on a person as a CSS class."""
    verdict = next((one.verdict for one in report.people if one.id == person), None)
    return verdict_name(verdict) or "none"


def findings(report: Report, *, interactive: bool = False) -> Markup:
    """The findings, sentence by sentence with their moments; "" if there are none."""
    fixed = {
        *limits(report),
        *(text for text, _person in warnings_of(report)),
        status_text(report.status),
    }
    shown = [sentence for sentence in sentences(report) if sentence.text not in fixed]
    if not shown:
        return Markup()
    timed = not report.video.is_still
    return html("findings.html", sentences=shown, timed=timed, interactive=interactive)


def retelling(report: Report) -> Markup:
    """The findings as a language model phrases them, or why not; "" if that was not requested."""
    if report.retelling is None:
        return Markup()
    return html("retelling.html", text=retelling_text(report.retelling))


def signals(report: Report) -> Markup:
    """Evidence other than faces, each with its status and facts; "" if nothing was examined."""
    found = [signal for signal in report.signals if signal.statements or signal.facts]
    return html("signals.html", signals=found, words=SIGNAL_STATUS) if found else Markup()


def numbers(report: Report) -> Markup:
    """Every scored frame in a table that can be unfolded; "" if there is none."""
    if not any(person.scores for person in report.people):
        return Markup()
    pairs = ((s.fake, s.still) for person in report.people for s in person.scores)
    # As printed: a column that would repeat the other one is left out.
    alone = any(f"{fake:.3f}" != f"{still:.3f}" for fake, still in pairs)
    return html("numbers.html", people=report.people, alone=alone, timed=not report.video.is_still)
