"""A tiny random network with a card that calls it trained, for tests of everything around it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from detector import Detector
from detector.model.cnn_lstm import CnnLstm, ModelConfig
from detector.model.weights import Card, save_weights
from detector.scoring.calibration import ScoringRules

CARD = Card(
    id="tiny",
    model=ModelConfig(backbone="test_resnet", size=64, hidden=8, families=("swap", "drift")),
    rules=ScoringRules(calibrated=True),
    trained=True,
    trained_on="nothing: its scores are random",
)


def tiny_weights(folder: Path, **changes: object) -> Path:
    """Writes `tiny.safetensors` and its card into `folder`, and returns `folder`."""
    card = replace(CARD, **changes)  # type: ignore[arg-type]
    torch.manual_seed(3)
    save_weights(CnnLstm(card.model), card, folder)
    return folder


def load_tiny(folder: Path) -> dict[str, Detector]:
    """What `tiny_weights` wrote, for a process that starts from nothing."""
    return {"tiny": Detector.load(folder / "tiny.safetensors", device="cpu")}
