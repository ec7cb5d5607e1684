"""Two answers side by side: what is equal, and how far apart their scores are."""

from __future__ import annotations

from dataclasses import dataclass

from detector.errors import VideoError
from detector.records import Report

Side = Report | VideoError
"""The answer to one of the two files: its report, or why there is none."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answers A and B, to two files or by two models; `names` are those of the files.

    `same_file`: equal to the last byte; None where one of the files could not be read. `difference`
    is B's `fake` less A's, in [-1, 1]; it and `same_verdict` are None unless both have a score,
    `intervals_overlap` unless both have an interval.
    """

    sides: tuple[Side, Side]
    names: tuple[str, str]
    same_file: bool | None
    same_model: bool | None
    same_verdict: bool | None
    difference: float | None
    intervals_overlap: bool | None

    @property
    def reports(self) -> tuple[Report, Report] | None:
        """Both reports; None where a file could not be read."""
        first, second = self.sides
        if isinstance(first, VideoError) or isinstance(second, VideoError):
            return None
        return first, second

    @property
    def seconds(self) -> float:
        """The length of the longer video, for a time axis that both share."""
        found = [side for side in self.sides if isinstance(side, Report)]
        return max((report.end for report in found), default=0.0)


def compare_answers(first: Side, second: Side, names: tuple[str, str]) -> Comparison:
    """Compare two answers; without two reports there is nothing to compare but their reasons."""
    if isinstance(first, VideoError) or isinstance(second, VideoError):
        return Comparison((first, second), names, None, None, None, None, None)
    difference = _difference(first, second)
    return Comparison(
        sides=(first, second),
        names=names,
        same_file=first.video.sha256 == second.video.sha256,
        same_model=first.model == second.model,
        same_verdict=None if difference is None else first.verdict == second.verdict,
        difference=difference,
        intervals_overlap=_overlap(first, second),
    )


def _difference(first: Report, second: Report) -> float | None:
    before, after = first.score, second.score
    return None if before is None or after is None else after - before


def _overlap(first: Report, second: Report) -> bool | None:
    if _difference(first, second) is None or first.interval is None or second.interval is None:
        return None
    (low, high), (other_low, other_high) = first.interval, second.interval
    return low <= other_high and other_low <= high
