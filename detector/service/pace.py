"""An estimate of how long an analysis takes on this machine, from earlier ones."""

from __future__ import annotations

from collections import deque

REMEMBERED = 16  # analyses; few, since the load of the machine changes


class Pace:
    """Seconds for one frame, by model."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[tuple[float, int]]] = {}

    def add(self, model: str, seconds: float, frames: int) -> None:
        """An analysis of so many frames took so long."""
        if frames:
            self._seen.setdefault(model, deque(maxlen=REMEMBERED)).append((seconds, frames))

    def seconds(self, model: str, frames: int) -> float | None:
        """What an analysis of so many frames will take; None before the first one."""
        seen = list(self._seen.get(model, ()))
        if not seen:
            return None
        # Total seconds over total frames: long analyses count by their length.
        return frames * sum(taken for taken, _ in seen) / sum(count for _, count in seen)
