"""What a network says about labelled face crops, one by one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from detector.crops import CropSettings, cut_face, to_tensor
from detector.model import CnnLstm, pool
from detector.records import Box, FloatArray
from train.clips import Faces


class Judged(NamedTuple):
    """N crops: the CNN's pooled `features` (N, C); `fake` (N,) in {0, 1}; the log-odds `still`
    (N,) of the frame alone and `clip` (N,) of a clip of one frame, which is what the product
    says about a picture."""

    features: Tensor
    fake: FloatArray
    still: FloatArray
    clip: FloatArray
    identity: list[str]


@torch.inference_mode()
def judge_crops(model: CnnLstm, faces: Faces, batch: int = 32) -> Judged:
    """The labelled crops of a split, whole pictures resized to the network's input."""
    crops = faces.crops_real + faces.crops_fake
    settings = CropSettings(size=model.config.size, margin=0.0)
    features: list[Tensor] = []
    still: list[float] = []
    clip: list[float] = []
    for start in range(0, len(crops), batch):
        pictures = [faces.read(rows)[0].images[0] for rows in crops[start : start + batch]]
        side = float(pictures[0].shape[0])
        images = to_tensor([cut_face(p, Box(0, 0, side, side), settings) for p in pictures])
        seen = pool(model.encode(images.to(memory_format=torch.channels_last)))
        logits = model.judge(seen[:, None])
        features.append(seen)
        still += logits.still[:, 0].tolist()
        clip += logits.clip.tolist()
    fake = np.repeat([0.0, 1.0], [len(faces.crops_real), len(faces.crops_fake)])
    return Judged(
        features=torch.cat(features),
        fake=fake.astype(np.float32),
        still=np.array(still, np.float32),
        clip=np.array(clip, np.float32),
        identity=[str(faces.table["identity"].iloc[rows[0]]) for rows in crops],
    )
