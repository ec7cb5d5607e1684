"""One answer as flat rows: the columns of a batch's CSV and an archive's Parquet, and of clips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from detector.errors import VideoError, shown
from detector.records import APP_VERSION, Report, Status, verdict_name
from detector.render.json import number
from detector.scoring.coverage import coverage_of
from detector.text.summary import headline, peak_of


@dataclass(frozen=True, slots=True)
class Row:
    """`file` is the name as it is shown. `verdict`, `p_fake`, its 95 % interval and `band` are None
    unless `status` is "ok"; what is only known of a file that was opened is None where it was not.
    `person` and `peak_second` are the most suspicious person and moment;
    `signals` the other evidence, as `kind=status`."""

    file: str
    status: str
    verdict: str | None
    p_fake: float | None = None
    p_low: float | None = None
    p_high: float | None = None
    band: str | None = None
    person: int | None = None
    peak_second: float | None = None
    people: int | None = None
    seconds: float | None = None
    seconds_seen: float | None = None
    width: int | None = None
    height: int | None = None
    frames_sampled: int | None = None
    frames_with_face: int | None = None
    warnings: str = ""
    signals: str = ""
    sha256: str | None = None
    model: str | None = None
    model_sha256: str | None = None
    app_version: str = APP_VERSION
    headline: str = ""


def row_of(answer: Report | VideoError, name: str) -> Row:
    """The row of the file `name`, whether or not it could be scored."""
    if isinstance(answer, VideoError):
        return Row(
            file=shown(name),
            status=answer.status.value,
            verdict=None,
            headline=str(answer),
        )
    answered = answer.status is Status.OK
    low, high = answer.interval if answered and answer.interval else (None, None)
    suspect = answer.suspect if answered else None
    peak = peak_of(suspect) if suspect else None
    return Row(
        file=shown(name),
        status=answer.status.value,
        verdict=verdict_name(answer.verdict),
        p_fake=number(answer.fake, 4) if answered else None,
        p_low=number(low, 4),
        p_high=number(high, 4),
        band=answer.band if answered else None,
        person=suspect.id if suspect else None,
        peak_second=number(peak.second, 3) if peak else None,
        people=len(answer.people),
        seconds=number(answer.video.seconds, 3),
        seconds_seen=number(coverage.seconds, 3) if (coverage := coverage_of(answer)) else None,
        width=answer.video.width,
        height=answer.video.height,
        frames_sampled=answer.frames_sampled,
        frames_with_face=answer.frames_with_face,
        warnings=" ".join(warning.value for warning in answer.warnings),
        signals=" ".join(f"{one.kind}={one.status.value}" for one in answer.signals),
        sha256=answer.video.sha256 or None,
        model=answer.model.id,
        model_sha256=answer.model.sha256,
        headline=headline(answer),
    )


def clip_rows(report: Report) -> Iterator[dict[str, Any]]:
    """The network's scores of each run of frames: the uncalibrated logit, and its weight in the
    person's score."""
    for person in report.people:
        for clip in person.clips:
            yield {
                "file": report.video.name,
                "person": person.id,
                "start": round(clip.start, 3),
                "end": round(clip.end, 3),
                "logit": round(clip.logit, 5),
                "weight": round(clip.weight, 4),
                "p_person": None if person.fake is None else round(person.fake, 4),
                "model": report.model.id,
            }
