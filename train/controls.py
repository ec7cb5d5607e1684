"""Two controls for the results table: the network before training, and the usual student project.

The second is written from the description of the pipeline that most public "CNN-LSTM deepfake
detectors" share, with its mistakes, so that they can be measured: an ImageNet CNN at 112 px; an
LSTM that receives (batch, time, features) as if it were (time, batch, features), so that it recurs
over the videos of a batch; files split at random, so that people are on both sides; the first
frames and the first face only, the whole frame where none is found; the last frame decides.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from detector.faces.mtcnn import FaceFinder
from detector.model.cnn_lstm import CnnLstm, pool
from detector.records import FloatArray, Image
from train.clips import Faces
from train.metrics import auc, auc_interval, balanced_accuracy
from train.run import FAST, load_imagenet, ready
from train.scores import score_crops

# As in the projects described above; not tuned.
SIDE, FIRST_FRAMES, BATCH = 112, 20, 16


def untrained(model: CnnLstm, faces: Faces) -> dict[str, Any]:
    """The same network with random weights, on the labelled crops of a split."""
    torch.manual_seed(0)
    scored = score_crops(ready(CnnLstm(model.config)), faces)
    interval = auc_interval(scored.fake, scored.still, scored.identity)
    return {"auc": auc(scored.fake, scored.still), "auc_interval": interval}


class Student(nn.Module):
    """(B, T, C) features of frames -> (B, T) log-odds. The LSTM takes B for time, as it always
    does there: `batch_first` is not set."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # Without batch_first PyTorch expects (time, batch, features).
        self.lstm = nn.LSTM(width, 256, 1, bidirectional=False)
        self.out = nn.Linear(256, 1)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.out(functional.leaky_relu(self.lstm(features)[0])).squeeze(-1)
        return logits


def student(imagenet: Path, train: Faces, val: Faces, videos: pd.DataFrame) -> dict[str, Any]:
    """Train the student project on the crops of `train`; its accuracy on its own random split
    (`claimed`), on people it was not trained on (`crops`), and the way it is deployed, on
    `videos`."""
    torch.manual_seed(0)
    cnn = CnnLstm(FAST)
    load_imagenet(cnn, imagenet)
    ready(cnn)
    features, fake = _encode_crops(cnn, train)
    order = torch.randperm(len(fake), generator=torch.Generator().manual_seed(0))
    cut = round(0.8 * len(order))
    # The mistake to be measured: pictures of one person are on both sides of the split.
    net = _fit(features[order[:cut]], fake[order[:cut]])
    test = order[cut:]
    unseen, unseen_fake = _encode_crops(cnn, val)
    results = {
        "claimed": _scores(net, features[test], fake[test]),
        "crops": _scores(net, unseen, unseen_fake),
    }
    if len(videos):
        logits = [_deployed(Path(path), cnn, net) for path in tqdm(videos["path"], desc="student")]
        labels = (videos["label"] == "FAKE").to_numpy(float)
        results["videos"] = _summary(labels, np.array(logits))
    return results


@torch.inference_mode()
def _encode(cnn: CnnLstm, pictures: list[Image]) -> Tensor:
    # The aspect ratio is lost, as it is there.
    small = np.stack([cv2.resize(picture, (SIDE, SIDE)) for picture in pictures])
    images = torch.from_numpy(small).permute(0, 3, 1, 2).float() / 255
    return pool(cnn.encode(images.to(memory_format=torch.channels_last)))


def _encode_crops(cnn: CnnLstm, faces: Faces) -> tuple[Tensor, Tensor]:
    crops = faces.crops_real + faces.crops_fake
    parts = [crops[start : start + 64] for start in range(0, len(crops), 64)]
    features = [
        _encode(cnn, [faces.read(rows)[0].images[0] for rows in part])
        for part in tqdm(parts, desc="student's features")
    ]
    fake = torch.tensor([0.0] * len(faces.crops_real) + [1.0] * len(faces.crops_fake))
    return torch.cat(features), fake


def _fit(features: Tensor, fake: Tensor, epochs: int = 10) -> Student:
    net = Student(features.shape[1])
    # Adam's `weight_decay` is an L2 term of the loss, unlike AdamW's.
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-4, weight_decay=1e-5)
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(fake)), BATCH):
            logits = net(features[rows][:, None].clone()).mean(dim=1)
            loss = functional.binary_cross_entropy_with_logits(logits, fake[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return net.eval()


@torch.inference_mode()
def _scores(net: Student, features: Tensor, fake: Tensor) -> dict[str, float]:
    """Scored as deployed: one video at a time."""
    logits = torch.stack([net(row[None, None])[0, -1] for row in features])
    return _summary(fake.numpy(), logits.numpy())


def _summary(fake: FloatArray, logit: FloatArray) -> dict[str, float]:
    return {"auc": auc(fake, logit), "accuracy": balanced_accuracy(fake, logit, 0.0)}


@torch.inference_mode()
def _deployed(path: Path, cnn: CnnLstm, net: Student) -> float:
    with av.open(str(path)) as container:
        frames = [
            frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
            for frame in islice(container.decode(video=0), FIRST_FRAMES)
        ]
    found = FaceFinder().find(frames)
    pictures = []
    for frame, faces in zip(frames, found, strict=True):
        # The first face, without a margin; the whole frame where none is found.
        x0, y0, x1, y1 = (max(int(v), 0) for v in faces[0].box) if faces else (0, 0, None, None)
        pictures.append(frame[y0:y1, x0:x1])
    return float(net(_encode(cnn, pictures)[None])[0, -1])
