"""Two usual ways to do part of this product's work, written plainly, to be measured against.

Both have random weights: only their time is measured. Neither draws a heat map.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import timm
import torch
from facenet_pytorch import MTCNN
from torch import Tensor, nn

from detector.records import Image
from tests.bench.baseline import crop, decode


class Student:
    """As in many student projects: the whole video in memory, the first frames of it, faces at
    full size, ResNeXt50 at 112 px into an LSTM as wide as its features, with autograd on."""

    def __init__(self, backbone: str = "resnext50_32x4d") -> None:
        self.finder = MTCNN()
        self.cnn = timm.create_model(backbone, num_classes=0).eval()
        width = int(self.cnn.num_features)
        self.lstm, self.head = nn.LSTM(width, width), nn.Linear(width, 2)

    def __call__(self, path: Path, frames: int) -> int:
        capture = cv2.VideoCapture(str(path))
        images = []
        found, image = capture.read()
        while found:
            images.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            found, image = capture.read()
        faces = _faces(self.finder, images[:frames], 112)
        states, _ = self.lstm(self.cnn(faces)[None])
        self.head(states[:, -1]).softmax(dim=1)
        return len(faces)


class FrameByFrame:
    """As the better entries to the DFDC challenge: spread frames by sequential decoding, faces in
    pictures of half the size, EfficientNet-B4 without autograd, the mean of its scores."""

    def __init__(self, backbone: str = "efficientnet_b4") -> None:
        self.finder = MTCNN()
        self.cnn = timm.create_model(backbone, num_classes=1).eval()

    @torch.inference_mode()
    def __call__(self, path: Path, frames: int) -> int:
        images = [cv2.resize(image, None, fx=0.5, fy=0.5) for image in decode(path, frames)]
        faces = _faces(self.finder, images, 224)
        torch.cat([self.cnn(part) for part in faces.split(10)]).sigmoid().mean()
        return len(faces)


def _faces(finder: MTCNN, images: list[Image], side: int) -> Tensor:
    crops = [crop(image, finder.detect(image)[0][0], side) for image in images]
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
