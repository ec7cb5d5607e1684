"""Ranking on worse faces: DeeperForensics' perturbations, and a re-upload."""

from __future__ import annotations

from typing import Any

import numpy as np
from tqdm import tqdm

from detector.model.cnn_lstm import CnnLstm
from detector.records import Image
from train.augment import LEVELS, perturb, social_media
from train.clips import Faces
from train.metrics import auc
from train.scores import score_crops


def perturbed_crops(model: CnnLstm, faces: Faces, every: int) -> dict[str, Any]:
    """AUC on every `every`-th labelled crop, real and fake alike, as it is (`clean`), under each
    perturbation at levels 1 to 5, and after one social-media transcode (`social`).

    `mean` and `worst` are over the perturbations.
    """
    # One generator for all kinds: only noise and blocks draw from it.
    rng = np.random.default_rng(0)

    def area(kind: str, level: int) -> float:
        def alter(image: Image) -> Image:
            altered: Image = perturb(image[None], kind, level, rng)[0]
            return altered

        return _auc(model, faces, alter, every)

    results: dict[str, Any] = {"clean": _auc(model, faces, None, every)}
    results["social"] = _auc(model, faces, lambda image: social_media(image[None])[0], every)
    table = {
        kind: [area(kind, level) for level in range(1, 6)]
        for kind in tqdm(LEVELS, unit="perturbation")
    }
    areas = [value for row in table.values() for value in row]
    crops = len(faces.crops_real[::every]) + len(faces.crops_fake[::every])
    return results | {
        "crops": crops,
        "mean": float(np.mean(areas)),
        "worst": float(np.min(areas)),
        "levels": table,
    }


def _auc(model: CnnLstm, faces: Faces, alter: Any, every: int) -> float:
    scored = score_crops(model, faces, alter=alter, every=every)
    return auc(scored.fake, scored.still)
