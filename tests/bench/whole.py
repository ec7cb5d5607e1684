"""A path to a report, timed stage by stage beside the baseline; and the annotated video."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
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
from tests.bench.isolation import cpu_seconds

Stages = dict[str, float]
Peer = Callable[[Path, int], int]


@dataclass(frozen=True)
class Contest:
    """`ours` are the weights that are measured, `plain` those of the baseline; `peers` work as
    they do, by name."""

    ours: Path | str
    plain: Path
    peers: Mapping[str, Peer] = field(default_factory=dict)


def measure(path: Path, contest: Contest, frames: int, rounds: int) -> dict[str, Any]:
    """Medians of `rounds` in which ours, with heat for every frame, and the others take turns.

    "stages" and "baseline_stages" are {stage: {"ms", "share"}} of an analysis. "times_faster"
    and "times_faster_cpu" compare the medians of wall clock and of CPU time, that of the decoding
    process included; "peers" has both for each peer. The annotated video is no part of an
    analysis and is listed beside it.
    """
    detector = Detector.load(contest.ours, device="cpu")
    baseline = Baseline(as_published(contest.plain))
    report = checked(detector.analyze(path, Settings(frames)))
    ways: dict[str, Callable[[], Stages]] = {
        "ours": lambda: detector.analyze(path, Settings(frames)).timing_ms,
        "baseline": lambda: by_baseline(baseline, path, frames),
        **{name: partial(by_peer, peer, path, frames) for name, peer in contest.peers.items()},
    }
    runs_of: dict[str, list[Stages]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            runs_of[name].append(timed(way))
    row: dict[str, Any] = {"rounds": rounds}
    for name, runs in (("", runs_of["ours"]), ("baseline_", runs_of["baseline"])):
        row[f"{name}ms"], row[f"{name}cpu_ms"] = middle(runs, "wall"), middle(runs, "cpu")
        stages = {stage: middle(runs, stage) for stage in runs[0] if stage not in ("wall", "cpu")}
        row[f"{name}stages"] = with_shares(stages)
    row["times_faster"] = row["baseline_ms"] / row["ms"]
    row["times_faster_cpu"] = row["baseline_cpu_ms"] / row["cpu_ms"]
    row["peers"] = {
        name: {
            "times_faster": middle(runs_of[name], "wall") / row["ms"],
            "times_faster_cpu": middle(runs_of[name], "cpu") / row["cpu_ms"],
        }
        for name in contest.peers
    }
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
    """A fast run without a face would measure nothing."""
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


def by_peer(peer: Peer, path: Path, frames: int) -> Stages:
    if peer(path, frames) != frames:
        raise RuntimeError("a peer did not look at every frame")
    return {}


def timed(way: Callable[[], Stages]) -> Stages:
    cpu, wall = cpu_seconds(), time.perf_counter()
    stages = way()
    spent = {"wall": time.perf_counter() - wall, "cpu": cpu_seconds() - cpu}
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
