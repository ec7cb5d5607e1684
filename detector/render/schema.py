"""The shape of the JSON answer, version 1.2: models, from which JSON Schema is generated.

Page, command line and API give this one shape, for an answer as well as for a file that could
not be scored; then `p_fake` and `verdict` are null, `faces` empty, and `headline` is what to do.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from detector.findings import SignalStatus
from detector.records import SCHEMA_VERSION, Status, Verdict, Warn
from detector.settings import HEAT_METHODS, HEAT_TARGETS
from detector.text.messages import RETELLING
from detector.text.phrases import COPY_NAMES, REGION_NAMES

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"

Count = Annotated[int, Field(ge=0)]
Second = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Interval = Annotated[list[Share], Field(min_length=2, max_length=2)]
Box = Annotated[list[float], Field(min_length=4, max_length=4)]
"""x0, y0, x1, y1 in pixels of the picture as it was analysed."""
# Words that are tables of their own elsewhere.
Version = Annotated[str, WithJsonSchema({"const": SCHEMA_VERSION})]
Region = Annotated[str, WithJsonSchema({"enum": list(REGION_NAMES)})]
Copy = Annotated[str, WithJsonSchema({"enum": list(COPY_NAMES)})]
HeatMethod = Annotated[str, WithJsonSchema({"enum": list(HEAT_METHODS)})]
HeatTarget = Annotated[str, WithJsonSchema({"enum": list(HEAT_TARGETS)})]
Outcome = Annotated[str, WithJsonSchema({"enum": list(RETELLING)})]


class _Part(BaseModel):
    """Every key is there, and no other; what is not known is null."""

    # Becomes additionalProperties: false in the published schema.
    model_config = ConfigDict(extra="forbid")


class Quality(_Part):
    size: float | None
    sharpness: float | None
    frontal: float | None
    detection: float | None


class Frame(_Part):
    t: Second
    p: Share | None
    p_still: Share | None
    box: Box
    quality: Quality
    usable: bool


class RegionEvidence(_Part):
    region: Region
    evidence: Share
    area: Share
    expected: Share | None
    drop: float | None
    confirmed: bool


class Moment(_Part):
    t: Second
    p: Share
    p_without: Share | None
    localised: bool | None
    regions: list[RegionEvidence]


class Family(_Part):
    name: str
    p: Share


class Face(_Part):
    id: Count
    p_fake: Share | None
    status: Status
    verdict: Verdict | None
    interval: Interval | None
    family: Family | None
    warnings: list[Warn]
    moments: list[Moment]
    frames: list[Frame]


class CopyScore(_Part):
    kind: Copy
    fake: Share | None
    verdict: Verdict | None
    status: Status


class Robustness(_Part):
    fake: Share | None
    frames: Count
    copies: list[CopyScore]
    largest_change: Share | None


class Track(_Part):
    number: Count
    codec: str
    width: Count
    height: Count


class Turned(_Part):
    start: Second
    degrees: Literal[0, 90, 180, 270]


class Source(_Part):
    track: Count
    tracks: list[Track]
    turned: list[Turned]


class Signal(_Part):
    kind: str
    title: str
    status: SignalStatus
    said: list[str]
    facts: dict[str, str]


class Heat(_Part):
    method: HeatMethod
    of: HeatTarget
    meaning: str


class Video(_Part):
    name: str
    sha256: str | None
    duration_s: Second | None
    fps: float | None
    width: Count | None
    height: Count | None
    frames_sampled: Count
    frames_with_face: Count


class Coverage(_Part):
    seconds: Second
    share: Share
    longest_gap_s: Second
    insert_s: Second
    insert_missed: Share


class Segment(_Part):
    face: Count
    start: Second
    end: Second
    peak: Share


class Sentence(_Part):
    text: str
    t: Second | None
    face: Count | None


class Retelling(_Part):
    outcome: Outcome
    text: str
    model: str


class Model(_Part):
    id: str
    architecture: str
    revision: str
    sha256: str
    trained: bool
    calibrated: bool
    threshold: Share
    trained_on: str
    families: list[str]


class Answer(_Part):
    schema_version: Version
    status: Status
    verdict: Verdict | None
    headline: str
    p_fake: Share | None
    interval: Interval | None
    band: Literal["weak", "moderate", "strong", "very_strong"] | None
    calibrated: bool
    video: Video
    coverage: Coverage | None
    faces: list[Face]
    segments: list[Segment]
    explanation: list[Sentence]
    heat: Heat | None
    robustness: Robustness | None
    signals: list[Signal]
    source: Source | None
    retelling: Retelling | None
    warnings: list[Warn]
    model: Model | None
    settings: dict[str, Any]
    timing_ms: dict[str, float]
    app_version: str
    created_utc: str


class ExplainedVideo(_Part):
    name: str
    sha256: str


class ExplainedModel(_Part):
    id: str
    sha256: str


class Explanation(Moment):
    status: Status
    person: Count
    p_person: Share
    text: str
    heat: Heat
    video: ExplainedVideo
    model: ExplainedModel


class Comparison(_Part):
    """`created_utc` is that of the later answer; `difference` is B's `p_fake` less A's."""

    same_file: bool | None
    same_model: bool | None
    same_verdict: bool | None
    difference: float | None
    intervals_overlap: bool | None
    explanation: list[str]
    created_utc: str
    answers: list[Answer]


def _published(model: type[BaseModel], title: str) -> Schema:
    """The model as JSON Schema in one piece: without references, and titles but its own."""
    made = model.model_json_schema()
    parts = made.pop("$defs", {})
    return {"$schema": DIALECT, "title": title, **_plain(made, parts)}


def _plain(schema: Schema, parts: Schema) -> Schema:
    if "$ref" in schema:
        # References are resolved, so that simple validators and readers need not follow them.
        return _plain(parts[schema["$ref"].rpartition("/")[2]], parts)
    plain = {key: value for key, value in schema.items() if key not in ("title", "description")}
    if "properties" in plain:
        plain["properties"] = {
            name: _plain(value, parts) for name, value in plain["properties"].items()
        }
    for key in ("items", "additionalProperties"):
        if isinstance(plain.get(key), dict):
            plain[key] = _plain(plain[key], parts)
    if "anyOf" in plain:
        plain["anyOf"] = [_plain(value, parts) for value in plain["anyOf"]]
    return plain


COMPARISON = _published(Comparison, "Two answers compared")
EXPLANATION = _published(Explanation, "Explanation of one frame")
SCHEMA = _published(Answer, "Deepfake detector report")
