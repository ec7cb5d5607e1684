"""Other heat maps than Grad-CAM of the network's score, by `pytorch_grad_cam`.

The library scales every map to [0, 1] by itself, which draws a face with a low score as hot as one
with a high score. So only its raw maps are used: it receives the last convolution's maps and their
gradients, which `heatmaps.gradcam` computes without differentiating the CNN. Its hooks stay unused:
they would be set on a network that several visitors share.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from detector.heat_methods import HEAT_METHODS
from detector.heatmaps.gradcam import Clips, slopes_of
from detector.model.cnn_lstm import CnnLstm, pool

# Score-CAM runs the CNN once per channel, of which there are a thousand or more. As in
# "Faster Score-CAM", only the channels that vary most over the picture are used.
SCORED_CHANNELS = 32


def heat_maps(model: CnnLstm, clips: Clips, method: str, of: str) -> Tensor:
    """Raw heat (B, T, h, w) >= 0 by one of `HEAT_METHODS`, of one of `HEAT_TARGETS`.

    Units differ, see `HeatMethod.log_odds`. Raises KeyError for another name, and ValueError
    outside eval mode.
    """
    heat: Tensor = HEAT_METHODS[method].compute()(model, clips, of)
    return heat


def grad_cam_plus_plus(model: CnnLstm, clips: Clips, of: str) -> Tensor:
    """Chattopadhay et al. 2018: gradients weighted by their higher powers."""
    return _by_slopes("GradCAMPlusPlus", model, clips, of)


def hires_cam(model: CnnLstm, clips: Clips, of: str) -> Tensor:
    """Draelos & Carin 2020: gradients times maps, cell by cell, without averaging first."""
    return _by_slopes("HiResCAM", model, clips, of)


def layer_cam(model: CnnLstm, clips: Clips, of: str) -> Tensor:
    """Jiang et al. 2021: only positive gradients weigh the maps."""
    return _by_slopes("LayerCAM", model, clips, of)


def eigen_cam(model: CnnLstm, clips: Clips, of: str) -> Tensor:
    """First principal component of the maps (Muhammad & Yeasin 2020). It uses no logit, so `of`
    changes nothing."""
    with _maps(clips) as maps:
        cam = _library("EigenCAM")(model=model, target_layers=[])
        raw = cam.get_cam_image(None, None, None, _condensed(maps), None, False)
        return _shaped(_outward(raw), clips)


def score_cam(model: CnnLstm, clips: Clips, of: str) -> Tensor:
    """Wang et al. 2020: each map masks the picture, and is weighed by the score that remains."""
    with _maps(clips) as maps:
        return _shaped(_score_cam(model, clips._replace(maps=maps), of), clips)


def _by_slopes(library_class: str, model: CnnLstm, clips: Clips, of: str) -> Tensor:
    """The library's raw map (N, h, w): the gradient of a mean is the same in all of its cells."""
    slopes = slopes_of(of, model, clips.maps, clips.lengths).flatten(0, 1)
    with _maps(clips) as maps:
        cells = maps.shape[-2] * maps.shape[-1]
        grads = (slopes / cells)[:, :, None, None].expand_as(maps).cpu().numpy()
        cam = _library(library_class)(model=model, target_layers=[])
        return _shaped(cam.get_cam_image(None, None, None, maps.cpu().numpy(), grads, False), clips)


@contextmanager
def _maps(clips: Clips) -> Iterator[Tensor]:
    """The maps as the library may use them: float32, of its own, and outside inference mode."""
    with torch.inference_mode(False), torch.no_grad():
        yield clips.maps.detach().clone().float()


def _shaped(raw: Any, clips: Clips) -> Tensor:
    heat = torch.from_numpy(np.maximum(raw, 0).astype(np.float32)).to(clips.maps.device)
    return heat.view(len(clips.lengths), -1, *clips.maps.shape[-2:])


def _condensed(maps: Tensor) -> Any:
    """(N, C, h, w) turned into as many channels as there are cells, without changing how cells
    compare: EigenCAM takes half a second per map with a thousand channels."""
    cells = maps.flatten(2).transpose(1, 2)  # (N, h * w, C)
    # U S has the same inner products between cells as the matrix itself, with h * w columns only.
    left, sizes, _ = torch.linalg.svd(cells, full_matrices=False)
    turned = (left * sizes[:, None]).transpose(1, 2)
    return turned.reshape(len(maps), -1, *maps.shape[-2:]).cpu().numpy()


def _outward(raw: Any) -> Any:
    """A principal component has no sign; the side that stands out more is taken for hot."""
    # Per map: the sign of each singular vector is arbitrary.
    flip = np.abs(raw.min(axis=(1, 2))) > np.abs(raw.max(axis=(1, 2)))
    return np.where(flip[:, None, None], -raw, raw)


def _score_cam(model: CnnLstm, clips: Clips, of: str) -> Any:
    """One frame after the other, each among its own neighbours; padding stays 0."""
    maps = clips.maps.view(len(clips.lengths), -1, *clips.maps.shape[1:])
    crops = clips.crops.view(len(clips.lengths), -1, *clips.crops.shape[1:])
    raw = np.zeros((*maps.shape[:2], *maps.shape[-2:]), np.float32)
    for b, length in enumerate(clips.lengths.tolist()):
        features = pool(maps[b, :length])
        for t in range(length):
            frame = maps[b, t]
            # (C, h * w): a channel that is flat over the picture masks nothing.
            most = frame.flatten(1).var(dim=1).topk(min(SCORED_CHANNELS, len(frame))).indices
            picture = ((crops[b, t] - model.mean) / model.std)[None]
            among = _Among(model, features, t, of).eval()
            cam = _library("ScoreCAM")(model=among, target_layers=[])
            cam.batch_size = SCORED_CHANNELS
            chosen = frame[most][None].cpu().numpy()
            raw[b, t] = cam.get_cam_image(picture, None, [_only], chosen, None, False)[0]
    return raw.reshape(-1, *raw.shape[-2:])


def _only(output: Tensor) -> Tensor:
    return output[0]


class _Among(nn.Module):
    """(N, 3, S, S) normalised versions of frame `t` -> (N, 1) logits, the other frames as they
    were: `features` (T, C) are the clip's."""

    def __init__(self, model: CnnLstm, features: Tensor, t: int, of: str) -> None:
        super().__init__()
        self.model, self.features, self.t, self.of = model, features, t, of

    def forward(self, images: Tensor) -> Tensor:
        pooled = pool(
            self.model.encode_normalised(images.contiguous(memory_format=torch.channels_last))
        )
        clips = self.features.repeat(len(images), 1, 1)
        # Version i of the frame among the same neighbours, (N, T, C).
        clips[:, self.t] = pooled
        logits = self.model.classify(clips)
        return logits.frame[:, self.t, None] if self.of == "frame" else logits.clip[:, None]


def _library(name: str) -> Any:
    """A class of the library, which is slow to import and seldom used."""
    import pytorch_grad_cam

    # It would print a progress bar of its own for every frame.
    pytorch_grad_cam.score_cam.tqdm = SimpleNamespace(tqdm=iter)
    return getattr(pytorch_grad_cam, name)
