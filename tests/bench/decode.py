"""How long it takes to get N frames out of a video: ours beside plain sequential OpenCV.

    python -m tests.bench.decode [VIDEO]

Without a video it draws one, in each of `CODINGS`: 10 s, 720p, 30 fps, the encoder's defaults
(x264's key frames are 250 apart).
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2

from detector.video import probe, read_clips
from tests.bench import baseline
from tests.bench.scene import scene
from tests.clips import write_clip

COUNTS = (10, 20, 100)
CODINGS = {
    "H.264": (".mp4", "libx264", {}),
    "HEVC": (".mp4", "libx265", {"preset": "fast", "x265-params": "log-level=none"}),
    "VP9": (".webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
}


def opencv_sequential(path: Path, frames: int) -> int:
    return len(baseline.decode(path, frames))


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


def measure(
    path: Path,
    counts: Sequence[int] = COUNTS,
    *,
    rounds: int = 5,
    ways: Sequence[str] = tuple(WAYS),
) -> dict[str, dict[str, float]]:
    """Least milliseconds, wall and process CPU, as {"10 wall": {"ours": ..}, "10 cpu": ..}.

    The ways take turns, so that a disturbance hits them alike, and the least of `rounds` is
    the least disturbed. Only `ours_and_probe` also checks, describes and hashes the file.
    """
    table: dict[str, dict[str, float]] = {}
    for frames in counts:
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name in ways:
                wall, cpu = time.perf_counter(), time.process_time()
                WAYS[name](path, frames)
                taken[name].append((time.perf_counter() - wall, time.process_time() - cpu))
        for index, clock in enumerate(("wall", "cpu")):
            table[f"{frames} {clock}"] = {
                name: round(1000 * min(one[index] for one in times), 1)
                for name, times in taken.items()
            }
    return table


def main(arguments: list[str]) -> None:
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = {path: Path(path) for path in arguments} or _drawn(Path(folder))
        for name, path in paths.items():
            results[name] = measure(path)
    print(f"{'ms':16}" + "".join(f"{name:>20}" for name in WAYS) + f"{'ours / sequential':>20}")
    for name, table in results.items():
        for row, cells in table.items():
            ratio = cells["ours"] / cells["opencv_sequential"]
            times = "".join(f"{cells[way]:20.0f}" for way in WAYS)
            print(f"{name:6}{row:10}{times}{ratio:20.2f}")
    print(json.dumps({"decode_ms": results}))


def _drawn(folder: Path) -> dict[str, Path]:
    return {
        name: write_clip(
            folder / f"{codec}{suffix}", scene(300), fps=30.0, codec=codec, options=options
        )
        for name, (suffix, codec, options) in CODINGS.items()
    }


if __name__ == "__main__":
    main(sys.argv[1:])
