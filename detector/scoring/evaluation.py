"""How accurate the scores of a labelled batch are, by the metrics that training uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from detector.scoring.metrics import auc, auc_interval, roc


@dataclass(frozen=True, slots=True)
class LabelledScore:
    """One labelled file; `score` is its probability of fake, None where it got no score, and
    `threshold` is from where on it is called fake; without a score it does not matter."""

    fake: bool
    score: float | None
    threshold: float
    identity: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """Files by label and by class at the threshold, and those without a score."""

    fake_called_fake: int
    fake_called_real: int
    fake_without_score: int
    real_called_fake: int
    real_called_real: int
    real_without_score: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`auc` and its 95 % interval, by bootstrap over identities, are None where the files with a
    score are all real or all fake; the interval also where too few people are there to draw from.
    `threshold` is None where files have different ones, as pictures and videos have, and where no
    file has a score.
    `roc` are points (false-positive rate, true-positive rate), rising."""

    files: int
    threshold: float | None
    auc: float | None
    auc_interval: tuple[float, float] | None
    matrix: Matrix
    roc: tuple[tuple[float, float], ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def evaluate(files: Sequence[LabelledScore]) -> Evaluation:
    """Files with a score at their threshold or above count as called fake; those without one count
    as neither, and are in the matrix."""
    scored = [one for one in files if one.score is not None]
    fake = np.array([one.fake for one in scored], float)
    score = np.array([one.score for one in scored], float)
    both = 0 < fake.sum() < len(fake)
    thresholds = {one.threshold for one in scored}
    points: tuple[tuple[float, float], ...] = ()
    if both:
        fpr, tpr, _ = roc(fake, score)
        # Four decimals: the points go into JSON, and a plot shows no more.
        points = tuple(
            (round(float(x), 4), round(float(y), 4)) for x, y in zip(fpr, tpr, strict=True)
        )
    return Evaluation(
        files=len(files),
        threshold=thresholds.pop() if len(thresholds) == 1 else None,
        auc=auc(fake, score) if both else None,
        auc_interval=_interval(fake, score, [one.identity for one in scored]) if both else None,
        matrix=_matrix(files),
        roc=points,
    )


def _interval(fake: Any, score: Any, identity: list[str]) -> tuple[float, float] | None:
    # Resamples of two people are mostly copies of one: the interval would mean nothing.
    if len(set(identity)) < 3:
        return None
    try:
        return auc_interval(fake, score, identity)
    except ValueError:  # no drawing has both labels
        return None


def _matrix(files: Sequence[LabelledScore]) -> Matrix:
    def count(fake: bool, called: bool | None) -> int:
        at_or_above = (None if one.score is None else one.score >= one.threshold for one in files)
        pairs = zip(files, at_or_above, strict=True)
        return sum(one.fake is fake and answer is called for one, answer in pairs)

    return Matrix(
        fake_called_fake=count(True, True),
        fake_called_real=count(True, False),
        fake_without_score=count(True, None),
        real_called_fake=count(False, True),
        real_called_real=count(False, False),
        real_without_score=count(False, None),
    )
