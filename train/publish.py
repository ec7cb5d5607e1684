"""A trained run becomes released weights: safetensors beside their JSON card.

    python -m train.publish --run runs/fast --results runs/fast/results.json --id fast \\
        --trained-on "..." --out weights

Stored as int8 or in half precision where no score moves by more than `ALLOWED`. `--about` is
a JSON file with `data` (name, licence, use), `known_failures` and `limits`; `--upload` also sends
it all to the Hub, under a model card.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from detector.model.cnn_lstm import CnnLstm
from detector.model.model_card import Card
from detector.model.quantize import pack, unpack
from detector.model.weights import save_weights
from detector.scoring.calibration import ScoringRules, calibrate
from train.clips import Faces
from train.hub_card import upload
from train.origin import commit_of_code
from train.run import LAST_FIRST, load_run
from train.scores import score_crops
from train.verbs import verb

ALLOWED = {"int8": 0.005, "float16": 0.002}
"""By how much a probability may move for the sake of size, the smallest storage first. The page
shows whole percents: rounding moves them by as much."""
SETS = (
    *("crops", "videos", "videos_20", "videos_100", "social", "history", "within_sources"),
    *("expectation", "left_out", "left_out_social"),
    *("unanswered", "ranking", "time", "pooling", "perturbed", "family", "untrained", "student"),
)


def shifts_of(model: CnnLstm, rules: ScoringRules, faces: Faces) -> Iterator[tuple[str, float]]:
    """Each storage of `ALLOWED`, and the largest change of a probability, over the labelled crops,
    that it makes."""
    before = calibrate(score_crops(model, faces).clip, rules)
    stored = deepcopy(model)
    for dtype in ALLOWED:
        # From the original weights each time, not from the last rounding.
        stored.load_state_dict(unpack(pack(model.state_dict(), dtype)))
        after = calibrate(score_crops(stored, faces).clip, rules)
        yield dtype, float(np.abs(before - after).max())


def choose_dtype(model: CnnLstm, rules: ScoringRules, faces: Faces) -> str:
    """The smallest storage that `ALLOWED` admits."""
    for dtype, shift in shifts_of(model, rules, faces):
        print(f"{dtype} moves a score by {shift:.4f} at most; {ALLOWED[dtype]} are allowed.")
        if shift <= ALLOWED[dtype]:
            return dtype
    return "float32"


def rules_of(results: Mapping[str, Any]) -> ScoringRules:
    """The rules that `train.evaluate` fitted, out of its JSON."""
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in results["rules"].items()
    }
    return ScoringRules(**values)


def rounded(value: Any) -> Any:
    """Numbers to four digits, in whatever they are nested."""
    if isinstance(value, float):
        # Four digits: intervals of these figures are wider than .01.
        return round(value, 4)
    if isinstance(value, Mapping):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value


def fit_settings(run: Path) -> dict[str, Any]:
    """The settings and the log of each stage of training."""
    stages = {
        path.name.split(".")[0]: json.loads(path.read_text()) for path in run.glob("*.config.json")
    }
    for stage in stages.values():
        # It is in the card already, as `Card.model`.
        stage.pop("model", None)
    log = run / "log.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    return {"stages": stages, "log": [json.loads(line) for line in lines]}


def commit_of_training(stages: Mapping[str, Mapping[str, Any]]) -> str:
    """That of the code which trained the last stage; empty where no run stored one."""
    commits = [stages.get(name, {}).get("origin", {}).get("commit") for name in LAST_FIRST]
    return next((commit for commit in commits if commit), "")


@verb
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.publish", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of train.fit")
    parser.add_argument(
        "--results", type=Path, required=True, help="results.json of train.evaluate"
    )
    parser.add_argument("--shards", type=Path, required=True, help="folder of train.prepare")
    parser.add_argument("--id", default="fast", help="name of the model")
    parser.add_argument("--trained-on", required=True, help="one sentence about the data")
    parser.add_argument("--about", type=Path, help="data, known failures and limits (.json)")
    parser.add_argument("--upload", metavar="REPO", help="Hub repository to publish in, too")
    parser.add_argument("--endpoint", help="address of the Hub, if not the usual one")
    parser.add_argument("--out", type=Path, default=Path("weights"))
    options = parser.parse_args(argv)
    torch.set_num_threads(2)
    model = load_run(options.run)
    results = json.loads(options.results.read_text())
    rules = rules_of(results)
    data = fit_settings(options.run)
    if options.about:
        data["about"] = json.loads(options.about.read_text(encoding="utf-8"))
    card = Card(
        id=options.id,
        model=model.config,
        rules=rules,
        trained=True,
        trained_on=options.trained_on,
        data=data,
        metrics=rounded({name: results[name] for name in SETS if name in results}),
        commit=commit_of_training(data["stages"]) or commit_of_code(),
        revision=datetime.now(UTC).strftime("%Y-%m-%d"),
    )
    dtype = choose_dtype(model, rules, Faces(options.shards, "val"))
    card = save_weights(model, card, options.out, dtype=dtype)
    size = (options.out / f"{card.id}.safetensors").stat().st_size / 1e6
    print(f"{card.id}: {size:.1f} MB as {card.dtype}.")
    if options.upload:
        commit = upload(options.out, card, options.upload, endpoint=options.endpoint)
        print(f"Published in {options.upload}; pin commit {commit}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
