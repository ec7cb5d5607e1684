"""The scales of every chart: where values fall on its drawing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plot:
    """Linear scales in user units: across from `start` to `end`, up from `floor` to 1.

    Values outside are drawn at the edge.
    """

    left: int
    right: int
    top: int
    bottom: int
    end: float = 1.0
    start: float = 0.0
    floor: float = 0.0

    @property
    def high(self) -> int:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2

    def x(self, value: float) -> float:
        shown = min(max(value, self.start), self.end)
        share = (shown - self.start) / (self.end - self.start)
        return self.left + (self.right - self.left) * share

    def y(self, value: float) -> float:
        shown = min(max(value, self.floor), 1.0)
        return self.bottom - self.high * ((shown - self.floor) / (1 - self.floor))

    def line(self, points: Iterable[tuple[float, float]]) -> str:
        """The points of a polyline, as SVG writes them."""
        return " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
