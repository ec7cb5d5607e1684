"""Two answers side by side as HTML sections, as a page of their own, and as JSON."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from detector.comparison import Comparison, Side
from detector.errors import VideoError, shown
from detector.findings import Signal
from detector.language import SOURCE, _, in_language
from detector.records import Report
from detector.render.answer_card import answer_card, facts
from detector.render.document import answer_json
from detector.render.report_page import made_by, page_style
from detector.render.spacing import unbroken_html
from detector.render.templates import html
from detector.render.timeline import charts
from detector.text.comparison import LETTERS, comparison_texts
from detector.text.figures import clock, percent
from detector.text.messages import SIGNAL_STATUS
from detector.text.summary import status_text, verdict_text
from detector.text.warnings import warnings_of

NONE = "–"


@dataclass(frozen=True, slots=True)
class Line:
    """One fact of both answers; `head`: the first of a group."""

    name: str
    first: str
    second: str
    head: bool = False

    @property
    def differs(self) -> bool:
        return self.first != self.second


def comparison_sections(found: Comparison) -> Markup:
    """The comparison in words, both answers, both timelines over one time axis, and what is known
    of both files, line by line."""
    sides = [
        {"letter": letter, "name": shown(name), "card": _card(side)}
        for letter, name, side in zip(LETTERS, found.names, found.sides, strict=True)
    ]
    return html(
        "comparison.html",
        texts=list(comparison_texts(found)),
        sides=sides,
        charts=list(_charts(found)),
        facts=fact_lines(found),
        signals=signal_lines(found),
    )


def comparison_page(found: Comparison, language: str = SOURCE) -> str:
    """The same as one page of HTML, to be kept, sent or printed."""
    with in_language(language):
        page = html(
            "comparison_page.html",
            names=found.names,
            language=language,
            style=page_style(),
            sections=comparison_sections(found),
            made=made_by(max(_made(side) for side in found.sides)),
        )
    return unbroken_html(page) + "\n"


@in_language(SOURCE)
def comparison_content(found: Comparison) -> dict[str, Any]:
    """Both answers and what their comparison gives, in the shape of `COMPARISON`."""
    answers = [answer_json(side, name) for side, name in zip(found.sides, found.names, strict=True)]
    difference = found.difference
    return {
        "same_file": found.same_file,
        "same_model": found.same_model,
        "same_verdict": found.same_verdict,
        "difference": None if difference is None else round(difference, 4),
        "intervals_overlap": found.intervals_overlap,
        "explanation": list(comparison_texts(found)),
        "created_utc": max(_made(side) for side in found.sides),
        "answers": answers,
    }


def comparison_json(found: Comparison) -> str:
    """The same as text."""
    return json.dumps(comparison_content(found), indent=2) + "\n"


def _made(side: Side) -> str:
    return "" if isinstance(side, VideoError) else side.created_utc


def _card(side: Side) -> Markup:
    if isinstance(side, VideoError):
        return html("no_score.html", reason=str(side), advice=status_text(side.status))
    return answer_card(side)


def _charts(found: Comparison) -> Iterator[tuple[str, Markup]]:
    for letter, side in zip(LETTERS, found.sides, strict=True):
        if isinstance(side, Report) and (side.people or not side.video.is_still):
            yield letter, charts(side, end=found.seconds, key=f"-{letter}")


def fact_lines(found: Comparison) -> list[Line]:
    """What is known of both files and answers, line by line; empty without two reports."""
    if found.reports is None:
        return []
    first, second = (dict(_facts(report)) for report in found.reports)
    return list(_paired(first, second))


def signal_lines(found: Comparison) -> list[Line]:
    """The evidence beside the faces, line by line: each kind's status, then its facts."""
    if found.reports is None:
        return []
    first, second = ({one.kind: one for one in report.signals} for report in found.reports)
    lines = []
    for kind in _in_order(first, second):
        pair = first.get(kind), second.get(kind)
        title = next(str(signal.title) for signal in pair if signal)
        lines.append(Line(title, _status(pair[0]), _status(pair[1]), head=True))
        lines += _paired(*(_facts_of(signal) for signal in pair))
    return lines


def _status(signal: Signal | None) -> str:
    return NONE if signal is None else str(SIGNAL_STATUS[signal.status])


def _facts_of(signal: Signal | None) -> dict[str, str]:
    return {str(name): value for name, value in signal.facts} if signal else {}


def _paired(first: dict[str, str], second: dict[str, str]) -> Iterator[Line]:
    for name in _in_order(first, second):
        yield Line(name, first.get(name, NONE), second.get(name, NONE))


def _in_order(*keys: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(itertools.chain(*keys)))


def _facts(report: Report) -> Sequence[tuple[str, str]]:
    model, video = report.model, report.video
    interval = NONE
    if report.score is not None and report.interval is not None:
        low, high = map(percent, report.interval)
        interval = _("{low} to {high}", low=low, high=high)
    stretches = [part for person in report.people for part in person.segments]
    return [
        (_("File"), video.name),
        (_("Video SHA-256"), video.sha256),
        (_("File size"), f"{video.bytes:,} B".replace(",", "\N{NO-BREAK SPACE}")),
        (_("Container and codec"), f"{video.container}, {video.codec}"),
        (_("Answer"), verdict_text(report.verdict)),
        (_("Score"), _score(report)),
        (_("95 % interval"), interval),
        *facts(report),
        (_("Suspicious stretches"), _stretches([(p.start, p.end) for p in stretches])),
        (_("Warnings"), " ".join(dict.fromkeys(text for text, _who in warnings_of(report)))),
        (_("Model"), model.id),
        (_("Weights SHA-256"), model.sha256),
    ]


def _score(report: Report) -> str:
    return NONE if report.score is None else percent(report.score)


def _stretches(parts: Sequence[tuple[float, float]]) -> str:
    texts = [
        _("{start} to {end}", start=clock(start), end=clock(end)) for start, end in sorted(parts)
    ]
    return ", ".join(texts)
