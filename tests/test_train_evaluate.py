"""How much the LSTM adds is chosen on people that it did not learn from."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from detector.model.cnn_lstm import CnnLstm
from tests.tiny import CARD
from train.sequences import Sequences, judge_sequences, set_weight


def test_an_lstm_that_only_harms_is_silenced(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = CnnLstm(CARD.model).eval()
    features = torch.randn(8, 5, model.still.in_features)
    right = (model.judge(features).still.mean(1) > 0).float()
    judges = [Sequences(features, right[:, None].expand(-1, 5))]
    for layer in (model.frame, model.clip):
        torch.nn.init.normal_(layer.weight, std=50)
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    assert judge_sequences(model, judges) < 1
    set_weight(tmp_path / "w.safetensors", model, judges)
    model.load_state_dict(load_file(tmp_path / "w.safetensors"))
    assert judge_sequences(model, judges) == 1
