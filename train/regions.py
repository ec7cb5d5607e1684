"""What share of a heat map real faces show in each part of the face, written into a card.

    python -m train.regions --weights weights/fast.safetensors --shards shards

Mouths and eyes of real people have heat, too. So the product gives the share of a region beside
the mean share that it has on the real faces measured here: cut, scored and explained by the
product's own code, each face as a clip of one frame. Without it the product compares with the
region's area, and states that. Minutes on two cores; only the card is written anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from detector.errors import WeightsError
from detector.faces.crops import CropSettings, cut_face, landmarks_in_crop, to_tensor
from detector.heatmaps.cam_methods import heat_maps
from detector.heatmaps.gradcam import Clips
from detector.heatmaps.regions import REGIONS, region_masks, shares_of
from detector.model.cnn_lstm import CnnLstm
from detector.model.model_card import Card
from detector.model.weights import find_weights, load_model
from detector.records import Box, FloatArray, Image
from detector.settings import HEAT_METHODS, HEAT_TARGETS
from train.clips import Faces
from train.verbs import DataError, verb, whole

BATCH = 32  # faces per pass; bounds memory
QUICK = tuple(key for key, method in HEAT_METHODS.items() if not method.uses_pixels)
"""The methods measured unless others are named; Score-CAM runs the network 32 times per face."""


@dataclass(frozen=True)
class RealFaces:
    """N real faces: crops (S, S, 3), landmarks (5, 2) in pixels of them, last maps (N, C, h, w)."""

    crops: Sequence[Image]
    landmarks: Sequence[FloatArray]
    maps: Tensor


def real_faces(faces: Faces, model: CnnLstm, limit: int) -> RealFaces:
    """The real faces of a split as the product would cut them, one of each clip, evenly chosen.

    Raises DataError if there are none.
    """
    clips = [*faces.crops_real, *faces.stills_real, *faces.videos_real]
    if not clips:
        raise DataError("There are no real faces in this split; name another with --split.")
    crop = CropSettings(size=model.config.size, margin=model.config.margin)
    # Evenly over the split, so all of its data sets are among them.
    chosen = np.unique(np.linspace(0, len(clips) - 1, min(limit, len(clips))).astype(int))
    crops, landmarks = [], []
    for rows in (clips[index] for index in chosen):
        # The middle frame of each clip.
        clip, boxes = faces.read(rows[len(rows) // 2 :][:1])
        side, x, y = (float(value) for value in boxes[0])
        box = Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)
        crops.append(cut_face(clip.images[0], box, crop))
        landmarks.append(landmarks_in_crop(clip.landmarks[0], box, crop))
    with torch.inference_mode():
        parts = [to_tensor(crops[k : k + BATCH]) for k in range(0, len(crops), BATCH)]
        maps = torch.cat([model.encode(part) for part in tqdm(parts, desc="encoding", leave=False)])
    return RealFaces(crops, landmarks, maps)


def measure(model: CnnLstm, real: RealFaces, method: str, of: str) -> dict[str, Any]:
    """The mean share of each region and its standard deviation, over the faces that have heat."""
    shares = []
    for start in range(0, len(real.crops), BATCH):
        part = slice(start, start + BATCH)
        crops = real.crops[part]
        lengths = torch.ones(len(crops), dtype=torch.long)  # clips of one frame
        clips = Clips(real.maps[part], lengths, to_tensor(crops))
        heats = heat_maps(model, clips, method, of)[:, 0].float().numpy()
        for heat, crop, points in zip(heats, crops, real.landmarks[part], strict=True):
            found = shares_of(heat, region_masks(points, len(crop)))
            if found:
                shares.append([found[name] for name in REGIONS])
    if not shares:
        raise DataError(f"{method} of the {of} shows no heat on any of these faces.")
    table = np.array(shares)
    return {
        "faces": len(table),
        "mean": dict(zip(REGIONS, table.mean(0).round(4).tolist(), strict=True)),
        "deviation": dict(zip(REGIONS, table.std(0).round(4).tolist(), strict=True)),
    }


def write_card(path: Path, found: dict[str, Any]) -> None:
    """Adds the measurement to the card at `path`; entries of other methods stay."""
    card = Card.from_json(path.read_text(encoding="utf-8"))
    regions = {**card.data.get("regions", {}), **found}
    with whole(path) as part:
        part.write_text(replace(card, data={**card.data, "regions": regions}).to_json(), "utf-8")


def as_table(found: dict[str, Any]) -> str:
    """A row for each method and question, in Markdown."""
    lines = ["| heat | faces | " + " | ".join(REGIONS) + " |", "|---" * (len(REGIONS) + 2) + "|"]
    for name, row in found.items():
        cells = [f"{row['mean'][region]:.2f}" for region in REGIONS]
        lines.append(f"| {name} | {row['faces']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


@verb
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.regions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", type=Path, required=True, help="published .safetensors file")
    parser.add_argument("--shards", type=Path, required=True, help="folder of train.prepare")
    parser.add_argument("--split", default="val", help="whose people are measured (default: val)")
    parser.add_argument("--faces", type=int, default=400, help="how many at most")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--methods", nargs="+", choices=HEAT_METHODS, default=list(QUICK))
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    try:
        found = find_weights(options.weights)
        loaded = load_model(found, "cpu") if found else None
    except WeightsError as error:
        raise DataError(str(error)) from error
    if loaded is None:
        raise DataError(f"{options.weights} is not trained; there is nothing to measure.")
    real = real_faces(Faces(options.shards, options.split), loaded.model, options.faces)
    measured = {
        f"{method}/{of}": measure(loaded.model, real, method, of) | {"split": options.split}
        for method in tqdm(options.methods, unit="method")
        for of in HEAT_TARGETS
    }
    write_card(options.weights.with_suffix(".json"), measured)
    print(as_table(measured))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
