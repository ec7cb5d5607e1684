"""The straightforward way to build this product, kept to be measured against.

Sequential OpenCV decoding that keeps the sampled frames, facenet-pytorch's MTCNN with its
defaults on every full-size frame, and pytorch-grad-cam with a backward pass through the whole
CNN. It does nothing twice: each frame is decoded, searched and encoded once, and the library's
forward pass also gives the scores. Its answer is as good as ours; only its time differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import RawScoresOutputTarget
from torch import Tensor, nn

from detector.model.cnn_lstm import CnnLstm
from detector.progress import Stopwatch
from detector.records import FloatArray, Image

CLIP = 10  # frames of one LSTM pass, and of one backward pass in memory


@dataclass(frozen=True)
class Answer:
    """`scores` (T,) and `fake` are probabilities, `heats` is (T, H, W) in [0, 1]."""

    fake: float
    scores: FloatArray
    heats: FloatArray


class FramesAsBatch(nn.Module):
    """(T, 3, H, W) -> (T, 1): the shape that the Grad-CAM library can work with."""

    def __init__(self, model: CnnLstm) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor) -> Tensor:
        frame: Tensor = self.model(frames[None]).frame
        return frame.T


class Baseline:
    """Loaded once, like ours."""

    def __init__(self, model: CnnLstm) -> None:
        self.size = model.config.size
        self.finder = MTCNN(keep_all=True)
        self.cam = GradCAM(FramesAsBatch(model), [model.encoder])

    def analyze(self, path: Path, frames: int, spent: Stopwatch) -> Answer:
        """The first face of each of `frames` evenly spaced frames, scored and explained."""
        with spent("decode"):
            images = decode(path, frames)
        with spent("detect"):
            boxes = [self.finder.detect(image)[0][0] for image in images]
        crops = [crop(image, box, self.size) for image, box in zip(images, boxes, strict=True)]
        batch = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
        heats, scores = [], []
        with spent("cnn and heat"):
            for clip in batch.split(CLIP):
                heats.append(self.cam(clip, [RawScoresOutputTarget()] * len(clip)))
                scores.append(self.cam.outputs.detach()[:, 0].sigmoid().numpy())
        scored = np.concatenate(scores)
        return Answer(fake=float(scored.mean()), scores=scored, heats=np.concatenate(heats))


def decode(path: Path, frames: int) -> list[Image]:
    """Reads all frames in order and keeps the sampled ones, as RGB."""
    capture = cv2.VideoCapture(str(path))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted = set(np.linspace(0, count - 1, frames).round().astype(int).tolist())
    kept = []
    for index in range(count):
        ok, image = capture.read()
        if ok and index in wanted:
            kept.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    capture.release()
    return kept


def crop(image: Image, box: Any, side: int) -> Image:
    x0, y0, x1, y1 = (max(round(float(edge)), 0) for edge in box)
    return cv2.resize(image[y0:y1, x0:x1], (side, side), interpolation=cv2.INTER_AREA)
