"""A report, or the reason why there is none, as JSON, as CSV and as a row of a table."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from detector.errors import VideoError, shown
from detector.language import SOURCE, in_language
from detector.records import (
    APP_VERSION,
    SCHEMA_VERSION,
    FaceScore,
    Person,
    Report,
    Status,
    UnscoredFace,
    verdict_name,
)
from detector.render.json import (
    face_json,
    faces_of,
    frame_json,
    interval_json,
    moment_json,
    number,
    robustness_json,
    signal_json,
    source_json,
)
from detector.render.report_page import to_html
from detector.render.schema import COMPARISON, EXPLANATION, SCHEMA
from detector.scoring.coverage import SHORT_INSERT, coverage_of
from detector.text.phrases import heat_text, where_text
from detector.text.summary import headline, peak_of, sentences, status_text

__all__ = [
    "COMPARISON",
    "EXPLANATION",
    "SCHEMA",
    "answer_json",
    "error_json",
    "explanation_json",
    "rows_to_csv",
    "summary_row",
    "to_csv",
    "to_html",
    "to_json",
]

Cell = str | float | int | bool | None
_FORMULA = re.compile(r"^(?=[\t\r\n])|(^|;)(?=\s*[=+\-@＝＋－＠])")
_SUMMARY = (
    "file",
    "status",
    "verdict",
    "p_fake",
    "interval",
    "most_suspicious_person",
    "peak_second",
    "seconds",
    "seconds_seen",
    "signals",
    "headline",
)


@in_language(SOURCE)
def to_json(report: Report) -> dict[str, Any]:
    """The report in the shape of `SCHEMA`: plain types only, no NaN, numbers sensibly rounded.
    Its sentences are English, whatever the reader's language.
    `p_fake` is null unless `status` is "ok", for the video and for every face.
    """
    answered = report.status is Status.OK
    return {
        "schema_version": SCHEMA_VERSION,
        "status": report.status.value,
        "verdict": verdict_name(report.verdict),
        "headline": headline(report),
        "p_fake": number(report.fake, 4) if answered else None,
        "interval": interval_json(report.interval) if answered else None,
        "band": report.band if answered else None,
        "calibrated": report.model.calibrated,
        "video": {
            "name": report.video.name,
            "sha256": report.video.sha256,
            "duration_s": number(report.video.seconds, 3),
            "fps": number(report.video.fps, 3),
            "width": report.video.width,
            "height": report.video.height,
            "frames_sampled": report.frames_sampled,
            "frames_with_face": report.frames_with_face,
        },
        "coverage": _coverage(report),
        "faces": [face_json(person) for person in report.people],
        "segments": [
            {
                "face": segment.person,
                "start": number(segment.start, 3),
                "end": number(segment.end, 3),
                "peak": number(segment.peak, 4),
            }
            for person in report.people
            for segment in person.segments
        ],
        "explanation": [
            {"text": sentence.text, "t": number(sentence.second, 3), "face": sentence.person}
            for sentence in sentences(report)
        ],
        "heat": _heat(report) if report.heat_scale > 0 else None,
        "robustness": robustness_json(report.robustness),
        "signals": [signal_json(signal) for signal in report.signals],
        "source": source_json(report),
        "retelling": asdict(report.retelling) if report.retelling else None,
        "warnings": [warning.value for warning in report.warnings],
        "model": _model(report),
        "settings": asdict(report.settings),
        "timing_ms": {stage: number(ms, 1) or 0.0 for stage, ms in report.timing_ms.items()},
        "app_version": APP_VERSION,
        "created_utc": report.created_utc,
    }


def _model(report: Report) -> dict[str, Any]:
    """Without the range around the threshold, which is for drawing only."""
    known = asdict(report.model) | {"families": list(report.model.families)}
    del known["undecided"]
    return known


def _coverage(report: Report) -> dict[str, Any] | None:
    """How much was sampled; null for a still picture, which is analysed whole."""
    coverage = coverage_of(report)
    if coverage is None:
        return None
    return {
        "seconds": number(coverage.seconds, 3),
        "share": number(coverage.share, 4),
        "longest_gap_s": number(coverage.longest_gap, 3),
        "insert_s": SHORT_INSERT,
        "insert_missed": number(coverage.missed, 4),
    }


def answer_json(answer: Report | VideoError, name: str) -> dict[str, Any]:
    """One schema for every answer about the file `name`, also where it could not be used."""
    return error_json(answer, name) if isinstance(answer, VideoError) else to_json(answer)


@in_language(SOURCE)
def explanation_json(report: Report) -> dict[str, Any]:
    """The one moment that a report of `ExplainFrame` has, in the shape of `EXPLANATION`."""
    person, moment = next((p, moment) for p in report.people for moment in p.moments)
    return {
        "status": report.status.value,
        "person": person.id,
        "p_person": number(person.fake, 4),
        **moment_json(moment),
        "text": where_text(moment),
        "heat": _heat(report),
        "video": {"name": report.video.name, "sha256": report.video.sha256},
        "model": {"id": report.model.id, "sha256": report.model.sha256},
    }


def _heat(report: Report) -> dict[str, Any]:
    settings = report.settings
    return {
        "method": settings.heat_method,
        "of": settings.heat_of,
        "meaning": heat_text(settings),
    }


@in_language(SOURCE)
def error_json(error: VideoError, name: str) -> dict[str, Any]:
    """Why the file `name` gave no report, with the same keys as `to_json`."""
    unknown = dict.fromkeys(("sha256", "duration_s", "fps", "width", "height"))
    return {
        "schema_version": SCHEMA_VERSION,
        "status": error.status.value,
        "verdict": None,
        "headline": str(error),
        "p_fake": None,
        "interval": None,
        "band": None,
        "calibrated": False,
        "video": {"name": shown(name), **unknown, "frames_sampled": 0, "frames_with_face": 0},
        "coverage": None,
        "faces": [],
        "segments": [],
        "explanation": [
            {"text": text, "t": None, "face": None}
            for text in (str(error), status_text(error.status))
        ],
        "heat": None,
        "robustness": None,
        "signals": [],
        "source": None,
        "retelling": None,
        "warnings": [],
        "model": None,
        "settings": {},
        "timing_ms": {},
        "app_version": APP_VERSION,
        "created_utc": "",
    }


def to_csv(report: Report) -> str:
    """One row per person and frame, ordered by person, then time; UTF-8 text with a header."""
    return rows_to_csv(
        _csv_row(report, person, face) for person in report.people for face in faces_of(person)
    )


def _csv_row(report: Report, person: Person, face: FaceScore | UnscoredFace) -> dict[str, Cell]:
    frame = frame_json(face)
    x0, y0, x1, y1 = frame["box"]
    return {
        "file": report.video.name,
        "person": person.id,
        "status": person.status.value,
        "second": frame["t"],
        "p_fake": frame["p"],
        "p_still": frame["p_still"],
        "usable": frame["usable"],
        "x0": x0,
        "y0": y0,
        "x1": x1,
        "y1": y1,
        **frame["quality"],
    }


def rows_to_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows with equal keys as CSV (RFC 4180, lines end in CR LF); "" if there are none.

    Text that a spreadsheet would run as a formula (it starts with =, +, -, @, narrow or wide, tab
    or return) is preceded by an apostrophe; so is what follows a semicolon, which is the separator
    in half of Europe. Lists become their items, divided by blanks.
    """
    rows = list(rows)
    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    # Of the keys of the first row, which all rows share.
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Cell:
    if isinstance(value, list | tuple):
        value = " ".join(str(item) for item in value)
    if isinstance(value, str):
        return _FORMULA.sub(r"\1'", value)
    return "" if value is None else value


def summary_row(answer: Report | VideoError, name: str) -> dict[str, Any]:
    """One file's line in the table of a batch; the same keys whether or not it was scored."""
    if isinstance(answer, VideoError):
        known = {
            "file": shown(name),
            "status": answer.status.value,
            "headline": str(answer),
        }
        return dict.fromkeys(_SUMMARY) | known
    answered = answer.status is Status.OK
    suspect = answer.suspect if answered else None
    peak = peak_of(suspect) if suspect else None
    values = (
        shown(name),
        answer.status.value,
        verdict_name(answer.verdict),
        number(answer.fake, 4) if answered else None,
        interval_json(answer.interval) if answered else None,
        suspect.id if suspect else None,
        number(peak.second, 3) if peak else None,
        number(answer.video.seconds, 3),
        number(coverage.seconds, 3) if (coverage := coverage_of(answer)) else None,
        " ".join(f"{one.kind}={one.status.value}" for one in answer.signals),
        headline(answer),
    )
    return dict(zip(_SUMMARY, values, strict=True))
