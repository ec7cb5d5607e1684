"""Long work can be watched and called off."""

from __future__ import annotations

import threading
import time

import pytest

from detector.progress import (
    AGAIN,
    ANALYSING,
    CHECKING,
    EXPLAINING,
    KEEPING,
    OnProgress,
    ShouldStop,
)
from detector.service.jobs import STARTING, Pace, Step, run_job


def test_steps_come_first_and_the_result_last() -> None:
    def work(on_progress: OnProgress, _: ShouldStop) -> str:
        on_progress("counting", 1, 2)
        on_progress("counting", 2, 2)
        return "counted"

    *steps, result = run_job(work)
    assert result == "counted"
    assert [step.done for step in steps if isinstance(step, Step)][-1] == 2


def test_what_the_work_raises_reaches_the_caller() -> None:
    def work(*_: object) -> str:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(run_job(work))


def test_closing_stops_the_work_and_waits_for_it() -> None:
    stopped = threading.Event()

    def work(_: OnProgress, should_stop: ShouldStop) -> None:
        while not should_stop():
            time.sleep(0.01)
        stopped.set()

    job = run_job(work)
    next(job)
    job.close()
    assert stopped.is_set()


def test_work_without_progress_can_be_closed_soon() -> None:
    """The generator yields also without progress, since it is only closed at a yield."""

    def work(_: OnProgress, should_stop: ShouldStop) -> None:
        while not should_stop():
            time.sleep(0.01)

    job = run_job(work)
    start = time.monotonic()
    for _ in range(3):
        next(job)
    job.close()
    assert time.monotonic() - start < 2


def test_the_time_left_follows_from_the_speed_so_far() -> None:
    def work(on_progress: OnProgress, _: ShouldStop) -> None:
        on_progress("stage", 0, 4)
        time.sleep(0.2)
        on_progress("stage", 2, 4)

    steps = [step for step in run_job(work) if isinstance(step, Step) and step.done == 2]
    assert steps[0].seconds_left == pytest.approx(0.2, rel=0.5)


def shares(*triples: tuple[str, int, int]) -> list[float]:
    """How far the bar is after each piece of progress."""
    pace = Pace()
    return [pace.step(*step).share for step in triples]


def test_the_bar_never_goes_back_whatever_the_stages_and_totals_do() -> None:
    bar = shares(
        (STARTING, 0, 1),
        (CHECKING, 0, 1),
        (ANALYSING, 0, 20),
        (ANALYSING, 20, 20),
        (AGAIN, 0, 10),
        (AGAIN, 10, 10),
        (AGAIN, 10, 40),
        (AGAIN, 40, 40),
        (EXPLAINING, 0, 1),
    )
    assert bar == sorted(bar)
    assert bar[0] == 0
    assert 0.9 < bar[-1] < 1


def test_without_a_second_pass_progress_runs_to_the_end() -> None:
    bar = shares((CHECKING, 0, 1), (ANALYSING, 20, 20), (EXPLAINING, 0, 1))
    assert bar == sorted(set(bar))


def test_a_stage_of_its_own_fills_the_whole_bar() -> None:
    assert shares(("counting", 1, 4), ("counting", 4, 4)) == [0.25, 1.0]


def test_a_job_begins_with_the_stage_that_comes() -> None:
    def work(*_: object) -> None:
        time.sleep(0.3)

    *steps, _ = run_job(work, begins=KEEPING)
    assert {(step.stage, step.share) for step in steps if isinstance(step, Step)} == {
        (KEEPING, 0.5)
    }
