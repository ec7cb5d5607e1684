"""What it costs to decode in a confined process instead of in the service itself.

    python -m tests.bench.isolation [--backbone NAME] [--rounds N]

A drawn 10 s 720p clip; both ways take turns in one run. By the clock the least of each are
compared, for that is the least disturbed; of CPU time, which the system reports of other processes
in hundredths of a second, the sums. It includes that of the decoding processes. The whole analysis
is the figure that counts; reading alone, and reading every frame, show where it goes. The last
line is one JSON object.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is loaded

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

from detector import Detector
from detector.model.weights import find_weights, load_model
from detector.sandbox.reader import IsolatedReader, Reader
from detector.sandbox.server import server
from detector.settings import Settings
from detector.video import DecodeNotes, reading
from detector.video.sampling import SamplingRange
from tests.bench.scene import HD, scene, stand_in
from tests.clips import write_clip

MOST = 1.10
TICK = os.sysconf("SC_CLK_TCK")
Ways = tuple[Callable[[], object], Callable[[], object]]


def measure(
    path: Path, weights: Path | None, rounds: int, frames: int
) -> dict[str, dict[str, float]]:
    """Per part of the work both ways in ms, wall and CPU, and their ratios."""
    found = find_weights(weights, device="cpu")
    loaded = load_model(found, "cpu") if found else None
    outside, inside = (Detector(loaded, "cpu", isolate=apart) for apart in (True, False))
    settings = Settings(frames)
    parts: dict[str, Ways] = {
        "analysis": (
            lambda: outside.analyze(path, settings),
            lambda: inside.analyze(path, settings),
        ),
        "probe and clips": (
            lambda: read_clips(IsolatedReader(), path, frames),
            lambda: read_clips(reading, path, frames),
        ),
        "every frame": (
            lambda: sum(1 for _ in IsolatedReader().read_all(path)),
            lambda: sum(1 for _ in reading.read_all(path)),
        ),
    }
    return {name: compare(ways, rounds) for name, ways in parts.items()}


def read_clips(reader: Reader, path: Path, frames: int) -> int:
    with reader.opened(path) as file:
        return sum(len(clip) for clip in file.clips([SamplingRange(frames)], DecodeNotes()))


def compare(ways: Ways, rounds: int) -> dict[str, float]:
    taken: tuple[list[tuple[float, float]], ...] = ([], [])
    for way in ways:
        way()
    for turn in range(rounds):
        for place in (0, 1) if turn % 2 else (1, 0):
            cpu, wall = cpu_seconds(), time.perf_counter()
            ways[place]()
            spent = time.perf_counter() - wall
            taken[place].append((spent, cpu_seconds() - cpu))
    row: dict[str, float] = {}
    for place, (clock, typical) in enumerate({"wall": min, "cpu": mean}.items()):
        isolated, plain = (typical([one[place] for one in times]) for times in taken)
        row |= {
            f"isolated_{clock}_ms": 1000 * isolated,
            f"in_process_{clock}_ms": 1000 * plain,
            f"ratio_{clock}": isolated / plain,
        }
    return row


def cpu_seconds() -> float:
    """Of this process, the fork server, and its children, once they are reaped."""
    pid = server().process.pid
    while Path(f"/proc/{pid}/task/{pid}/children").read_text():
        time.sleep(0.001)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + sum(map(int, fields[11:15])) / TICK


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.isolation", description=__doc__)
    parser.add_argument("--backbone", help="a timm name; the released model when left out")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--frames", type=int, default=20)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = stand_in(folder, given.backbone) if given.backbone else None
        path = write_clip(folder / "clip.mp4", scene(300, HD), fps=30.0)
        rows = measure(path, weights, given.rounds, given.frames)
    for part, row in rows.items():
        for clock in ("wall", "cpu"):
            isolated, plain = row[f"isolated_{clock}_ms"], row[f"in_process_{clock}_ms"]
            print(
                f"{part:16}{clock:5}{isolated:8.0f} ms isolated{plain:8.0f} ms in process"
                f"   ratio {isolated / plain:.3f}"
            )
    print(
        json.dumps({part: {k: round(v, 3) for k, v in row.items()} for part, row in rows.items()})
    )
    return 0 if rows["analysis"]["ratio_cpu"] <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
