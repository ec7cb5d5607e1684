"""A report that comes back from outside: read as hostile text, checked before it is used.

Only what can be checked against a video is read. Keys that are unknown to this version stay in
`content`, so that a comparison can name them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detector.errors import ReportError
from detector.language import lazy
from detector.settings import MOST_FRAMES, Settings

MAX_BYTES = 16 * 2**20  # a report of 1800 frames and eight people has some 7 MB
# More than any report has, further rounds included; a list that is longer only costs time.
MAX_FACES, MAX_FRAMES = 1000, 2 * MOST_FRAMES

Share = Annotated[float, Field(ge=0, le=1)]
Hash = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]


class _Part(BaseModel):
    """A part of a report; keys that are not checked here may stand in it."""

    # Strict: no text becomes a number. Unknown keys may come from a newer version.
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class _Frame(_Part):
    t: float
    p: Share | None


class _Face(_Part):
    p_fake: Share | None
    frames: Annotated[list[_Frame], Field(max_length=MAX_FRAMES)]


class _Video(_Part):
    sha256: Hash | None


class _Model(_Part):
    sha256: Hash


class _Report(_Part):
    schema_version: Annotated[str, Field(pattern=r"^1\.")]
    status: str
    p_fake: Share | None
    video: _Video
    faces: Annotated[list[_Face], Field(max_length=MAX_FACES)]
    model: _Model | None
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Claims:
    """A report's statements about its file, its weights and its answer.

    `video_sha256` and `model_sha256` are None where the report names none: of a file that could
    not be read, or from a service without trained weights. `content` is the whole report.
    """

    content: dict[str, Any]
    video_sha256: str | None
    model_sha256: str | None
    settings: Settings


def read_claims(text: str | bytes) -> Claims:
    """The report in `text`. Raises ReportError with the fault and what to do."""
    if len(text) > MAX_BYTES:
        raise ReportError(
            lazy(
                "This file is larger than any report ({most} MB). "
                "Choose the JSON report that was downloaded here.",
                most=MAX_BYTES // 2**20,
            )
        )
    try:
        content = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    # Nesting that exhausts Python's stack is a known attack on JSON readers.
    except RecursionError as error:
        raise ReportError(lazy("This file is nested far deeper than any report.")) from error
    except ValueError as error:  # UnicodeDecodeError is one
        raise ReportError(
            lazy("This file is not a JSON report. Choose the file that ends in -report.json.")
        ) from error
    try:
        report = _Report.model_validate(content)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or lazy("the whole")
        raise ReportError(
            lazy(
                "This JSON is no report of this detector: {where} has not the expected form. "
                "Choose the JSON report as it was downloaded.",
                where=where,
            )
        ) from error
    return Claims(
        content=content,
        # An empty hash is that of a file which could not be read.
        video_sha256=report.video.sha256 or None,
        model_sha256=report.model.sha256 or None if report.model else None,
        settings=_settings(report.settings),
    )


def _settings(values: dict[str, Any]) -> Settings:
    """The settings as far as this version has them; unknown ones are left out."""
    known = {part.name for part in fields(Settings)}
    try:
        return Settings(**{name: value for name, value in values.items() if name in known})
    except (TypeError, ValueError) as error:
        raise ReportError(
            lazy(
                "The settings in this report are none that the detector accepts. "
                "Choose the JSON report as it was downloaded."
            )
        ) from error


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a key that is there twice, two readers could show different values."""
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"{key} stands there twice")
        values[key] = value
    return values


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")
