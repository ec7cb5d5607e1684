"""Measures of heat maps distinguish a correct map from an arbitrary one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from detector.heat_methods import DEFAULT_METHOD
from detector.model.cnn_lstm import CnnLstm, ModelConfig
from detector.scoring.calibration import ScoringRules
from detector.settings import HEAT_METHODS
from train.faithfulness import (
    CONTROLS,
    HIGHER_IS_BETTER,
    Example,
    against_mask,
    alike,
    as_table,
    control,
    curves,
    informative,
    measure,
    road,
    winner,
)

SIDE = 32
MASK = np.zeros((SIDE, SIDE), bool)
MASK[8:16, 4:20] = True
TRUE_MAP = MASK.astype(np.float32)


def picture() -> np.ndarray:
    """Noise everywhere, so that blurring changes any spot."""
    return np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)


def contrast_in_the_mask(images: list[np.ndarray]) -> np.ndarray:
    """A score that depends on the masked spot alone."""
    return np.array([image[MASK].std() / 128 for image in images])


def test_the_mask_itself_is_a_perfect_map() -> None:
    assert against_mask(TRUE_MAP, MASK) == {"pointing": 1.0, "iou": 1.0, "pixel_auc": 1.0}


def test_its_opposite_is_the_worst_map() -> None:
    assert against_mask(1 - TRUE_MAP, MASK) == {"pointing": 0.0, "iou": 0.0, "pixel_auc": 0.0}


def test_a_flat_map_ranks_pixels_like_a_coin() -> None:
    assert against_mask(np.ones_like(TRUE_MAP), MASK)["pixel_auc"] == pytest.approx(0.5)


def test_overlap_is_counted_at_the_size_of_the_mask() -> None:
    half = np.zeros_like(TRUE_MAP)
    half[8:16, 12:28] = 1  # as large as the mask, and half of it inside
    assert against_mask(half, MASK)["iou"] == pytest.approx(1 / 3)


def test_hiding_what_counts_first_lowers_the_score_soonest() -> None:
    true, false = (curves(heat, picture(), contrast_in_the_mask) for heat in (TRUE_MAP, -TRUE_MAP))
    assert true["deletion"] < false["deletion"] - 0.1
    assert true["insertion"] > false["insertion"] + 0.1


class Listener(torch.nn.Module):
    """A network whose frame logit is the contrast inside the mask."""

    def forward(self, images: torch.Tensor) -> object:
        inside = images[:, 0][:, :, torch.from_numpy(MASK)]
        return type("Said", (), {"frame": inside.std(dim=(1, 2))[:, None] * 10})


def test_imputing_what_counts_lowers_the_logit_more() -> None:
    listener = Listener()
    assert road(listener, picture(), TRUE_MAP) > road(listener, picture(), 1 - TRUE_MAP) + 0.05


def test_maps_are_compared_without_regard_to_scale() -> None:
    ramp = np.outer(np.arange(SIDE), np.ones(SIDE)).astype(np.float32)
    assert alike(ramp, 3 * ramp + 1) == pytest.approx(1)
    assert alike(ramp, ramp[::-1]) == pytest.approx(-1)
    assert alike(ramp, np.ones_like(ramp)) == 0.0


@pytest.mark.parametrize("kind", CONTROLS)
def test_a_control_does_not_depend_on_the_picture(kind: str) -> None:
    drawn = control(kind, SIDE, np.random.default_rng(0))
    assert drawn.shape == (SIDE, SIDE)
    assert drawn.std() > 0


EXAMPLES = 50
NOISE = np.random.default_rng(1).normal(scale=0.1, size=EXAMPLES)


def rows(**changes: dict[str, float]) -> dict[str, dict[str, np.ndarray]]:
    """Measures of fifty examples, alike for all methods but for what is named."""
    plain = dict.fromkeys([*HIGHER_IS_BETTER, "random_weights"], 0.3)
    return {
        method: {
            name: np.full(EXAMPLES, value) + NOISE
            for name, value in (plain | changes.get(method, {})).items()
        }
        for method in (*HEAT_METHODS, *CONTROLS)
    }


def test_a_measure_that_a_control_wins_ranks_no_method() -> None:
    results = rows(layer_cam={"iou": 0.4, "pointing": 0.4})
    assert informative(results) == list(HIGHER_IS_BETTER)
    results["centre"]["iou"] = results["centre"]["iou"] + 0.5
    assert "iou" not in informative(results)
    assert winner(results) == "layer_cam"
    results["centre"]["pointing"] = results["centre"]["pointing"] + 0.5
    assert winner(results) == DEFAULT_METHOD


def test_a_lead_within_the_noise_is_a_draw() -> None:
    results = rows()
    own = np.random.default_rng(2).normal(scale=0.1, size=EXAMPLES)
    lucky = results["layer_cam"]["iou"] + own - own.mean() + 0.01
    results["layer_cam"]["iou"] = lucky
    assert winner(results) == DEFAULT_METHOD
    results["layer_cam"]["iou"] = lucky + 0.1
    assert winner(results) == "layer_cam"


def test_the_best_mean_rank_wins_and_a_draw_goes_to_the_cheaper() -> None:
    assert winner(rows()) == DEFAULT_METHOD
    assert winner(rows(layer_cam={"iou": 0.4})) == "layer_cam"
    assert winner(rows(layer_cam={"deletion": 0.4})) == DEFAULT_METHOD


def test_a_method_that_ignores_the_weights_cannot_win() -> None:
    best = dict.fromkeys([name for name, high in HIGHER_IS_BETTER.items() if high], 0.9)
    assert winner(rows(layer_cam=best)) == "layer_cam"
    assert winner(rows(layer_cam=best | {"random_weights": 0.9})) == DEFAULT_METHOD


def test_a_method_independent_of_the_score_cannot_win() -> None:
    best = dict.fromkeys([name for name, high in HIGHER_IS_BETTER.items() if high], 0.9)
    assert winner(rows(eigen_cam=best)) == DEFAULT_METHOD


def test_every_method_is_measured_beside_the_controls() -> None:
    torch.manual_seed(1)
    model = CnnLstm(ModelConfig(backbone="test_resnet", size=64, hidden=8)).eval()
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    mask = np.zeros((64, 64), bool)
    mask[16:40, 16:40] = True
    results = measure(model, ScoringRules(), [Example(image, mask)] * 2, closely=1)
    assert list(results) == [*HEAT_METHODS, *CONTROLS]
    for method, row in results.items():
        assert set(HIGHER_IS_BETTER) <= set(row)
        assert ("random_weights" in row) == (method in HEAT_METHODS)
    assert as_table(results).count("\n") == len(results) + 1
