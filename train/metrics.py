"""How good scores are: ranking, calibration, and how sure we can be of either. Pure numpy.

`fake` (N,) is 1 for fakes and 0 for reals; `score` (N,) is higher for what looks more fake.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Metric = Callable[[Floats, Floats], float]


def auc(fake: ArrayLike, score: ArrayLike) -> float:
    """Area under the ROC curve: how often a fake scores above a real; ties count half."""
    labels, scores = _both_classes(fake, score)
    ranks = _ranks(scores)
    fakes = int(labels.sum())
    reals = len(labels) - fakes
    return float((ranks[labels == 1].sum() - fakes * (fakes + 1) / 2) / (fakes * reals))


def _ranks(scores: Floats) -> Floats:
    """Ranks from 1; equal scores share the mean of theirs."""
    _, where, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means: Floats = (last - (counts - 1) / 2)[where]
    return means


def roc(fake: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """False-positive rate, true-positive rate and threshold (score >= it is fake), rising."""
    labels, scores = _both_classes(fake, score)
    order = np.argsort(-scores, kind="stable")
    labels, scores = labels[order], scores[order]
    last = np.append(np.nonzero(np.diff(scores))[0], len(scores) - 1)
    hits, alarms = np.cumsum(labels)[last], np.cumsum(1 - labels)[last]
    tpr = np.concatenate([[0.0], hits / hits[-1]])
    fpr = np.concatenate([[0.0], alarms / alarms[-1]])
    return fpr, tpr, np.concatenate([[np.inf], scores[last]])


def average_precision(fake: ArrayLike, score: ArrayLike) -> float:
    """Area under precision over recall, by steps."""
    labels, scores = _both_classes(fake, score)
    _, tpr, thresholds = roc(labels, scores)
    precision = [labels[scores >= edge].mean() for edge in thresholds[1:]]
    return float(np.sum(np.diff(tpr) * np.array(precision)))


def equal_error_rate(fake: ArrayLike, score: ArrayLike) -> float:
    """The rate at which as large a share of reals is accused as of fakes is missed."""
    fpr, tpr, _ = roc(fake, score)
    gap = fpr - (1 - tpr)
    at = int(np.argmax(gap >= 0))
    before, after = gap[at - 1], gap[at]
    share = 0.0 if after == before else -before / (after - before)
    return float(fpr[at - 1] + share * (fpr[at] - fpr[at - 1]))


def tpr_at_fpr(fake: ArrayLike, score: ArrayLike, limit: float) -> float:
    """The largest share of fakes found while at most `limit` of the reals are accused."""
    fpr, tpr, _ = roc(fake, score)
    return float(tpr[fpr <= limit + 1e-12].max())


def balanced_accuracy(fake: ArrayLike, score: ArrayLike, threshold: float) -> float:
    """The mean of the shares of fakes and of reals that are named rightly at `threshold`."""
    labels, scores = _both_classes(fake, score)
    right = (scores >= threshold) == (labels == 1)
    return float((right[labels == 1].mean() + right[labels == 0].mean()) / 2)


def at_threshold(fake: ArrayLike, score: ArrayLike, threshold: float) -> dict[str, float]:
    """Accuracy, and precision, recall and F1 of "fake", when `threshold` and above is fake.
    Precision and F1 are 0 where nothing is called fake."""
    labels, scores = _both_classes(fake, score)
    called = scores >= threshold
    right = float((called & (labels == 1)).sum())
    precision = right / max(float(called.sum()), 1.0)
    recall = right / float(labels.sum())
    return {
        "accuracy": float((called == (labels == 1)).mean()),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(precision + recall, 1e-12),
    }


def reliability(
    fake: ArrayLike, probability: ArrayLike, bins: int = 10
) -> list[tuple[float, float, int]]:
    """For each filled bin of [0, 1]: mean probability, share of fakes, how many."""
    labels, p = np.asarray(fake, float), np.asarray(probability, float)
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
    drawn = rng.random((rounds, len(p))) < p
    return float(np.mean([calibration_error(labels, p, bins) for labels in drawn]))


def macro_f1(truth: ArrayLike, said: ArrayLike) -> float:
    """The mean over the classes in `truth` of each one's F1."""
    truths, answers = np.asarray(truth), np.asarray(said)
    scores = []
    for name in np.unique(truths):
        hits = float(((truths == name) & (answers == name)).sum())
        scores.append(2 * hits / float((truths == name).sum() + (answers == name).sum()))
    return float(np.mean(scores))


def sigmoid(logit: ArrayLike) -> Floats:
    """Log-odds to probability."""
    values: Floats = 1 / (1 + np.exp(-np.clip(np.asarray(logit, float), -60, 60)))
    return values


def fit_calibration(fake: ArrayLike, logit: ArrayLike) -> tuple[float, float]:
    """Temperature and bias that make sigmoid((logit + bias) / temperature) most likely (Platt
    scaling), by Newton's method.

    Both classes weigh alike, so the prior is one half whatever their counts.
    """
    labels, logits = _both_classes(fake, logit)
    weight = np.where(labels == 1, 0.5 / labels.mean(), 0.5 / (1 - labels.mean()))
    design = np.stack([logits, np.ones_like(logits)], axis=1)
    w = np.array([1.0, 0.0])
    for _ in range(100):
        p = sigmoid(design @ w)
        slope = design.T @ (weight * (p - labels))
        bend = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-6 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        w -= step * min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-12))
    steepness = max(float(w[0]), 1e-3)
    return 1 / steepness, float(w[1]) / steepness


def bootstrap(
    metric: Metric, fake: ArrayLike, score: ArrayLike, identity: ArrayLike, *, rounds: int = 1000
) -> tuple[float, float]:
    """A 95 % interval of `metric` when people, not files, are drawn again: the files of one
    person are no independent evidence. The same numbers give the same interval."""
    labels, scores = _both_classes(fake, score)
    _, person = np.unique(np.asarray(identity), return_inverse=True)
    members = [np.nonzero(person == k)[0] for k in range(person.max() + 1)]
    rng = np.random.default_rng(0)
    values = []
    for _ in range(rounds):
        drawn = np.concatenate([members[k] for k in rng.integers(0, len(members), len(members))])
        if 0 < labels[drawn].sum() < len(drawn):
            values.append(metric(labels[drawn], scores[drawn]))
    if not values:
        raise ValueError("no resample held both classes")
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _both_classes(fake: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats]:
    labels, scores = np.asarray(fake, float), np.asarray(score, float)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise ValueError(f"labels {labels.shape} and scores {scores.shape} do not match")
    if not 0 < labels.sum() < len(labels):
        raise ValueError("needs at least one real and one fake")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not a number")
    return labels, scores


def summary(
    fake: ArrayLike, probability: ArrayLike, identity: ArrayLike, threshold: float
) -> dict[str, object]:
    """Everything that the results table says about one set; `probability` is calibrated."""
    labels, p = _both_classes(fake, probability)
    return {
        "real": int((labels == 0).sum()),
        "fake": int(labels.sum()),
        "auc": auc(labels, p),
        "auc_interval": bootstrap(auc, labels, p, identity),
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
