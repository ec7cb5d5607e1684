"""The card of a network: its description and rules beside its weights, checked when read."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from detector.errors import WeightsError
from detector.model.cnn_lstm import ModelConfig
from detector.model.quantize import DTYPES
from detector.scoring.calibration import ScoringRules

# Rises only with a change that makes old programs misread a card; new keys need no new version.
VERSION = 1


@dataclass(frozen=True)
class Card:
    """The description of one network and its rules; stored beside its weights as JSON.

    `trained` is False for a network that must not give scores. `trained_on` is one sentence.
    `data` and `metrics` are free. `commit` is that of the code which trained it, `revision` the
    release's own name, `dtype` how the numbers are stored, see `model.quantize`.
    `version` rises when an older program could not read a card rightly; `unknown` are keys, nested
    as in the file, that are not fields here; they are written back unchanged.
    """

    id: str
    model: ModelConfig
    rules: ScoringRules
    trained: bool
    trained_on: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    commit: str = ""
    revision: str = ""
    sha256: str = ""
    dtype: str = "float32"
    version: int = VERSION
    unknown: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not is_model_id(self.id):
            raise ValueError(f"a model id is a-z, 0-9, - and _, not '{self.id}'")
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype is one of {', '.join(DTYPES)}, not '{self.dtype}'")

    def expected_regions(self, method: str, of: str) -> dict[str, float]:
        """The mean share of the heat in each region of real faces, by `train.regions`; {} where
        it was not measured for this method and what it explains."""
        measured = self.data.get("regions", {}).get(f"{method}/{of}", {})
        return {name: float(share) for name, share in measured.get("mean", {}).items()}

    def to_json(self) -> str:
        """The card as JSON, with its unknown keys as they were read."""
        # Indented and with a final newline, so that versions of a card compare line by line.
        values = asdict(self)
        return json.dumps(_merged(values, values.pop("unknown")), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Keys that came later take their defaults, and keys of a later release are kept.

        Raises WeightsError that names a key which is missing or of a wrong type, and for a card
        whose version marks it as not readable by older programs.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise WeightsError(f"The weights card is not JSON: {error}.") from error
        if not isinstance(values, dict):
            raise WeightsError("The weights card must be a JSON object.")
        version = values.get("version", VERSION)
        if isinstance(version, int) and version > VERSION:
            raise WeightsError(
                f"The weights card is of version {version}, and this program reads {VERSION}; "
                "install a newer release of it."
            )
        known, unknown = _split_keys(cls, values)
        try:
            # Strict, so that True is no 1 and "0.5" no number; as JSON, so that lists are tuples.
            card: Card = _reader().validate_json(json.dumps(known), strict=True)
        except ValidationError as error:
            raise WeightsError(f"The weights card {_fault(error)}.") from error
        return replace(card, unknown=unknown)


@functools.cache
def _reader() -> TypeAdapter[Card]:
    return TypeAdapter(Card)


def _split_keys(kind: Any, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys that are fields of the dataclass `kind`, and those that are not; nested alike."""
    names = {part.name for part in fields(kind)} - {"unknown"}
    known = {key: value for key, value in values.items() if key in names}
    unknown = {key: value for key, value in values.items() if key not in names}
    # Only the card itself nests dataclasses; `data` and `metrics` are free, so nothing is unknown
    # in them.
    for key, inner in (("model", ModelConfig), ("rules", ScoringRules)):
        if kind is Card and isinstance(known.get(key), dict):
            known[key], more = _split_keys(inner, known[key])
            if more:
                unknown[key] = more
    return known, unknown


def _merged(values: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    both = {key for key in more if isinstance(values.get(key), dict)}
    return values | {k: _merged(values[k], v) if k in both else v for k, v in more.items()}


def _fault(error: ValidationError) -> str:
    """The first thing that is wrong, in words."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"lacks '{where}'"
    if first["type"] == "value_error":
        return f"makes no sense: {first['ctx']['error']}"
    return f"has '{where}': {first['input']!r}, which is wrong: {first['msg'].lower()}"


def is_model_id(text: str) -> bool:
    # No dot and no slash: the id becomes a file name.
    return re.fullmatch(r"[a-z0-9][a-z0-9_-]*", text) is not None
