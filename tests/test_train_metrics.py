"""The numbers by which a detector is praised must be right on cases that can be done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from train import metrics
from train.evaluate import calibrate_on


def test_auc_counts_the_pairs_in_the_right_order_and_ties_as_half() -> None:
    assert metrics.auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == pytest.approx(0.75)
    assert metrics.auc([0, 1], [0.5, 0.5]) == pytest.approx(0.5)


def test_perfect_scores_have_no_equal_error_and_full_precision() -> None:
    fake, score = [0, 0, 0, 1, 1], [0.1, 0.2, 0.3, 0.8, 0.9]
    assert metrics.equal_error_rate(fake, score) == pytest.approx(0.0)
    assert metrics.average_precision(fake, score) == pytest.approx(1.0)
    assert metrics.tpr_at_fpr(fake, score, 0.0) == pytest.approx(1.0)


def test_the_equal_error_rate_is_where_both_errors_meet() -> None:
    """One of four reals is above one of four fakes: a quarter either way."""
    fake = [0, 0, 0, 0, 1, 1, 1, 1]
    score = [1, 2, 3, 6, 5, 7, 8, 9]
    assert metrics.equal_error_rate(fake, score) == pytest.approx(0.25)


def test_few_false_alarms_cost_found_fakes() -> None:
    fake, score = [0, 0, 1, 1], [0.2, 0.7, 0.6, 0.9]
    assert metrics.tpr_at_fpr(fake, score, 0.0) == pytest.approx(0.5)
    assert metrics.tpr_at_fpr(fake, score, 0.5) == pytest.approx(1.0)


def test_certain_forecasts_that_are_half_wrong_have_an_error_of_a_half() -> None:
    assert metrics.calibration_error([0, 1], [1.0, 1.0]) == pytest.approx(0.5)
    assert metrics.calibration_error([0, 1], [0.0, 1.0]) == pytest.approx(0.0)


def test_calibration_recovers_the_temperature_and_bias_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(-1, 4, 20_000)  # as many fakes as reals come of it
    fake = rng.random(20_000) < metrics.sigmoid((logit + 1.0) / 2.0)
    temperature, bias = metrics.fit_calibration(fake, logit)
    assert temperature == pytest.approx(2.0, abs=0.15)
    assert bias == pytest.approx(1.0, abs=0.2)


def test_fewer_people_make_a_wider_interval_from_as_many_files() -> None:
    """Twenty clips of one person are not twenty independent samples."""
    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(10), 20)
    fake = (person % 2).astype(float)
    score = fake + rng.normal(0, 1, 200) + 2 * rng.normal(0, 1, 10)[person]
    few = metrics.auc_interval(fake, score, person, rounds=200)
    many = metrics.auc_interval(fake, score, np.arange(200), rounds=200)
    assert few[1] - few[0] > many[1] - many[0]


def test_the_interval_is_that_of_the_resamples_themselves() -> None:
    """With ties, and people whose files have either label."""
    rng = np.random.default_rng(2)
    person, fake = rng.integers(0, 12, 60), rng.integers(0, 2, 60)
    score = np.round(fake + rng.normal(0, 1, 60), 1)
    drawn = np.random.default_rng(0).integers(0, 12, (50, 12))
    files = [np.concatenate([np.nonzero(person == k)[0] for k in people]) for people in drawn]
    values = [metrics.auc(fake[chosen], score[chosen]) for chosen in files]
    expected = np.quantile(values, [0.025, 0.975])
    assert metrics.auc_interval(fake, score, person, rounds=50) == pytest.approx(tuple(expected))


def test_scores_of_one_class_or_without_a_number_are_refused() -> None:
    with pytest.raises(ValueError, match="one real and one fake"):
        metrics.auc([1, 1], [0.2, 0.3])
    with pytest.raises(ValueError, match="not a number"):
        metrics.auc([0, 1], [0.2, float("nan")])


def test_one_real_face_in_twenty_is_called_fake_and_one_fake_in_five_gets_no_sign() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0.0, 1.0], 4000)
    logits = rng.normal(2 * labels - 1, 1.5)
    rules = calibrate_on(labels, logits)
    p = metrics.sigmoid((logits + rules.bias) / rules.temperature)
    assert np.mean(p[labels == 0] >= rules.threshold) == pytest.approx(0.05, abs=0.005)
    low, high = rules.undecided
    assert high == rules.threshold
    assert np.mean(p[labels == 1] < low) == pytest.approx(0.2, abs=0.01)


def test_few_forecasts_have_a_calibration_error_by_chance_alone() -> None:
    p = np.random.default_rng(0).random(4000)
    assert metrics.calibration_floor(p[:30]) > 0.1
    assert metrics.calibration_floor(p) < 0.03


def test_macro_f1_counts_a_rare_class_as_much_as_a_common_one() -> None:
    assert metrics.macro_f1([0, 0, 0, 1], [0, 0, 0, 1]) == 1
    assert metrics.macro_f1([0] * 9 + [1], [0] * 10) == pytest.approx((18 / 19) / 2)
