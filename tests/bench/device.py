"""One analysis end to end on whatever device there is: seconds, shares of the stages, memory.

python -m tests.bench.device --weights weights/accurate.safetensors --frames 10 20 100
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from detector import Detector
from detector.settings import Settings
from detector.video.hardware import gpu_decodes
from tests.bench.process import own_peak
from tests.bench.scene import HD, scene
from tests.clips import write_clip

ROUNDS = 3


def measure(detector: Detector, clip: Path, frames: int) -> dict[str, Any]:
    """The fastest of some analyses; the first, which builds what the device needs, does not
    count."""
    settings = Settings(frames=frames)
    detector.analyze(clip, settings)
    cuda = detector.device == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    best, timing = float("inf"), {}
    for _ in range(ROUNDS):
        began = time.perf_counter()
        report = detector.analyze(clip, settings)
        seconds = time.perf_counter() - began
        if seconds < best:
            best, timing = seconds, report.timing_ms
    total = max(sum(timing.values()), 1e-9)
    return {
        "frames": frames,
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "decoding": "GPU" if detector.decode_on_gpu else "CPU",
        "seconds": round(best, 3),
        "shares": {name: round(spent / total, 3) for name, spent in timing.items()},
        "memory_mb": torch.cuda.max_memory_allocated() / 2**20 if cuda else own_peak(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.device", description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--frames", type=int, nargs="+", default=[10, 20, 100])
    parser.add_argument("--seconds", type=float, default=5.0, help="length of the drawn clip")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        clip = write_clip(
            Path(name, "clip.mp4"), scene(max(round(30 * options.seconds), 8), HD), fps=30.0
        )
        detectors = [Detector.load(options.weights, options.device)]
        if detectors[0].device == "cuda" and gpu_decodes():
            detectors.append(Detector.load(options.weights, options.device, decode_on_gpu=True))
        rows = [measure(each, clip, frames) for frames in options.frames for each in detectors]
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
