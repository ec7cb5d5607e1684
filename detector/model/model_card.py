"""The card of a network: all that is known about it besides its weights, checked when read."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from detector.errors import WeightsError
from detector.model.cnn_lstm import ModelConfig
from detector.model.quantize import DTYPES
from detector.scoring.calibration import ScoringRules


@dataclass(frozen=True)
class Card:
    """All that is known about one network besides its weights; stored beside them as JSON.

    `trained` is False for a network that must not give scores. `trained_on` is one sentence.
    `data` and `metrics` are free. `commit` is that of the code which trained it, `revision` the
    release's own name, `dtype` how the numbers are stored, see `detector.storage`.
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
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Raises WeightsError that names any key which is missing, unknown or of a wrong type."""
        try:
            values = json.loads(text)
        except ValueError as error:
            raise WeightsError(f"The weights card is not JSON: {error}.") from error
        values = _checked(cls, values, "The weights card")
        model = _checked(ModelConfig, values["model"], "'model' in the weights card")
        rules = _checked(ScoringRules, values["rules"], "'rules' in the weights card")
        try:
            values["model"] = ModelConfig.from_dict(model)
            values["rules"] = ScoringRules(**rules)
            return cls(**values)
        except ValueError as error:
            raise WeightsError(f"The weights card makes no sense: {error}.") from error


def is_model_id(text: str) -> bool:
    return re.fullmatch(r"[a-z0-9][a-z0-9_-]*", text) is not None


def _checked(kind: type[Any], values: object, what: str) -> dict[str, Any]:
    """The JSON object, if it has exactly the fields of the dataclass `kind`, of their types."""
    if not isinstance(values, dict):
        raise WeightsError(f"{what} must be a JSON object.")
    wanted = {part.name: str(part.type) for part in fields(kind)}
    missing, unknown = wanted.keys() - values.keys(), values.keys() - wanted.keys()
    if missing or unknown:
        faults = [f"lacks '{key}'" for key in sorted(missing)]
        faults += [f"has the unknown key '{key}'" for key in sorted(unknown)]
        raise WeightsError(f"{what} {', '.join(faults)}.")
    for key, type_ in wanted.items():
        if not _fits(values[key], type_):
            raise WeightsError(f"{what} has '{key}': {values[key]!r}, which is no {type_}.")
    return {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}


def _fits(value: object, type_: str) -> bool:
    """Whether a JSON value can stand for a field annotated `type_`."""
    outer, _, inner = type_.partition("[")
    if outer == "tuple":
        first = inner.rstrip("]").split(",")[0]
        return isinstance(value, list) and all(_fits(item, first) for item in value)
    kinds: dict[str, tuple[type, ...]] = {
        "bool": (bool,),  # type() and not isinstance(): True is no 1 here
        "int": (int,),
        "float": (int, float),
        "str": (str,),
    }
    return type(value) in kinds.get(outer, (dict,))
