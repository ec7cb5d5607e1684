"""Long work in a thread of its own, so that a page can watch it and call it off."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Step:
    """`done` of `total` frames in the stage called `stage`, and the seconds that the rest of
    the stage takes at the speed so far (None before the first frame)."""

    stage: str
    done: int
    total: int
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class Done(Generic[Result]):
    result: Result


class Pace:
    """Turns bare progress into steps that know how long the rest of their stage takes."""

    def __init__(self) -> None:
        self.stage = ""
        self.start = 0.0

    def step(self, stage: str, done: int, total: int) -> Step:
        if stage != self.stage:
            self.stage, self.start = stage, time.monotonic()
        left = (time.monotonic() - self.start) / done * (total - done) if done else None
        return Step(stage, done, total, left)


OnProgress = Callable[[str, int, int], None]
ShouldStop = Callable[[], bool]


def run_job(work: Callable[[OnProgress, ShouldStop], Result]) -> Iterator[Step | Done[Result]]:
    """Yield the steps of `work` while it runs, then what it returned; raise what it raised.

    The last step is repeated a few times a second while nothing is new, so that the generator
    can be closed promptly. Closing it - which is what Gradio does to a cancelled event - tells
    `work` to stop, and waits until it has: no worker runs on behind the visitor's back.
    """
    news: queue.SimpleQueue[Step | Done[Result] | BaseException] = queue.SimpleQueue()
    stop = threading.Event()

    pace = Pace()

    def body() -> None:
        try:
            outcome = work(lambda *step: news.put(pace.step(*step)), stop.is_set)
        except BaseException as error:  # noqa: BLE001  (handed to the waiting thread, not hidden)
            news.put(error)
        else:
            news.put(Done(outcome))

    worker = threading.Thread(target=body, name="job", daemon=True)
    worker.start()
    last = Step("starting", 0, 1)
    try:
        while True:
            try:
                item = news.get(timeout=0.25)
            except queue.Empty:
                item = last
            if isinstance(item, BaseException):
                raise item
            yield item
            if isinstance(item, Done):
                return
            last = item
    finally:
        stop.set()
        worker.join()
