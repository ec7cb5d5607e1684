"""Pictures of a run and of its results: curves, reliability, confusion, ROC, perturbations.

python -m train.plots --run runs/fast --results runs/fast/results.json --out runs/fast/plots
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd

matplotlib.use("Agg")  # before pyplot: there may be no display

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from train.verbs import verb

# Colours of Okabe & Ito, distinguishable with any colour vision.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"


def draw_training(log: Sequence[Mapping[str, Any]], out: Path) -> Path:
    """Loss of training and AUC on the validation split, stage by stage."""
    stages = list(dict.fromkeys(entry["stage"] for entry in log))
    figure, rows = plt.subplots(len(stages), 2, figsize=(9, 3.2 * len(stages)), squeeze=False)
    for stage, (left, right) in zip(stages, rows, strict=True):
        entries = [entry for entry in log if entry["stage"] == stage]
        for axes, key, colour in ((left, "loss", BLUE), (right, "auc", ORANGE)):
            points = [(e["step"], e[key]) for e in entries if e[key] is not None]
            axes.plot(*zip(*points, strict=True), marker="o", color=colour)
            _label(axes, f"{stage}: {key}", "step", key)
    return _save(figure, out / "training.png")


def draw_reliability(bins: Sequence[Sequence[float]], ece: float, out: Path) -> Path:
    """Of the faces called p, how many are fake; the area of a dot is how many there are."""
    figure, axes = plt.subplots(figsize=(4.6, 4.4))
    mean, share, count = zip(*bins, strict=True)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="perfect")
    # Area in points squared, proportional to the number of faces.
    sizes = [600 * n / max(count) for n in count]
    axes.plot(mean, share, color=BLUE, linewidth=1)
    axes.scatter(mean, share, s=sizes, color=BLUE, alpha=0.6, label=f"ECE {ece:.3f}")
    axes.legend(loc="upper left")
    _label(axes, "Reliability, people in val", "probability given", "share that is fake")
    return _save(figure, out / "reliability.png")


def draw_confusion(row: Mapping[str, Any], threshold: float, out: Path) -> Path:
    """Confusion matrix at the frozen threshold, in shares of each row."""
    alarms, misses = row["false_alarms"], row["misses"]
    cells = [[1 - alarms, alarms], [misses, 1 - misses]]
    figure, axes = plt.subplots(figsize=(4.4, 4))
    axes.imshow(cells, cmap="Blues", vmin=0, vmax=1)
    for y, counts in enumerate((row["real"], row["fake"])):
        for x in range(2):
            text = f"{cells[y][x]:.0%}\n({round(cells[y][x] * counts)})"
            axes.text(x, y, text, ha="center", va="center", color="w" if cells[y][x] > 0.5 else "k")
    axes.set_xticks([0, 1], ["not fake", "fake"])
    axes.set_yticks([0, 1], ["real", "fake"])
    _label(axes, f"At threshold {threshold:.2f}", "called", "is")
    axes.grid(False)
    return _save(figure, out / "confusion.png")


def draw_perturbations(results: Mapping[str, Any], out: Path) -> Path:
    """AUC under each perturbation at five levels."""
    figure, axes = plt.subplots(figsize=(6.4, 4))
    axes.axhline(results["clean"], color=GREY, linestyle="--", linewidth=1, label="unaltered")
    for marker, (kind, row) in zip("osD^vPX", results["levels"].items(), strict=True):
        axes.plot(range(1, len(row) + 1), row, marker=marker, label=kind)
    axes.legend(fontsize=8, ncols=2)
    _label(axes, f"Under perturbations, {results['crops']} crops of val", "level", "AUC")
    return _save(figure, out / "perturbations.png")


def draw_balance(counts: pd.DataFrame, out: Path) -> Path:
    """Files of each method, label by label, in each split."""
    splits = list(dict.fromkeys(counts["split"]))
    figure, rows = plt.subplots(1, len(splits), figsize=(5 * len(splits), 3.6), squeeze=False)
    for split, axes in zip(splits, rows[0], strict=True):
        part = counts[counts["split"] == split]
        colours = [BLUE if label == "REAL" else ORANGE for label in part["label"]]
        axes.barh(part["label"] + " " + part["method"], part["files"], color=colours)
        _label(axes, f"{split}: {part['files'].sum()} files", "files", "")
    return _save(figure, out / "balance.png")


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)


def _save(figure: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path


@verb
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.plots", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of train.fit")
    parser.add_argument("--results", type=Path, help="results.json of train.evaluate")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    options = parser.parse_args(argv)
    log = [json.loads(line) for line in (options.run / "log.jsonl").read_text().splitlines()]
    drawn = [draw_training(log, options.out)]
    if options.results:
        results = json.loads(options.results.read_text())
        crops, threshold = results["crops"], results["rules"]["threshold"]
        drawn.append(draw_reliability(crops["reliability"], crops["ece"], options.out))
        drawn.append(draw_confusion(crops, threshold, options.out))
        if "perturbed" in results:
            drawn.append(draw_perturbations(results["perturbed"], options.out))
    print("\n".join(str(path) for path in drawn))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
