"""How long it takes to get N frames out of a video: ours beside plain sequential OpenCV.

    python -m tests.bench.decode [VIDEO]

Without a video it draws one: 10 s, 720p, 30 fps, x264's defaults (key frames 250 apart).
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from detector.video import probe, read_clips
from tests.clips import Image, write_clip

COUNTS = (10, 20, 100)


def textured(count: int, size: tuple[int, int] = (1280, 720)) -> Iterator[Image]:
    """A detailed scene that pans slowly, a face-sized patch that moves across it, and grain."""
    width, height = size
    random = np.random.default_rng(0)
    scene = sum(
        cv2.resize(random.normal(0, 18, (height // s, width // s, 3)), (2 * width, 2 * height))
        for s in (2, 8, 40, 120)
    )
    scene = np.clip(scene + 120, 0, 255).astype(np.float32)
    patch = scene[:260, -200:] * 0.7 + 60
    grain = random.normal(0, 3, (8, height, width, 1)).astype(np.float32)
    for k in range(count):
        x, y = round(60 + 55 * np.sin(k / 40)), round(30 + 25 * np.cos(k / 55))
        frame = scene[y : y + height, x : x + width] + grain[k % 8]
        left, top = round(500 + 180 * np.sin(k / 15)), round(200 + 40 * np.sin(k / 9))
        frame[top : top + 260, left : left + 200] = patch
        yield np.clip(frame, 0, 255).astype(np.uint8)


def opencv_sequential(path: Path, frames: int) -> int:
    """The straightforward way: read all, keep those wanted, as RGB."""
    capture = cv2.VideoCapture(str(path))
    total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted = set(np.linspace(0, total - 1, frames).round().astype(int).tolist())
    kept = []
    for number in range(total):
        found, image = capture.read()
        if found and number in wanted:
            kept.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    capture.release()
    return len(kept)


def opencv_everything(path: Path, _frames: int) -> int:
    """As many published detectors do: the whole video in memory."""
    capture = cv2.VideoCapture(str(path))
    kept = []
    found, image = capture.read()
    while found:
        kept.append(image)
        found, image = capture.read()
    capture.release()
    return len(kept)


def ours(path: Path, frames: int) -> int:
    return sum(len(clip) for clip in read_clips(path, frames))


def ours_and_probe(path: Path, frames: int) -> int:
    info = probe(path)
    return sum(len(clip) for clip in read_clips(path, frames, info=info))


WAYS: dict[str, Callable[[Path, int], int]] = {
    "opencv_sequential": opencv_sequential,
    "opencv_everything": opencv_everything,
    "ours": ours,
    "ours_and_probe": ours_and_probe,
}


def measure_decode(path: Path, rounds: int = 5) -> dict[str, dict[str, float]]:
    """Least milliseconds, wall and process CPU, as {"10 wall": {"ours": ..}, "10 cpu": ..}.

    The ways take turns, so that a disturbance hits them alike, and the least of `rounds` is
    the least disturbed. Only `ours_and_probe` also checks, describes and hashes the file.
    """
    table: dict[str, dict[str, float]] = {}
    for frames in COUNTS:
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
        for _ in range(rounds):
            for name, way in WAYS.items():
                wall, cpu = time.perf_counter(), time.process_time()
                way(path, frames)
                taken[name].append((time.perf_counter() - wall, time.process_time() - cpu))
        for place, clock in enumerate(("wall", "cpu")):
            table[f"{frames} {clock}"] = {
                name: round(1000 * min(one[place] for one in times), 1)
                for name, times in taken.items()
            }
    return table


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = (
            Path(arguments[0])
            if arguments
            else write_clip(Path(folder) / "drawn.mp4", textured(300), fps=30.0)
        )
        table = measure_decode(path)
    print(f"{'ms':10}" + "".join(f"{name:>20}" for name in WAYS) + f"{'ours / sequential':>20}")
    for row, cells in table.items():
        ratio = cells["ours"] / cells["opencv_sequential"]
        print(f"{row:10}" + "".join(f"{cells[name]:20.0f}" for name in WAYS) + f"{ratio:20.2f}")
    print(json.dumps({"decode_ms": table}))


if __name__ == "__main__":
    main(sys.argv[1:])
