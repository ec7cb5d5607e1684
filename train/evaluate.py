"""Accuracy, measured on the product itself: videos go through `Detector.analyze`.

    python -m train.evaluate --run runs/fast --shards shards --videos clips/labels.csv \\
        --group "talking heads=EDTalk,AniPortrait" --out runs/fast/results.json

Calibration and thresholds are fitted on the face crops of the split `val`, as they are and after an
upload, on one half of its people; the other half says how good it is. Which part of a video speaks
for it is chosen on pseudo-fakes of people in `val`. Nothing is chosen on the videos.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from detector.errors import VideoError
from detector.inference import Cut, Network
from detector.model.cnn_lstm import CnnLstm
from detector.model.model_card import Card
from detector.model.weights import UNTRAINED, Loaded
from detector.pipeline import Detector
from detector.records import Image, Person, Report, Status, Verdict, verdict_name
from detector.scoring.calibration import ScoringRules, calibrate
from detector.settings import Settings
from train.augment import degrade, draw_upload, social_media
from train.clips import Faces
from train.controls import student, untrained
from train.families import family_scores
from train.index import read_source
from train.judge import judge_crops
from train.metrics import (
    auc,
    bootstrap,
    calibration_error,
    fit_calibration,
    reliability,
    sigmoid,
    summary,
)
from train.perturbations import perturbed_crops
from train.pooling import pooling_areas
from train.run import load_run
from train.sequences import read_sequences, time_matters
from train.transcode import write_altered
from train.verbs import DataError, verb

Floats = NDArray[np.floating[Any]]


# Of the real faces used for calibration, so many may be called fake; of the fake ones, so many
# may be told "no sign". Of a video the most suspicious part speaks, which alarms more often than a
# single face: hence so few.
FALSE_ALARMS, MISSES = 0.05, 0.20
# What no training video showed, the model is not asked about: their faces have a sharpness of at
# least 54 and face the camera by 0.33 or more.
MIN_SHARPNESS, MIN_FRONTAL = 20.0, 0.15


def calibrate_on(labels: Floats, logits: Floats) -> ScoringRules:
    """Temperature, bias and threshold from labelled logits.

    Calling a real person fake is the worse error, so the threshold lies where `FALSE_ALARMS` of
    the real ones pass it. Below it, "no sign" is only said where no more than `MISSES` of the
    fake ones lie; in between the answer is "undecided".
    """
    temperature, bias = fit_calibration(labels, logits)
    p = sigmoid((np.asarray(logits) + bias) / temperature)
    real, fake = p[np.asarray(labels) == 0], p[np.asarray(labels) == 1]
    threshold = max(0.5, round(float(np.quantile(real, 1 - FALSE_ALARMS)), 3))
    low = min(threshold, round(float(np.quantile(fake, MISSES)), 3))
    return replace(
        ScoringRules(),
        temperature=temperature,
        bias=bias,
        calibrated=True,
        threshold=threshold,
        undecided=(low, threshold),
        min_sharpness=MIN_SHARPNESS,
        min_frontal=MIN_FRONTAL,
    )


def halves(people: Sequence[str]) -> NDArray[np.bool_]:
    """Splits people, not pictures, in two; True for the first half."""
    _, number = np.unique(np.asarray(people), return_inverse=True)
    return np.asarray(number % 2 == 0)


def evaluate_crops(model: CnnLstm, faces: Faces) -> tuple[dict[str, Any], ScoringRules]:
    """Results on the labelled crops of a split, and the rules fitted on all of them.

    The rules are fitted on each crop twice, as it is and after an upload: a transcode must not
    make more real people fake. The calibration error is cross-fitted: each half of the people is
    judged with the rules of the other. `uploaded` are the results after the upload.
    """
    clean, uploaded = judge_crops(model, faces), judge_crops(model, faces, alter=uploads())
    labels, people = clean.fake, clean.identity
    both = np.stack([clean.clip, uploaded.clip], axis=1)  # (N, 2)
    first = halves(people)
    p = np.empty(both.shape)
    for half in (first, ~first):
        rules = calibrate_on(np.repeat(labels[half], 2), both[half].ravel())
        p[~half] = calibrate(both[~half], rules)
    rules = calibrate_on(np.repeat(labels, 2), both.ravel())
    parts = [
        of_crops(labels, logits, p[:, place], people, rules)
        for place, logits in enumerate((clean.clip, uploaded.clip))
    ]
    results = parts[0] | {"uploaded": parts[1], "auc_still": auc(labels, clean.still)}
    return results, rules


def of_crops(
    labels: Floats, logits: Floats, p: Floats, people: Sequence[str], rules: ScoringRules
) -> dict[str, Any]:
    """Metrics of crops; ranking by the logits, since two halves' probabilities share no scale."""
    return summary(labels, p, people, rules.threshold) | {
        "auc": auc(labels, logits),
        "auc_interval": bootstrap(auc, labels, logits, people),
        "reliability": reliability(labels, p),
        "ece_uncalibrated": calibration_error(labels, sigmoid(logits)),
    }


def uploads() -> Callable[[Image], Image]:
    """Sends pictures through uploads, another one each; the same row of them at each call."""
    rng = np.random.default_rng(0)

    def alter(image: Image) -> Image:
        altered: Image = degrade(image[None], draw_upload(rng), rng)[0]
        return altered

    return alter


class Shuffled(Network):
    """A network that sees the frames of each clip in a random order."""

    def score(self, cuts: Sequence[Cut], **options: Any) -> Any:
        rng = np.random.default_rng(0)
        mixed = []
        for cut in cuts:
            order = rng.permutation(len(cut.crops))
            mixed.append(replace(cut, crops=tuple(cut.crops[k] for k in order)))
        return super().score(mixed, **options)


def load_unpublished(model: CnnLstm, rules: ScoringRules) -> Loaded:
    """What `Detector` needs, around weights that are not published yet."""
    card = Card(id="run", model=model.config, rules=rules, trained=True)
    info = replace(UNTRAINED, id="run", trained=True, calibrated=rules.calibrated)
    return Loaded(card=card, model=model.eval(), info=info, source="run")


def watch_videos(
    detector: Detector, table: pd.DataFrame, frames: int, *, alter: bool = False
) -> pd.DataFrame:
    """`table` with the product's answer to each video: `fake`, `still` (mean pooling) and
    `status`. With `alter`, each is re-uploaded to a social network first."""
    rows = []
    settings = Settings(frames=frames, heat=False)
    with tempfile.TemporaryDirectory() as folder:
        for path in tqdm(table["path"], unit="video", desc=f"{frames} frames"):
            file = Path(path)
            if alter:
                file = write_altered(file, Path(folder) / "altered.mp4", social_media)
            try:
                rows.append(answer(detector.analyze(file, settings)))
            except VideoError as error:
                rows.append({"fake": np.nan, "still": np.nan, "status": error.status.value})
    return table.reset_index(drop=True).join(pd.DataFrame(rows))


def answer(report: Report) -> dict[str, Any]:
    """What one row of results keeps of a report."""
    people = [person for person in report.people if person.status is Status.OK]
    still = max((mean_pooled(person) for person in people), default=np.nan)
    return {
        "fake": np.nan if report.fake is None else report.fake,
        "still": still,
        "status": report.status.value,
        "verdict": verdict_name(report.verdict),
    }


def mean_pooled(person: Person) -> float:
    """Mean of the log-odds of single frames: what there is without time."""
    p = np.clip([score.still for score in person.scores if score.usable], 1e-6, 1 - 1e-6)
    return float(np.mean(np.log(p / (1 - p))))


def results_of(
    table: pd.DataFrame, groups: Mapping[str, Sequence[str]], threshold: float
) -> dict[str, Any]:
    """Metrics over all videos, per group of methods and per method, each against all reals; and
    per source, its fakes against its own reals, where it has both."""
    judged = table[table["fake"].notna()]
    real = judged[judged["label"] == "REAL"]
    fake = judged[judged["label"] == "FAKE"]
    sets = {"all": fake} | {
        name: fake[fake["method"].isin(methods)] for name, methods in groups.items()
    }
    sets |= {str(method): part for method, part in fake.groupby("method")}
    results: dict[str, Any] = {"unanswered": int(len(table) - len(judged))}
    for name, part in sets.items():
        if len(part) and len(real):
            both = pd.concat([real, part])
            labels = (both["label"] == "FAKE").to_numpy(float)
            results[name] = summary(labels, both["fake"], both["identity"], threshold)
            results[name] |= abstention(both)
            results[name]["auc_mean_pooling"] = auc(labels, both["still"].to_numpy(float))
    return results | {"sources": by_source(judged)}


def by_source(judged: pd.DataFrame) -> dict[str, Any]:
    """AUC within each source that has real and fake videos: no difference between sources helps."""
    areas = {}
    for name, part in judged.groupby("dataset"):
        labels = (part["label"] == "FAKE").to_numpy(float)
        if 0 < labels.sum() < len(labels):
            real, fake = int((labels == 0).sum()), int(labels.sum())
            area = auc(labels, part["fake"].to_numpy(float))
            areas[str(name)] = {"real": real, "fake": fake, "auc": area}
    return areas


def abstention(table: pd.DataFrame) -> dict[str, float]:
    """The share of scored videos answered "undecided", and of the others, how many wrongly."""
    undecided = table["verdict"] == Verdict.UNDECIDED.value
    answered = table[~undecided]
    wrong = (answered["verdict"] == Verdict.FAKE.value) != (answered["label"] == "FAKE")
    return {
        "abstained": float(undecided.mean()),
        "error_answered": float(wrong.mean()) if len(answered) else 0.0,
    }


def parse_groups(texts: Iterable[str]) -> dict[str, list[str]]:
    """ "name=method,method" each. Raises ValueError for another form."""
    groups = {}
    for text in texts:
        name, sign, methods = text.partition("=")
        if not sign:
            raise DataError(f"a group is NAME=METHOD,METHOD, not {text!r}")
        groups[name] = methods.split(",")
    return groups


SETS = {
    "videos": "videos",
    "videos_10": "videos, 10 frames",
    "videos_100": "videos, 100 frames",
    "social": "videos after a transcode",
    "shuffled": "videos, frames shuffled",
}


def as_table(results: Mapping[str, Any]) -> str:
    """The rows for the README, in Markdown; mean pooling and the controls below."""
    lines = [
        "| set | real / fake | AUC (95 %) | EER | false alarms | misses | ECE (by chance) |",
        "|---|---|---|---|---|---|---|",
    ]
    crops = results.get("crops", {})
    rows = {"face crops": crops, "face crops after an upload": crops.get("uploaded", {})}
    for key, told in SETS.items():
        for name, row in results.get(key, {}).items():
            if isinstance(row, Mapping) and "auc_interval" in row:
                rows[f"{told}: {name}"] = row
    lines += [_table_row(name, row) for name, row in rows.items() if row]
    for name, row in results.get("videos", {}).items():
        if isinstance(row, Mapping) and "auc_mean_pooling" in row and name == "all":
            lines.append(f"| videos, mean pooling instead | | {row['auc_mean_pooling']:.3f} |||||")
    if "untrained" in results:
        lines.append(f"| face crops, untrained | | {results['untrained']['auc']:.3f} |||||")
    for name, row in results.get("student", {}).items():
        lines.append(f"| the usual student project: {name} | | {row['auc']:.3f} |||||")
    return "\n".join(lines)


def _table_row(name: str, row: Mapping[str, Any]) -> str:
    low, high = row["auc_interval"]
    area = f"{row['auc']:.3f} ({low:.2f}–{high:.2f})"
    errors = f"{row['eer']:.2f} | {row['false_alarms']:.2f} | {row['misses']:.2f}"
    calibration = f"{row['ece']:.3f} ({row['ece_floor']:.3f})"
    return f"| {name} | {row['real']} / {row['fake']} | {area} | {errors} | {calibration} |"


def evaluate_videos(
    model: CnnLstm, rules: ScoringRules, table: pd.DataFrame, options: argparse.Namespace
) -> dict[str, Any]:
    """Results on videos: as they are, for each number of frames; re-uploaded; shuffled."""
    loaded = load_unpublished(model, rules)
    detector = Detector(loaded, "cpu")
    groups = parse_groups(options.group)
    results = {}
    for frames in options.frames:
        name = "videos" if frames == options.frames[0] else f"videos_{frames}"
        seen = watch_videos(detector, table, frames)
        seen.to_csv(options.out.with_name(f"{options.out.stem}.{name}.csv"), index=False)
        results[name] = results_of(seen, groups, rules.threshold)
    if options.social:
        seen = watch_videos(detector, table, options.frames[0], alter=True)
        results["social"] = results_of(seen, groups, rules.threshold)
    detector.network = Shuffled(loaded, "cpu")
    seen = watch_videos(detector, table, options.frames[0])
    return results | {"shuffled": results_of(seen, groups, rules.threshold)}


def read_options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of train.fit")
    parser.add_argument("--shards", type=Path, required=True, help="folder of train.prepare")
    parser.add_argument("--videos", type=Path, help="CSV or folder of labelled videos")
    parser.add_argument("--split", help="take only the videos of this split")
    parser.add_argument("--frames", type=int, nargs="+", default=[20])
    parser.add_argument("--group", action="append", default=[], metavar="NAME=METHOD,...")
    parser.add_argument("--social", action="store_true", help="also after a transcode")
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
    crops, rules = evaluate_crops(model, faces)
    pooling = pooling_areas(model, faces)
    rules = replace(rules, share=pooling.get("best", rules.share))
    results: dict[str, Any] = {"crops": crops, "rules": asdict(rules), "pooling": pooling}
    results["family"] = family_scores(model, faces)
    if options.perturb:
        results["perturbed"] = perturbed_crops(model, faces, options.perturb)
    clips = options.run / "features" / "val"
    if clips.exists():
        results["time"] = time_matters(model, read_sequences(clips))
    table = pd.DataFrame()
    if options.videos:
        table = read_source(options.videos, "video")
        if options.split:
            table = table[table["split"] == options.split]
        results |= evaluate_videos(model, rules, table, options)
    if options.controls:
        results["untrained"] = untrained(model, faces)
        results["student"] = student(options.controls, Faces(options.shards, "train"), faces, table)
    options.out.write_text(json.dumps(results, indent=1))
    print(as_table(results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
