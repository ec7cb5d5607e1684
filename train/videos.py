"""Labelled videos through the product: each person's clips as log-odds, pooled in several ways.

A video is analysed once as it is and once after an upload. What is recorded is every clip's logit,
so that calibration and pooling can be fitted afterwards without another pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from detector.errors import VideoError
from detector.inference import Cut, Network
from detector.model.cnn_lstm import CnnLstm
from detector.model.model_card import Card
from detector.model.weights import UNTRAINED, Loaded, file_content
from detector.pipeline import Detector
from detector.records import Status
from detector.scoring.calibration import ScoringRules, pool_logits, status_of
from detector.scoring.verdict import ScoredClip, weigh_clips
from detector.settings import Settings
from train.augment import social_media
from train.transcode import write_altered
from train.verbs import whole

SHARES = (0.25, 0.5, 1.0)
"""Candidates for `ScoringRules.share`: the part of a person's clips that is pooled."""
# Faces unlike any of the training videos are not scored: there they have a sharpness of at least
# 54 and are frontal by 0.33 or more.
MIN_SHARPNESS, MIN_FRONTAL = 20.0, 0.15
# Of drawn real videos of up to ten minutes quick and standard call 4 to 7 % fake at this, thorough
# 6 to 8 % (`tests.bench.inserts`). Clips of one real person deviate by 1.8, neighbours less.
SPREAD = 1.5
UNFITTED = ScoringRules(min_sharpness=MIN_SHARPNESS, min_frontal=MIN_FRONTAL, spread=SPREAD)
"""The rules before calibration, threshold and pooling are fitted."""
# Sampling by length chooses further clips by rules fitted on videos with so many frames.
FIXED_FRAMES = 20


class Recorder(Network):
    """A network that keeps the scored clips of the video that is being analysed, by person."""

    def __init__(self, loaded: Loaded, device: str) -> None:
        super().__init__(loaded, device)
        self.clips: dict[int, list[ScoredClip]] = {}

    def score(self, cuts: Sequence[Cut], **options: Any) -> Iterator[tuple[int, ScoredClip]]:
        for person, clip in super().score(cuts, **options):
            self.clips.setdefault(person, []).append(clip)
            yield person, clip


class ShuffledRecorder(Recorder):
    """The same, with the frames of each clip in a random order."""

    def score(self, cuts: Sequence[Cut], **options: Any) -> Iterator[tuple[int, ScoredClip]]:
        rng = np.random.default_rng(0)
        mixed = []
        for cut in cuts:
            order = rng.permutation(len(cut.crops))
            mixed.append(replace(cut, crops=tuple(cut.crops[k] for k in order)))
        return super().score(mixed, **options)


def load_unpublished(model: CnnLstm, rules: ScoringRules) -> Loaded:
    """What `Detector` needs, around weights that are not published yet."""
    # The hash names the network in the engine's cache, where many runs follow each other.
    digest = hashlib.sha256(file_content(model.state_dict())).hexdigest()
    card = Card(id="run", model=model.config, rules=rules, trained=True, sha256=digest)
    info = replace(UNTRAINED, id="run", trained=True, calibrated=rules.calibrated, sha256=digest)
    return Loaded(card=card, model=model.eval(), info=info, source="run")


def answers_twice(
    loaded: Loaded, table: pd.DataFrame, copies: pd.DataFrame, frames: int
) -> pd.DataFrame:
    """`table` with the columns of `answers`, and those of `copies` of the same videos after an
    upload as `uploaded 0.25` ..."""
    after = answers(loaded, copies, frames)
    more = {f"uploaded {share}": after[f"share {share}"] for share in SHARES}
    return table.join(answers(loaded, table, frames)).assign(**more)


def rescaled(scored: pd.DataFrame, factor: float, offset: float) -> pd.DataFrame:
    """The table of `answers_twice` with each log-odds multiplied by `factor`, plus `offset`."""
    columns = [f"{name} {share}" for name in ("share", "still", "uploaded") for share in SHARES]
    return scored.assign(**{name: scored[name] * factor + offset for name in columns})


def pooled_by(scored: pd.DataFrame, share: float) -> pd.DataFrame:
    """The table of `answers_twice` with that share's log-odds as `logit` and `uploaded`."""
    return scored.assign(logit=scored[f"share {share}"], uploaded=scored[f"uploaded {share}"])


def answers(
    loaded: Loaded, table: pd.DataFrame, frames: int, *, recorder: type[Recorder] = Recorder
) -> pd.DataFrame:
    """A row per video of `table`: its `status`, and its log-odds pooled by each of `SHARES`
    (`share 0.25` ...), of the LSTM, and of single frames alone (`still 0.25` ...); NaN where nobody
    could be scored."""
    rows: list[dict[str, Any]] = [
        {"status": status} | pooled(people, loaded.card.rules)
        for status, people in recorded(loaded, table, frames, recorder=recorder)
    ]
    columns = [f"{name} {share}" for name in ("share", "still") for share in SHARES]
    return pd.DataFrame(rows, index=table.index, columns=["status", *columns])


def recorded(
    loaded: Loaded, table: pd.DataFrame, frames: int, *, recorder: type[Recorder] = Recorder
) -> Iterator[tuple[str, dict[int, list[ScoredClip]]]]:
    """The status of each video of `table`, and its scored clips by person."""
    detector = Detector(loaded, "cpu")
    # The product's own pipeline, with a network that also stores clips.
    detector.network = network = recorder(loaded, "cpu")
    settings = Settings(frames=frames, heat=False)
    for path in tqdm(table["path"], unit="video", desc=f"{frames} frames"):
        network.clips = {}
        try:
            status = detector.analyze(Path(path), settings).status.value
        except VideoError as error:
            status = error.status.value
        yield status, network.clips


def uploaded(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """`table` with each path replaced by a copy of the video after an upload, made in `folder`
    where it is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for path in tqdm(table["path"], unit="video", desc="uploads"):
        # By the hash of the path: names may be equal in different folders.
        copy = folder / f"{hashlib.sha256(path.encode()).hexdigest()[:16]}.mp4"
        if not copy.exists():
            with whole(copy) as part:
                write_altered(Path(path), part, social_media)
        paths.append(str(copy))
    return table.assign(path=paths)


def pooled(people: dict[int, list[ScoredClip]], rules: ScoringRules) -> dict[str, float]:
    """The most suspicious person's log-odds, for each of `SHARES`."""
    found: dict[str, float] = {}
    for clips in people.values():
        qualities = [quality for clip in clips for quality in clip.qualities]
        if status_of(qualities, rules, still=False) is not Status.OK:
            continue
        usable, weights = weigh_clips(clips, rules)
        logits = {
            "share": np.array([clip.logit for clip in usable], np.float64),
            "still": np.array([np.mean(clip.still_logits) for clip in usable], np.float64),
        }
        for name, values in logits.items():
            for share in SHARES:
                logit = float(pool_logits(values, weights, replace(rules, share=share)))
                # The most suspicious person, as `score_video` takes.
                found[f"{name} {share}"] = max(found.get(f"{name} {share}", -np.inf), logit)
    return found
