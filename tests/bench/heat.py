"""What Grad-CAM costs beside plain inference, ours and the library's: python -m tests.bench.heat

Ratios of medians, taken in turns in one run, so that other load on the machine falls on all alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from pytorch_grad_cam import GradCAM
from torch import Tensor

from detector.heatmaps.gradcam import frame_heat
from detector.model.cnn_lstm import CnnLstm, ModelConfig, pool
from tests.bench.baseline import FramesAsBatch


def plain(model: CnnLstm, clips: Tensor) -> None:
    with torch.inference_mode():
        model(clips)


def ours(model: CnnLstm, clips: Tensor) -> None:
    with torch.inference_mode():
        maps = model.encode(clips.flatten(0, 1))
        model.classify(pool(maps).unflatten(0, clips.shape[:2]))
    frame_heat(model, maps, torch.full((len(clips),), clips.shape[1]))


def library(model: CnnLstm, clips: Tensor) -> None:
    """One backward pass per clip over the summed frame logits: it mixes frames, but is cheapest."""
    wrapped = FramesAsBatch(model)
    with GradCAM(model=wrapped, target_layers=[model.encoder]) as cam:
        for clip in clips:
            cam(input_tensor=clip, targets=[lambda output: output[0]] * len(clip))


def measure(backbone: str, *, clips: int, frames: int, rounds: int) -> dict[str, float]:
    torch.manual_seed(0)
    model = CnnLstm(ModelConfig(backbone=backbone)).to(memory_format=torch.channels_last).eval()
    pixels = torch.rand(clips, frames, 3, 224, 224)
    ways: dict[str, Callable[[CnnLstm, Tensor], None]] = {
        "plain": plain,
        "ours": ours,
        "library": library,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            start = time.process_time()
            way(model, pixels)
            if turn:  # the first one warms up
                seconds[name].append(time.process_time() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "plain_cpu_ms": medians["plain"] * 1000,
        "ours_ratio": medians["ours"] / medians["plain"],
        "library_ratio": medians["library"] / medians["plain"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clips", type=int, default=2)
    parser.add_argument("--frames", type=int, default=10)
    options = parser.parse_args()
    results = {}
    for backbone in ("resnext50_32x4d", "efficientnet_b0"):
        row = measure(backbone, clips=options.clips, frames=options.frames, rounds=options.rounds)
        results[backbone] = {key: round(value, 3) for key, value in row.items()}
        print(
            f"{backbone:18} plain {row['plain_cpu_ms']:7.0f} ms, "
            f"with heat x{row['ours_ratio']:.3f}, library x{row['library_ratio']:.2f}"
        )
    print(json.dumps(results))


if __name__ == "__main__":
    main()
