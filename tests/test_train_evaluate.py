"""What the results say about videos is what the product answered to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from detector.model.cnn_lstm import CnnLstm
from tests.tiny import CARD
from train.evaluate import by_source, results_of
from train.sequences import Sequences, judge_sequences, set_voice


def answers() -> pd.DataFrame:
    rows = [("REAL", "original", "a", 0.1), ("FAKE", "swap", "a", 0.9), ("FAKE", "swap", "b", 0.4)]
    rows += [("REAL", "original", "b", 0.6), ("FAKE", "talk", "a", np.nan)]
    table = pd.DataFrame(rows, columns=["label", "method", "dataset", "fake"])
    verdicts = ["no_sign", "fake", "undecided", "undecided", "undecided"]
    return table.assign(still=table["fake"], verdict=verdicts, identity=list("vwxyz"))


def test_a_source_is_judged_by_its_own_real_videos() -> None:
    areas = by_source(answers().dropna(subset="fake"))
    assert {name: row["auc"] for name, row in areas.items()} == {"a": 1.0, "b": 0.0}


def test_what_was_not_answered_is_counted_and_what_was_left_open_too() -> None:
    results = results_of(answers(), {"swaps": ["swap"]}, 0.5)
    assert results["unanswered"] == 1
    assert results["swaps"]["abstained"] == pytest.approx(0.5)
    assert results["swaps"]["error_answered"] == 0
    assert results["swaps"]["auc"] == pytest.approx(0.75)


def test_an_lstm_that_only_harms_is_silenced(tmp_path: Path) -> None:
    """Its voice is chosen on people that it did not learn from."""
    torch.manual_seed(0)
    model = CnnLstm(CARD.model).eval()
    features = torch.randn(8, 5, model.still.in_features)
    right = (model.judge(features).still.mean(1) > 0).float()
    judges = [Sequences(features, right[:, None].expand(-1, 5))]
    for layer in (model.frame, model.clip):
        torch.nn.init.normal_(layer.weight, std=50)
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    assert judge_sequences(model, judges) < 1
    set_voice(tmp_path / "w.safetensors", model, judges)
    model.load_state_dict(load_file(tmp_path / "w.safetensors"))
    assert judge_sequences(model, judges) == 1
