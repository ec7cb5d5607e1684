"""How often a short manipulated insert in a long video is found, at what cost in frames.

    python -m tests.bench.inserts

The network is drawn: every frame's logit is a random number, as real people's are in the validation
videos and, in the insert, as those of the one fake in ten with the highest score. Measured are
where frames are sampled, how often, and what the answer makes of it, by the rules of the released
weights; decoding and faces take no part.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from detector.findings import Verdict
from detector.model.weights import list_models
from detector.records import Box, Person, Quality, VideoInfo
from detector.scoring.coverage import (
    ROUNDS,
    first_range,
    frames_again,
    further_ranges,
    runs_of,
    with_suspicion,
)
from detector.scoring.verdict import ScoredClip, score_person
from detector.settings import PRESETS, Settings
from detector.video.sampling import SamplingRange, plan_sampling

FPS = 25.0
LENGTHS, INSERTS = (30.0, 120.0, 600.0), (1.0, 2.0, 4.0)
# Of the people in the validation videos: mean and deviation of real ones' logits, the level that
# one fake in ten exceeds, and how far the clips of one person deviate from their mean.
REAL, FAKE, WITHIN = (-1.9, 2.6), 4.9, 1.8
LASTING = 12  # frames: what makes a clip score high or low lasts longer than a frame
RULES = next(card.rules for card in list_models() if card.id == "fast")
CLEAR = Quality(size=200.0, sharpness=200.0, frontal=0.9, detection=0.99)
BASELINE = Settings(frames=20)


def score(settings: Settings, logits: np.ndarray) -> tuple[Person, int]:
    """The person's score for frames with these logits, and the number of sampled frames."""
    seconds = np.arange(len(logits)) / FPS
    info = _video(len(logits))
    ranges = [first_range(settings, info)]
    left = frames_again(settings, ranges[0].frames)
    clips: list[ScoredClip] = []
    for attempt in range(1 + ROUNDS):
        clips += _scored(seconds, logits, ranges)
        clips.sort(key=lambda clip: clip.seconds[0])
        person = score_person(1, clips, RULES)
        sampled = [second for clip in clips for second in clip.seconds]
        runs = with_suspicion(runs_of(sampled, 1 / FPS), [person], RULES)
        ranges = further_ranges(runs, info, left, gaps_too=attempt == 0) if left else []
        left -= sum(stretch.frames for stretch in ranges)
        if not ranges:
            break
    return person, len(sampled)


def _scored(
    seconds: np.ndarray, logits: np.ndarray, ranges: Sequence[SamplingRange]
) -> list[ScoredClip]:
    return [_clip(seconds[chosen], logits[chosen]) for chosen in plan_sampling(seconds, ranges)]


def _clip(seconds: np.ndarray, logits: np.ndarray) -> ScoredClip:
    count = len(seconds)
    return ScoredClip(
        logit=float(logits.mean()),
        frame_logits=logits.astype(np.float32),
        still_logits=logits.astype(np.float32),
        seconds=[float(second) for second in seconds],
        boxes=[Box(0, 0, 200, 200)] * count,
        landmarks=np.zeros((count, 5, 2), np.float32),
        qualities=[CLEAR] * count,
    )


def _video(frames: int) -> VideoInfo:
    empty = VideoInfo("drawn.mp4", 0, "", "mp4", "h264", 0.0, 0, FPS, 640, 480, 0, has_audio=False)
    return replace(empty, seconds=frames / FPS, frames=frames)


def drawn(random: np.random.Generator, seconds: float, insert: float) -> np.ndarray:
    """The logits of a video with one insert at a random place; none where `insert` is 0."""
    count = round(seconds * FPS)
    wander = np.repeat(random.normal(scale=WITHIN, size=count // LASTING + 1), LASTING)[:count]
    level = np.full(count, random.normal(*REAL))
    start = random.integers(count - round(insert * FPS) + 1)
    level[start : start + round(insert * FPS)] = FAKE
    return level + wander


def row(settings: Settings, seconds: float, insert: float, trials: int) -> tuple[float, float]:
    """The share of videos called manipulated, and the mean number of frames."""
    random = np.random.default_rng(0)
    answers = [score(settings, drawn(random, seconds, insert)) for _ in range(trials)]
    called = [person.verdict is Verdict.FAKE for person, _ in answers]
    return float(np.mean(called)), float(np.mean([frames for _, frames in answers]))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.inserts", description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    trials = parser.parse_args(arguments).trials
    settings_of = {"20 frames": BASELINE} | {name: Settings(preset=name) for name in PRESETS}
    print(
        "| video | insert | " + " | ".join(settings_of) + " |\n|" + "---|" * (2 + len(settings_of))
    )
    for seconds, insert in itertools.product(LENGTHS, (0.0, *INSERTS)):
        cells = [row(settings, seconds, insert, trials) for settings in settings_of.values()]
        cells_text = " | ".join(f"{100 * found:.0f} % · {frames:.0f}" for found, frames in cells)
        print(f"| {seconds:.0f} s | {f'{insert:.0f} s' if insert else 'none'} | {cells_text} |")


if __name__ == "__main__":
    main()
