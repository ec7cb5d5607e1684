"""Leave-sources-out: how a training recipe ranks videos of sources that its training never had.

One set of validation sources is a small sample of cameras and generators. So the sources of the
training videos are dealt into folds, one run is trained without each, and every video is scored by
the run that lacked its source:

    for k in 1 2 3 4 5; do
      python -m train.fit --shards shards --out runs/without-$k --leave-out $k/5 ...
    done
    python -m train.left_out --shards shards --runs runs/without-* --out runs/left-out.json

With `--videos`, the lists that the shards were made of, the videos also go through the product, as
they are and after an upload, and their scores come to runs/left-out.videos.csv, on which
`train.evaluate --left-out` fits the rules as well.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from train.clips import Faces
from train.groups import TALKING_HEADS, group_of
from train.index import read_videos
from train.metrics import auc, auc_interval
from train.protocol import folds_of
from train.run import load_run
from train.scores import score_videos
from train.sequences import clips_of, read_sequences, scale_of
from train.verbs import DataError, verb
from train.videos import (
    FIXED_FRAMES,
    SHARES,
    UNFITTED,
    answers_twice,
    load_unpublished,
    rescaled,
    uploaded,
)


def left_out(faces: Faces, part: str) -> Faces:
    """`faces` without the videos of fold K of N, where `part` is "K/N", K from 1; all for ""."""
    return faces.only(~_in_fold(faces, part)) if part else faces


def held_back(faces: Faces, part: str) -> Faces:
    """The videos alone that `left_out` takes away."""
    return faces.only(_in_fold(faces, part))


def _in_fold(faces: Faces, part: str) -> pd.Series:
    """Which rows of the table are of videos, or were redrawn from videos, of a fold's sources.

    Raises DataError for a part that is not K/N.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", part)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise DataError(f"--leave-out takes K/N with K from 1 to N, such as 2/5, not {part!r}.")
    fold, count = int(match[1]) - 1, int(match[2])
    # One row per video: a source counts by its videos, not by its frames.
    videos = faces.table[faces.table["kind"] == "video"].drop_duplicates(["shard", "clip"])
    sources = videos["dataset"].astype(str).tolist()
    folds = folds_of(sources, (videos["label"] == "FAKE").to_numpy(float), count)
    inside = {source for source, place in zip(sources, folds, strict=True) if place == fold}
    # Redrawn faces leave with the videos that they were made of.
    return faces.table["kind"].isin(["video", "neural"]) & faces.table["dataset"].isin(inside)


def figures(table: pd.DataFrame, column: str = "still") -> dict[str, Any]:
    """AUC over all, per group of generators and within folds, with intervals over sources.

    `table` has a row per video: `label`, `method`, `source`, `fold`, and its score in `column`.
    """
    fake = (table["label"] == "FAKE").to_numpy()
    groups = table["method"].map(lambda name: group_of(str(name)))
    parts = {"all": fake} | {name: fake & (groups == name) for name in sorted(set(groups[fake]))}
    parts["talking heads"] = fake & groups.isin(TALKING_HEADS)
    ranked = {
        name: _ranked(table[~fake | part], column) for name, part in parts.items() if part.any()
    }
    # Runs differ in level: only the rank within one fold is free of that.
    within = [
        _ranked(part, column) for _, part in table.groupby("fold") if part["label"].nunique() == 2
    ]
    return {"groups": ranked, "folds": within}


def _ranked(part: pd.DataFrame, column: str) -> dict[str, Any]:
    labels = (part["label"] == "FAKE").to_numpy(float)
    scores = part[column].to_numpy(float)
    return {
        "real": int((labels == 0).sum()),
        "fake": int(labels.sum()),
        "auc": auc(labels, scores),
        "auc_interval_sources": auc_interval(labels, scores, part["source"]),
    }


def score_left_out(faces: Faces, runs: Sequence[Path]) -> pd.DataFrame:
    """Every video of the runs' folds, by the run that was trained without it."""
    tables = []
    for run in runs:
        part = part_of(run)
        # Eight frames, more than validation takes: scored once, not every few steps.
        scored = score_videos(load_run(run), held_back(faces, part), frames=8)
        tables.append(scored.table.assign(still=scored.still, fold=part))
    return pd.concat(tables, ignore_index=True).rename(columns={"dataset": "source"})


def answer_left_out(
    faces: Faces, runs: Sequence[Path], listed: pd.DataFrame, uploads: Path
) -> pd.DataFrame:
    """The same through the product: the columns of `answers_twice` for each video of `listed`, by
    the run that was trained without it.

    The log-odds are calibrated on the validation clips that the run's LSTM was weighed on: runs
    differ in scale by a factor of two and more, as their LSTMs do in weight. Raises DataError where
    a run has no LSTM, or where none of the videos is in the shards.
    """
    tables = []
    for run in runs:
        part = part_of(run)
        paths = set(held_back(faces, part).table.query("kind == 'video'")["path"])
        own = listed[listed["path"].isin(paths)].reset_index(drop=True)
        model = load_run(run)
        temperature, bias = scale_of(model, read_sequences(clips_of(run)))
        loaded = load_unpublished(model, UNFITTED)
        scored = answers_twice(loaded, own, uploaded(own, uploads), FIXED_FRAMES)
        tables.append(rescaled(scored, 1 / temperature, bias / temperature).assign(fold=part))
    together = pd.concat(tables, ignore_index=True).rename(columns={"dataset": "source"})
    if together.empty:
        raise DataError("none of these videos is in the shards that the runs were trained on.")
    return together


def part_of(run: Path) -> str:
    """The fold that a run was trained without. Raises DataError where it had all sources."""
    config: Mapping[str, Any] = json.loads((run / "frames.config.json").read_text())
    if not config.get("leave_out"):
        raise DataError(f"{run} was trained with all sources; give runs of --leave-out.")
    return str(config["leave_out"])


@verb
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.left_out", description=__doc__)
    parser.add_argument("--shards", type=Path, required=True, help="folder of train.prepare")
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="one for each fold")
    parser.add_argument(
        "--videos", type=Path, nargs="+", default=[], help="CSVs or folders of the shards' videos"
    )
    parser.add_argument("--uploads", type=Path, help="folder for copies after an upload")
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    options = parser.parse_args(argv)
    parts = [part_of(run) for run in options.runs]
    if len(set(parts)) < len(parts):
        raise DataError(f"two runs left out the same fold: {', '.join(parts)}.")
    faces = Faces(options.shards, "train")
    found = {"single frames": figures(score_left_out(faces, options.runs))}
    if options.videos:
        uploads = options.uploads or options.out.parent / "uploads"
        listed = read_videos(options.videos, "train")
        table = answer_left_out(faces, options.runs, listed, uploads)
        table.to_csv(options.out.with_suffix(".videos.csv"), index=False)
        column = f"share {SHARES[-1]}"  # all clips
        found["product"] = figures(table[table[column].notna()], column)
    options.out.write_text(json.dumps(found, indent=1))
    for name, each in found.items():
        print(name)
        _print(each)
    return 0


def _print(found: Mapping[str, Any]) -> None:
    for name, row in found["groups"].items():
        low, high = row["auc_interval_sources"]
        print(f"{name:28} {row['real']:4} {row['fake']:4}  {row['auc']:.3f} ({low:.2f}-{high:.2f})")
    inside = np.mean([row["auc"] for row in found["folds"]])
    print(f"within folds, mean of {len(found['folds'])}: {inside:.3f}")


if __name__ == "__main__":
    raise SystemExit(main())
