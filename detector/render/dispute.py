"""What a maintainer needs of an answer that a visitor calls wrong: numbers, and nothing private."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from markupsafe import Markup

from detector.language import _
from detector.records import APP_VERSION, SCHEMA_VERSION, Person, Report, verdict_name
from detector.render.json import faces_of, frame_json, interval_json, number
from detector.render.templates import html

_SCORES = ("t", "p", "p_still", "usable", "quality")


def dispute_json(report: Report) -> dict[str, Any]:
    """Model, settings, scores, and the hash and technical facts of the file.

    No picture, no file name, no place of a face, and nothing of the file about its making
    but whether each kind of evidence was found.
    """
    video = report.video
    return {
        "kind": "disputed answer",
        "schema_version": SCHEMA_VERSION,
        "app_version": APP_VERSION,
        "created_utc": report.created_utc,
        "status": report.status.value,
        "verdict": verdict_name(report.verdict),
        "p_fake": number(report.fake, 4),
        "interval": interval_json(report.interval),
        "warnings": [warning.value for warning in report.warnings],
        "model": asdict(report.model),
        "settings": asdict(report.settings),
        "video": {
            "sha256": video.sha256,
            "bytes": video.bytes,
            "container": video.container,
            "codec": video.codec,
            "duration_s": number(video.seconds, 3),
            "frames": video.frames,
            "fps": number(video.fps, 3),
            "width": video.width,
            "height": video.height,
            "rotation": video.rotation,
            "has_audio": video.has_audio,
            "track": video.track,
            "tracks": len(video.tracks),
            "turned": [[number(turn.start, 3), turn.degrees] for turn in report.turns],
        },
        "signals": {signal.kind: signal.status.value for signal in report.signals},
        "sampled": [number(second, 3) for second in report.sampled_seconds],
        "faces": [_face(person) for person in report.people],
    }


def _face(person: Person) -> dict[str, Any]:
    rows = [frame_json(face) for face in faces_of(person)]
    return {
        "id": person.id,
        "status": person.status.value,
        "verdict": verdict_name(person.verdict),
        "p_fake": number(person.fake, 4),
        "interval": interval_json(person.interval),
        "frames": [{key: row[key] for key in _SCORES} for row in rows],
    }


def dispute(report: Report) -> Markup:
    """A form that makes a file of `dispute_json` and of what the visitor enters, in the browser;
    nothing is sent."""
    claims = (("real", _("It is real")), ("fake", _("It is fake")), ("other", _("Something else")))
    return html("dispute.html", facts=json.dumps(dispute_json(report)), claims=claims)
