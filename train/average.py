"""The mean of the weights of runs that began at one place: a run of its own, to be evaluated and
published like any other ("model soups", arXiv 2203.05482).

    python -m train.average runs/a runs/b --out runs/mean
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from train.verbs import DataError, verb, whole

WEIGHTS, CONFIG = "frames.best.safetensors", "frames.config.json"


def mean_of(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Name by name the mean of numbers; counters are taken from the last. Raises DataError where
    the networks differ."""
    shapes = [{name: value.shape for name, value in state.items()} for state in states]
    if any(each != shapes[0] for each in shapes):
        raise DataError("these runs trained different networks; only like ones have a mean.")
    return {
        # Running statistics of batch norms are averaged as well; they differ little between such
        # runs.
        name: torch.stack([state[name] for state in states]).mean(0)
        if value.is_floating_point()
        else value
        for name, value in states[-1].items()
    }


@verb
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.average", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of train.fit, stage frames")
    parser.add_argument("--out", type=Path, required=True, help="folder of the mean")
    options = parser.parse_args(argv)
    for run in options.runs:
        if not (run / WEIGHTS).exists():
            raise DataError(f"{run} contains no trained network; run python -m train.fit first.")
    mean = mean_of([load_file(run / WEIGHTS) for run in options.runs])
    options.out.mkdir(parents=True, exist_ok=True)
    with whole(options.out / WEIGHTS) as place:
        save_file({name: value.contiguous() for name, value in mean.items()}, place)
    # The network's own settings are equal in all of the runs, or `mean_of` has refused.
    shutil.copy(options.runs[-1] / CONFIG, options.out / CONFIG)
    configs = {run.name: json.loads((run / CONFIG).read_text()) for run in options.runs}
    for settings in configs.values():
        del settings["model"]  # the mean's own, which stands in CONFIG
    (options.out / "average.config.json").write_text(json.dumps(configs, indent=1))
    lines = [(run / "log.jsonl").read_text() for run in options.runs]
    (options.out / "log.jsonl").write_text("".join(lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
