"""All of the benchmark in one run: python -m tests.bench

Prints tables, and one JSON object as its last line. What counts are ratios: both sides of each
are measured on this machine, in turns. Milliseconds mean little elsewhere.

`--smoke` runs every part once on a short clip with a tiny network, so that none can rot, and
fails if the product is slower than the baseline.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as app.py does, before torch is loaded

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tests.bench import decode, detect, heat, isolation, process, viewer, whole
from tests.bench.peers import FrameByFrame, Student
from tests.bench.scene import HD, repeated, scene, stand_in
from tests.bench.whole import Contest
from tests.clips import write_clip
from tests.visits import CHROMIUM

Results = dict[str, Any]
NAMES = {"whole": "the same network", "default": "the default"}
# Targets: times faster than the plain baseline with ResNeXt50, by frames.
FASTER = {"whole": {"20": 7.0, "100": 12.0}, "default": {"20": 20.0, "100": 45.0}}


@dataclass(frozen=True)
class Plan:
    """`long_rounds` counts the rounds for more than 20 frames, which take minutes each."""

    backbone: str = "resnext50_32x4d"
    peer_backbones: tuple[str, str] = ("resnext50_32x4d", "efficientnet_b4")
    default: str | None = "fast"
    frames: tuple[int, ...] = (10, 20, 100)
    rounds: int = 3
    long_rounds: int = 1
    size: tuple[int, int] = HD
    seconds: int = 10
    repeats: int = 60
    sampled: int = 16
    start: bool = True
    seeks: int = 40
    isolation_rounds: int = 9


SMOKE = Plan(
    backbone="test_resnet",
    peer_backbones=("test_resnet", "test_efficientnet"),
    default=None,
    frames=(8,),
    rounds=1,
    size=(640, 360),
    seconds=1,
    repeats=4,
    sampled=4,
    start=False,
    seeks=2,
    isolation_rounds=1,
)


def run(plan: Plan) -> Results:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = stand_in(folder / "weights", plan.backbone)
        clip = write_clip(folder / "clip.mp4", scene(30 * plan.seconds, plan.size), fps=30.0)
        results: Results = {"machine": machine(), "backbone": plan.backbone}
        if plan.start:
            results["start"] = process.start_of_app(weights)
        results["memory"] = memory(clip, weights, plan)
        results["decode_ms"] = decode.measure(
            clip, plan.frames, rounds=plan.rounds, ways=("opencv_sequential", "ours")
        )
        released = None if plan.isolation_rounds > 1 else weights  # the released model's
        results["isolation"] = isolation.measure(clip, released, plan.isolation_rounds, 20)
        images = list(scene(plan.sampled, plan.size, people=2))
        results["detect"] = detect.measure(images, plan.rounds)
        results["heat"] = heat.measure(plan.backbone, clips=1, frames=10, rounds=plan.rounds)
        if CHROMIUM:
            tiny = stand_in(folder / "tiny", "test_resnet")
            results["viewer"] = viewer.measure(clip, tiny, plan.seeks)
        student, spread = plan.peer_backbones
        peers = {"student project": Student(student), "frame by frame": FrameByFrame(spread)}
        contests = {"whole": Contest(weights, weights)}
        contests["default"] = Contest(plan.default or weights, weights, peers)
        for name, contest in contests.items():
            results[name] = {
                str(frames): whole.measure(
                    clip, contest, frames, plan.rounds if frames <= 20 else plan.long_rounds
                )
                for frames in plan.frames
            }
    return results


def machine() -> dict[str, Any]:
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cores": os.cpu_count(),
        "cpu": names[0] if names else platform.processor(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "torch": torch.__version__,
    }


def memory(clip: Path, weights: Path, plan: Plan) -> dict[str, float]:
    """Peak MB of an analysis of the clip, and of one `repeats` times as long."""
    long = repeated(clip, clip.with_name("long.mp4"), plan.repeats)
    short_mb, long_mb = process.peaks([clip, long], weights, plan.frames[-1])
    return {"short_mb": short_mb, "long_mb": long_mb, "ratio": long_mb / short_mb}


def targets(results: Results) -> dict[str, tuple[float, str, float]]:
    """The targets: name -> (measured, "<=" or ">=", bound).

    Ratios are of CPU time where it was taken: what else runs changes the wall clock far more.
    """
    detection = results["detect"]["tracker"]["times_faster"]
    found = {
        "peak memory, 10 min video / 10 s video": (results["memory"]["ratio"], "<=", 1.1),
        "detection, times cheaper per frame": (detection, ">=", 10.0),
    }
    apart = results["isolation"]["analysis"]
    found["CPU time of an analysis by `fast`, isolated / not"] = (apart["ratio_cpu"], "<=", 1.1)
    for frames, row in results["whole"].items():
        ways = results["decode_ms"][f"{frames} cpu"]
        decoding = ways["ours"] / ways["opencv_sequential"]
        found |= {
            f"{frames} frames: decoding / sequential OpenCV": (decoding, "<=", 0.4),
            f"{frames} frames: Grad-CAM / plain inference": (row["grad_cam_cost"], "<=", 0.05),
        }
    for contest, bounds in FASTER.items():
        for frames, bound in bounds.items():
            if frames in results[contest]:
                name = f"{NAMES[contest]}, {frames} frames: times faster than the baseline"
                found[name] = (results[contest][frames]["times_faster_cpu"], ">=", bound)
    if "viewer" in results:
        found["ms between the viewer's two videos, worst"] = (
            results["viewer"]["apart_worst_ms"], "<=", 40.0,
        )  # fmt: skip
    if "start" in results:
        found["seconds from start to serving"] = (results["start"]["seconds"], "<=", 4.0)
    return found


def met(measured: float, sign: str, bound: float) -> bool:
    return measured <= bound if sign == "<=" else measured >= bound


def show(results: Results) -> None:
    print("Ratios on this machine, which may be doing other things:", results["machine"])
    for contest, title in NAMES.items():
        for frames, row in results[contest].items():
            show_row(f"{title} against a plain {results['backbone']}, {frames} frames", row)
    print()
    for name in ("decode_ms", "isolation", "detect", "heat", "memory", "start", "viewer"):
        if name in results:
            print(f"{name}: {json.dumps(rounded(results[name]))}")
    for name, (measured, sign, bound) in results.get("aims", {}).items():
        verdict = "met" if met(measured, sign, bound) else "MISSED"
        print(f"{name:58}{measured:8.2f} {sign} {bound:<6}{verdict}")


def show_row(title: str, row: Results) -> None:
    print(f"\n{title}, median of {row['rounds']}")
    for title, stages in (("ours", "stages"), ("baseline", "baseline_stages")):
        prefix = stages.removesuffix("stages")
        for stage, spent in row[stages].items():
            print(f"  {title:9}{stage:14}{spent['ms']:10.0f} ms {spent['share']:6.1%}")
        wall, cpu = row[f"{prefix}ms"], row[f"{prefix}cpu_ms"]
        print(f"  {title:9}{'in all':14}{wall:10.0f} ms, CPU {cpu:.0f} ms")
    for name, times in {"the baseline": row, **row["peers"]}.items():
        wall, cpu = times["times_faster"], times["times_faster_cpu"]
        print(f"  {wall:.1f} times faster than {name} (CPU time {cpu:.1f})")
    print(f"  annotated video {row['render_ms_per_frame']:.1f} ms per frame of the video")


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="every part once, tiny, in seconds")
    parser.add_argument("--backbone", default=Plan.backbone, help="a timm name")
    parser.add_argument("--frames", type=int, nargs="+", default=Plan.frames)
    parser.add_argument("--rounds", type=int, default=Plan.rounds)
    parser.add_argument("--long-rounds", type=int, default=Plan.long_rounds)
    given = parser.parse_args(arguments)
    plan = SMOKE
    if not given.smoke:
        plan = Plan(
            given.backbone,
            frames=tuple(given.frames),
            rounds=given.rounds,
            long_rounds=given.long_rounds,
        )
    results = run(plan)
    if not given.smoke:
        results["aims"] = targets(results)
    show(results)
    slower = [row for row in results["whole"].values() if row["times_faster_cpu"] < 1]
    if slower:
        print("The product is slower than the straightforward baseline.", file=sys.stderr)
    print(json.dumps(rounded(results)))
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
