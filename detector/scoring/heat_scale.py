"""The scale by which heat maps are drawn: one for the whole video, never one per frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.heat_methods import HEAT_METHODS
from detector.records import FaceScore, FloatArray, Moment
from detector.settings import Settings


def weigh_heat(heat: FloatArray, fake: float) -> FloatArray:
    """The raw map times a probability: a map that explains a low score is drawn faint."""
    return np.asarray(heat * fake, np.float32)


def heat_floor(settings: Settings, frames: int) -> float:
    """What a whole map must add to be drawn at full heat, in log-odds; 0.0 in other units.

    One unit, of a frame's own logit; of the video's, which `frames` share, as much less.
    """
    if not HEAT_METHODS[settings.heat_method].log_odds:
        return 0.0
    return 1.0 if settings.heat_of == "frame" else 1.0 / max(frames, 1)


def heat_scale(scores: Sequence[FaceScore | Moment], floor: float = 1.0) -> float:
    """The one number by which every weighted map of a video is divided when drawn.

    It is chosen so that the hottest spot of the video is drawn about as hot as the video's
    highest frame is fake: 0.9 in a fake, 0.1 in a video without a suspicious frame, whose maps a
    scale of their own would blow up to full contrast. One odd frame does not set it: it takes
    the 95th percentile of the frames' peaks. `floor`, spread over the whole map, keeps rounding
    noise dark (see `heat_floor`).

    scores   of all people of the video; 0.0 if none has a map
    """
    maps = [(score.heat, score.fake) for score in scores if score.heat is not None]
    if not maps:
        return 0.0
    # A percentile, since the maximum would follow one outlier among the frames. Our own rule; 95 is
    # set by hand, one frame in the default 20.
    peak = float(np.percentile([heat.max() for heat, _ in maps], 95))
    highest = max(fake for _, fake in maps)
    # `floor` is of a whole map, and all maps of a video have one size: so much is it per cell.
    least = floor / maps[0][0].size
    return max(peak / highest, least) if highest > 0 else max(least, 1.0)
