"""A network in int8 for OpenVINO: about half the time of the float32 CNN, and nearly its scores.

It is made and measured by `train.quantise` and is in a folder int8 beside the weights: NAME.xml,
NAME.bin, and NAME.json, with the weights that it was made of and its loss of accuracy. It is used
where DEEPFAKE_ENGINE is int8, never by default: a report is repeated to the last digit only by the
engine that made it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from detector.engines.openvino import VARIABLE, Engine, compiled, openvino_or_none

log = logging.getLogger(__name__)

INT8 = "int8"


def is_selected() -> bool:
    return os.environ.get(VARIABLE) == INT8


def int8_engine(name: str, sha256: str, folder: Path) -> Engine | None:
    """The int8 network of the weights `name` with this hash, from `folder`; None, with a warning,
    where there is none that was made of these very weights."""
    about = about_file(name, folder)
    if not about.is_file():
        log.warning("There is no int8 version of %s; it runs in float32.", name)
        return None
    facts = json.loads(about.read_text(encoding="utf-8"))
    if facts["weights_sha256"] != sha256 or facts["sha256"] != sha256_of(about):
        log.warning("%s belongs to other weights; %s runs in float32.", about.name, name)
        return None
    model = openvino_or_none().Core().read_model(about.with_suffix(".xml"))
    return Engine(compiled(model, split=True), INT8)


def about_file(name: str, folder: Path) -> Path:
    """NAME.json of the int8 version of the weights `name` in `folder`."""
    return folder / INT8 / f"{name}.json"


def sha256_of(about: Path) -> str:
    """Of the two files beside NAME.json, one after the other."""
    digest = hashlib.sha256()
    for suffix in (".xml", ".bin"):
        digest.update(about.with_suffix(suffix).read_bytes())
    return digest.hexdigest()


def store(model: Any, about: Path, facts: dict[str, Any]) -> None:
    """Write an int8 model beside the weights, with the `facts` about it."""
    about.parent.mkdir(exist_ok=True)
    openvino_or_none().save_model(model, about.with_suffix(".xml"), compress_to_fp16=False)
    facts = {**facts, "sha256": sha256_of(about)}
    about.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
