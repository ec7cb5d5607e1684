"""Long work in a thread of its own, so that a page can show its progress and cancel it."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeVar

from detector.language import mark
from detector.progress import SPANS, OnProgress, ShouldStop
from detector.records import Report

Result = TypeVar("Result")
# Between two steps: each one costs the server as much as a request, and the browser a repaint. The
# same step is yielded again, since a generator can only be closed when it yields.
NEW_SECONDS, QUIET_SECONDS = 0.25, 0.5
# The stage of a job whose turn has not come: 0 is done, and `total` is its place in the queue.
WAITING = mark("Waiting in line")
STARTING = mark("Starting")


@dataclass(frozen=True, slots=True)
class Step:
    """`done` of `total` frames in the stage called `stage`, and the seconds that the rest of
    the stage takes at the speed so far (None before the first frame). `so_far` is the answer as
    it stands, once there is one. `share` is how much of all stages is done, and never falls."""

    stage: str
    done: int
    total: int
    seconds_left: float | None = None
    so_far: Report | None = None
    share: float = 0.0

    @property
    def place(self) -> int | None:
        """How many are before us, the one being served included; None once it is our turn."""
        return self.total if self.stage == WAITING else None


class Pace:
    """Adds to progress how far all stages are, and how long the rest of the present one takes."""

    def __init__(self) -> None:
        self.stage = ""
        self.start = 0.0
        self.share = 0.0

    def step(self, stage: str, done: int, total: int) -> Step:
        if stage != self.stage:
            self.stage, self.start = stage, time.monotonic()
        # Linear: frames of a stage cost alike.
        left = (time.monotonic() - self.start) / done * (total - done) if done else None
        if stage != WAITING:
            begin, end = SPANS.get(stage, (0.0, 1.0))
            # A total may grow, and a stage be skipped or come again: the bar does not go back.
            self.share = max(self.share, begin + (end - begin) * done / max(total, 1))
        return Step(stage, done, total, left, share=self.share)


def run_job(
    work: Callable[[OnProgress, ShouldStop], Result], *, begins: str = STARTING
) -> Generator[Step | Result, None, None]:
    """Yield the steps of `work` while it runs, then what it returned; raise what it raised.
    The first step, before `work` reports any, is called `begins`.

    A new step is yielded within .35 seconds, an old one again after half a second, so that the
    generator can be closed promptly. Closing it - which is what Gradio does to a cancelled
    event - makes `should_stop` true, and waits until `work` has stopped.
    """
    stop = threading.Event()
    pace = Pace()
    latest = pace.step(begins, 0, 1)

    def note(stage: str, done: int, total: int) -> None:
        nonlocal latest
        latest = pace.step(stage, done, total)

    with ThreadPoolExecutor(1, "job") as pool:
        # In this context, which has the number of the request.
        future = pool.submit(contextvars.copy_context().run, work, note, stop.is_set)
        try:
            shown, yielded = None, -QUIET_SECONDS
            while not wait([future], timeout=0.1).done:
                between = QUIET_SECONDS if latest == shown else NEW_SECONDS
                if time.monotonic() - yielded >= between:
                    shown, yielded = latest, time.monotonic()
                    yield shown
            yield latest
            yield future.result()
        finally:
            # Leaving the pool's block waits for the thread.
            stop.set()
