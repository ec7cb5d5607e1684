"""How closely a video is looked at."""

from __future__ import annotations

from dataclasses import dataclass

# Frames looked at, as this field is used to counting them.
PRESETS = {"quick": 10, "standard": 20, "thorough": 100}


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for; the same settings on the same file give the same answer."""

    frames: int = 20
    threshold: float | None = None
    max_faces: int = 8
    heat: bool = True

    def __post_init__(self) -> None:
        if not 8 <= self.frames <= 300:
            raise ValueError(f"frames must lie between 8 and 300, got {self.frames}")
        if self.threshold is not None and not 0.0 < self.threshold < 1.0:
            raise ValueError(f"threshold must lie between 0 and 1, got {self.threshold}")
        if not 1 <= self.max_faces <= 32:
            raise ValueError(f"max_faces must lie between 1 and 32, got {self.max_faces}")
