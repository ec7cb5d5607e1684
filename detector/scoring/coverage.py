"""How much of a video is sampled, what the rest could hide, and where to sample a second time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from detector.errors import VideoError
from detector.language import lazy
from detector.records import Person, Report, VideoInfo
from detector.scoring.calibration import ScoringRules, calibrate
from detector.settings import PRESETS, Settings
from detector.video.sampling import SHORT_CLIP, SamplingRange

SHORT_INSERT = 2.0
"""Seconds of a manipulated stretch that is worth finding, such as a sentence."""
# Chosen by `tests.bench.inserts`, standard preset, an insert of 2 s in 120 s: without a further
# round 6 % are found, with one 55 %; quick, in 30 s: 4 %, 20 % with one, 22 % with two or more.
ROUNDS = 3
# Clips in a gap beside a suspicious one. Of the same inserts 1 finds 21 %, 2 32 %, 3 55 %, 5 62 %.
_NEW_CLIPS = 3
_LEAST_GAP = 2  # clips; a shorter gap has no room for frames that show something else
# Seconds; in a shorter gap there would only be more clips beside one that is high by chance, which
# raised the scores of short real videos. The clips of all presets lie further apart.
_DOUBTFUL_GAP = 0.75
# Frames of all further rounds, where the first one had few: quick finds 10 % of inserts of 2 s in
# 30 s with 0, 22 % with 40, 31 % with 80, which is half as many frames again.
_LEAST_AGAIN = 40


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring sampled frames, in seconds; `end` is the last one's end.

    `scored`: whether any face in it was scored; `suspicion` is the highest probability of its clips
    whose person is still open to doubt, 0.0 where none is.
    """

    start: float
    end: float
    scored: bool = True
    suspicion: float = 0.0


def stretch_of(settings: Settings, info: VideoInfo) -> tuple[float, float]:
    """What is to be analysed, in seconds: the requested part, or the whole video.

    Raises VideoError where the video ends before that part begins.
    """
    if info.is_still:
        return 0.0, info.seconds
    if settings.start >= info.seconds > 0 and settings.start > 0:
        raise VideoError(
            lazy(
                "{file} is {length} s long and ends before {start} s. Choose an earlier part.",
                file=info.name,
                length=f"{info.seconds:.1f}",
                start=f"{settings.start:g}",
            )
        )
    return settings.start, min(info.seconds if settings.end is None else settings.end, info.seconds)


def frames_for(settings: Settings, info: VideoInfo) -> int:
    """How many frames the first round samples: as many as requested, or by length."""
    if settings.frames:
        return settings.frames
    preset = PRESETS[settings.preset]
    start, end = stretch_of(settings, info)
    frames = round((end - start) / preset.every) * SHORT_CLIP
    return min(max(frames, preset.least), preset.most)


def frames_again(settings: Settings, first: int) -> int:
    """How many frames all further rounds may sample; none where a number was requested."""
    return 0 if settings.frames else max(_LEAST_AGAIN, first // 2)


def first_range(settings: Settings, info: VideoInfo) -> SamplingRange:
    """Short clips, spread over the whole video, or over the requested part."""
    start, _ = stretch_of(settings, info)
    frames = frames_for(settings, info)
    by_length = not settings.frames and frames > PRESETS[settings.preset].least
    end = math.inf if settings.end is None or info.is_still else settings.end
    return SamplingRange(frames, start, end, clip=SHORT_CLIP if by_length else 0)


def frame_length(info: VideoInfo) -> float:
    """Seconds for which one frame is shown."""
    # 0.04: 25 frames per second, where the file states no rate.
    return 1 / info.fps if info.fps > 0 else 0.04


def widest_step(length: float) -> float:
    """Seconds up to which two sampled frames are neighbours; `length` is a frame's."""
    return max(2.5 * length, 0.07)  # clips of fast videos step over frames


def runs_of(
    seconds: Iterable[float], length: float, scored: Iterable[float] | None = None
) -> list[Run]:
    """Sampled moments as runs of neighbours. `length` is that of a frame; a run is scored if one
    of the moments `scored` is in it."""
    ordered = sorted(seconds)
    apart = widest_step(length)
    counted = None if scored is None else set(scored)
    runs: list[list[float]] = [ordered[:1]] if ordered else []
    for before, after in pairwise(ordered):
        if after - before > apart:
            runs.append([])
        runs[-1].append(after)
    return [
        Run(run[0], run[-1] + length, counted is None or not counted.isdisjoint(run))
        for run in runs
    ]


def gaps_between(
    runs: Sequence[Run], seconds: float, *, begin: float = 0.0
) -> list[tuple[float, float]]:
    """The stretches between `begin` and `seconds` that no run covers, the ends included."""
    # begin, start, end, start, end, ..., seconds: every other pair is a gap.
    edges = [begin, *(edge for run in runs for edge in (run.start, run.end)), seconds]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [(start, end) for start, end in pairs if end > start]


def chance_missed(
    runs: Sequence[Run], seconds: float, insert: float = SHORT_INSERT, *, begin: float = 0.0
) -> float:
    """The share of all places, between `begin` and `seconds`, of an insert of so many seconds at
    which no scored run touches it."""
    places = seconds - begin - insert
    if places <= 0:
        return 0.0
    # An insert fits into a gap at (length - insert) of all places; longer gaps count in proportion.
    gaps = gaps_between([run for run in runs if run.scored], seconds, begin=begin)
    return min(1.0, sum(max(0.0, end - start - insert) for start, end in gaps) / places)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a video was sampled.

    `seconds` in all, their `share` of the video, and the `longest_gap` between two runs. `missed`
    is the chance that an insert of `SHORT_INSERT` seconds is where no face was scored, within
    the requested part.
    """

    seconds: float
    share: float
    longest_gap: float
    missed: float


def coverage_of(report: Report) -> Coverage | None:
    """How much of a video a report rests on; None for a still picture, or without a sample."""
    video, length = report.video, frame_length(report.video)
    if video.is_still or not report.sampled_seconds or video.seconds <= 0:
        return None
    scored = {score.second for one in report.people for score in one.scores if score.usable}
    runs = runs_of(report.sampled_seconds, length, scored)
    sampled = min(len(report.sampled_seconds) * length, video.seconds)
    begin, until = stretch_of(report.settings, video)
    gaps = [end - start for start, end in gaps_between(runs, until, begin=begin)]
    missed = chance_missed(runs, until, begin=begin)
    return Coverage(sampled, sampled / video.seconds, max(gaps, default=0.0), missed)


def widened(interval: tuple[float, float], missed: float) -> tuple[float, float]:
    """An interval of a probability, its upper end raised by what may lie between the samples.

    Let a short insert exist with even odds a priori. No sample shows it, and it is missed with the
    chance `missed`; by Bayes' rule it then exists with probability missed / (1 + missed).
    """
    low, high = interval
    hidden = missed / (1 + missed)
    return low, high + (1 - high) * hidden


def further_ranges(
    runs: Sequence[Run],
    info: VideoInfo,
    frames: int,
    *,
    gaps_too: bool,
    part: tuple[float, float] | None = None,
) -> list[SamplingRange]:
    """Where to sample again with at most so many frames: in gaps of `_DOUBTFUL_GAP` or more beside
    what is suspicious, and with `gaps_too` beside runs in which no face could be scored; within
    `part`, in seconds."""
    first, last = part or (0.0, info.seconds)
    least = _LEAST_GAP * SHORT_CLIP * frame_length(info)
    # Empty runs at both ends make the stretches before and after the samples gaps as well.
    ends = [Run(first, first), *runs, Run(last, last)]
    candidates = []
    for before, after in pairwise(ends):
        gap = after.start - before.end
        suspicion = max(before.suspicion, after.suspicion)
        unscored = gaps_too and not (before.scored and after.scored)
        if gap < least or not (unscored or (suspicion and gap >= _DOUBTFUL_GAP)):
            continue
        clips = min(_NEW_CLIPS if suspicion else 1, int(gap / least) + 1)
        # Sorted below: the most suspicious first, of equals the longest gap.
        candidates.append((-suspicion, -gap, before.end, after.start, clips))
    chosen = []
    for _, _, start, end, clips in sorted(candidates):
        count = min(clips, frames // SHORT_CLIP)
        if not count:
            break
        frames -= count * SHORT_CLIP
        inside = frame_length(info) / 4  # the first frame after a gap was sampled already
        chosen.append(SamplingRange(count * SHORT_CLIP, start + inside, end - inside, SHORT_CLIP))
    return sorted(chosen, key=lambda stretch: stretch.start)


def with_suspicion(runs: Sequence[Run], people: Sequence[Person], rules: ScoringRules) -> list[Run]:
    """The same runs with how suspicious the clips in them are, of everyone in doubt.

    More frames change nothing for a person whose whole interval is above the threshold.
    """
    highest = [run.suspicion for run in runs]
    for person in people:
        if person.interval is None or person.interval[0] >= rules.threshold:
            continue
        for clip in person.clips:
            fake = float(calibrate(clip.logit, rules))
            if clip.weight > 0 and fake >= rules.undecided[0]:
                for k, run in enumerate(runs):
                    if run.start <= clip.start < run.end:
                        highest[k] = max(highest[k], fake)
    return [
        Run(run.start, run.end, run.scored, suspicion)
        for run, suspicion in zip(runs, highest, strict=True)
    ]
