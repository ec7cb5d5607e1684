"""How densely a video is sampled, and how the answer is explained."""

from __future__ import annotations

import math
from dataclasses import dataclass

from detector.heat_methods import DEFAULT_METHOD
from detector.heat_methods import HEAT_METHODS as HEAT_METHODS

MOST_TRACKS = 16  # video tracks of one file among which one can be chosen; bounds a file's facts


@dataclass(frozen=True, slots=True)
class Preset:
    """Density of sampling: five neighbouring frames for every so many seconds of the video, at
    least and at most so many frames. The most bounds the time that a long video takes."""

    every: float
    least: int
    most: int


# The densities and their rates of detection are measured in README.md, "How much of a video is
# analysed".
PRESETS = {
    "quick": Preset(every=5.0, least=10, most=60),
    "standard": Preset(every=2.5, least=20, most=240),
    "thorough": Preset(every=1.0, least=100, most=600),
}

# As many as the densest preset takes.
MOST_FRAMES = 600

HEAT_TARGETS = ("frame", "video")
"""What a heat map explains: why this frame, by the frame's own logit; or what this frame adds to
the video, by the video's logit."""


@dataclass(frozen=True, slots=True)
class FrameQuestion:
    """The scored frame of one person to be explained, the nearest to `second`, and how."""

    person: int
    second: float
    method: str = DEFAULT_METHOD
    of: str = HEAT_TARGETS[0]


@dataclass(frozen=True, slots=True)
class Settings:
    """What was requested; the same settings on the same file give the same answer.

    `frames` is how many frames are analysed; with 0 the length of the video decides, by `preset`,
    and a second round samples where the first one left doubts. `heat_method` and `heat_of`
    are one of `HEAT_METHODS` and `HEAT_TARGETS`. They change the heat maps and the regions, never
    a score. `track` is the number of the video track to analyse, from 1; with 0 it is the file's
    default one. `start` and `end` are seconds: only what is between them is analysed; `end` None
    is the end of the video.
    """

    frames: int = 0
    preset: str = "standard"
    threshold: float | None = None
    max_faces: int = 8
    heat: bool = True
    heat_method: str = DEFAULT_METHOD
    heat_of: str = HEAT_TARGETS[0]
    track: int = 0
    start: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        self._check_part()
        if self.frames and not 8 <= self.frames <= MOST_FRAMES:
            raise ValueError(
                f"frames must lie between 8 and {MOST_FRAMES}, or be 0, got {self.frames}"
            )
        if self.preset not in PRESETS:
            raise ValueError(f"preset is one of {', '.join(PRESETS)}, got {self.preset!r}")
        if self.threshold is not None and not 0.0 < self.threshold < 1.0:
            raise ValueError(f"threshold must lie between 0 and 1, got {self.threshold}")
        if not 1 <= self.max_faces <= 32:
            raise ValueError(f"max_faces must lie between 1 and 32, got {self.max_faces}")
        if not 0 <= self.track <= MOST_TRACKS:
            raise ValueError(f"track must lie between 0 and {MOST_TRACKS}, got {self.track}")
        if self.heat_method not in HEAT_METHODS:
            known = ", ".join(HEAT_METHODS)
            raise ValueError(f"heat_method is one of {known}, got {self.heat_method!r}")
        if self.heat_of not in HEAT_TARGETS:
            raise ValueError(f"heat_of is {' or '.join(HEAT_TARGETS)}, got {self.heat_of!r}")

    def _check_part(self) -> None:
        if not 0.0 <= self.start < math.inf:
            raise ValueError(f"start must be 0 or more seconds, got {self.start}")
        if self.end is not None and not self.start < self.end:
            raise ValueError(f"end must lie after start ({self.start} s), got {self.end}")
