"""The stages of a backbone that keep their weights."""

from __future__ import annotations

import re

from torch import nn

from detector.model.cnn_lstm import CnnLstm
from train.verbs import DataError


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
