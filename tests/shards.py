"""Shards as `train.prepare` and `train.neural` write them, of a drawn face."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from tests.clips import portrait
from train.index import COLUMNS

LANDMARKS = np.array([(0.31, 0.29), (0.67, 0.29), (0.49, 0.52), (0.34, 0.735), (0.64, 0.735)])
"""Their positions in these pictures, as shares of the side."""


def faces(count: int, side: int, *, fake: bool, seed: int) -> np.ndarray:
    """The portrait in `count` moods (count, side, side, 3); fakes carry a coarse lattice."""
    rng = np.random.default_rng(seed)
    head = cv2.resize(portrait(512)[20:300, 80:360], (side, side)).astype(float)
    lattice = 30 * (np.indices((side, side)).sum(0) // (side // 16) % 2 * 2 - 1)[..., None] * fake
    drawn = [head * rng.uniform(0.8, 1.1) + rng.normal(0, 4, head.shape) for _ in range(count)]
    return np.clip(np.stack(drawn) + lattice, 0, 255).astype(np.uint8)


def write_shard(
    folder: Path, name: str, *, label: str, split: str, clips: int, frames: int, side: int = 288
) -> pd.DataFrame:
    """One shard of `clips` clips of the kind that begins its name; returns its table."""
    images = faces(clips * frames, side, fake=label == "FAKE", seed=sum(map(ord, name)))
    box = (
        [1.2 * side, side / 2, 0.45 * side]
        if name.startswith("crop")
        else [side / 1.4] + 2 * [side / 2]
    )
    rows = [
        {column: "" for column in COLUMNS}
        | {"path": f"somewhere/{name}-{clip}.mp4", "row": -1, "kind": name.split("-")[0]}
        | {"label": label, "split": split, "identity": f"{split}{clip % 4}", "dataset": "drawn"}
        | {"method": "drawn", "status": "ok", "clip": clip, "place": clip * frames + frame}
        | {"second": frame / 25, "box": box, "landmarks": (LANDMARKS * side).ravel().tolist()}
        for clip in range(clips)
        for frame in range(frames)
    ]
    table = pd.DataFrame(rows)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.npy", images)
    table.to_parquet(folder / f"{name}.parquet")
    return table


def drawn_shards(folder: Path, *, clips: int = 4, frames: int = 6) -> Path:
    """Every kind of data that training supports, for both splits."""
    for split in ("train", "val"):
        for label in ("REAL", "FAKE"):
            both = {"label": label, "split": split}
            name = f"{label}-{split}".lower()
            write_shard(folder, f"video-{name}", **both, clips=clips, frames=frames)
            write_shard(folder, f"crop-{name}", **both, clips=2 * clips, frames=1, side=224)
            write_shard(folder, f"still-{name}", **both, clips=clips, frames=1)
    video = pd.read_parquet(folder / "video-real-train.parquet")
    drawn = write_shard(folder, "neural-0", label="FAKE", split="train", clips=2, frames=frames)
    drawn = drawn.assign(of_shard="video-real-train", of_place=video["place"].iloc[: len(drawn)])
    drawn.to_parquet(folder / "neural-0.parquet")
    return folder
