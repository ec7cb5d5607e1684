"""Which frames of a video are analysed: short runs of neighbours, spread over all of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]
Indices = NDArray[np.intp]

# Frames of a clip. With 10 or 20 the videos rank better, uploads above all, yet fewer fakes are
# found at 5 % false alarms (train/LOG.md).
SHORT_CLIP, LONG_CLIP = 5, 10
LONG_FROM = 41  # frames requested; below it many short clips cover the video better
FAST_FPS = 50.0  # above it neighbours hardly differ, so a clip steps over some
USUAL_FPS = 30.0  # the rate whose step between neighbours faster videos are given


@dataclass(frozen=True, slots=True)
class SamplingRange:
    """How many frames to read of the stretch from `start` to `end`, in seconds.

    `clip` is the length of the runs of neighbours; 0 chooses it by the number of frames.
    """

    frames: int
    start: float = 0.0
    end: float = math.inf
    clip: int = 0


def plan_sampling(seconds: Seconds, ranges: Sequence[SamplingRange]) -> list[Indices]:
    """The clips of all `ranges`, which must not overlap, in time order, as indices into `seconds`.

    Each is chosen as by `plan_clips` from the frames of its own stretch; a stretch without frames
    has no clips.
    """
    clips: list[Indices] = []
    for stretch in sorted(ranges, key=lambda stretch: stretch.start):
        first = int(np.searchsorted(seconds, stretch.start, side="left"))
        last = int(np.searchsorted(seconds, stretch.end, side="right"))
        if last > first:
            chosen = plan_clips(seconds[first:last], stretch.frames, clip=stretch.clip)
            clips += [clip + first for clip in chosen]
    return clips


def plan_clips(seconds: Seconds, frames: int, *, clip: int = 0) -> list[Indices]:
    """The clips to read, in time order, as indices into `seconds`.

    seconds  (N,)  when each frame is shown, ascending
    frames   how many to choose in all; all N if there are not more
    clip     length of a clip; 0: 5, or 10 for more than 40 frames
    returns  ceil(frames / length) clips; sizes differ by at most one, none overlap, and clip k is
             centred on (k + 0.5) / K of the duration as far as its neighbours allow

    Frames of one clip are neighbours, except above 50 frames per second: there every n-th is
    taken, n = round(fps / 30), so that a clip always spans about the same time.
    Raises ValueError if `frames` is below 1 or there is no frame to choose from.
    """
    if frames < 1 or len(seconds) == 0:
        raise ValueError(f"cannot choose {frames} of {len(seconds)} frames")
    chosen = min(frames, len(seconds))
    usual = LONG_CLIP if frames >= LONG_FROM else SHORT_CLIP
    count = math.ceil(chosen / (clip or usual))
    # Differences of rounded-down multiples: sizes differ by at most one, and sum to `chosen`.
    sizes = np.diff(np.arange(count + 1) * chosen // count)
    step = _step(seconds, chosen, count)
    spans = (sizes - 1) * step + 1
    centres = seconds[0] + (np.arange(count) + 0.5) / count * _duration(seconds)
    # By time and not by index, as frame rates may vary within a file.
    middles = np.searchsorted(seconds, centres, side="right") - 1

    clips: list[Indices] = []
    first_free, room_needed = 0, int(spans.sum())
    for middle, span in zip(middles, spans, strict=True):
        # Each clip leaves room for those after it, so the last ones fit as well.
        last_start = len(seconds) - room_needed
        start = int(np.clip(middle - span // 2, first_free, last_start))
        clips.append(np.arange(start, start + span, step))
        first_free, room_needed = start + int(span), room_needed - int(span)
    return clips


def _duration(seconds: Seconds) -> float:
    """The last frame counts as long as the average one."""
    if len(seconds) == 1:
        return 0.0
    return float(seconds[-1] - seconds[0]) * len(seconds) / (len(seconds) - 1)


def _step(seconds: Seconds, chosen: int, count: int) -> int:
    """How many frames a clip moves on at each picture; smaller when the video has no room."""
    duration = _duration(seconds)
    fps = len(seconds) / duration if duration > 0 else 0.0
    if fps <= FAST_FPS or chosen == count:
        return 1
    widest = (len(seconds) - count) // (chosen - count)
    return max(1, min(round(fps / USUAL_FPS), widest))
