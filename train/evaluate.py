"""Accuracy, measured on the product itself: videos go through `Detector.analyze`.

    python -m train.evaluate --run runs/fast --shards shards --videos clips/val/labels.csv \\
        --out runs/fast/results.json

Calibration, threshold and pooling are fitted on the labelled videos of the split `val`, as they are
and after an upload; figures that depend on them are cross-fitted by source (`train.protocol`).
Without videos they are fitted on the face crops, on one half of the people for the other.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from detector.model.cnn_lstm import CnnLstm
from detector.model.weights import Loaded
from detector.records import Image
from detector.scoring.calibration import ScoringRules, calibrate
from train.augment import degrade, draw_upload
from train.clips import Faces
from train.controls import student, untrained
from train.families import family_scores
from train.index import read_videos
from train.metrics import (
    auc,
    auc_interval,
    calibration_error,
    fit_calibration,
    reliability,
    sigmoid,
    summary,
)
from train.perturbations import perturbed_crops
from train.protocol import COPIES, choose_share, fit_rules, fit_threshold, report
from train.run import load_run
from train.scores import CropScores, score_crops
from train.sequences import clips_of, read_sequences, scale_of, time_matters
from train.verbs import verb
from train.videos import (
    FIXED_FRAMES,
    SHARES,
    UNFITTED,
    ShuffledRecorder,
    answers,
    answers_twice,
    load_unpublished,
    pooled_by,
    rescaled,
    uploaded,
)

Floats = NDArray[np.floating[Any]]


# Of the real faces used for calibration, so many may be called fake; of the fake ones, so many
# may be called "no sign". A video's score comes from its most suspicious part, which exceeds the
# threshold more often than a single face: hence so few.
FALSE_ALARMS, MISSES = 0.05, 0.20


def calibrate_on(labels: Floats, logits: Floats) -> ScoringRules:
    """Temperature, bias and threshold from labelled logits.

    Calling a real person fake is the worse error, so the threshold is where `FALSE_ALARMS` of
    the real ones pass it. Below it, "no sign" is only the answer where no more than `MISSES` of the
    fake ones lie; in between the answer is "undecided".
    """
    temperature, bias = fit_calibration(labels, logits)
    p = sigmoid((np.asarray(logits) + bias) / temperature)
    real, fake = p[np.asarray(labels) == 0], p[np.asarray(labels) == 1]
    # Not below one half, where the calibrated probability favours "real".
    threshold = max(0.5, round(float(np.quantile(real, 1 - FALSE_ALARMS)), 3))
    # The range is empty where fewer than `MISSES` of the fakes lie below the threshold.
    low = min(threshold, round(float(np.quantile(fake, MISSES)), 3))
    return replace(
        UNFITTED,
        temperature=temperature,
        bias=bias,
        calibrated=True,
        threshold=threshold,
        undecided=(low, threshold),
    )


def halves(people: Sequence[str]) -> NDArray[np.bool_]:
    """Splits people, not pictures, in two; True for the first half."""
    # Alternately in the order of names, so both halves have every data set.
    _, number = np.unique(np.asarray(people), return_inverse=True)
    return np.asarray(number % 2 == 0)


def evaluate_crops(model: CnnLstm, faces: Faces) -> tuple[dict[str, Any], ScoringRules]:
    """Results on the labelled crops of a split, and the rules fitted on all of them.

    The rules are fitted on each crop twice, as it is and after an upload: a transcode must not
    make more real people fake. The calibration error is cross-fitted: each half of the people is
    evaluated with the rules of the other. `uploaded` are the results after the upload.
    """
    scored = score_twice(model, faces)
    labels, people = scored[0].fake, scored[0].identity
    both = np.stack([each.clip for each in scored], axis=1)  # (N, 2)
    first = halves(people)
    # (N, 2): each crop as it is, and after an upload.
    p = np.empty(both.shape)
    for half in (first, ~first):
        rules = calibrate_on(np.repeat(labels[half], 2), both[half].ravel())
        p[~half] = calibrate(both[~half], rules)
    # (N, 2).ravel() alternates the two copies, hence each label twice.
    rules = calibrate_on(np.repeat(labels, 2), both.ravel())
    return of_crops(scored, list(p.T), rules), rules


def as_pictures(
    model: CnnLstm, faces: Faces, rules: ScoringRules
) -> tuple[dict[str, Any], ScoringRules]:
    """Results on the labelled crops, each a single picture, by rules that were fitted on videos;
    and those rules with a threshold for pictures, which is fitted here.

    As a picture may show anybody, the limits are those of real videos (`fit_threshold`).
    `crossed` are the errors of each half of the people at the threshold of the other half.
    """
    scored = score_twice(model, faces)
    fake = np.asarray(scored[0].fake, np.float64)
    logits = np.stack([each.clip for each in scored], axis=1).astype(np.float64)  # (N, 2)
    p = calibrate(logits, rules)
    first = halves(scored[0].identity)
    called = np.empty(p.shape, bool)
    for half in (first, ~first):
        called[~half] = p[~half] >= fit_threshold(fake[half], logits[half], rules)
    fitted = replace(rules, picture=fit_threshold(fake, logits, rules))
    results = of_crops(scored, [*p.T], fitted.of_file(still=True))
    for copy, hits in zip((results, results["uploaded"]), called.T, strict=True):
        copy["crossed"] = {
            "false_alarms": float(hits[fake == 0].mean()),
            "misses": float(1 - hits[fake == 1].mean()),
        }
    return results, fitted


def score_twice(model: CnnLstm, faces: Faces) -> list[CropScores]:
    """The labelled crops of a split as they are, and after an upload."""
    return [score_crops(model, faces), score_crops(model, faces, alter=uploads())]


def of_crops(scored: list[CropScores], p: list[Floats], rules: ScoringRules) -> dict[str, Any]:
    """Metrics of the crops of `score_twice` at the probabilities `p` of both."""
    plain, after = (
        of_copy(each, probabilities, rules) for each, probabilities in zip(scored, p, strict=True)
    )
    return plain | {"uploaded": after, "auc_still": auc(scored[0].fake, scored[0].still)}


def of_copy(scored: CropScores, p: Floats, rules: ScoringRules) -> dict[str, Any]:
    """Metrics of crops; ranking by the logits, since two halves' probabilities share no scale."""
    labels, logits = scored.fake, scored.clip
    return summary(labels, p, rules.threshold) | {
        "auc": auc(labels, logits),
        "auc_interval": auc_interval(labels, logits, scored.identity),
        "reliability": reliability(labels, p),
        "ece_uncalibrated": calibration_error(labels, sigmoid(logits)),
    }


def uploads() -> Callable[[Image], Image]:
    """Sends pictures through uploads, another one each; the same row of them at each call."""
    rng = np.random.default_rng(0)

    def alter(image: Image) -> Image:
        # A clip of one frame, (1, H, W, 3).
        altered: Image = degrade(image[None], draw_upload(rng), rng)[0]
        return altered

    return alter


SETS = {
    "videos": "videos",
    "videos_10": "videos, 10 frames",
    "videos_20": "videos, 20 frames",
    "videos_100": "videos, 100 frames",
    "social": "videos after an upload",
    "history": "videos by history",
    "left_out": "training videos by runs without their source",
    "left_out_social": "the same after an upload",
}


def as_table(results: Mapping[str, Any]) -> str:
    """The rows for the README, in Markdown; the controls below."""
    lines = [
        "| set | real / fake | AUC (95 %) | called fake, of the real | missed, of the fake | ECE |",
        "|---|---|---|---|---|---|",
    ]
    crops = results.get("crops", {})
    rows = {"face crops": crops, "face crops after an upload": crops.get("uploaded", {})}
    for key, title in SETS.items():
        rows |= {f"{title}: {name}": row for name, row in results.get(key, {}).items()}
    lines += [_table_row(name, row) for name, row in rows.items() if row]
    if "untrained" in results:
        lines.append(f"| face crops, untrained | | {results['untrained']['auc']:.3f} ||||")
    for name, row in results.get("student", {}).items():
        lines.append(f"| the usual student project: {name} | | {row['auc']:.3f} ||||")
    return "\n".join(lines)


def _table_row(name: str, row: Mapping[str, Any]) -> str:
    low, high = row.get("auc_interval_sources", row["auc_interval"])
    area = f"{row['auc']:.3f} ({low:.2f}–{high:.2f})"
    errors = f"{row['false_alarms']:.1%} | {row['misses']:.0%}"
    return f"| {name} | {row['real']} / {row['fake']} | {area} | {errors} | {row['ece']:.3f} |"


def evaluate_videos(
    model: CnnLstm, table: pd.DataFrame, options: argparse.Namespace
) -> tuple[dict[str, Any], ScoringRules]:
    """Results on videos, and the rules fitted on them, and on the training videos that
    `train.left_out` scored: as they are and after an upload, for each number of frames, and with
    the frames of each clip shuffled."""
    table = table.rename(columns={"dataset": "source"}).reset_index(drop=True)
    copies = uploaded(table, options.uploads or options.out.parent / "uploads")
    beside = read_left_out(options.left_out, options.run, model) if options.left_out else None
    rules = UNFITTED
    frames = options.frames[0]
    known: dict[int, pd.DataFrame] = {}
    if not frames:
        # Sampling by length takes more clips where the score is uncertain by these rules, which
        # are fitted on a fixed number of frames.
        first = load_unpublished(model, rules)
        rules, known[FIXED_FRAMES], _ = fit_on(first, table, copies, FIXED_FRAMES, beside)
    loaded = load_unpublished(model, rules)
    rules, plain, share = fit_on(loaded, table, copies, frames, beside)
    plain.to_csv(options.out.with_suffix(".videos.csv"), index=False)
    if beside is not None:
        beside = pooled_by(beside, share["best"])
    figures = report(plain, rules, beside)
    column = f"share {share['best']}"
    results = {
        "videos": figures["copies"]["logit"],
        "social": figures["copies"]["uploaded"],
        "history": figures["history"],
        "within_sources": figures["within_sources"],
        "unanswered": figures["unanswered"],
        "pooling": share,
        "ranking": {
            "single_frames": ranking(plain, f"still {share['best']}"),
            "lstm": ranking(plain, column),
        },
    }
    if beside is not None:
        results["expectation"] = figures["expectation"]
        results["left_out"] = {"all": figures["left_out"]["logit"]}
        results["left_out_social"] = {"all": figures["left_out"]["uploaded"]}
    for count in options.frames[1:]:
        other = known[count] if count in known else table.join(answers(loaded, table, count))
        other = other.assign(logit=other[column], uploaded=plain["uploaded"])
        results[f"videos_{count}"] = report(other, rules, beside)["copies"]["logit"]
    if options.shuffled:
        mixed = table.join(answers(loaded, table, frames, recorder=ShuffledRecorder))
        results["ranking"]["lstm_shuffled"] = ranking(mixed, column)
    return results, rules


def read_left_out(path: Path, run: Path, model: CnnLstm) -> pd.DataFrame:
    """What `train.left_out` wrote, whose log-odds are calibrated, on the scale of this run's."""
    temperature, bias = scale_of(model, read_sequences(clips_of(run)))
    return rescaled(pd.read_csv(path), temperature, -bias)


def fit_on(
    loaded: Loaded,
    table: pd.DataFrame,
    copies: pd.DataFrame,
    frames: int,
    beside: pd.DataFrame | None,
) -> tuple[ScoringRules, pd.DataFrame, dict[str, Any]]:
    """The rules fitted on the videos of `table`, on `copies` of them after an upload, and on those
    of `beside`; the table with the log-odds of both (`COPIES`), and what chose the share of the
    clips that is pooled."""
    scored = answers_twice(loaded, table, copies, frames)
    # Pooling is chosen on the videos as they are; the uploads follow that choice.
    share = choose_share(scored, SHARES)
    scored = pooled_by(scored, share["best"])
    known = scored if beside is None else pd.concat([scored, pooled_by(beside, share["best"])])
    fake = (known["label"] == "FAKE").to_numpy(float)
    rules = replace(loaded.card.rules, share=share["best"])
    return fit_rules(fake, known[list(COPIES)].to_numpy(float), rules), scored, share


def ranking(table: pd.DataFrame, column: str) -> float:
    """AUC of the videos that were answered."""
    known = table[table[column].notna()]
    return auc((known["label"] == "FAKE").to_numpy(float), known[column].to_numpy(float))


def read_options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of train.fit")
    parser.add_argument("--shards", type=Path, required=True, help="folder of train.prepare")
    parser.add_argument(
        "--videos", type=Path, nargs="+", default=[], help="CSVs or folders of labelled videos"
    )
    parser.add_argument("--split", help="take only the videos of this split")
    parser.add_argument(
        "--frames",
        type=int,
        nargs="+",
        default=[0],
        help="of each video, 0: the default sampling; the rules are fitted on the first",
    )
    parser.add_argument("--uploads", type=Path, help="folder for copies after an upload")
    parser.add_argument(
        "--left-out",
        type=Path,
        metavar="CSV",
        help="scores of train.left_out --videos: the rules are fitted on these videos, too",
    )
    parser.add_argument("--shuffled", action="store_true", help="also with frames shuffled")
    parser.add_argument("--perturb", type=int, metavar="N", help="perturb each N-th crop of val")
    parser.add_argument("--controls", type=Path, metavar="IMAGENET", help="train controls too")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True, help="results.json to write")
    return parser.parse_args(argv)


@verb
def main(argv: Sequence[str] | None = None) -> int:
    options = read_options(argv)
    torch.set_num_threads(options.threads)
    model = load_run(options.run)
    faces = Faces(options.shards, "val")
    table = pd.DataFrame()
    if options.videos:
        table = read_videos(options.videos, options.split)
        results, rules = evaluate_videos(model, table, options)
        results["crops"], rules = as_pictures(model, faces, rules)
    else:
        crops, rules = evaluate_crops(model, faces)
        results = {"crops": crops}
    results |= {"rules": asdict(rules), "family": family_scores(model, faces)}
    if options.perturb:
        results["perturbed"] = perturbed_crops(model, faces, options.perturb)
    clips = clips_of(options.run)
    if clips.exists():
        results["time"] = time_matters(model, read_sequences(clips))
    if options.controls:
        results["untrained"] = untrained(model, faces)
        results["student"] = student(options.controls, Faces(options.shards, "train"), faces, table)
    options.out.write_text(json.dumps(results, indent=1))
    print(as_table(results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
