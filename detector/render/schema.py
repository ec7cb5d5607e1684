"""The shape of the JSON answer, version 1.2, as JSON Schema (draft 2020-12).

Page, command line and API give this one shape, for an answer as well as for a file that could
not be judged; then `p_fake` and `verdict` are null, `faces` empty, and `headline` says what to do.
"""

from __future__ import annotations

from typing import Any

from detector.findings import SignalStatus
from detector.records import SCHEMA_VERSION, Status, Verdict, Warn
from detector.settings import HEAT_METHODS, HEAT_TARGETS
from detector.text.messages import RETELLING
from detector.text.phrases import COPY_NAMES, REGION_NAMES

Schema = dict[str, Any]


def _object(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_SECOND: Schema = {"type": "number", "minimum": 0}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_FLAG: Schema = {"type": "boolean"}
_INTERVAL = _or_null({"type": "array", "items": _SHARE, "minItems": 2, "maxItems": 2})
_STATUS: Schema = {"enum": [status.value for status in Status]}
_VERDICT: Schema = {"enum": [*(verdict.value for verdict in Verdict), None]}
_WARNINGS = _list({"enum": [warning.value for warning in Warn]})
_BOX: Schema = {"type": "array", "items": _NUMBER, "minItems": 4, "maxItems": 4}
_MEASURE = _or_null(_NUMBER)
_QUALITY = _object(size=_MEASURE, sharpness=_MEASURE, frontal=_MEASURE, detection=_MEASURE)
_FRAME = _object(
    t=_SECOND,
    p=_or_null(_SHARE),
    p_still=_or_null(_SHARE),
    box=_BOX,
    quality=_QUALITY,
    usable=_FLAG,
)
_REGION = _object(
    region={"enum": list(REGION_NAMES)},
    evidence=_SHARE,
    area=_SHARE,
    expected=_or_null(_SHARE),
    drop=_or_null(_NUMBER),
    confirmed=_FLAG,
)
_MOMENT = _object(
    t=_SECOND,
    p=_SHARE,
    p_without=_or_null(_SHARE),
    localised=_or_null(_FLAG),
    regions=_list(_REGION),
)
_COPY = _object(
    kind={"enum": list(COPY_NAMES)}, fake=_or_null(_SHARE), verdict=_VERDICT, status=_STATUS
)
_FACE = _object(
    id=_COUNT,
    p_fake=_or_null(_SHARE),
    status=_STATUS,
    verdict=_VERDICT,
    interval=_INTERVAL,
    family=_or_null(_object(name=_TEXT, p=_SHARE)),
    warnings=_WARNINGS,
    moments=_list(_MOMENT),
    frames=_list(_FRAME),
)

_SOURCE = _object(
    track=_COUNT,
    tracks=_list(_object(number=_COUNT, codec=_TEXT, width=_COUNT, height=_COUNT)),
    turned=_list(_object(start=_SECOND, degrees={"enum": [0, 90, 180, 270]})),
)
_SIGNAL = _object(
    kind=_TEXT,
    title=_TEXT,
    status={"enum": [status.value for status in SignalStatus]},
    said=_list(_TEXT),
    facts={"type": "object", "additionalProperties": _TEXT},
)
_HEAT = _object(method={"enum": list(HEAT_METHODS)}, of={"enum": list(HEAT_TARGETS)}, meaning=_TEXT)

EXPLANATION: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Explanation of one frame",
    **_object(
        status=_STATUS,
        person=_COUNT,
        p_person=_SHARE,
        **_MOMENT["properties"],
        text=_TEXT,
        heat=_HEAT,
        video=_object(name=_TEXT, sha256=_TEXT),
        model=_object(id=_TEXT, sha256=_TEXT),
    ),
}

SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Deepfake detector report",
    **_object(
        schema_version={"const": SCHEMA_VERSION},
        status=_STATUS,
        verdict=_VERDICT,
        headline=_TEXT,
        p_fake=_or_null(_SHARE),
        interval=_INTERVAL,
        band=_or_null({"enum": ["weak", "moderate", "strong", "very_strong"]}),
        calibrated=_FLAG,
        video=_object(
            name=_TEXT,
            sha256=_or_null(_TEXT),
            duration_s=_or_null(_SECOND),
            fps=_or_null(_NUMBER),
            width=_or_null(_COUNT),
            height=_or_null(_COUNT),
            frames_sampled=_COUNT,
            frames_with_face=_COUNT,
        ),
        coverage=_or_null(
            _object(
                seconds=_SECOND,
                share=_SHARE,
                longest_gap_s=_SECOND,
                insert_s=_SECOND,
                insert_missed=_SHARE,
            )
        ),
        faces=_list(_FACE),
        segments=_list(_object(face=_COUNT, start=_SECOND, end=_SECOND, peak=_SHARE)),
        explanation=_list(_object(text=_TEXT, t=_or_null(_SECOND), face=_or_null(_COUNT))),
        heat=_or_null(_HEAT),
        robustness=_or_null(
            _object(
                fake=_or_null(_SHARE),
                frames=_COUNT,
                copies=_list(_COPY),
                largest_change=_or_null(_SHARE),
            )
        ),
        signals=_list(_SIGNAL),
        source=_or_null(_SOURCE),
        retelling=_or_null(_object(outcome={"enum": list(RETELLING)}, text=_TEXT, model=_TEXT)),
        warnings=_WARNINGS,
        model=_or_null(
            _object(
                id=_TEXT,
                architecture=_TEXT,
                revision=_TEXT,
                sha256=_TEXT,
                trained=_FLAG,
                calibrated=_FLAG,
                threshold=_SHARE,
                trained_on=_TEXT,
                families=_list(_TEXT),
            )
        ),
        settings={"type": "object"},
        timing_ms={"type": "object", "additionalProperties": _NUMBER},
        app_version=_TEXT,
        created_utc=_TEXT,
    ),
}
