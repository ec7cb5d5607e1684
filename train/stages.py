"""The stages of a backbone: those that keep their weights, and those whose styles are mixed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from detector.model.cnn_lstm import CnnLstm
from train.verbs import DataError

MIXED = slice(1, 3)
"""The stages after whose maps styles are mixed: early, but above what a run usually freezes. Later
maps have the classes in their statistics (Zhou et al. 2021)."""
CONCENTRATION = 0.1
"""Of the Beta distribution of shares, as in the paper: most mixtures are nearly one of the two."""


def early_stages(model: CnnLstm, count: int) -> list[nn.Module]:
    """The stem and the first `count` stages or blocks after it. Raises DataError where a backbone
    names them otherwise: nothing would be frozen."""
    if count == 0:
        return []
    stages = _stages(model)
    if not stages:
        raise DataError(
            f"{model.config.backbone} has no stages that could be frozen; use --freeze 0."
        )
    parts = dict(model.encoder.named_children())
    names = ("conv_stem", "bn1") if "conv_stem" in parts else ("conv1", "bn1", "conv2", "bn2")
    stem = [parts[name] for name in (*names, "patch_embed", "stem") if name in parts]
    return [*stem, *stages[:count]]


def _stages(model: CnnLstm) -> list[nn.Module]:
    """The stages or blocks after the stem, by timm's names; none if they have others."""
    parts = dict(model.encoder.named_children())
    blocks = parts.get("blocks", parts.get("stages"))
    if isinstance(blocks, nn.Sequential):
        return list(blocks)
    return [part for name, part in parts.items() if re.fullmatch(r"(layer|block)\d+", name)]


@contextmanager
def mixed_styles(model: CnnLstm, probability: float) -> Iterator[None]:
    """Inside, each picture's maps have, at two early stages and each time with `probability`, the
    mean and deviation of a mixture of its own and another picture's of the batch, channel by
    channel. What is left is where things are and not how a camera or a codec shows them
    (MixStyle, Zhou et al. 2021, arXiv 2104.02008).

    Raises DataError where a backbone has no such maps.
    """
    stages = _stages(model)[MIXED] if probability else []
    # A transformer, which has `depths`, has blocks of tokens.
    if probability and (model.config.depths or not stages):
        raise DataError(
            f"{model.config.backbone} has no stages with maps to be mixed; use --mixstyle 0."
        )
    hook = partial(_mixed, probability)
    handles = [stage.register_forward_hook(hook) for stage in stages]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _mixed(probability: float, _stage: nn.Module, _inputs: Any, maps: Tensor) -> Tensor:
    if float(torch.rand(())) >= probability:
        return maps
    # No gradients through the statistics, as in the paper.
    mean = maps.detach().mean((2, 3), keepdim=True)
    deviation = (maps.detach().var((2, 3), keepdim=True) + 1e-6).sqrt()
    beta = torch.distributions.Beta(CONCENTRATION, CONCENTRATION)
    share = beta.sample((len(maps), 1, 1, 1)).to(maps)
    others = torch.randperm(len(maps), device=maps.device)
    mixed = [share * own + (1 - share) * own[others] for own in (deviation, mean)]
    return (maps - mean) / deviation * mixed[0] + mixed[1]
