"""The evidence behind a score as JSON; the shapes are in `render.schema`."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from detector.findings import Robustness, Signal
from detector.records import (
    Box,
    FaceScore,
    Moment,
    Person,
    Quality,
    Report,
    Status,
    UnscoredFace,
    verdict_name,
)


def number(value: float | None, digits: int) -> float | None:
    """A plain rounded float; null for None and for what JSON does not have (NaN, infinity)."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), digits)


def moment_json(moment: Moment) -> dict[str, Any]:
    return {
        "t": number(moment.second, 3),
        "p": number(moment.fake, 4),
        "p_without": number(moment.without, 4),
        "localised": moment.localised,
        "regions": [
            {
                "region": row.region,
                "evidence": number(row.evidence, 4),
                "area": number(row.area, 4),
                "expected": number(row.expected, 4),
                "drop": number(row.drop, 3),
                "confirmed": row.confirmed,
            }
            for row in moment.regions
        ],
    }


def robustness_json(found: Robustness | None) -> dict[str, Any] | None:
    if found is None:
        return None
    copies = [asdict(copy) | {"fake": number(copy.fake, 4)} for copy in found.copies]
    return {
        "fake": number(found.fake, 4),
        "frames": found.frames,
        "copies": copies,
        "largest_change": number(found.largest_change, 4),
    }


def source_json(report: Report) -> dict[str, Any]:
    """What of the file was analysed, and how it was turned for that."""
    return {
        "track": report.video.track,
        "tracks": [asdict(track) for track in report.video.tracks],
        "turned": [
            {"start": number(turn.start, 3), "degrees": turn.degrees} for turn in report.turns
        ],
    }


def signal_json(signal: Signal) -> dict[str, Any]:
    return {
        "kind": signal.kind,
        "title": str(signal.title),
        "status": signal.status.value,
        "said": [str(sentence) for sentence in signal.statements],
        "facts": {str(name): value for name, value in signal.facts},
    }


def face_json(person: Person) -> dict[str, Any]:
    answered = person.status is Status.OK
    family = person.family
    return {
        "id": person.id,
        "p_fake": number(person.fake, 4) if answered else None,
        "status": person.status.value,
        "verdict": verdict_name(person.verdict),
        "interval": interval_json(person.interval) if answered else None,
        "family": {"name": family[0], "p": number(family[1], 4)} if family else None,
        "warnings": [warning.value for warning in person.warnings],
        "moments": [moment_json(moment) for moment in person.moments],
        "frames": [frame_json(face) for face in faces_of(person)],
    }


def faces_of(person: Person) -> list[FaceScore | UnscoredFace]:
    return sorted([*person.scores, *person.unscored], key=lambda face: face.second)


def frame_json(face: FaceScore | UnscoredFace) -> dict[str, Any]:
    scored = face if isinstance(face, FaceScore) else None
    return {
        "t": number(face.second, 3),
        "p": number(scored.fake, 4) if scored else None,
        "p_still": number(scored.still, 4) if scored else None,
        "box": box_json(face.box),
        "quality": quality_json(face.quality),
        "usable": scored is not None and scored.usable,
    }


def box_json(box: Box) -> list[float]:
    # A tenth of a pixel; detection is not more exact.
    return [round(float(edge), 1) for edge in box]


def quality_json(quality: Quality) -> dict[str, float | None]:
    return {
        "size": number(quality.size, 1),
        "sharpness": number(quality.sharpness, 1),
        "frontal": number(quality.frontal, 3),
        "detection": number(quality.detection, 4),
    }


def interval_json(bounds: tuple[float, float] | None) -> list[float | None] | None:
    return None if bounds is None else [number(bound, 4) for bound in bounds]
