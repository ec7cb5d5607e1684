"""The top of the report page: the answer itself, how sure it is, and what it rests on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from html import escape

from detector.records import Report, Status
from detector.text.summary import (
    clock,
    headline,
    percent,
    status_text,
    verdict_text,
    warning_text,
)


def answer_card(report: Report) -> str:
    """Verdict, headline, score on its ruler, warnings and coverage, as one HTML section."""
    parts = [
        f'<section class="answer {report.verdict.value}">',
        f'<span class="badge">{verdict_text(report.verdict)}</span>',
        f"<h1>{escape(headline(report))}</h1>",
    ]
    if report.status is Status.OK and report.fake is not None:
        parts += [_ruler(report, report.fake), f"<p>{_score_line(report, report.fake)}</p>"]
    else:
        parts.append(f"<p>{escape(status_text(report.status))}</p>")
    warnings = itertools.chain(report.warnings, *(person.warnings for person in report.people))
    for warning in dict.fromkeys(warnings):
        parts.append(f'<p class="warning small">{escape(warning_text(warning))}</p>')
    return "\n".join([*parts, _facts(report), "</section>"])


def _score_line(report: Report, fake: float) -> str:
    kind = "Calibrated probability" if report.model.calibrated else "Uncalibrated score"
    suspect = report.suspect
    whose = f" of the most suspicious face, Person {suspect.id}" if suspect else ""
    line = f"{kind}{whose}: <b>{percent(fake)}</b>"
    if report.interval is not None:
        low, high = report.interval
        line += f", 95 % interval {percent(low)} to {percent(high)}"
    what = "It is a likelihood" if report.model.calibrated else "It ranks suspicion"
    return f'{line}. <span class="soft">{what}, not an amount of manipulation.</span>'


def _ruler(report: Report, fake: float) -> str:
    """A ruler from 0 to 100 %: the interval as a bar, the score as a mark, the threshold."""
    low, high = report.interval or (fake, fake)
    limit = report.threshold * 100
    # The word stands on the middle's side of its mark: a phone is too narrow for it to lie centred
    # beside the ruler's ends.
    side = "before" if limit > 60 else "after" if limit < 40 else ""
    return (
        f'<div class="ruler" role="img" aria-label="Score {percent(fake)}, threshold '
        f'{percent(report.threshold)}"><i class="between" style="left:{low * 100:.1f}%;'
        f'width:{(high - low) * 100:.1f}%"></i><i class="limit" style="left:{limit:.1f}%"></i>'
        f'<i class="mark" style="left:{fake * 100:.1f}%"></i></div>'
        '<div class="ends small soft"><span>0 %</span>'
        f'<span class="at {side}" style="--at:{limit:.1f}%">threshold</span>'
        "<span>100 %</span></div>"
    )


def _facts(report: Report) -> str:
    video = report.video
    length = "still picture" if video.is_still else f"{clock(video.seconds)} at {video.fps:g} fps"
    coverage = f"{report.frames_with_face} of {report.frames_sampled} sampled frames"
    return definitions(
        "facts",
        [
            ("Face found in", coverage),
            ("People", str(len(report.people))),
            ("Input", f"{video.width} × {video.height}, {length}"),
            ("Decision threshold", percent(report.threshold)),
        ],
    )


def definitions(kind: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values as a definition list of CSS class `kind`; the values are escaped."""
    rows = "".join(f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>" for name, text in pairs)
    return f'<dl class="{kind}">{rows}</dl>'
