"""How well scores tell fakes from reals, and how sure we can be of it; for training, which measures
its networks so, and for whoever labels a batch. Pure numpy.

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
    labels, scores = both_classes(fake, score)
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
    labels, scores = both_classes(fake, score)
    order = np.argsort(-scores, kind="stable")
    labels, scores = labels[order], scores[order]
    last = np.append(np.nonzero(np.diff(scores))[0], len(scores) - 1)
    hits, alarms = np.cumsum(labels)[last], np.cumsum(1 - labels)[last]
    tpr = np.concatenate([[0.0], hits / hits[-1]])
    fpr = np.concatenate([[0.0], alarms / alarms[-1]])
    return fpr, tpr, np.concatenate([[np.inf], scores[last]])


def balanced_accuracy(fake: ArrayLike, score: ArrayLike, threshold: float) -> float:
    """The mean of the shares of fakes and of reals that are named rightly at `threshold`."""
    labels, scores = both_classes(fake, score)
    right = (scores >= threshold) == (labels == 1)
    return float((right[labels == 1].mean() + right[labels == 0].mean()) / 2)


def at_threshold(fake: ArrayLike, score: ArrayLike, threshold: float) -> dict[str, float]:
    """Accuracy, and precision, recall and F1 of "fake", when `threshold` and above is fake.
    Precision and F1 are 0 where nothing is called fake."""
    labels, scores = both_classes(fake, score)
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


def bootstrap(
    metric: Metric, fake: ArrayLike, score: ArrayLike, identity: ArrayLike, *, rounds: int = 1000
) -> tuple[float, float]:
    """A 95 % interval of `metric` when people, not files, are drawn again: the files of one
    person are no independent evidence. The same numbers give the same interval."""
    labels, scores = both_classes(fake, score)
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


def both_classes(fake: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats]:
    labels, scores = np.asarray(fake, float), np.asarray(score, float)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise ValueError(f"labels {labels.shape} and scores {scores.shape} do not match")
    if not 0 < labels.sum() < len(labels):
        raise ValueError("needs at least one real and one fake")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not a number")
    return labels, scores
