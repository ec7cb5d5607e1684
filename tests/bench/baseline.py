"""The straightforward way to build this product, kept to be measured against.

Sequential OpenCV decoding that keeps the wanted frames, facenet-pytorch's MTCNN with its
defaults on every full-size frame, and pytorch-grad-cam with a backward pass through the whole
CNN. Its answers are as good as ours; only its time differs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import RawScoresOutputTarget
from torch import nn

from detector.model import CnnLstm


class FramesAsBatch(nn.Module):
    """(T, 3, H, W) -> (T, 1): the shape that the Grad-CAM library can work with."""

    def __init__(self, model: CnnLstm) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.model(frames[None]).frame[0][:, None]


class Baseline:
    def __init__(self, model: CnnLstm) -> None:
        self.model = model
        self.finder = MTCNN(keep_all=True)
        self.cam = GradCAM(FramesAsBatch(model), [list(model.encoder.children())[-1]])

    def analyze(self, path: Path, frames: int) -> dict[str, float]:
        """Milliseconds per stage."""
        spent: dict[str, float] = {}
        with stage(spent, "decode"):
            images = decode(path, frames)
        with stage(spent, "detect"):
            boxes = [self.finder.detect(image)[0][0] for image in images]
        side = self.model.config.size
        crops = [crop(image, box, side) for image, box in zip(images, boxes, strict=True)]
        batch = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
        with stage(spent, "cnn_and_heat"):  # the library's forward pass also gives the scores
            self.cam(batch, [RawScoresOutputTarget()] * len(batch))
        return spent


def decode(path: Path, frames: int) -> list[NDArray[np.uint8]]:
    capture = cv2.VideoCapture(str(path))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted = set(np.linspace(0, count - 1, frames).round().astype(int))
    kept = []
    for index in range(count):
        ok, image = capture.read()
        if ok and index in wanted:
            kept.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    capture.release()
    return kept


def crop(image: NDArray[np.uint8], box: Any, side: int) -> NDArray[np.uint8]:
    x0, y0, x1, y1 = (max(round(float(edge)), 0) for edge in box)
    return cv2.resize(image[y0:y1, x0:x1], (side, side), interpolation=cv2.INTER_AREA)


@contextmanager
def stage(spent: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    spent[name] = (time.perf_counter() - start) * 1000
