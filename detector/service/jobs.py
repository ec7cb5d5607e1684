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
from detector.progress import OnProgress, ShouldStop
from detector.records import Report

Result = TypeVar("Result")
# A new step is yielded at once, an old one again after so long: each one costs the server as much
# as a request, and a generator can only be closed when it yields.
QUIET_SECONDS = 0.5
# The stage of a job whose turn has not come: 0 is done, and `total` is its place in line.
WAITING = mark("Waiting in line")
STARTING = mark("Starting")


@dataclass(frozen=True, slots=True)
class Step:
    """`done` of `total` frames in the stage called `stage`, and the seconds that the rest of
    the stage takes at the speed so far (None before the first frame). `so_far` is the answer as
    it stands, once there is one."""

    stage: str
    done: int
    total: int
    seconds_left: float | None = None
    so_far: Report | None = None

    @property
    def place(self) -> int | None:
        """How many are before us, the one being served included; None once it is our turn."""
        return self.total if self.stage == WAITING else None


class Pace:
    """Adds to progress an estimate of how long the rest of its stage takes."""

    def __init__(self) -> None:
        self.stage = ""
        self.start = 0.0

    def step(self, stage: str, done: int, total: int) -> Step:
        if stage != self.stage:
            self.stage, self.start = stage, time.monotonic()
        # Linear: frames of a stage cost alike.
        left = (time.monotonic() - self.start) / done * (total - done) if done else None
        return Step(stage, done, total, left)


def run_job(
    work: Callable[[OnProgress, ShouldStop], Result],
) -> Generator[Step | Result, None, None]:
    """Yield the steps of `work` while it runs, then what it returned; raise what it raised.

    A new step is yielded within a tenth of a second, an old one again after half a second, so
    that the generator can be closed promptly. Closing it - which is what Gradio does to a cancelled
    event - makes `should_stop` true, and waits until `work` has stopped.
    """
    stop = threading.Event()
    pace = Pace()
    latest = Step(STARTING, 0, 1)

    def note(stage: str, done: int, total: int) -> None:
        nonlocal latest
        latest = pace.step(stage, done, total)

    with ThreadPoolExecutor(1, "job") as pool:
        # In this context, which has the number of the request.
        future = pool.submit(contextvars.copy_context().run, work, note, stop.is_set)
        try:
            shown, quiet_until = None, 0.0
            while not wait([future], timeout=0.1).done:
                if latest != shown or time.monotonic() > quiet_until:
                    shown, quiet_until = latest, time.monotonic() + QUIET_SECONDS
                    yield shown
            yield latest
            yield future.result()
        finally:
            # Leaving the pool's block waits for the thread.
            stop.set()
