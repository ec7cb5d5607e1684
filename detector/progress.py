"""Progress of long work, its cancellation, and the time that each stage took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from detector.errors import CancelledError
from detector.language import mark
from detector.records import Report

CHECKING = mark("Checking the file")
ANALYSING = mark("Analysing faces")
"""The stage of an analysis in which frames are counted."""
AGAIN = mark("Analysing more frames where the score is uncertain")
EXPLAINING = mark("Explaining")
DRAWING = mark("Drawing the video")
KEEPING = mark("Drawing the video to keep")
# The part of the whole that each stage is, as shares of one bar: an answer, then its pictures.
SPANS = {
    CHECKING: (0.0, 0.05),
    ANALYSING: (0.05, 0.65),
    AGAIN: (0.65, 0.95),
    EXPLAINING: (0.95, 1.0),
    DRAWING: (0.0, 0.5),
    KEEPING: (0.5, 1.0),
}

OnProgress = Callable[[str, int, int], None]
ShouldStop = Callable[[], bool]
OnPartial = Callable[[Report], None]
Item = TypeVar("Item")


class Progress:
    """Passes progress on, and ends the analysis once it is cancelled."""

    def __init__(self, on_progress: OnProgress | None, should_stop: ShouldStop | None) -> None:
        self.on_progress = on_progress
        self.should_stop = should_stop

    def check(self) -> None:
        """Raises CancelledError if the work was cancelled."""
        if self.should_stop is not None and self.should_stop():
            raise CancelledError("The analysis was cancelled.")

    def update(self, stage: str, done: int, total: int) -> None:
        self.check()
        if self.on_progress is not None:
            self.on_progress(stage, done, total)


class Stopwatch:
    """Milliseconds per stage."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        # Monotonic, and finer than the system's clock, which may be set meanwhile.
        start = time.perf_counter()
        try:
            yield
        finally:
            self.spent[stage] = self.spent.get(stage, 0.0) + (time.perf_counter() - start) * 1000

    def each(self, stage: str, items: Iterable[Item]) -> Iterator[Item]:
        """The items; the time spent on making them counts for `stage`."""
        iterator = iter(items)
        while True:
            with self(stage):
                item = next(iterator, None)
            if item is None:
                return
            yield item

    def add(self, milliseconds: Mapping[str, float]) -> None:
        """What another stopwatch measured, by stage."""
        for stage, spent in milliseconds.items():
            self.spent[stage] = self.spent.get(stage, 0.0) + spent

    def rounded(self) -> dict[str, float]:
        return {stage: round(spent, 1) for stage, spent in self.spent.items()}
