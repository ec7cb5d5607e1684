"""A path to a report, timed stage by stage beside the baseline; and the annotated video."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from detector import Detector, Report
from detector.model.cnn_lstm import CnnLstm
from detector.model.weights import find_weights
from detector.progress import Stopwatch
from detector.render.movie import annotate_video
from detector.settings import Settings
from tests.bench.baseline import Baseline

Stages = dict[str, float]


def measure(path: Path, weights: Path, frames: int, rounds: int) -> dict[str, Any]:
    """Medians of `rounds` in which ours, with heat for every frame, and the baseline take turns.

    "stages" and "baseline_stages" are {stage: {"ms", "share"}} of an analysis. "times_faster"
    and "times_faster_cpu" compare the medians of wall clock and of process CPU time. The
    annotated video is no part of an analysis and stands beside it.
    """
    detector = Detector.load(weights, device="cpu")
    baseline = Baseline(as_published(weights))
    report = checked(detector.analyze(path, Settings(frames)))
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(timed(lambda: detector.analyze(path, Settings(frames)).timing_ms))
        theirs.append(timed(lambda: by_baseline(baseline, path, frames)))
    row: dict[str, Any] = {"rounds": rounds}
    for name, runs in (("", ours), ("baseline_", theirs)):
        row[f"{name}ms"], row[f"{name}cpu_ms"] = middle(runs, "wall"), middle(runs, "cpu")
        stages = {stage: middle(runs, stage) for stage in runs[0] if stage not in ("wall", "cpu")}
        row[f"{name}stages"] = with_shares(stages)
    row["times_faster"] = row["baseline_ms"] / row["ms"]
    row["times_faster_cpu"] = row["baseline_cpu_ms"] / row["cpu_ms"]
    row["grad_cam_cost"] = cost_of_heat(row["stages"])
    row["render_ms"] = rendered(path, report, detector.config.margin)
    row["render_ms_per_frame"] = row["render_ms"] / report.video.frames
    return row


def as_published(weights: Path) -> CnnLstm:
    """The network without what ours does to it for speed when it is loaded."""
    found = find_weights(weights)
    if found is None:
        raise ValueError(f"{weights} is not trained")
    model = CnnLstm(found.card.model)
    model.load_state_dict(load_file(found.path))
    return model.eval()


def checked(report: Report) -> Report:
    """A fast answer about nobody would be no measurement."""
    scored = sum(face.heat is not None for person in report.people for face in person.scores)
    if scored < report.frames_sampled:
        raise RuntimeError(f"{scored} of {report.frames_sampled} frames were scored and explained")
    return report


def by_baseline(baseline: Baseline, path: Path, frames: int) -> Stages:
    spent = Stopwatch()
    answer = baseline.analyze(path, frames, spent)
    if len(answer.scores) != frames or len(answer.heats) != frames:
        raise RuntimeError(f"the baseline answered for {len(answer.scores)} of {frames} frames")
    return spent.rounded()


def timed(way: Callable[[], Stages]) -> Stages:
    wall, cpu = time.perf_counter(), time.process_time()
    stages = way()
    spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return stages | {clock: seconds * 1000 for clock, seconds in spent.items()}


def middle(runs: list[Stages], stage: str) -> float:
    return statistics.median(run[stage] for run in runs)


def with_shares(stages: Stages) -> dict[str, dict[str, float]]:
    total = sum(stages.values())
    return {stage: {"ms": ms, "share": ms / total} for stage, ms in stages.items()}


def cost_of_heat(stages: dict[str, dict[str, float]]) -> float:
    """Grad-CAM beside plain inference: what it adds to CNN and LSTM, as a share of both."""
    return stages["grad_cam"]["ms"] / (stages["cnn"]["ms"] + stages["lstm"]["ms"])


def rendered(path: Path, report: Report, margin: float) -> float:
    """Milliseconds to write the whole video, annotated, once."""
    out = path.with_name("annotated.mp4")
    start = time.perf_counter()
    annotate_video(path, report, out, margin=margin)
    return (time.perf_counter() - start) * 1000
