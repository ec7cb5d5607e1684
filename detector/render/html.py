"""What stands behind a score, to look at: the parts of a face, and what worse copies do to it.

Every chart has a table beside it that says the same; the bars are hidden from screen readers.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from detector.findings import RegionShare, Robustness
from detector.records import Moment, Report, Verdict
from detector.render.chart import colour_name
from detector.render.sections import picture_pair, section
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

_REGION_HEADS = (
    "Part of the face",
    "Heat",
    "Picture",
    "Real faces",
    "Log-odds if blurred",
    "Confirmed",
)
_COPY_HEADS = ("Copy", "Score", "Moves by", "Answer")


def closeup(report: Report) -> str:
    """The one moment of a report that a close look explains; "" if there is none."""
    moment = next((moment for person in report.people for moment in person.moments), None)
    if moment is None:
        return ""
    parts = [f'<div class="look">{picture_pair(moment, report)}<div class="said">']
    parts += [f"<p>{escape(text)}</p>" for text in _said(moment, report)]
    parts.append("</div></div>")
    if moment.regions:
        parts += [region_bars(moment.regions), _key(moment.regions), _regions_twin(moment)]
    parts.append(f'<p class="small soft">{escape(heat_text(report.settings))} {LIMIT_HEAT}</p>')
    inner = "\n".join(parts)
    return (
        f'<section class="closeup" style="--own:{colour_name(moment.person)}">'
        f"<h2>{escape(_title(moment, report))}</h2>\n{inner}\n</section>"
    )


def _title(moment: Moment, report: Report) -> str:
    whose = f"Person {moment.person}"
    if not report.video.is_still:
        whose += f" at {clock(moment.second)}"
    if report.settings.heat_of == "video":
        return f"What {whose} adds to the video"
    return f"Why {whose} scores {percent(moment.fake)}"


def _said(moment: Moment, report: Report) -> list[str]:
    """Where the evidence lies, or why that cannot be said; then what the frame weighs."""
    told = [where_text(moment)]
    person = next(one for one in report.people if one.id == moment.person)
    if moment.without is not None and person.fake is not None:
        told.append(
            f"Without this frame the score of Person {person.id} would be "
            f"{percent(moment.without)} instead of {percent(person.fake)}."
        )
    return told


def region_bars(regions: Sequence[RegionShare]) -> str:
    """One bar for each part of the face, drawn to the largest share among them."""
    shares = [(row.evidence, row.area, row.expected or 0.0) for row in regions]
    most = max(max(row) for row in shares) or 1.0
    bars = "".join(_bar(row, most) for row in regions)
    return f'<ul class="regions" aria-hidden="true">{bars}</ul>'


def _bar(row: RegionShare, most: float) -> str:
    places = f"--part:{100 * row.evidence / most:.1f}%;--area:{100 * row.area / most:.1f}%"
    usual = ""
    if row.expected is not None:
        usual = f'<u style="left:{100 * row.expected / most:.1f}%"></u>'
    kind = ' class="confirmed"' if row.confirmed else ""
    return (
        f"<li{kind}><span>{REGION_NAMES[row.region]}</span>"
        f'<i style="{places}">{usual}</i><b>{share(row.evidence)}</b></li>'
    )


def _key(regions: Sequence[RegionShare]) -> str:
    """What bar, line and diamond mean; or that real faces were not measured."""
    measured = any(row.expected is not None for row in regions)
    usual = '<span><i class="swatch usual"></i><span>share on real faces</span></span>'
    note = (
        ""
        if measured
        else '<p class="small soft">What real faces show was not measured for these weights, so '
        "the share of the picture is the only comparison.</p>"
    )
    return (
        '<p class="key small soft"><span><i class="swatch heat"></i><span>share of the heat</span>'
        '</span><span><i class="swatch area"></i><span>share of the picture</span></span>'
        f'{usual if measured else ""}<span><i class="swatch sure"></i><span>confirmed by blurring'
        f"</span></span></p>{note}"
    )


def _regions_twin(moment: Moment) -> str:
    return (
        '<details><summary>The same as a table</summary><div class="wide" tabindex="0">'
        f"{_table(_REGION_HEADS, [_region_row(row) for row in moment.regions])}</div></details>"
    )


def _region_row(row: RegionShare) -> list[str]:
    return [
        str(REGION_NAMES[row.region]),
        share(row.evidence),
        share(row.area),
        "not measured" if row.expected is None else share(row.expected),
        "not tried" if row.drop is None else odds(-row.drop, "+"),
        "yes" if row.confirmed else "no",
    ]


def regions(report: Report) -> str:
    """Every part of the face at the moments that are shown, unfoldable; "" if there is none."""
    rows = [
        [f"Person {moment.person}", clock(moment.second), *_region_row(row)]
        for person in report.people
        for moment in person.moments
        for row in moment.regions
    ]
    if not rows:
        return ""
    table = _table(("Person", "Time", *_REGION_HEADS), rows)
    return section(
        "Parts of the face",
        "<details><summary>The shares of the heat at each moment</summary>"
        f'<div class="wide" tabindex="0">{table}</div></details>',
    )


def robustness(report: Report) -> str:
    """How far worse copies move the score, drawn and as a table; "" if that was not tried."""
    found = report.robustness
    if found is None:
        return ""
    return section(
        "Worse copies",
        f"<p>{escape(robustness_text(found))}</p>",
        _copies(found, report.threshold),
        f'<div class="wide" tabindex="0">{_table(_COPY_HEADS, _copy_rows(found))}</div>',
    )


def _answers(found: Robustness) -> list[tuple[str, float | None, str]]:
    given = ("As given", found.fake, found.verdict)
    return [
        given,
        *((str(COPY_NAMES[copy.kind]), copy.fake, copy.verdict) for copy in found.copies),
    ]


def _copies(found: Robustness, threshold: float) -> str:
    """A track from 0 to 100 % for each copy: its score, and how far that is from the first."""
    rows = []
    for name, fake, _ in _answers(found):
        dot = ""
        if fake is not None:
            first = fake if found.fake is None else found.fake
            low, wide = min(first, fake), abs(first - fake)
            dot = (
                f'<s style="left:{100 * low:.1f}%;width:{100 * wide:.1f}%"></s>'
                f'<u style="left:{100 * fake:.1f}%"></u>'
            )
        number = "no score" if fake is None else percent(fake)
        rows.append(
            f'<li><span>{name}</span><i style="--limit:{100 * threshold:.1f}%">{dot}</i>'
            f"<b>{number}</b></li>"
        )
    return (
        f'<ul class="copies" aria-hidden="true">{"".join(rows)}</ul>'
        f'<p class="key small soft"><span><i class="swatch limit"></i><span>threshold '
        f"{percent(threshold)}</span></span></p>"
    )


def _copy_rows(found: Robustness) -> list[list[str]]:
    rows = []
    for name, fake, verdict in _answers(found):
        moved = "–"
        if fake is not None and found.fake is not None and name != "As given":
            moved = f"{round(100 * (fake - found.fake)):+d}"
        number = "no score" if fake is None else percent(fake)
        rows.append([name, number, moved, verdict_text(Verdict(verdict))])
    return rows


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are texts of our own and need no escaping."""
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
