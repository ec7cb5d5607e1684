"""How much the LSTM adds is chosen on people that it did not learn from."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from detector.model.cnn_lstm import CnnLstm
from tests.tiny import CARD
from train.sequences import Sequences, set_weight, validation_auc
from train.videos import UNFITTED, load_unpublished


def test_an_lstm_that_only_harms_is_silenced(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = CnnLstm(CARD.model).eval()
    features = torch.randn(8, 5, model.still.in_features)
    right = (model.classify(features).still.mean(1) > 0).float()
    validation = [Sequences(features, right[:, None].expand(-1, 5))]
    for layer in (model.frame, model.clip):
        torch.nn.init.normal_(layer.weight, std=50)
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    assert validation_auc(model, validation) < 1
    set_weight(tmp_path / "w.safetensors", model, validation)
    model.load_state_dict(load_file(tmp_path / "w.safetensors"))
    assert validation_auc(model, validation) == 1


def test_unpublished_networks_are_distinguished_by_their_weights() -> None:
    """One name for all would let the next run be scored by the last one's compiled network."""
    networks = [CnnLstm(CARD.model) for _ in range(2)]
    first, second, again = (
        load_unpublished(network, UNFITTED).card.sha256 for network in (*networks, networks[0])
    )
    assert first == again != second
