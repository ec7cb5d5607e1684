"""Scores of a network for labelled face crops and videos, one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from detector.faces.crops import CropSettings, cut_face, to_tensor
from detector.model.cnn_lstm import CnnLstm, pool
from detector.records import FloatArray, Image
from train.clips import PLAIN_VIEW, Faces


class CropScores(NamedTuple):
    """N crops: the CNN's pooled `features` (N, C); `fake` (N,) in {0, 1}; the log-odds `still`
    (N,) of the frame alone and `clip` (N,) of a clip of one frame, which is the product's
    score of a picture."""

    features: Tensor
    fake: FloatArray
    still: FloatArray
    clip: FloatArray
    identity: list[str]


@torch.inference_mode()
def score_crops(
    model: CnnLstm,
    faces: Faces,
    batch: int = 32,
    *,
    alter: Callable[[Image], Image] | None = None,
    every: int = 1,
) -> CropScores:
    """The labelled crops of a split, cut as the product cuts the face of a picture. With `alter`,
    each picture is altered first; with `every`, only each so-many-th of both labels is scored."""
    reals, fakes = faces.crops_real[::every], faces.crops_fake[::every]
    crops = reals + fakes
    settings = CropSettings(model.config.size, model.config.margin)
    features: list[Tensor] = []
    still: list[float] = []
    clip: list[float] = []
    for start in range(0, len(crops), batch):
        part = crops[start : start + batch]
        cut = [cut_frames(faces, rows[:1], settings, alter)[0] for rows in part]
        images = to_tensor(cut).to(model.mean.device, memory_format=torch.channels_last)
        pooled = pool(model.encode(images))
        logits = model.classify(pooled[:, None])  # (n, 1, C)
        features.append(pooled.cpu())
        still += logits.still[:, 0].tolist()
        clip += logits.clip.tolist()
    # In the order of `crops`: reals, then fakes.
    fake = np.repeat([0.0, 1.0], [len(reals), len(fakes)])
    return CropScores(
        features=torch.cat(features),
        fake=fake.astype(np.float32),
        still=np.array(still, np.float32),
        clip=np.array(clip, np.float32),
        identity=[str(faces.table["identity"].iloc[rows[0]]) for rows in crops],
    )


class VideoScores(NamedTuple):
    """N videos of a split: rows of the table, `fake` (N,) in {0, 1}, and of each the mean
    log-odds `still` (N,) of some of its frames."""

    table: pd.DataFrame
    fake: FloatArray
    still: FloatArray


def spread(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """`count` of a video's rows, or all, evenly over what is stored, first and last included."""
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)
    chosen: NDArray[np.int64] = rows[places]
    return chosen


def cut_frames(
    faces: Faces,
    rows: NDArray[np.int64],
    settings: CropSettings,
    alter: Callable[[Image], Image] | None = None,
) -> list[Image]:
    """The network's inputs (S, S, 3) for the stored faces in `rows`, as the product cuts them;
    with `alter`, each picture is altered first."""
    clip, boxes = faces.read(rows)
    return [
        cut_face(alter(image) if alter else image, PLAIN_VIEW.box(box), settings)
        for image, box in zip(clip.images, boxes, strict=True)
    ]


@torch.inference_mode()
def score_videos(
    model: CnnLstm, faces: Faces, frames: int = 4, *, margin: float | None = None
) -> VideoScores:
    """The stored labelled videos of a split, `frames` of each, evenly over what is stored."""
    clips = faces.videos_real + faces.videos_fake
    config = model.config
    settings = CropSettings(config.size, config.margin if margin is None else margin)
    still = []
    for rows in clips:
        cut = cut_frames(faces, spread(rows, frames), settings)
        images = to_tensor(cut).to(model.mean.device, memory_format=torch.channels_last)
        still.append(float(model.still(pool(model.encode(images))).mean()))
    fake = np.repeat([0.0, 1.0], [len(faces.videos_real), len(faces.videos_fake)])
    table = faces.table.iloc[[rows[0] for rows in clips]].reset_index(drop=True)
    return VideoScores(table, fake.astype(np.float32), np.array(still, np.float32))
