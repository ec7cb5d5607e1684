"""Exact Grad-CAM of each frame's own score, at hardly any cost.

Grad-CAM (Selvaraju et al. 2017, eq. 1 and 2) weighs each map A_k of the last convolution by the
mean of dS/dA_k over its cells and keeps what is positive. Here the head receives only the maps'
means f_k, so dS/dA_k is (dS/df_k) / (h * w) in every cell: the CNN need not be differentiated, and
runs once without gradients.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import Tensor

from detector.model.cnn_lstm import CnnLstm, pool


class Clips(NamedTuple):
    """B clips of T frames, as they were given to the network.

    maps     (B * T, C, h, w)  from `model.encode`
    lengths  (B,)              real frames of each clip
    crops    (B * T, 3, S, S)  RGB in [0, 1]; only Score-CAM uses them
    """

    maps: Tensor
    lengths: Tensor
    crops: Tensor


def grad_cam(model: CnnLstm, clips: Clips, of: str) -> Tensor:
    """Raw heat (B, T, h, w) >= 0 in log-odds, to first order."""
    return (frame_heat if of == "frame" else clip_heat)(model, clips.maps, clips.lengths)


def frame_heat(model: CnnLstm, maps: Tensor, lengths: Tensor) -> Tensor:
    """For each frame of B clips, the map of what raised its own frame logit.

    maps     (B * T, C, h, w)  from `model.encode`; inference tensors are welcome
    lengths  (B,)              real frames of each clip; heat of later ones is undefined
    returns  heat (B, T, h, w) float32 >= 0, raw: the log-odds that each cell adds, to first order

    A frame's logit also depends on its neighbours through the LSTM; only what the frame's own
    pixels add is shown. `model` must be in eval mode, or ValueError is raised.
    """
    return _cam(maps, slopes_of("frame", model, maps, lengths))


def clip_heat(model: CnnLstm, maps: Tensor, lengths: Tensor) -> Tensor:
    """As `frame_heat`, but of the clip's logit: what each frame adds to its clip."""
    return _cam(maps, slopes_of("video", model, maps, lengths))


def slopes_of(of: str, model: CnnLstm, maps: Tensor, lengths: Tensor) -> Tensor:
    """How steeply a logit rises with each pooled feature, (B, T, C).

    `of` is "frame" for the logit of the frame that the features are of, "video" for that of its
    clip, out of which the video's is pooled. Shapes and errors as in `frame_heat`.
    """
    features = _features(model, maps, lengths)
    if of == "frame":
        return _own_slopes(model, features, lengths)
    with torch.inference_mode(False), torch.enable_grad(), _differentiable_lstm():
        moved = features.clone().requires_grad_()
        clip = model.classify(moved, lengths).clip
        # The sum over clips has each clip's own gradient: they do not depend on each other.
        (slopes,) = torch.autograd.grad(clip.sum(), moved)
    return slopes


def _features(model: CnnLstm, maps: Tensor, lengths: Tensor) -> Tensor:
    """(B * T, C, h, w) -> (B, T, C)."""
    if model.training:
        raise ValueError("heat needs the network in eval mode: dropout is random")
    with torch.inference_mode(False), torch.no_grad():
        # Out of inference mode: tensors made inside it cannot enter autograd.
        features = pool(maps.float())
        return features.view(len(lengths), -1, features.shape[1])


def _own_slopes(model: CnnLstm, features: Tensor, lengths: Tensor) -> Tensor:
    """d frame_t / d f_t for every t at once: (B, T, C) -> (B, T, C).

    Each clip is copied T times, and in copy t only frame t may move: one backward pass then gives
    the diagonal of the Jacobian, where T passes would give all of it and throw the rest away.
    It grows with T squared, yet costs about one percent of the CNN at T = 10.
    """
    B, T = features.shape[:2]
    with torch.inference_mode(False), torch.enable_grad(), _differentiable_lstm():
        # (1, T, T, 1): copy t, frame t.
        diagonal = torch.eye(T, dtype=torch.bool, device=features.device)[None, :, :, None]
        moved = features.clone().requires_grad_()
        copies = torch.where(diagonal, moved[:, :, None], features[:, None])  # (B, T, T, C)
        frame = model.classify(copies.flatten(0, 1), lengths.repeat_interleave(T)).frame
        own = frame.view(B, T, T).diagonal(dim1=1, dim2=2)  # (B, T)
        (slopes,) = torch.autograd.grad(own.sum(), moved)
    return slopes


def _differentiable_lstm() -> AbstractContextManager[None]:
    """cuDNN's LSTM has no backward pass in eval mode, and train mode would switch dropout on."""
    return torch.backends.cudnn.flags(enabled=False)


def _cam(maps: Tensor, slopes: Tensor) -> Tensor:
    """Grad-CAM from the maps and the slopes (B, T, C) of their means."""
    with torch.inference_mode(False), torch.no_grad():
        # Eq. 2: ReLU of the weighted sum. The weights of eq. 1 are slopes / cells, divided once
        # below.
        cam = torch.einsum("nc,nchw->nhw", slopes.flatten(0, 1), maps.float())
        cells = maps.shape[-2] * maps.shape[-1]
        return (cam.relu() / cells).view(*slopes.shape[:2], *maps.shape[-2:])
