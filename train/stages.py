"""The stages of a backbone that keep their weights."""

from __future__ import annotations

import re

from torch import nn

from detector.model.cnn_lstm import CnnLstm
from train.verbs import DataError


def early_stages(model: CnnLstm, count: int) -> list[nn.Module]:
    """The stem and the first `count` stages or blocks after it, by timm's names. Raises DataError
    where a backbone names them otherwise: nothing would be frozen."""
    if count == 0:
        return []
    parts = dict(model.encoder.named_children())
    stages = [part for name, part in parts.items() if re.fullmatch(r"(layer|block)\d+", name)]
    blocks = parts.get("blocks", parts.get("stages"))
    if isinstance(blocks, nn.Sequential):
        stages = list(blocks)
    if not stages:
        raise DataError(
            f"{model.config.backbone} has no stages that could be frozen; use --freeze 0."
        )
    names = ("conv_stem", "bn1") if "conv_stem" in parts else ("conv1", "bn1", "conv2", "bn2")
    stem = [parts[name] for name in (*names, "patch_embed", "stem") if name in parts]
    return [*stem, *stages[:count]]
