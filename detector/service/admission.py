"""Admission: every request of every visitor passes here, on its way to a detector.

It keeps the queue, the visitors' allowances and the time limit, and counts what happens; it neither
reads a file nor makes a score. A refused visitor gets a `VideoError`, an answer like any other.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from detector.errors import CancelledError, VideoError
from detector.language import Message, lazy
from detector.progress import OnProgress, ShouldStop
from detector.records import Report, Status
from detector.requests import (
    Analyze,
    AnalyzeClips,
    Annotate,
    DetectorProtocol,
    DrawViews,
    ExplainFrame,
    Hooks,
    Inspect,
    Operations,
    Request,
    SaveFrame,
    TryWorseCopies,
)
from detector.service.event_log import note
from detector.service.identity import current_visitor, name_request
from detector.service.jobs import WAITING
from detector.service.metrics import Metrics
from detector.service.pace import Pace
from detector.service.queueing import Allowance, Queue
from detector.text.llm import Narrator, retell


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms visitors are served.

    `longest_queue` are those who may wait at once. `burst` analyses are free at once, then
    `per_minute`; uploads have an allowance of the same kind. `job_seconds` may an analysis take,
    and the drawing of its video as long again.
    """

    longest_queue: int = 16
    burst: int = 40  # two full batches
    per_minute: float = 6.0
    uploads_burst: int = 60
    uploads_per_minute: float = 20.0
    job_seconds: float = 600.0


# What a request is called in log and metrics, and whether it uses up some of the visitor's share:
# whoever has a report gets its drawings, and a camera's time is limited by its tab.
TURNS: dict[type[Any], tuple[str, bool]] = {
    Analyze: ("analysis", True),
    Inspect: ("inspection", False),
    AnalyzeClips: ("live", False),
    ExplainFrame: ("explanation", True),
    TryWorseCopies: ("worse copies", True),
    Annotate: ("drawing", False),
    DrawViews: ("drawing", False),
    SaveFrame: ("frame", False),
}


class Admission:
    """One for the whole service: the queue, and counts without names."""

    def __init__(self, terms: Terms | None = None) -> None:
        self.terms = terms or Terms()
        self.queue = Queue()
        self.jobs = Allowance(self.terms.burst, self.terms.per_minute)
        self.uploads = Allowance(self.terms.uploads_burst, self.terms.uploads_per_minute)
        self.metrics = Metrics(lambda: len(self.queue))
        self.pace = Pace()

    def turned_away(self, reason: str) -> None:
        """Count and log a refusal, here or by the `Guard`."""
        self.metrics.refused(reason)
        note("refused", reason=reason)

    def admit(self) -> None:
        """Raises VideoError if the queue is full, or the visitor's share is used up."""
        # Before the allowance is charged: who is refused for the queue has lost nothing.
        if len(self.queue) > self.terms.longest_queue:
            raise self._refusal(
                lazy(
                    "{count} people are waiting already, which is all that this machine can "
                    "serve in reasonable time.",
                    count=self.terms.longest_queue,
                ),
                Status.BUSY,
            )
        seconds = self.jobs.take(current_visitor())
        if seconds:
            raise self._refusal(
                lazy(
                    "You have asked for many analyses in a short time. "
                    "The next one is possible in {seconds} seconds.",
                    seconds=math.ceil(seconds),
                ),
                Status.QUOTA_USED,
            )

    @contextmanager
    def serving(
        self, what: str, on_progress: OnProgress | None, should_stop: ShouldStop | None
    ) -> Iterator[ShouldStop]:
        """Waits for the turn, then yields the function by which the work finds out that it must
        stop.

        That raises VideoError once the time is used up. Raises CancelledError if the visitor
        leaves the queue.
        """

        def waiting(place: int) -> None:
            if should_stop is not None and should_stop():
                raise CancelledError("The analysis was cancelled.")
            if on_progress is not None:
                on_progress(WAITING, 0, place)

        came = time.monotonic()
        # Logged if anything but the two errors below ends the work.
        status = "error"
        begun = None
        try:
            with self.queue.turn(waiting):
                begun = time.monotonic()
                yield self._until(begun + self.terms.job_seconds, should_stop)
                status = "ok"
        except VideoError as error:
            status = error.status.value
            raise
        except CancelledError:
            status = "cancelled"
            raise
        finally:
            now = time.monotonic()
            # Without a beginning all of the time was waiting.
            waited, worked = (begun or now) - came, now - (begun or now)
            self.metrics.ended(what, status, waited, worked)
            note(what, status=status, waited=round(waited, 3), worked=round(worked, 3))

    def _until(self, end: float, should_stop: ShouldStop | None) -> ShouldStop:
        def stop_or_raise() -> bool:
            if time.monotonic() > end:
                minutes = f"{self.terms.job_seconds / 60:g}"
                raise VideoError(
                    lazy(
                        "This took longer than the {minutes} minutes that one job may take here.",
                        minutes=minutes,
                    ),
                    Status.TIMED_OUT,
                )
            return should_stop is not None and should_stop()

        return stop_or_raise

    def _refusal(self, sentence: Message, status: Status) -> VideoError:
        self.turned_away(status.value)
        return VideoError(sentence, status)


class Served(Operations):
    """A detector behind the admission."""

    def __init__(self, detector: DetectorProtocol, admission: Admission) -> None:
        self.info, self.device, self.rules = detector.info, detector.device, detector.rules
        self.describe: Callable[[], dict[str, Any]] = detector.describe
        self.admission = admission
        self._detector = detector

    def run(self, request: Request, hooks: Hooks = Hooks()) -> Any:  # noqa: B008 - it is frozen
        """As `Detector.run`, in turn. Raises VideoError also if it may not, or not finish."""
        name, counted = TURNS[type(request)]
        name_request()
        if counted:
            self.admission.admit()
        with self.admission.serving(name, hooks.on_progress, hooks.should_stop) as stop:
            begun = time.monotonic()
            answer = self._detector.run(request, replace(hooks, should_stop=stop))
        if isinstance(request, Analyze):
            spent = time.monotonic() - begun
            self.admission.pace.add(self.info.id, spent, answer.frames_sampled)
            self.admission.metrics.answered(answer.status.value, answer.timing_ms)
        return answer

    def retell(self, report: Report, narrator: Narrator) -> Report:
        """As `retell`; it counts like an analysis but does not queue: no detector is used."""
        name_request()
        self.admission.admit()
        return retell(report, narrator)
