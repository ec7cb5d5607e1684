"""How a network's weights are stored in a file: float32, float16, or int8 per output channel."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

DTYPES = ("float32", "float16", "int8")
SCALE = ":scale"
"""Ends the name of the tensor that int8 numbers are multiplied by, (C, 1, ...) float32."""

State = Mapping[str, Tensor]


def pack(state: State, dtype: str) -> dict[str, Tensor]:
    """Convolutions and matrices as `dtype`; norms and biases, few and sensitive, stay float32.

    int8 keeps for each output channel its largest magnitude / 127 as scale (weight-only,
    symmetric; Krishnamoorthi 2018, arXiv 1806.08342, section 3). Raises ValueError for a dtype
    that is not one of `DTYPES`.
    """
    if dtype not in DTYPES:
        raise ValueError(f"weights are stored as one of {', '.join(DTYPES)}, not '{dtype}'")
    packed = dict(state)
    for name, value in state.items():
        # Only norms and biases have one dimension; a running variance may be below 6e-5, the
        # smallest normal float16.
        if value.ndim > 1 and dtype == "float16":
            packed[name] = value.half()
        elif value.ndim > 1 and dtype == "int8":
            packed[name], packed[name + SCALE] = _quantise(value)
    return packed


def unpack(packed: State) -> dict[str, Tensor]:
    """What `pack` stored, as float32 again."""
    state = {name: value for name, value in packed.items() if not name.endswith(SCALE)}
    for name, value in state.items():
        if value.dtype == torch.int8:
            state[name] = value.float() * packed[name + SCALE]
        elif value.dtype == torch.float16:
            state[name] = value.float()
    return state


def _quantise(value: Tensor) -> tuple[Tensor, Tensor]:
    # One scale per output channel, (C, 1, ...), broadcastable to the weight.
    peak = value.abs().amax(dim=tuple(range(1, value.ndim)), keepdim=True)
    # Symmetric range -127 to 127: -128 is unused, so that zero is exact. An all-zero channel needs
    # a scale > 0.
    scale = (peak / 127).clamp(min=torch.finfo(torch.float32).tiny)
    return (value / scale).round().to(torch.int8), scale
