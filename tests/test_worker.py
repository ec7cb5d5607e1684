"""The process of the networks: its messages reach the client, and it may crash."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from detector.errors import CancelledError, VideoError, WeightsError
from detector.records import Report, Status
from detector.service.worker import RemoteDetector, Worker
from detector.settings import Settings
from tests.standin import load_nothing, load_standin
from tests.tiny import load_tiny


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker(load_standin, grace=1.0)
    yield worker
    worker.close()


@pytest.fixture
def remote(worker: Worker) -> RemoteDetector:
    return worker.detectors()["stand-in"]


def wait_until(met: Callable[[], bool], *, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, f"not met within {seconds} s"
        time.sleep(0.02)


def test_the_work_is_done_in_another_process(worker: Worker, remote: RemoteDetector) -> None:
    assert remote.describe()["pid"] == worker.pid != os.getpid()


def test_report_and_progress_come_back(remote: RemoteDetector) -> None:
    steps: list[tuple[str, int, int]] = []
    report = remote.analyze("clip.mp4", on_progress=lambda *step: steps.append(step))
    assert report.video.name == "clip.mp4"
    assert steps == [("Analysing faces", 1, 2)]


def test_a_bad_file_is_the_same_error_as_in_one_process(
    worker: Worker, remote: RemoteDetector
) -> None:
    before = worker.pid
    with pytest.raises(VideoError, match="holds no pictures") as raised:
        remote.analyze("bad.mp4")
    assert raised.value.status is Status.NO_VIDEO
    assert worker.pid == before


def test_a_stopped_job_leaves_the_worker_as_it_was(worker: Worker, remote: RemoteDetector) -> None:
    before, start = worker.pid, time.monotonic()
    with pytest.raises(CancelledError):
        remote.analyze("slow.mp4", should_stop=lambda: time.monotonic() > start + 0.2)
    assert remote.analyze("next.mp4").video.name == "next.mp4"
    assert worker.pid == before


@pytest.mark.parametrize("name", ["crash.mp4", "bug.mp4"])
def test_when_the_worker_crashes_its_client_gets_an_error_and_the_next_is_served(
    worker: Worker, remote: RemoteDetector, name: str
) -> None:
    before = worker.pid
    with pytest.raises(VideoError, match="broke off") as raised:
        remote.analyze(name)
    assert raised.value.status is Status.INTERRUPTED
    assert remote.analyze("next.mp4").video.name == "next.mp4"
    assert worker.pid != before


def test_a_worker_killed_in_mid_job_is_an_error(worker: Worker, remote: RemoteDetector) -> None:
    caught: list[VideoError] = []

    def visit() -> None:
        with pytest.raises(VideoError) as raised:
            remote.analyze("slow.mp4", on_progress=lambda *_: begun.set())
        caught.append(raised.value)

    begun = threading.Event()
    visitor = threading.Thread(target=visit)
    visitor.start()
    assert begun.wait(20)
    os.kill(worker.pid, signal.SIGKILL)
    visitor.join(timeout=20)
    assert caught[0].status is Status.INTERRUPTED
    assert remote.analyze("next.mp4").video.name == "next.mp4"


def test_closing_in_mid_job_ends_the_job_and_starts_no_other_process() -> None:
    """One that is started then would keep the server from ending."""
    worker = Worker(load_standin, grace=1.0)
    remote = worker.detectors()["stand-in"]
    begun, caught = threading.Event(), []

    def visit() -> None:
        with pytest.raises(VideoError) as raised:
            remote.analyze("slow.mp4", on_progress=lambda *_: begun.set())
        caught.append(raised.value.status)

    visitor = threading.Thread(target=visit)
    visitor.start()
    assert begun.wait(20)
    worker.close()
    visitor.join(timeout=20)
    assert caught == [Status.INTERRUPTED]
    assert not alive(worker.pid)


def test_a_worker_that_crashed_while_idle_is_replaced_unnoticed(
    worker: Worker, remote: RemoteDetector
) -> None:
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: not worker.ready)
    assert remote.analyze("next.mp4").video.name == "next.mp4"
    assert worker.ready


def test_a_worker_that_ignores_termination_is_killed(
    worker: Worker, remote: RemoteDetector
) -> None:
    before, start = worker.pid, time.monotonic()
    with pytest.raises(CancelledError):
        remote.analyze("stuck.mp4", should_stop=lambda: time.monotonic() > start + 0.2)
    assert time.monotonic() - start < 10
    assert remote.analyze("next.mp4").video.name == "next.mp4"
    assert worker.pid != before


def test_the_worker_restarts_without_a_request(worker: Worker) -> None:
    with pytest.raises(VideoError):
        worker.detectors()["stand-in"].analyze("crash.mp4")
    wait_until(lambda: worker.ready)


def test_damaged_weights_are_reported_at_the_start() -> None:
    worker = Worker(load_nothing)
    with pytest.raises(WeightsError, match="Copy it again"):
        worker.detectors()
    worker.close()


def test_the_worker_ends_with_its_server() -> None:
    """Also with one that is killed, and can close nothing."""
    code = (
        "from detector.service.worker import Worker; from tests.standin import load_standin, time;"
        "worker = Worker(load_standin); worker.detectors(); print(worker.pid, flush=True);"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        server.kill()
    wait_until(lambda: not alive(pid))


def alive(pid: int) -> bool:
    """Whether it runs; one that ended and waits for its parent to notice does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_report_survives_the_pipe(report: Report) -> None:
    copy = pickle.loads(pickle.dumps(report))
    assert (copy.video, copy.fake, copy.timing_ms) == (report.video, report.fake, report.timing_ms)
    ours, theirs = report.people[0].moments[0].crop, copy.people[0].moments[0].crop
    np.testing.assert_array_equal(ours, theirs)


def test_the_server_loads_neither_torch_nor_weights() -> None:
    """They are large, and one process has them already."""
    code = "import sys, detector.ui.serve; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_real_network_scores_in_the_worker_as_in_process(
    weights: Path, talking: Path, report: Report, tmp_path: Path
) -> None:
    worker = Worker(partial(load_tiny, weights))
    remote = worker.detectors()["tiny"]
    answer = remote.analyze(talking, Settings(frames=10))
    assert answer.fake == pytest.approx(report.fake, abs=1e-4)
    assert remote.annotate(talking, answer, tmp_path / "out.mp4").stat().st_size > 0
    worker.close()
