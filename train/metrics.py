"""Metrics of scores: ranking, calibration, and intervals. What scikit-learn has is used from there;
the rest is here.

`fake` (N,) is 1 for fakes and 0 for reals; `score` (N,) is higher for what is more likely fake.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import average_precision_score, f1_score

from detector.scoring.metrics import (
    Floats,
    at_threshold,
    auc,
    auc_interval,
    balanced_accuracy,
    both_classes,
    roc,
)

__all__ = [
    "at_threshold",
    "auc",
    "auc_interval",
    "average_precision",
    "balanced_accuracy",
    "calibration_error",
    "calibration_floor",
    "equal_error_rate",
    "fit_calibration",
    "macro_f1",
    "reliability",
    "roc",
    "sigmoid",
    "summary",
    "tpr_at_fpr",
]


def average_precision(fake: ArrayLike, score: ArrayLike) -> float:
    """Area under precision over recall, by steps."""
    return float(average_precision_score(*both_classes(fake, score)))


def equal_error_rate(fake: ArrayLike, score: ArrayLike) -> float:
    """The rate at which equal shares of reals (false positives) and fakes (misses) are wrong."""
    fpr, tpr, _ = roc(fake, score)
    # Rises from -1 to 1 along the curve; the equal error rate is its zero.
    gap = fpr - (1 - tpr)
    at = int(np.argmax(gap >= 0))
    before, after = gap[at - 1], gap[at]
    # Linear interpolation between the two points around it.
    share = 0.0 if after == before else -before / (after - before)
    return float(fpr[at - 1] + share * (fpr[at] - fpr[at - 1]))


def tpr_at_fpr(fake: ArrayLike, score: ArrayLike, limit: float) -> float:
    """The largest share of fakes found while at most `limit` of the reals are called fake."""
    fpr, tpr, _ = roc(fake, score)
    # 1e-12: a rate of exactly the limit must count, whatever its rounding.
    return float(tpr[fpr <= limit + 1e-12].max())


def reliability(
    fake: ArrayLike, probability: ArrayLike, bins: int = 10
) -> list[tuple[float, float, int]]:
    """For each filled bin of [0, 1]: mean probability, share of fakes, how many."""
    labels, p = np.asarray(fake, float), np.asarray(probability, float)
    # p = 1 belongs to the last bin.
    place = np.minimum((p * bins).astype(int), bins - 1)
    return [
        (float(p[place == k].mean()), float(labels[place == k].mean()), int((place == k).sum()))
        for k in np.unique(place)
    ]


def calibration_error(fake: ArrayLike, probability: ArrayLike, bins: int = 10) -> float:
    """Expected calibration error (Naeini et al. 2015) over `bins` equal widths of [0, 1]."""
    rows = reliability(fake, probability, bins)
    total = sum(count for _, _, count in rows)
    return sum(abs(share - mean) * count / total for mean, share, count in rows)


def calibration_floor(probability: ArrayLike, bins: int = 10, rounds: int = 400) -> float:
    """The calibration error to be expected of a perfect forecaster who gave these probabilities:
    with few files chance alone fills the bins unevenly."""
    p = np.asarray(probability, float)
    rng = np.random.default_rng(0)
    # Labels drawn from the probabilities themselves, a perfectly calibrated forecaster: consistency
    # resampling (Bröcker & Smith 2007).
    drawn = rng.random((rounds, len(p))) < p
    return float(np.mean([calibration_error(labels, p, bins) for labels in drawn]))


def macro_f1(truth: ArrayLike, predicted: ArrayLike) -> float:
    """The mean over the classes in `truth` of each one's F1."""
    truths, answers = np.asarray(truth), np.asarray(predicted)
    labels = np.unique(truths)
    return float(f1_score(truths, answers, labels=labels, average="macro", zero_division=0))


def sigmoid(logit: ArrayLike) -> Floats:
    """Log-odds to probability."""
    # Clipped where exp would overflow; beyond 60 the result is 0 or 1 in float64.
    values: Floats = 1 / (1 + np.exp(-np.clip(np.asarray(logit, float), -60, 60)))
    return values


def fit_calibration(fake: ArrayLike, logit: ArrayLike) -> tuple[float, float]:
    """Temperature and bias that make sigmoid((logit + bias) / temperature) most likely (Platt
    scaling, Platt 1999), by Newton's method.

    Both classes weigh alike, so the prior is one half whatever their counts.
    """
    labels, logits = both_classes(fake, logit)
    # Each class has a total weight of one half, as if there were as many of both.
    weight = np.where(labels == 1, 0.5 / labels.mean(), 0.5 / (1 - labels.mean()))
    design = np.stack([logits, np.ones_like(logits)], axis=1)
    # Slope and offset of the logit; (1, 0) leaves it unchanged.
    w = np.array([1.0, 0.0])
    for _ in range(100):
        p = sigmoid(design @ w)
        # Gradient and Hessian of the weighted cross-entropy; 1e-6 keeps the Hessian regular.
        slope = design.T @ (weight * (p - labels))
        bend = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-6 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        # Steps of at most 1: on separable data Newton's steps would grow without end.
        w -= step * min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-12))
    # w0 * logit + w1 = (logit + w1 / w0) / (1 / w0); a negative slope would reverse the ranking.
    steepness = max(float(w[0]), 1e-3)
    return 1 / steepness, float(w[1]) / steepness


def summary(fake: ArrayLike, probability: ArrayLike, threshold: float) -> dict[str, object]:
    """The figures of one set that its calibrated `probability` gives."""
    labels, p = both_classes(fake, probability)
    return {
        "real": int((labels == 0).sum()),
        "fake": int(labels.sum()),
        "average_precision": average_precision(labels, p),
        "eer": equal_error_rate(labels, p),
        "tpr_at_fpr": {str(limit): tpr_at_fpr(labels, p, limit) for limit in (0.01, 0.05, 0.1)},
        "balanced_accuracy": balanced_accuracy(labels, p, threshold),
        **at_threshold(labels, p, threshold),
        "false_alarms": float((p[labels == 0] >= threshold).mean()),
        "misses": float((p[labels == 1] < threshold).mean()),
        "ece": calibration_error(labels, p),
        "ece_floor": calibration_floor(p),
    }
