"""How well scores separate fakes from reals, with intervals; for training and for labelled batches.
Computed by scikit-learn, except for the interval, by bootstrap over people.

`fake` (N,) is 1 for fakes and 0 for reals; `score` (N,) is higher for what is more likely fake.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def auc(fake: ArrayLike, score: ArrayLike) -> float:
    """Area under the ROC curve: how often a fake scores above a real; ties count half."""
    # Trapezoids under the curve, which equals the Mann-Whitney statistic (Hanley & McNeil 1982).
    fpr, tpr, _thresholds = roc(fake, score)
    return float(_sklearn().auc(fpr, tpr))


def roc(fake: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """False-positive rate, true-positive rate and threshold (score >= it is fake), rising."""
    labels, scores = both_classes(fake, score)
    # All points are kept: callers look up rates at a threshold, not only the shape.
    fpr, tpr, thresholds = _sklearn().roc_curve(labels, scores, drop_intermediate=False)
    return fpr, tpr, thresholds


def balanced_accuracy(fake: ArrayLike, score: ArrayLike, threshold: float) -> float:
    """The mean of the shares of fakes and of reals that are classified correctly at `threshold`."""
    labels, scores = both_classes(fake, score)
    return float(_sklearn().balanced_accuracy_score(labels, scores >= threshold))


def at_threshold(fake: ArrayLike, score: ArrayLike, threshold: float) -> dict[str, float]:
    """Accuracy, and precision, recall and F1 of "fake", when `threshold` and above is fake.
    Precision and F1 are 0 where nothing is called fake."""
    labels, scores = both_classes(fake, score)
    called = scores >= threshold
    precision, recall, f1, _support = _sklearn().precision_recall_fscore_support(
        labels, called, average="binary", zero_division=0
    )
    return {
        "accuracy": float((called == (labels == 1)).mean()),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
    }


def _sklearn() -> Any:
    """Imported when it is used: scikit-learn takes a second to import."""
    from sklearn import metrics

    return metrics


def auc_interval(
    fake: ArrayLike, score: ArrayLike, identity: ArrayLike, *, rounds: int = 1000
) -> tuple[float, float]:
    """A 95 % interval of the AUC when people, not files, are drawn again: the files of one person
    are no independent evidence. The same numbers give the same interval. Raises ValueError where no
    resample has both classes."""
    labels, scores = both_classes(fake, score)
    people, person = np.unique(np.asarray(identity), return_inverse=True)
    # Equal scores share a place, so that ties count half; fakes lie behind all reals.
    values, place = np.unique(scores, return_inverse=True)
    place = place + len(values) * (labels == 1)
    rng = np.random.default_rng(0)
    results = []
    for _ in range(rounds):
        # A cluster bootstrap (Davison & Hinkley 1997, 3.8): whole people are drawn with all their
        # files, so a file weighs as often as its person was drawn.
        drawn = rng.integers(0, len(people), len(people))
        weight = np.bincount(drawn, minlength=len(people))[person]
        reals, fakes = np.bincount(place, weight, 2 * len(values)).reshape(2, -1)
        # An AUC needs both classes; a resample without one is left out.
        if reals.any() and fakes.any():
            below = np.cumsum(reals) - reals / 2
            results.append(fakes @ below / (fakes.sum() * reals.sum()))
    if not results:
        raise ValueError("no resample held both classes")
    # The percentile interval (Davison & Hinkley 1997, 5.3).
    low, high = np.quantile(results, [0.025, 0.975])
    return float(low), float(high)


def both_classes(fake: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats]:
    labels, scores = np.asarray(fake, float), np.asarray(score, float)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise ValueError(f"labels {labels.shape} and scores {scores.shape} do not match")
    if not 0 < labels.sum() < len(labels):
        raise ValueError("needs at least one real and one fake")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not a number")
    return labels, scores
