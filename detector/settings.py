"""How closely a video is looked at, and how the answer is explained."""

from __future__ import annotations

from dataclasses import dataclass

# Frames looked at, as this field is used to counting them.
PRESETS = {"quick": 10, "standard": 20, "thorough": 100}

MOST_TRACKS = 16  # video tracks of one file among which one can be chosen

HEAT_METHODS = (
    "grad_cam",
    "grad_cam_plus_plus",
    "hires_cam",
    "layer_cam",
    "eigen_cam",
    "score_cam",
)
"""How a heat map is made; the first is exact here, costs hardly anything, and is the default."""

HEAT_TARGETS = ("frame", "video")
"""What a heat map explains: why this frame, by the frame's own logit; or what this frame adds to
the video, by the video's logit."""


@dataclass(frozen=True, slots=True)
class FrameQuestion:
    """The judged frame of one person to be explained, the nearest to `second`, and how."""

    person: int
    second: float
    method: str = HEAT_METHODS[0]
    of: str = HEAT_TARGETS[0]


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for; the same settings on the same file give the same answer.

    `heat_method` and `heat_of` are one of `HEAT_METHODS` and `HEAT_TARGETS`. They change the heat
    maps and the regions, never a score. `track` is the number of the video track to judge, from 1;
    with 0 it is the file's default one.
    """

    frames: int = 20
    threshold: float | None = None
    max_faces: int = 8
    heat: bool = True
    heat_method: str = HEAT_METHODS[0]
    heat_of: str = HEAT_TARGETS[0]
    track: int = 0

    def __post_init__(self) -> None:
        if not 8 <= self.frames <= 300:
            raise ValueError(f"frames must lie between 8 and 300, got {self.frames}")
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
