"""Who is served, and when: in order, within a share, for a bounded time."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import httpx
import pytest
from gradio_client import Client, handle_file

from detector.errors import CancelledError, VideoError
from detector.records import Status
from detector.requests import Request
from detector.service.admission import TURNS, Admission, Served, Terms
from detector.service.identity import visitor_of
from detector.service.jobs import WAITING, Step, run_job
from detector.service.queueing import Allowance, Queue
from detector.ui import html
from detector.ui.api import working
from detector.video import Limits
from tests.server import call_analysis, serving
from tests.standin import Standin


def wait_until(met: Callable[[], bool], *, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, f"not met within {seconds} s"
        time.sleep(0.01)


class Visit:
    """One visitor's analysis in a thread, with its progress."""

    def __init__(self, pool: ThreadPoolExecutor, served: Served, name: str) -> None:
        self.places: list[int] = []
        self.leave = threading.Event()
        self.result: Future[Any] = pool.submit(
            served.analyze, name, on_progress=self._note, should_stop=self.leave.is_set
        )

    def _note(self, stage: str, done: int, total: int) -> None:
        if stage == WAITING:
            self.places.append(total)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(20) as pool:
        yield pool


def test_queue_positions_are_reported_and_only_decrease(pool: ThreadPoolExecutor) -> None:
    standin, admission = Standin(), Admission()
    served = Served(standin, admission)
    first = Visit(pool, served, "slow.mp4")
    wait_until(lambda: len(admission.queue) == 1)
    others = []
    for k in range(3):
        others.append(Visit(pool, served, f"{k}.mp4"))
        wait_until(lambda k=k: len(admission.queue) == k + 2)
    wait_until(lambda: all(visit.places for visit in others))
    assert [visit.places[-1] for visit in others] == [1, 2, 3]
    first.leave.set()
    names = [visit.result.result(timeout=10).video.name for visit in others]
    assert standin.done == names == ["0.mp4", "1.mp4", "2.mp4"]
    for visit in others:
        assert visit.places == sorted(visit.places, reverse=True)


def test_only_one_is_served_at_a_time(pool: ThreadPoolExecutor) -> None:
    queue, inside, most = Queue(), 0, 0

    def visit() -> None:
        nonlocal inside, most
        with queue.turn(lambda place: None):
            inside += 1
            most = max(most, inside)
            time.sleep(0.005)
            inside -= 1

    for done in [pool.submit(visit) for _ in range(20)]:
        done.result(timeout=10)
    assert (most, len(queue)) == (1, 0)


def test_leaving_the_queue_moves_the_others_up(pool: ThreadPoolExecutor) -> None:
    admission = Admission()
    served = Served(Standin(), admission)
    first = Visit(pool, served, "slow.mp4")
    wait_until(lambda: len(admission.queue) == 1)
    leaves = Visit(pool, served, "a.mp4")
    wait_until(lambda: bool(leaves.places))
    stays = Visit(pool, served, "b.mp4")
    wait_until(lambda: stays.places[-1:] == [2])
    leaves.leave.set()
    with pytest.raises(CancelledError):
        leaves.result.result(timeout=10)
    wait_until(lambda: stays.places[-1:] == [1])
    first.leave.set()
    assert stays.result.result(timeout=10).video.name == "b.mp4"


def test_a_full_queue_refuses_at_once(pool: ThreadPoolExecutor) -> None:
    admission = Admission(Terms(longest_queue=2))
    served = Served(Standin(), admission)
    visits = [Visit(pool, served, "slow.mp4")]
    for k in (2, 3):
        visits.append(Visit(pool, served, "a.mp4"))
        wait_until(lambda k=k: len(admission.queue) == k)
    with pytest.raises(VideoError, match="2 people are waiting") as raised:
        served.analyze("late.mp4")
    assert raised.value.status is Status.BUSY
    for visit in visits:
        visit.leave.set()


def test_a_job_ends_with_its_time(pool: ThreadPoolExecutor) -> None:
    """The clock is read inside the loop, and waiting does not count."""
    served = Served(Standin(), Admission(Terms(job_seconds=0.3)))
    first = Visit(pool, served, "slow.mp4")
    wait_until(lambda: len(served.admission.queue) == 1)
    second = Visit(pool, served, "next.mp4")
    with pytest.raises(VideoError, match="minutes that one job may take") as raised:
        first.result.result(timeout=10)
    assert raised.value.status is Status.TIMED_OUT
    assert second.result.result(timeout=10).video.name == "next.mp4"


def test_the_video_of_a_finished_report_does_not_wait_in_the_queue(tmp_path: Path) -> None:
    served = Served(Standin(), Admission(Terms(burst=1)))
    report = served.analyze("a.mp4")
    with pytest.raises(VideoError):
        served.analyze("b.mp4")
    drawn = served.annotate(Path("a.mp4"), report, tmp_path / "out.mp4")
    assert drawn.read_bytes() == b"a.mp4"


# Shares


def test_a_bucket_empties_and_fills_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    allowance = Allowance(burst=2, per_minute=6)
    assert [allowance.take("ann"), allowance.take("ann")] == [0.0, 0.0]
    assert allowance.take("ann") == pytest.approx(10)
    assert allowance.take("bob") == 0.0, "one visitor's use is not another's"
    now += 10
    assert allowance.take("ann") == 0.0
    assert allowance.take("ann") == pytest.approx(10)


@pytest.mark.parametrize(
    ("address", "visitor"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_a_client_is_an_ipv4_address_or_an_ipv6_network(address: str, visitor: str) -> None:
    assert visitor_of({"type": "http", "client": (address, 1234)}) == visitor


def test_a_signed_in_user_is_identified_by_name() -> None:
    profile = {"oauth_info": {"userinfo": {"preferred_username": "ann"}}}
    scope = {"type": "http", "client": ("203.0.113.9", 1), "session": profile}
    assert visitor_of(scope) == "user ann"


def test_place_and_wait_are_shown_on_the_page_and_in_the_api() -> None:
    step = Step(WAITING, 0, 3)
    assert working(step) == {"status": "waiting", "place": 3}
    assert "You are number 3 in line" in html.working(step)
    assert "3 are before you" in html.working(step)
    assert "The one before you" in html.working(Step(WAITING, 0, 1))


# The same over the network

LIMITS = Limits(max_bytes=2**20)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        yield


def visitor(url: str, address: str) -> Client:
    """A client as a proxy on this machine would present it."""
    return Client(url, verbose=False, headers={"x-forwarded-for": address})


def upload_and_analyze(client: Client, folder: Path, name: str) -> dict[str, Any]:
    (folder / name).write_bytes(name.encode())
    answer = client.predict(video=handle_file(folder / name), api_name="/analyze_video")
    assert isinstance(answer, dict)
    return answer


def test_each_address_behind_the_proxy_has_its_own_share(cache: None, tmp_path: Path) -> None:
    with serving({"tiny": Standin()}, LIMITS, Terms(burst=2, per_minute=1)) as url:
        ann, bob = visitor(url, "203.0.113.1"), visitor(url, "203.0.113.2")
        assert [upload_and_analyze(ann, tmp_path, f"{k}.mp4")["status"] for k in range(3)] == [
            "ok", "ok", "quota_used",
        ]  # fmt: skip
        refused = upload_and_analyze(ann, tmp_path, "again.mp4")
        assert refused["p_fake"] is None
        assert "seconds" in refused["headline"]
        assert upload_and_analyze(bob, tmp_path, "mine.mp4")["status"] == "ok"


def test_a_client_cannot_claim_another_address(
    cache: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forwarded address is ignored unless a trusted proxy sends it."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "192.0.2.7")
    with serving({"tiny": Standin()}, LIMITS, Terms(burst=1, per_minute=1)) as url:
        assert upload_and_analyze(visitor(url, "203.0.113.1"), tmp_path, "a.mp4")["status"] == "ok"
        assert (
            upload_and_analyze(visitor(url, "203.0.113.2"), tmp_path, "b.mp4")["status"]
            == "quota_used"
        )


def test_signed_in_users_have_a_share_each(cache: None, tmp_path: Path) -> None:
    pairs = [("ann", "secret-a"), ("bob", "secret-b")]
    with serving({"tiny": Standin()}, LIMITS, Terms(burst=1, per_minute=1), auth=pairs) as url:
        ann, bob = (Client(url, verbose=False, auth=pair) for pair in pairs)
        assert upload_and_analyze(ann, tmp_path, "a.mp4")["status"] == "ok"
        assert upload_and_analyze(ann, tmp_path, "a.mp4")["status"] == "quota_used"
        assert upload_and_analyze(bob, tmp_path, "b.mp4")["status"] == "ok"


def test_uploads_have_a_share_too(cache: None) -> None:
    terms = Terms(uploads_burst=3, uploads_per_minute=1)
    with serving({"tiny": Standin()}, LIMITS, terms) as url:
        sent = [
            httpx.post(f"{url}gradio_api/upload", files={"files": ("a.mp4", b"a")})
            for _ in range(4)
        ]
    assert [answer.status_code for answer in sent] == [200, 200, 200, 429]
    assert int(sent[-1].headers["retry-after"]) > 30
    assert sent[-1].json()["detail"].startswith("You have sent many files")


def test_no_upload_fills_the_disk(cache: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"tiny": Standin()}, LIMITS) as url:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=LIMITS.max_bytes))
        answer = httpx.post(f"{url}gradio_api/upload", files={"files": ("a.mp4", b"a")})
    assert answer.status_code == 507
    assert answer.json()["detail"].startswith("This machine's disk is full")


def test_a_client_receives_its_queue_position(cache: None, tmp_path: Path) -> None:
    with serving({"tiny": Standin()}, LIMITS) as url:
        slow = (tmp_path / "slow.mp4", tmp_path / "b.mp4")
        for path in slow:
            path.write_bytes(path.name.encode())
        first, second = visitor(url, "203.0.113.1"), visitor(url, "203.0.113.2")
        blocking = first.submit(video=handle_file(slow[0]), api_name="/analyze_video")
        wait_until(lambda: len(blocking.outputs()) > 0)
        waiting = second.submit(video=handle_file(slow[1]), api_name="/analyze_video")
        wait_until(lambda: {"status": "waiting", "place": 1} in waiting.outputs())
        blocking.cancel()
        assert waiting.result(timeout=20)["status"] == "ok"


def test_a_disconnected_client_frees_the_worker(cache: None, tmp_path: Path) -> None:
    """No cancel is sent: the connection is simply gone."""
    with serving({"tiny": Standin()}, LIMITS) as url:
        address, event = call_analysis(url, "slow.mp4", b"slow")
        with httpx.stream("GET", f"{address}/{event}", timeout=20) as stream:
            assert "generating" in next(stream.iter_lines())
        assert (
            upload_and_analyze(visitor(url, "203.0.113.2"), tmp_path, "next.mp4")["status"] == "ok"
        )


def test_the_client_is_identified_in_the_thread_of_the_job() -> None:
    """`run_job` hands its context on; without it everyone would share one bucket."""
    from detector.service.event_log import request_id

    request_id.set("abc")
    *_, in_job = run_job(lambda *_: request_id.get())
    request_id.set("")
    assert in_job == "abc"


def test_every_request_has_a_name_and_a_price_on_the_way_in() -> None:
    """A new record in `detector.requests` fails here until it has a row."""
    assert set(TURNS) == set(get_args(Request))
