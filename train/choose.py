"""Chooses between runs that have the same CNN and differ in their LSTM, by labelled videos.

    python -m train.choose --runs runs/a runs/b --videos clips/val/labels.csv --split val \\
        --uploads uploads --out choice.json

The product analyses each video as it is and after an upload; then each LSTM scores the features
that the CNN gave. The run with the best mean AUC of the two copies is chosen. What such a choice is
worth on sources that it did not see is measured by halves: chosen on one half of the sources,
evaluated on the other, for many halvings.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from detector.model.cnn_lstm import CnnLstm
from detector.scoring.verdict import ScoredClip
from train.index import read_videos
from train.metrics import auc
from train.run import load_run
from train.verbs import DataError, verb
from train.videos import UNFITTED, load_unpublished, pooled, recorded, uploaded

Floats = NDArray[np.float64]

HALVINGS = 200  # by convention of bootstraps; the mean moves by .003 with the seed
ALL = "share 1.0"  # all of a person's clips, as `train.videos.pooled` names it


@torch.inference_mode()
def rescored(model: CnnLstm, clips: Sequence[ScoredClip]) -> list[ScoredClip]:
    """The same clips with the logits that another LSTM gives to their features."""
    found = []
    for clip in clips:
        logits = model.classify(torch.from_numpy(clip.features)[None])
        found.append(replace(clip, logit=float(logits.clip), frame_logits=logits.frame[0].numpy()))
    return found


def areas(labels: Floats, logits: Floats) -> Floats:
    """The mean AUC over copies (..., K) of labels (N,) in {0, 1} and logits (..., N, K), of the
    videos that all have a score of."""
    scored = np.isfinite(logits).all(axis=(0, 2))
    each = [np.mean([auc(labels[scored], copy) for copy in run[scored].T]) for run in logits]
    return np.array(each, np.float64)


def choose(
    labels: Floats, logits: Floats, sources: Sequence[str], *, halvings: int = HALVINGS
) -> dict[str, Any]:
    """Which of R runs is best, and what that choice is worth.

    labels   (N,)       in {0, 1}
    logits   (R, N, K)  of each run, video and copy; NaN without a score
    sources  N          what is dealt into halves
    returns  `areas` (R,), `best` the index, `crossed` the mean AUC of the half that did not choose,
             `average` that of all runs on the same halves
    """
    names, place = np.unique(np.asarray(sources), return_inverse=True)
    random = np.random.default_rng(0)
    crossed, average = [], []
    for _ in range(halvings):
        first = (random.permutation(len(names)) < len(names) // 2)[place]
        if any(len(set(labels[half])) < 2 for half in (first, ~first)):
            continue
        parts = [areas(labels[half], logits[:, half]) for half in (first, ~first)]
        for chooses, evaluates in (parts, parts[::-1]):
            crossed.append(evaluates[int(chooses.argmax())])
            average.append(evaluates.mean())
    found = areas(labels, logits)
    return {
        "areas": [round(float(area), 4) for area in found],
        "best": int(found.argmax()),
        "crossed": float(np.mean(crossed)),
        "average": float(np.mean(average)),
    }


def score_runs(models: Sequence[CnnLstm], copies: Sequence[pd.DataFrame], frames: int) -> Floats:
    """The pooled log-odds (R, N, K) of R networks with one CNN, for N videos in K copies."""
    loaded = load_unpublished(models[0], UNFITTED)
    logits = np.full((len(models), len(copies[0]), len(copies)), np.nan)
    for k, table in enumerate(copies):
        for n, (_, people) in enumerate(recorded(loaded, table, frames)):
            for r, model in enumerate(models):
                again = {person: rescored(model, clips) for person, clips in people.items()}
                logits[r, n, k] = pooled(again, UNFITTED).get(ALL, np.nan)
    return logits


def check_cnn(models: Sequence[CnnLstm]) -> None:
    """Raises DataError unless all networks have the CNN of the first."""
    states: list[Mapping[str, torch.Tensor]] = [model.encoder.state_dict() for model in models]
    for state in states[1:]:
        if any(not torch.equal(value, state[name]) for name, value in states[0].items()):
            raise DataError("these runs have different CNNs; evaluate each by train.evaluate.")


@verb
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.choose", description=__doc__)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="of stage clips")
    parser.add_argument("--videos", type=Path, nargs="+", required=True, help="CSVs or folders")
    parser.add_argument("--split", help="take only the videos of this split")
    parser.add_argument("--uploads", type=Path, required=True, help="folder for copies")
    parser.add_argument("--frames", type=int, default=20, help="of each video")
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    options = parser.parse_args(argv)
    models = [load_run(run) for run in options.runs]
    check_cnn(models)
    table = read_videos(options.videos, options.split)
    logits = score_runs(models, [table, uploaded(table, options.uploads)], options.frames)
    labels = (table["label"] == "FAKE").to_numpy(float)
    found = choose(labels, logits, table["dataset"].tolist())
    for run, area in zip(options.runs, found["areas"], strict=True):
        print(f"{area:.3f}  {run}")
    best = options.runs[found["best"]]
    print(f"best: {best}; on the other half {found['crossed']:.3f}, all {found['average']:.3f}")
    options.out.write_text(json.dumps(found | {"runs": list(map(str, options.runs))}, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
