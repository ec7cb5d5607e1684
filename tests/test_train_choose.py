"""Choosing among LSTMs by validation videos, and what such a choice is worth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from detector.model.cnn_lstm import CnnLstm, ModelConfig
from detector.records import Box, Quality
from detector.scoring.verdict import ScoredClip
from train.choose import areas, check_cnn, choose, rescored
from train.verbs import DataError

LABELS = np.tile([0.0, 1.0], 60)
SOURCES = [f"source {k // 4}" for k in range(120)]


def candidates(gains: list[float]) -> np.ndarray:
    """The logits (R, N, 2) of networks that rank fakes higher by these much."""
    random = np.random.default_rng(0)
    noise = random.normal(size=(len(gains), len(LABELS), 2))
    return noise + np.array(gains)[:, None, None] * LABELS[None, :, None]


def test_a_better_network_is_chosen_on_either_half() -> None:
    found = choose(LABELS, candidates([0.2, 2.0, 0.2]), SOURCES, halvings=40)
    assert found["best"] == 1
    assert found["crossed"] == pytest.approx(found["areas"][1], abs=0.02)
    assert found["crossed"] > found["average"] + 0.1


def test_the_best_of_equal_networks_is_no_better_on_the_other_half() -> None:
    found = choose(LABELS, candidates([0.5] * 20), SOURCES, halvings=40)
    assert max(found["areas"]) > found["average"] + 0.03  # what a report of the best would claim
    assert found["crossed"] == pytest.approx(found["average"], abs=0.02)


def test_a_video_without_a_score_is_left_out_for_all() -> None:
    logits = candidates([1.0, 1.0])
    logits[0, 3, 1] = np.nan
    kept = np.delete(logits, 3, axis=1)
    np.testing.assert_allclose(areas(LABELS, logits), areas(np.delete(LABELS, 3), kept))


@pytest.fixture(scope="module")
def network() -> CnnLstm:
    torch.manual_seed(0)
    return CnnLstm(ModelConfig(backbone="tf_efficientnet_lite0", size=64, motion=(0, 1))).eval()


def test_stored_features_are_scored_as_the_crops_were(network: CnnLstm) -> None:
    with torch.inference_mode():
        encoded = network.encode_with_early(torch.rand(4, 3, 64, 64))
        features = network.describe(encoded, (1, 4))
        logits = network.classify(features)
    clip = ScoredClip(
        logit=0.0,
        frame_logits=np.zeros(4, np.float32),
        still_logits=logits.still[0].numpy(),
        seconds=[0.0, 0.04, 0.08, 0.12],
        boxes=[Box(0, 0, 64, 64)] * 4,
        landmarks=np.zeros((4, 5, 2), np.float32),
        qualities=[Quality(size=64.0, sharpness=100.0, frontal=0.9, detection=0.99)] * 4,
        features=features[0].numpy(),
    )
    (again,) = rescored(network, [clip])
    assert again.logit == pytest.approx(float(logits.clip), abs=1e-5)
    np.testing.assert_allclose(again.frame_logits, logits.frame[0], atol=1e-5)


def test_networks_with_different_cnns_cannot_share_features(network: CnnLstm) -> None:
    torch.manual_seed(1)
    with pytest.raises(DataError, match="different CNNs"):
        check_cnn([network, CnnLstm(network.config)])
