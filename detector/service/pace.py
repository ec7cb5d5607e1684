"""An estimate of how long an analysis takes on this machine, from earlier ones."""

from __future__ import annotations

from collections import deque

KEPT = 16  # analyses; few, since the load of the machine changes


class Pace:
    """Seconds for one frame, by model."""

    def __init__(self) -> None:
        self._runs: dict[str, deque[tuple[float, int]]] = {}

    def add(self, model: str, seconds: float, frames: int) -> None:
        """An analysis of so many frames took so long."""
        if frames:
            self._runs.setdefault(model, deque(maxlen=KEPT)).append((seconds, frames))

    def seconds(self, model: str, frames: int) -> float | None:
        """What an analysis of so many frames will take; None before the first one."""
        runs = list(self._runs.get(model, ()))
        if not runs:
            return None
        # Total seconds over total frames: long analyses count by their length.
        return frames * sum(taken for taken, _ in runs) / sum(count for _, count in runs)
