"""How well the family head classifies kinds of fakes, on people that are not in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from detector.model.cnn_lstm import CnnLstm, pool
from train.clips import FAMILIES, FRAME_MIX, ClipConfig, Faces, Pairs, collate
from train.metrics import macro_f1


@torch.inference_mode()
def family_scores(model: CnnLstm, faces: Faces, count: int = 400) -> dict[str, Any]:
    """Macro-F1 and confusion (rows: what it is) over `count` fakes, every recipe equally often.

    The fakes of data sets and the pseudo-fakes come from different sources, so part of this is
    easier than classifying methods within one.
    """
    if model.family is None or model.config.families != FAMILIES:
        return {}
    mix = dict.fromkeys(FRAME_MIX, 1.0)
    pairs = Pairs(
        # A seed that no training run uses, so that the pairs are new.
        faces,
        ClipConfig(model.config.size, model.config.margin, seed=99, mix=mix),
        count,
    )
    truth: list[int] = []
    predicted: list[int] = []
    for start in range(0, count, 16):
        batch = collate([pairs[k] for k in range(start, min(start + 16, count))])
        images = batch.clips[:, 0].to(model.mean.device).float() / 255
        # (N, 1, C): clips of one frame.
        logits = model.classify(pool(model.encode(images))[:, None]).family
        fakes = batch.family >= 0
        truth += batch.family[fakes].tolist()
        predicted += logits.argmax(dim=1).cpu()[fakes].tolist()
    table = np.zeros((len(FAMILIES), len(FAMILIES)), int)
    # Unbuffered: equal index pairs count each time.
    np.add.at(table, (truth, predicted), 1)
    return {
        "families": list(FAMILIES),
        "fakes": len(truth),
        "macro_f1": macro_f1(truth, predicted),
        "confusion": table.tolist(),
    }
