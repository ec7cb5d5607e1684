"""The top of the report page: the answer itself, how sure it is, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from detector.language import _
from detector.records import Report, Verdict
from detector.render.templates import html
from detector.render.templating import escaped
from detector.scoring.coverage import Coverage, coverage_of
from detector.text.figures import clock, fps_text, length_text, percent
from detector.text.statements import (
    SCORE_KINDS,
    SCORE_LINES,
)
from detector.text.summary import NEARLY_ALL, headline, status_text
from detector.text.warnings import reach_text, warnings_of


def answer_card(report: Report) -> Markup:
    """Verdict, headline, score on its ruler, warnings and coverage, as one HTML section."""
    score = report.score
    several = len(report.people) > 1
    # Warnings of others do not concern the score that is shown here.
    own = {report.suspect.id} if report.suspect else set()
    warnings = [
        text
        for text, person in warnings_of(report)
        if person is None or not several or person in own
    ]
    reach = reach_text(report)
    if reach:
        warnings.insert(0, reach)
    return html(
        "answer.html",
        report=report,
        headline=headline(report),
        score=score,
        score_line="" if score is None else _score_line(report, score),
        score_kind=str(SCORE_KINDS[report.model.calibrated]),
        status=status_text(report.status),
        seen=_seen(report),
        warnings=list(dict.fromkeys(warnings)),
        facts=facts(report),
    )


def _score_line(report: Report, score: float) -> Markup:
    low, high = report.interval or (score, score)
    return escaped(
        SCORE_LINES[report.model.calibrated, report.interval is not None],
        person=report.suspect.id if report.suspect else "",
        score=Markup("<b>{}</b>").format(percent(score)),
        low=percent(low),
        high=percent(high),
    )


def _seen(report: Report) -> str:
    """How much of the video the answer is about; "" where that is nearly all of it, or where the
    headline states it."""
    coverage = coverage_of(report)
    if coverage is None or coverage.share > NEARLY_ALL or report.verdict is Verdict.NO_SIGN:
        return ""
    return _(
        "{seen} of {length} were analysed.",
        seen=length_text(coverage.seconds),
        length=length_text(report.video.seconds),
    )


def _share(coverage: Coverage, report: Report) -> str:
    return _(
        "{seen} of {length}",
        seen=length_text(coverage.seconds),
        length=length_text(report.video.seconds),
    )


def facts(report: Report) -> Sequence[tuple[str, str]]:
    """What an answer rests on, as names and values."""
    video = report.video
    size = f"{video.width} × {video.height}"
    shape = _("{size}, still picture", size=size)
    if not video.is_still:
        shape = _(
            "{size}, {length} at {fps} fps",
            size=size,
            length=clock(video.seconds),
            fps=fps_text(video.fps),
        )
    with_face = _(
        "{found} of {frames} sampled frames",
        found=report.frames_with_face,
        frames=report.frames_sampled,
    )
    coverage = coverage_of(report)
    part = (
        [] if coverage is None else [(_("Share of the video analysed"), _share(coverage, report))]
    )
    return [
        *part,
        (_("Face found in"), with_face),
        (_("People"), str(len(report.people))),
        (_("Input"), shape),
        (_("Decision threshold"), percent(report.threshold)),
    ]
