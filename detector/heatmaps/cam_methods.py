"""Other ways than Grad-CAM to say where the network looked, from `pytorch_grad_cam`.

The library scales every map to [0, 1] by itself, which draws a calm face as hot as a suspicious
one. So only its raw maps are taken: it is handed the last convolution's maps and their slopes,
which `explain.heat` knows without differentiating the CNN, and its hooks stay unused - they would
sit on a network that several visitors share.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from detector.heatmaps.gradcam import clip_heat, frame_heat, slopes_of
from detector.model.cnn_lstm import CnnLstm, pool

# Score-CAM asks the CNN once per channel, of which there are a thousand or more. As in
# "Faster Score-CAM", only the channels that vary most over the picture are asked.
SCORED_CHANNELS = 32


class Clips(NamedTuple):
    """B clips of T frames, as the network saw them.

    maps     (B * T, C, h, w)  from `model.encode`
    lengths  (B,)              real frames of each clip
    crops    (B * T, 3, S, S)  RGB in [0, 1]; only Score-CAM looks at them
    """

    maps: Tensor
    lengths: Tensor
    crops: Tensor


def heat_maps(model: CnnLstm, clips: Clips, method: str, of: str) -> Tensor:
    """Raw heat (B, T, h, w) >= 0 by one of `settings.HEAT_METHODS`, of one of `HEAT_TARGETS`.

    Units differ: Grad-CAM, HiResCAM and LayerCAM give log-odds, to first order; the others only
    compare cells and frames with each other. HiResCAM equals Grad-CAM here, because the head sees
    the maps through their mean. EigenCAM follows what the CNN sees most of and knows no logit, so
    `of` changes nothing. Raises ValueError for another name, or outside eval mode.
    """
    if method == "grad_cam":
        return (frame_heat if of == "frame" else clip_heat)(model, clips.maps, clips.lengths)
    slopes = slopes_of(of, model, clips.maps, clips.lengths).flatten(0, 1)
    with torch.inference_mode(False), torch.no_grad():
        maps = clips.maps.detach().clone().float()
        if method == "score_cam":
            raw = _score_cam(model, clips._replace(maps=maps), of)
        else:
            raw = _by_slopes(method, model, maps, slopes)
        heat = torch.from_numpy(np.maximum(raw, 0).astype(np.float32)).to(maps.device)
    return heat.view(len(clips.lengths), -1, *maps.shape[-2:])


def _by_slopes(method: str, model: CnnLstm, maps: Tensor, slopes: Tensor) -> Any:
    """The library's raw map (N, h, w): the slope of a mean is the same in all of its cells."""
    cells = maps.shape[-2] * maps.shape[-1]
    grads = (slopes / cells)[:, :, None, None].expand_as(maps).cpu().numpy()
    cam = _library(method)(model=model, target_layers=[])
    if method == "eigen_cam":
        return _outward(cam.get_cam_image(None, None, None, _condensed(maps), None, False))
    return cam.get_cam_image(None, None, None, maps.cpu().numpy(), grads, False)


def _condensed(maps: Tensor) -> Any:
    """(N, C, h, w) turned into as many channels as there are cells, without changing how cells
    compare: EigenCAM takes half a second per map with a thousand channels."""
    cells = maps.flatten(2).transpose(1, 2)  # (N, h * w, C)
    left, sizes, _ = torch.linalg.svd(cells, full_matrices=False)
    turned = (left * sizes[:, None]).transpose(1, 2)
    return turned.reshape(len(maps), -1, *maps.shape[-2:]).cpu().numpy()


def _outward(raw: Any) -> Any:
    """A principal component has no sign; the side that stands out more is taken for hot."""
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
            most = frame.flatten(1).var(dim=1).topk(min(SCORED_CHANNELS, len(frame))).indices
            picture = ((crops[b, t] - model.mean) / model.std)[None]
            among = _Among(model, features, t, of).eval()
            cam = _library("score_cam")(model=among, target_layers=[])
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
        seen = pool(self.model.encoder(images.contiguous(memory_format=torch.channels_last)))
        clips = self.features.repeat(len(images), 1, 1)
        clips[:, self.t] = seen
        logits = self.model.judge(clips)
        return logits.frame[:, self.t, None] if self.of == "frame" else logits.clip[:, None]


def _library(method: str) -> Any:
    """A class of the library, which is slow to import and seldom asked for."""
    from pytorch_grad_cam import EigenCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, ScoreCAM, score_cam

    # It would print a progress bar of its own for every frame.
    score_cam.tqdm = SimpleNamespace(tqdm=iter)
    known: dict[str, Any] = {
        "grad_cam_plus_plus": GradCAMPlusPlus,
        "hires_cam": HiResCAM,
        "layer_cam": LayerCAM,
        "eigen_cam": EigenCAM,
        "score_cam": ScoreCAM,
    }
    if method not in known:
        raise ValueError(f"there is no heat method {method!r}")
    return known[method]
