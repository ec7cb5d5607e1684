"""Which part of a video should speak for it: the choice of `ScoringRules.share`, on people in val.

Real clips of unseen people stand beside pseudo-fakes of them, altered throughout or in a part of
the clip; each is cut into the product's runs of five frames and pooled by each candidate rule.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from detector.faces.crops import CropSettings, cut_face, to_tensor
from detector.model.cnn_lstm import CnnLstm, pool
from detector.records import FloatArray
from detector.scoring.calibration import pool_logits
from train.augment import h264
from train.clips import PLAIN_VIEW, Faces
from train.fakes import RealClip, make_fake
from train.metrics import auc

SHARES = (0.25, 0.5, 1.0)
RUN = 5
"""Consecutive frames that the product scores together."""
WORTH = 0.01
"""Shares whose AUC differs by less are equals, and of equals the smallest is taken: the fewer clips
speak, the shorter a swap may be without being drowned."""
KINDS = ("self_blend", "drift", "local", "temporal", "resynthesis")


def pooling_areas(model: CnnLstm, faces: Faces) -> dict[str, Any]:
    """AUC of each share; empty without videos in the split. `best` is the share to use."""
    logits: list[FloatArray] = []
    fake: list[int] = []
    for number, rows in enumerate(tqdm(faces.videos_real, unit="video", desc="pooling")):
        real, boxes = faces.read(rows)
        rng = np.random.default_rng((7, number))
        shown = [real.images, *(_partly(real, kind, rng) for kind in KINDS)]
        for place, images in enumerate(shown):
            logits.append(_runs(model, h264(images, 26), boxes))
            fake.append(int(place > 0))
    if not logits:
        return {}
    areas = {}
    for share in SHARES:
        pooled = [
            float(pool_logits(each.astype(np.float64), np.ones(len(each)), share))
            for each in logits
        ]
        areas[str(share)] = auc(fake, pooled)
    enough = max(areas.values()) - WORTH
    best = min(share for share in SHARES if areas[str(share)] >= enough)
    return {"real": len(faces.videos_real), "fake": sum(fake), "auc": areas, "best": best}


def _partly(real: RealClip, kind: str, rng: np.random.Generator) -> Any:
    """A fake of the whole clip, or, half of the time, of a third of it."""
    images = make_fake(real, kind, rng).images
    if rng.random() < 0.5:
        third = max(len(images) // 3, 1)
        start = int(rng.integers(0, len(images) - third + 1))
        mixed = real.images.copy()
        mixed[start : start + third] = images[start : start + third]
        return mixed
    return images


@torch.inference_mode()
def _runs(model: CnnLstm, images: Any, boxes: Any) -> FloatArray:
    """The clip logit of each run of `RUN` frames."""
    settings = CropSettings(size=model.config.size, margin=model.config.margin)
    cut = []
    for image, stored in zip(images, boxes, strict=True):
        cut.append(cut_face(image, PLAIN_VIEW.box(stored), settings))
    crops = to_tensor(cut[: len(cut) // RUN * RUN] or cut)
    crops = crops.to(model.mean.device, memory_format=torch.channels_last)
    features = torch.cat([pool(model.encode(part)) for part in torch.split(crops, 32)])
    length = min(RUN, len(features))
    judged = model.judge(features.view(-1, length, features.shape[1]))
    return np.asarray(judged.clip.cpu().numpy())
