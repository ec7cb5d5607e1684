"""Results of a network on labelled videos of unseen people and sources, cross-fitted by source.

Calibration, threshold and the range of "undecided" are fitted on videos. Each figure that depends
on them is of videos whose source had no part in the fit: the sources are dealt into folds, and each
fold is evaluated with the rules that the others give. The rules that are released come from all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.scoring.calibration import ScoringRules, calibrate
from train.groups import TALKING_HEADS, group_of
from train.metrics import (
    auc,
    auc_interval,
    calibration_error,
    calibration_floor,
    equal_error_rate,
    fit_calibration,
    reliability,
    tpr_at_fpr,
)

Floats = NDArray[np.float64]

FALSE_ALARMS = (0.05, 0.08)
"""Of real videos so many may be called fake: as they are and, counted apart, after an upload. A
choice, not a measurement: the worse error is to call a real person fake."""
MISSES = 0.20
"""Of fake videos, so many may be called "no sign"; what is between is undecided. A choice, too."""
FOLDS = 5
"""By convention; each has some 15 real videos."""
COPIES = ("logit", "uploaded")
"""Columns of a table of videos: the pooled log-odds as they are, and after an upload."""


def fit_rules(fake: Floats, logits: Floats, rules: ScoringRules) -> ScoringRules:
    """`rules` with temperature, bias, threshold and undecided range from labelled videos.

    fake    (N,)    in {0, 1}
    logits  (N, K)  of each video in the first K of `COPIES`, NaN where one gave no score

    The threshold is that of `fit_threshold`.
    """
    labels = np.repeat(fake, logits.shape[1])
    scored = np.isfinite(logits.ravel())
    temperature, bias = fit_calibration(labels[scored], logits.ravel()[scored])
    fitted = replace(rules, temperature=temperature, bias=bias)
    threshold = fit_threshold(fake, logits, fitted)
    fakes = calibrate(logits.ravel()[scored & (labels == 1)], fitted)
    low = min(threshold, round(float(np.quantile(fakes, MISSES)), 3))
    return replace(
        rules,
        temperature=temperature,
        bias=bias,
        calibrated=True,
        threshold=threshold,
        undecided=(low, threshold),
    )


def fit_threshold(fake: Floats, logits: Floats, rules: ScoringRules) -> float:
    """The smallest calibrated probability at which, in each copy, (n + 1) * limit - 1 of n real
    scores lie above it: then the expected rate on new videos like these is at most the copy's limit
    in `FALSE_ALARMS` (conformal risk control, Angelopoulos et al. 2022, arXiv 2208.02814), where a
    plain quantile exceeds it. Arguments as in `fit_rules`.
    """
    # The stricter of the copies: the limit is kept for each of them.
    edge = max(
        _edge(column[(fake == 0) & np.isfinite(column)], limit)
        for column, limit in zip(logits.T, FALSE_ALARMS, strict=False)
    )
    # Rounded up, so that the score at the edge stays below it.
    p = float(np.ceil(float(calibrate(edge, rules)) * 1000 + 1e-6) / 1000)
    # Not below one half, and not so high that no video reaches it.
    return float(np.clip(p, 0.5, 0.995))


def _edge(real: Floats, limit: float) -> float:
    """The highest log-odds that are not called fake, of (n,) real ones, `limit` of which may be."""
    # At 5 %, below 39 real videos none is allowed above it.
    allowed = max(int(np.floor((len(real) + 1) * limit - 1)), 0)
    return float(np.sort(real)[len(real) - 1 - allowed])


def folds_of(sources: Sequence[str], fake: Floats, count: int = FOLDS) -> NDArray[np.int64]:
    """A fold for each video; a source is in one fold, and folds have alike numbers of both labels.

    The largest sources are dealt first, each to the fold that has the fewest videos of the label
    that the source has most of."""
    table = pd.DataFrame({"source": list(sources), "fake": np.asarray(fake)})
    counts = table.groupby("source")["fake"].agg(["size", "sum"])
    order = counts.sort_values(["size"], ascending=False, kind="stable").index
    # Reals and fakes that each fold has so far.
    held = np.zeros((count, 2))
    fold: dict[str, int] = {}
    for name in order:
        size, fakes = counts.loc[name, "size"], counts.loc[name, "sum"]
        own = np.array([size - fakes, fakes])
        fold[str(name)] = int(np.argmin(held @ (own / own.sum())))
        held[fold[str(name)]] += own
    return np.array([fold[str(name)] for name in table["source"]])


def cross_fit(table: pd.DataFrame, rules: ScoringRules) -> pd.DataFrame:
    """`table` with, for each of `COPIES`, columns `p_*` (probability), `called_*` (at or above the
    threshold) and `open_*` (undecided), by rules of the other folds' sources.

    `table` has a row per video: `label` (REAL or FAKE), `source`, and the log-odds in `COPIES`.
    """
    fake = (table["label"] == "FAKE").to_numpy(float)
    logits = table[list(COPIES)].to_numpy(float)
    folds = folds_of(table["source"].tolist(), fake)
    result = table.copy()
    for fold in np.unique(folds):
        here = folds == fold
        fitted = fit_rules(fake[~here], logits[~here], rules)
        for index, copy in enumerate(COPIES):
            known = np.isfinite(logits[here, index])
            # NaN, since a video without a score has no probability; comparisons with it are False.
            p = np.full(int(here.sum()), np.nan)
            p[known] = calibrate(logits[here, index][known], fitted)
            result.loc[here, f"p_{copy}"] = p
            result.loc[here, f"called_{copy}"] = (p >= fitted.undecided[1]).astype(float)
            result.loc[here, f"open_{copy}"] = (
                (p >= fitted.undecided[0]) & (p < fitted.undecided[1])
            ).astype(float)
    return result


def report(
    table: pd.DataFrame, rules: ScoringRules, beside: pd.DataFrame | None = None
) -> dict[str, Any]:
    """All figures of videos: overall, by group of methods, by history, within sources, and after an
    upload; ranking by the log-odds, the rest cross-fitted.

    The rules of each fold are fitted on the other sources of `beside` as well: training videos by
    runs that lacked them. `left_out` are their own figures, and `expectation` the errors on all
    videos together.
    """
    videos = table.assign(left_out=False)
    if beside is not None:
        videos = pd.concat([videos, beside.assign(left_out=True)])
    every = cross_fit(videos[videos["logit"].notna()].reset_index(drop=True), rules)
    evaluated, others = every[~every["left_out"]].copy(), every[every["left_out"]]
    evaluated["group"] = [
        group_of(method) if label == "FAKE" else "real"
        for method, label in zip(evaluated["method"], evaluated["label"], strict=True)
    ]
    fake = evaluated["label"] == "FAKE"
    parts = {"all": fake} | {
        name: evaluated["group"] == name for name in sorted(set(evaluated["group"]) - {"real"})
    }
    parts["talking heads"] = evaluated["group"].isin(TALKING_HEADS)
    results: dict[str, Any] = {
        "unanswered": int(table["logit"].isna().sum()),
        "copies": {
            copy: {name: figures(evaluated[~fake | part], copy) for name, part in parts.items()}
            for copy in COPIES
        },
        "history": {
            str(name): figures(part, "logit")
            for name, part in evaluated.groupby("history")
            if part["label"].nunique() == 2
        },
        "within_sources": within_sources(evaluated),
    }
    if len(others):
        results["left_out"] = {copy: figures(others, copy) for copy in COPIES}
        together = figures(every, "logit")
        results["expectation"] = {name: together[name] for name in ("false_alarms", "misses")}
    return results


def choose_share(table: pd.DataFrame, shares: Sequence[float]) -> dict[str, Any]:
    """Which part of a person's clips should decide: the best on all sources, and, to measure
    the choice itself, the AUC on each half of the sources by the share that is best on the
    other half. Columns `share 0.25` ... are the log-odds."""
    fake = (table["label"] == "FAKE").to_numpy(float)
    logits = {share: table[f"share {share}"].to_numpy(float) for share in shares}
    scored = np.isfinite(logits[shares[0]])

    def best(chosen: NDArray[np.bool_]) -> float:
        return max(shares, key=lambda share: auc(fake[chosen], logits[share][chosen]))

    # Halves of the sources: the choice is made on one and measured on the other.
    first = folds_of(table["source"].tolist(), fake, 2) == 0
    crossed = [
        auc(fake[b & scored], logits[best(a & scored)][b & scored])
        for a, b in ((first, ~first), (~first, first))
    ]
    return {
        "best": best(scored),
        "auc": {str(share): auc(fake[scored], logits[share][scored]) for share in shares},
        "auc_crossed": crossed,
    }


def figures(part: pd.DataFrame, copy: str) -> dict[str, Any]:
    """The figures of some videos in one of `COPIES`; empty without both labels."""
    part = part[part[copy].notna()]
    labels = (part["label"] == "FAKE").to_numpy(float)
    if not 0 < labels.sum() < len(labels):
        return {}
    scores, p = part[copy].to_numpy(float), part[f"p_{copy}"].to_numpy(float)
    called, undecided = part[f"called_{copy}"], part[f"open_{copy}"]
    return {
        "real": int((labels == 0).sum()),
        "fake": int(labels.sum()),
        "auc": auc(labels, scores),
        "auc_interval": auc_interval(labels, scores, part["identity"]),
        "auc_interval_sources": auc_interval(labels, scores, part["source"]),
        "eer": equal_error_rate(labels, scores),
        "tpr_at_5": tpr_at_fpr(labels, scores, 0.05),
        "false_alarms": float(called[labels == 0].mean()),
        "misses": float(1 - called[labels == 1].mean()),
        "undecided_real": float(undecided[labels == 0].mean()),
        "undecided_fake": float(undecided[labels == 1].mean()),
        "ece": calibration_error(labels, p),
        "ece_floor": calibration_floor(p),
        "reliability": reliability(labels, p),
    }


def within_sources(evaluated: pd.DataFrame) -> dict[str, Any]:
    """How often a fake scores above a real of its own source, over all such pairs: no camera and no
    codec separates the two."""
    above, pairs, sources = 0.0, 0, 0
    for _, part in evaluated.groupby("source"):
        real = part[part["label"] == "REAL"]["logit"].to_numpy(float)
        fake = part[part["label"] == "FAKE"]["logit"].to_numpy(float)
        if len(real) and len(fake):
            # Mann-Whitney: ties count half, as in the AUC.
            above += float((fake[:, None] > real).sum() + 0.5 * (fake[:, None] == real).sum())
            pairs += len(real) * len(fake)
            sources += 1
    return {"auc": above / pairs if pairs else None, "pairs": pairs, "sources": sources}
