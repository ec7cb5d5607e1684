"""The rules of scoring: what must be visible, and how logits become a probability and a word."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from detector.records import FloatArray, Quality, Status, Verdict, Warn

T = TypeVar("T")
Floats = NDArray[np.float64]

BANDS = ("weak", "moderate", "strong", "very_strong")
# Clips of a run that is pooled by itself, so that a short swap is not diluted by a long video: at
# the standard preset some 5 s.
STRETCH = 3


@dataclass(frozen=True, slots=True)
class ScoringRules:
    """What turns one model's logits into words; measured in training, stored in its card.

    `temperature` and `bias` calibrate: p = sigmoid((logit + bias) / temperature), Platt scaling
    written so that `bias` moves the zero and `temperature` the steepness (Guo et al. 2017, "On
    Calibration of Modern Neural Networks"). They are fitted on a person's pooled logit; frames
    share them, so that timeline and verdict have one scale.

    `threshold` was chosen by the errors of both kinds; `undecided` is the range of
    calibrated p around it, lower edge included, in which the answer is "undecided". `picture` is
    the threshold of a single picture, whose score rests on one frame; None: the same. `bands` are
    the upper edges of the words in `BANDS`. A face counts if its `Quality` reaches `min_size`
    (pixels), `min_sharpness` and `min_frontal`; below `min_faces` such faces there is no score.
    `share` of the clips, the most suspicious ones, are pooled to a person; `spread` is how much
    the logits of one real person's clips deviate, so that the highest of many runs exceeds their
    mean by chance. `disagreement` is the difference between the probabilities with and
    without time from which neither is used.
    """

    # Temperature 1 and bias 0 leave the logits as they are; a trained card replaces both.
    temperature: float = 1.0
    bias: float = 0.0
    calibrated: bool = False
    threshold: float = 0.5
    # Defaults for cards without measured rules; `train.scores` and `train.publish` fit what is
    # released.
    undecided: tuple[float, float] = (0.45, 0.55)
    picture: float | None = None
    bands: tuple[float, float, float, float] = (0.5, 0.7, 0.9, 1.0)
    min_faces: int = 4
    min_size: float = 40.0  # pixels of the shorter side, in the original frame
    min_sharpness: float = 0.0
    min_frontal: float = 0.0
    share: float = 0.25  # small, so that a short swap is not diluted; see train/LOG.md, "Pooling"
    spread: float = 0.0  # cards without it: the highest run counts as it is
    disagreement: float = 0.6

    def __post_init__(self) -> None:
        low, high = self.undecided
        checks = {
            "temperature must be above 0": self.temperature > 0,
            "threshold must lie between 0 and 1": 0 < self.threshold < 1,
            "picture must lie between 0 and 1": self.picture is None or 0 < self.picture < 1,
            "undecided must enclose the threshold": 0 <= low <= self.threshold <= high <= 1,
            "bands must be four rising edges that end at 1": (
                len(self.bands) == len(BANDS)
                and list(self.bands) == sorted(set(self.bands))
                and self.bands[0] > 0
                and self.bands[-1] == 1
            ),
            "min_faces must be at least 1": self.min_faces >= 1,
            "share must lie above 0 and not above 1": 0 < self.share <= 1,
            "spread must not be below 0": self.spread >= 0,
        }
        for rule, kept in checks.items():
            if not kept:
                raise ValueError(f"{rule}: {self}")

    def at(self, threshold: float | None) -> ScoringRules:
        """The same rules at a threshold of the user's own; the undecided range moves with it."""
        if threshold is None:
            return self
        # Clipped, since a threshold near 0 or 1 would move the range outside of [0, 1].
        below, above = self.threshold - self.undecided[0], self.undecided[1] - self.threshold
        band = (max(threshold - below, 0.0), min(threshold + above, 1.0))
        return replace(self, threshold=threshold, undecided=band)

    def of_file(self, *, still: bool) -> ScoringRules:
        """The rules for a video, or for a single picture."""
        return self.at(self.picture) if still else self

    def band(self, fake: float) -> str:
        """The word of `BANDS` for a calibrated probability; an edge belongs to the word below."""
        return next(word for word, edge in zip(BANDS, self.bands, strict=True) if fake <= edge)

    def weight(self, quality: Quality) -> float:
        """How much a face counts, in [0, 1]: 0 below a minimum, full at twice all of them."""
        pairs = (
            (quality.size, self.min_size),
            (quality.sharpness, self.min_sharpness),
            (quality.frontal, self.min_frontal),
        )
        # A product: a face that is small and blurred counts less than one with either defect.
        weight = 1.0
        for value, least in pairs:
            if value < least:
                return 0.0
            weight *= min(1.0, value / (2 * least)) if least > 0 else 1.0
        return weight


def calibrate(logits: Floats | FloatArray | float, rules: ScoringRules) -> Floats:
    """Logits of any shape -> probabilities of fake, sigmoid((logit + bias) / temperature)."""
    # float64: logits arrive in float32, and probabilities near 0 and 1 are subtracted later.
    scaled = (np.asarray(logits, np.float64) + rules.bias) / rules.temperature
    # sigmoid(x) = exp(-log(1 + exp(-x))); written so, neither side overflows.
    return np.asarray(np.exp(-np.logaddexp(0.0, -scaled)))


def pool_logits(logits: Floats, weights: Floats, rules: ScoringRules) -> Floats:
    """The logit of a person from those of its clips; pooled over its most suspicious part.

    A mean would dilute a swap of two seconds in a minute. So it is the weighted mean of the
    highest `rules.share` of the clips or, if that is more, of the strongest run of three
    neighbours: a quarter of a long video is long as well. Few clips are no special case: up to
    1 / share of them, the highest counts alone.

    The more runs there are, the higher the highest is by chance, and real videos that are long or
    sampled densely would be called fake. So the run counts less what the maximum of as many means
    of noise is expected to be at most, sd * sqrt(2 ln m) for m independent ones (Boucheron, Lugosi
    & Massart 2013, Concentration Inequalities, theorem 2.5), with `rules.spread` for one clip's.

    logits   (..., n)  clips in the order of time
    weights  (..., n)  > 0
    returns  (...)

    Raises ValueError without a clip: no evidence is not "real".
    """
    count = logits.shape[-1]
    if count == 0:
        raise ValueError("there is no usable clip to pool")
    # Stable: of equal logits always the same clips are taken, on every machine.
    top = np.argsort(logits, axis=-1, kind="stable")[..., -math.ceil(rules.share * count) :]
    chosen = np.take_along_axis(weights, top, axis=-1)
    pooled = (np.take_along_axis(logits, top, axis=-1) * chosen).sum(-1) / chosen.sum(-1)
    width = min(STRETCH, count)  # a video may have fewer clips
    runs = np.lib.stride_tricks.sliding_window_view(logits * weights, width, axis=-1).sum(-1)
    runs /= np.lib.stride_tricks.sliding_window_view(weights, width, axis=-1).sum(-1)
    # Runs overlap; count / width of them are independent, and so are the logits in each.
    chance = rules.spread / math.sqrt(width) * math.sqrt(2 * math.log(count / width))
    return np.asarray(np.maximum(pooled, runs.max(-1) - chance))


def pool_shares(logits: Floats, weights: Floats, rules: ScoringRules) -> Floats:
    """How much each of (n,) clips moves the pooled logit: what `pool_logits` multiplies it by."""
    # Numerical derivative. Pooling is piecewise linear, so it is exact but for rounding while the
    # order of the clips stays.
    nudge = 1e-6 * np.eye(len(logits))
    moved = pool_logits(logits + nudge, np.broadcast_to(weights, nudge.shape), rules)
    return np.asarray((moved - pool_logits(logits, weights, rules)) / 1e-6)


def status_of(qualities: Sequence[Quality], rules: ScoringRules, *, still: bool) -> Status:
    """Enough usable faces, or the defect that at least half of the faces have."""
    usable = sum(rules.weight(quality) > 0 for quality in qualities)
    if usable >= (1 if still else rules.min_faces):
        return Status.OK
    # The defect of half of the faces is named; size first, as small faces are mostly blurred, too.
    small = sum(quality.size < rules.min_size for quality in qualities)
    blurred = sum(quality.sharpness < rules.min_sharpness for quality in qualities)
    if qualities and 2 * small >= len(qualities):
        return Status.FACE_TOO_SMALL
    if qualities and 2 * blurred >= len(qualities):
        return Status.TOO_BLURRED
    return Status.TOO_FEW_FACES


def quality_warnings(
    qualities: Sequence[Quality], rules: ScoringRules, *, still: bool
) -> set[Warn]:
    """The defects of more than a quarter of the faces, and how few of them there are."""
    usable = sum(rules.weight(quality) > 0 for quality in qualities)
    defects = {
        Warn.SMALL_FACES: [quality.size < rules.min_size for quality in qualities],
        Warn.BLURRED_FACES: [quality.sharpness < rules.min_sharpness for quality in qualities],
        Warn.PROFILE_FACES: [quality.frontal < rules.min_frontal for quality in qualities],
    }
    found = {warning for warning, rows in defects.items() if 4 * sum(rows) > len(rows)}
    if still:
        found.add(Warn.STILL_IMAGE)
    elif usable < 2 * rules.min_faces:
        found.add(Warn.FEW_FRAMES)
    return found


def decide(fake: float, still: float, rules: ScoringRules) -> tuple[Verdict, set[Warn]]:
    """The verdict on probabilities with and without time, and the reasons for "undecided"."""
    low, high = rules.undecided
    doubts = {Warn.NEAR_THRESHOLD} if low <= fake < high else set()
    # A large difference on one side of the threshold does not change the answer, so it is no doubt.
    opposite = (fake >= rules.threshold) != (still >= rules.threshold)
    if opposite and abs(fake - still) >= rules.disagreement:
        doubts.add(Warn.TIME_AND_FRAME_DISAGREE)
    if doubts:
        return Verdict.UNDECIDED, doubts
    return (Verdict.FAKE if fake >= high else Verdict.NO_SIGN), doubts


def reliably_detected(
    people: list[T],
    qualities: Sequence[Sequence[Quality]],
    rules: ScoringRules,
    *,
    sure: float,
    still: bool,
) -> list[T]:
    """Those of `people` with a face that was detected with `sure` confidence, or with clear faces
    enough to be scored; all of them, if no face of anybody was detected so."""
    detected = [any(quality.detection >= sure for quality in each) for each in qualities]
    clear = [status_of(each, rules, still=still) is Status.OK for each in qualities]
    kept = zip(people, detected, clear, strict=True)
    return [person for person, *reasons in kept if any(reasons) or not any(detected)]
