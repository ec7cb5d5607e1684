"""A trained detector as the teacher of another network, where no ImageNet weights are to be had.

The student's first channels are to be the teacher's maps, place by place (FitNets, arXiv
1412.6550, without its regressor: both end in an activation, and the student is the wider one), and
its log-odds the teacher's (arXiv 1503.02531). Since the channels are the same, the student begins
with the teacher's heads.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from detector.errors import WeightsError
from detector.model.cnn_lstm import CnnLstm, pool
from detector.model.weights import find_weights, load_model
from train.verbs import DataError

HEADS = ("still", "family", "mask")


class Teacher:
    """Published weights, fixed, on `device`."""

    def __init__(self, path: Path, device: torch.device) -> None:
        try:
            found = find_weights(path)
        except WeightsError as error:
            raise DataError(str(error)) from error
        if found is None:
            raise DataError(f"{path} is not trained, so its outputs cannot be targets.")
        self.model = load_model(found, str(device)).model.requires_grad_(False)

    @torch.no_grad()
    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (N, 3, S, S) in [0, 1], resized to the teacher's own size  ->  its last maps
        (N, C, h, w) and log-odds (N,)."""
        size = self.model.config.size
        if images.shape[-1] != size:
            images = functional.interpolate(images, (size, size), mode="bilinear", antialias=True)
        maps = self.model.encode(images)
        return maps, self.model.still(pool(maps)).squeeze(-1)

    def distance(self, maps: Tensor, logits: Tensor, images: Tensor) -> Tensor:
        """How far a student's maps and log-odds are from the teacher's: the squared error of the
        shared channels as a share of their power, and the cross-entropy of its soft labels."""
        targets, odds = self.outputs(images)
        place = (maps.shape[-2], maps.shape[-1])
        # To the student's resolution, place by place.
        targets = functional.adaptive_avg_pool2d(targets.float(), place)
        C = min(maps.shape[1], targets.shape[1])
        wrong = (maps[:, :C].float() - targets[:, :C]).square().mean()
        # Relative to the power of the maps, so that the weight does not depend on their scale.
        share = wrong / targets[:, :C].square().mean().clamp(min=1e-6)
        # Soft labels at temperature 1 (Hinton et al. 2015).
        return share + functional.binary_cross_entropy_with_logits(logits, odds.float().sigmoid())

    def copy_heads(self, student: CnnLstm) -> None:
        """Copies the heads for the shared channels; the student's other channels have weight 0."""
        for name in HEADS:
            own, head = getattr(student, name), getattr(self.model, name)
            if own is None or head is None or own.weight.shape[0] != head.weight.shape[0]:
                continue
            C = min(own.weight.shape[1], head.weight.shape[1])
            nn.init.zeros_(own.weight)
            with torch.no_grad():
                own.weight[:, :C] = head.weight[:, :C]
                own.bias.copy_(head.bias)
