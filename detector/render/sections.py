"""The parts of a report as HTML sections; the report's own page and the live page share them.

With `interactive`, what speaks of a moment carries `data-second` and is a button: the live page
seeks its player by it. Everything that comes from a file or a weights card is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from importlib import resources

from detector.findings import Signal
from detector.records import Image, Moment, Person, Report, Status, Verdict
from detector.render.chart import colour_name
from detector.render.overlay import blend_heat, heat_legend, to_jpeg
from detector.text.llm import retelling_text
from detector.text.messages import SIGNAL_STATUS
from detector.text.phrases import heat_text, region_text
from detector.text.summary import (
    Sentence,
    clock,
    family_text,
    limits,
    percent,
    sentences,
    status_text,
    verdict_text,
    warning_text,
)

MOMENTS_SHOWN = 6
_HEADS = ("Person", "Time", "Score", "Frame alone", "Face size", "Facing", "Counted")


def sections_css() -> str:
    """How the sections look; colours come from the custom properties that a page defines."""
    return resources.files("detector.render").joinpath("sections.css").read_text("utf-8")


def section(title: str, *content: str) -> str:
    """A titled section."""
    return f"<section>\n<h2>{title}</h2>\n" + "\n".join(content) + "\n</section>"


def people(report: Report) -> str:
    """A small card per person; "" if nobody was found."""
    if not report.people:
        return ""
    cards = "\n".join(_person(person) for person in report.people)
    return section("People", f'<div class="people">\n{cards}\n</div>')


def _person(person: Person) -> str:
    answered = person.status is Status.OK and person.fake is not None
    number = percent(person.fake) if answered and person.fake is not None else "No score"
    told = []
    if answered and person.interval is not None:
        low, high = person.interval
        told.append(f"95 % interval {percent(low)} to {percent(high)}")
    if not answered:
        told.append(status_text(person.status))
    for part in person.segments:
        told.append(
            f"Suspicious {clock(part.start)} to {clock(part.end)}, peak {percent(part.peak)}"
        )
    if person.family is not None and person.verdict is Verdict.FAKE:
        name, share = person.family
        told.append(f"Most likely kind: {family_text(name)} ({percent(share)})")
    used = sum(score.usable for score in person.scores)
    told.append(f"{used} of {len(person.scores) + len(person.seen)} face pictures counted")
    lines = "".join(f'<p class="small soft">{escape(line)}</p>' for line in told)
    return (
        f'<div class="person" style="--own:{colour_name(person.id)}"><header>'
        f'<h3>Person {person.id}</h3><span class="badge {person.verdict.value}">'
        f'{verdict_text(person.verdict)}</span></header><p class="number">{number}</p>{lines}</div>'
    )


def moments(report: Report, *, interactive: bool = False) -> str:
    """The most suspicious frames beside their heat maps; "" if none was kept."""
    found = [moment for person in report.people for moment in person.moments]
    if not found:
        return ""
    shown = sorted(found, key=lambda moment: -moment.fake)[:MOMENTS_SHOWN]
    figures = "\n".join(_moment(moment, report, interactive=interactive) for moment in shown)
    parts = [
        '<p class="small soft">The highest frame scores of each person, the most suspicious '
        "first: the pixels that the model saw, and where in them it looked.</p>",
        f'<div class="moments">\n{figures}\n</div>',
    ]
    if any(moment.heat is not None for moment in shown):
        parts.append(
            '<p class="legend small soft"><span>looked little</span>'
            f'<img src="{_data_uri(heat_legend())}" alt=""><span>looked most</span></p>'
            f'<p class="small soft">{escape(heat_text(report.settings))} One scale for all. '
            "Heat shows where the model looked; it does not prove that something was edited "
            "there.</p>"
        )
    return section("Moments", *parts)


def _moment(moment: Moment, report: Report, *, interactive: bool) -> str:
    when = "" if report.video.is_still else f" · {clock(moment.second)}"
    pair = picture_pair(moment, report)
    if interactive:
        pair = _button(pair, moment.second, moment.person, f"Show {_what(moment)}")
    return (
        f'<figure style="--own:{colour_name(moment.person)}">{pair}'
        f"<figcaption><b>Person {moment.person}</b>{when} · {percent(moment.fake)}"
        f"{regions_note(moment)}</figcaption></figure>"
    )


def picture_pair(moment: Moment, report: Report) -> str:
    """The pixels that the network saw, beside its heat map."""
    what = _what(moment)
    heat = "<span>no heat map</span>"
    if moment.heat is not None:
        warm = blend_heat(moment.crop, moment.heat, report.heat_scale)
        heat = f'<img src="{_data_uri(warm)}" alt="{what}, heat map">'
    return f'<span class="pair"><img src="{_data_uri(moment.crop)}" alt="{what}">{heat}</span>'


def _what(moment: Moment) -> str:
    return f"Person {moment.person} at {clock(moment.second)}"


def _button(inner: str, second: float, person: int | None, label: str = "") -> str:
    """A button that leads a live page to a moment, around what speaks of it."""
    told = f' aria-label="{label}"' if label else ""
    return (
        f'<button type="button" class="go" data-second="{second:.3f}" '
        f'data-person="{person or 0}"{told}>{inner}</button>'
    )


def regions_note(moment: Moment) -> str:
    """Where the evidence of a moment lies, under its picture; "" where it was not tried."""
    where = region_text(moment)
    return "" if where is None else f'<br><span class="small soft">{escape(where)}</span>'


def _data_uri(image: Image) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(to_jpeg(image)).decode("ascii")


def findings(report: Report, *, interactive: bool = False) -> str:
    """What was found, sentence by sentence with its moment; "" if there is nothing to say."""
    fixed = {
        *limits(report),
        *(warning_text(w) for w in report.warnings),
        status_text(report.status),
    }
    fixed |= {warning_text(w) for person in report.people for w in person.warnings}
    said = [sentence for sentence in sentences(report) if sentence.text not in fixed]
    if not said:
        return ""
    items = "\n".join(
        f"<li>{_finding(one, timed=not report.video.is_still, interactive=interactive)}</li>"
        for one in said
    )
    return section("What was found", f'<ul class="said">\n{items}\n</ul>')


def _finding(one: Sentence, *, timed: bool, interactive: bool) -> str:
    when = clock(one.second) if one.second is not None else ""
    inner = (f"<time>{when}</time>" if timed else "") + f"<span>{escape(one.text)}</span>"
    if interactive and one.second is not None:
        return _button(inner, one.second, one.person)
    return inner


def retelling(report: Report) -> str:
    """The findings in a language model's words, or why not; "" if nobody asked for them."""
    if report.retelling is None:
        return ""
    return section("In other words", f"<p>{escape(retelling_text(report.retelling))}</p>")


def signals(report: Report) -> str:
    """Evidence that is no face, each with its status and facts; "" if nothing was examined."""
    found = [signal for signal in report.signals if signal.said or signal.facts]
    return section("Beside the faces", *map(_signal, found)) if found else ""


def _signal(signal: Signal) -> str:
    said = "".join(f"<p>{escape(str(sentence))}</p>" for sentence in signal.said)
    rows = "".join(
        f"<div><dt>{escape(str(name))}</dt><dd>{escape(value)}</dd></div>"
        for name, value in signal.facts
    )
    facts = f'<dl class="card">{rows}</dl>' if rows else ""
    badge = f'<span class="badge {signal.status.value}">{SIGNAL_STATUS[signal.status]}</span>'
    return f'<div class="signal"><h3>{escape(str(signal.title))}</h3>{badge}{said}{facts}</div>'


def numbers(report: Report) -> str:
    """Every judged frame in a table that can be unfolded; "" if there is none."""
    if not any(person.scores for person in report.people):
        return ""
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in _rows(report)
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in _HEADS)
    return section(
        "Numbers",
        "<details><summary>Every judged frame</summary>",
        '<div class="wide"><table><caption>Score: in the context of its clip. Frame alone: the '
        "same frame without time. Face size in pixels; facing from 0 (profile) to 1."
        f"</caption><thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>",
        "</details>",
    )


def _rows(report: Report) -> Iterator[tuple[str, ...]]:
    """Every judged frame in words, one cell per name in `_HEADS`."""
    for person in report.people:
        for score in sorted(person.scores, key=lambda score: score.second):
            yield (
                f"Person {person.id}",
                clock(score.second),
                f"{score.fake:.3f}",
                f"{score.still:.3f}",
                f"{score.quality.size:.0f}",
                f"{score.quality.frontal:.2f}",
                "yes" if score.usable else "no",
            )
