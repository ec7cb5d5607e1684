"""Every state without a score has a sentence and a next step: in the page, and by the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import Browser, Page, expect

from detector import Detector
from detector.records import Status
from detector.service.admission import Terms
from detector.text.messages import STATUS
from detector.video import Limits
from tests.clips import moving_portrait, plain, write_clip
from tests.server import serving
from tests.standin import Standin
from tests.test_page import browser, pytestmark, visit
from tests.test_worker import wait_until
from tests.visits import upload

__all__ = ["browser", "pytestmark"]

LIMITS = Limits(max_pixels=640 * 480, max_seconds=20)


@pytest.fixture(scope="module")
def url(detector: Detector, cache: Path) -> Iterator[str]:
    with serving({"tiny": Detector(detector.loaded, "cpu", LIMITS)}, LIMITS) as address:
        yield address


def analyze(address: str, path: Path) -> dict[str, Any]:
    client = Client(address, verbose=False)
    answer = client.predict(video=handle_file(path), n_frames=8, api_name="/analyze_video")
    assert isinstance(answer, dict)
    return answer


def analyse(page: Page, path: Path) -> None:
    with page.expect_response("**/upload*"):
        page.set_input_files("#upload input[type=file]", path)
    page.click("#analyse")


def expect_status(
    browser: Browser, address: str, path: Path, status: Status, sentence: str
) -> None:
    """By the API, then in the page: what is wrong, what to do, and no number."""
    answer = analyze(address, path)
    assert (answer["status"], answer["p_fake"]) == (status.value, None)
    assert sentence in answer["headline"]
    assert str(STATUS[status]) in [item["text"] for item in answer["explanation"]]
    page = visit(browser, address)
    analyse(page, path)
    verdict = page.locator("#verdict .answer")
    expect(verdict.locator("h1")).to_contain_text(sentence, timeout=30_000)
    expect(verdict).to_contain_text(str(STATUS[status]))
    expect(verdict.locator(".ruler")).to_have_count(0)
    expect(page.locator("#analyse")).to_be_enabled(timeout=20_000)
    page.close()


def no_face(path: Path) -> Path:
    return write_clip(path, plain(12))


def too_short(path: Path) -> Path:
    return write_clip(path, moving_portrait(3))


def unreadable(path: Path) -> Path:
    path.write_text("this is no video")
    return path


def too_large(path: Path) -> Path:
    return write_clip(path, plain(4, size=(800, 600)))


def too_long(path: Path) -> Path:
    return write_clip(path, plain(30), fps=1)


@pytest.mark.parametrize(
    ("make", "status", "sentence"),
    [
        (no_face, Status.NO_FACE, "no face was found in this video"),
        (too_short, Status.TOO_SHORT, "this video is too short for a score"),
        (unreadable, Status.UNREADABLE, "clip.mp4 is not a video"),
        (too_large, Status.TOO_LARGE, "at most 0.3 million pixels are accepted"),
        (too_long, Status.TOO_LONG, "at most 0 minutes are accepted"),
    ],
)
def test_an_unusable_file_is_reported_with_reason_and_next_step(
    browser: Browser,
    url: str,
    tmp_path: Path,
    make: Callable[[Path], Path],
    status: Status,
    sentence: str,
) -> None:
    expect_status(browser, url, make(tmp_path / "clip.mp4"), status, sentence)


def test_without_weights_faces_are_found_and_nothing_is_scored(
    browser: Browser, cache: Path, talking: Path
) -> None:
    with serving({"untrained": Detector(None, "cpu")}, Limits()) as address:
        expect_status(
            browser, address, talking, Status.UNTRAINED, "the model has no trained weights"
        )
        page = visit(browser, address)
        expect(page.locator("#masthead .warn")).to_contain_text("No trained weights")
        page.get_by_role("tab", name="Model").click()
        expect(page.locator(".model").first).to_contain_text("Install the released weights")
        page.close()


@contextmanager
def occupied(address: str, folder: Path) -> Iterator[None]:
    """Another client's file is being analysed, and would be for long."""
    (folder / "slow.mp4").write_bytes(b"slow")
    client = Client(address, verbose=False, headers={"x-forwarded-for": "203.0.113.1"})
    job = client.submit(video=handle_file(folder / "slow.mp4"), api_name="/analyze_video")
    wait_until(lambda: len(job.outputs()) > 0)
    try:
        yield
    finally:
        job.cancel()


def test_a_full_queue_shows_when_to_try_again(
    browser: Browser, cache: Path, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "mine.mp4", plain(2))
    with (
        serving({"stand-in": Standin()}, Limits(), Terms(longest_queue=0)) as address,
        occupied(address, tmp_path),
    ):
        expect_status(browser, address, clip, Status.BUSY, "people are waiting already")


def test_a_used_up_quota_shows_the_waiting_time(
    browser: Browser, cache: Path, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "mine.mp4", plain(2))
    terms = Terms(burst=1, per_minute=0.1)
    with serving({"stand-in": Standin()}, Limits(), terms) as address:
        assert analyze(address, clip)["status"] == "ok"
        expect_status(browser, address, clip, Status.QUOTA_USED, "The next one is possible in")


def test_a_file_over_the_size_limit_is_refused_before_it_is_sent(
    browser: Browser, cache: Path, detector: Detector, tmp_path: Path
) -> None:
    """In the browser; the guard behind it, for all others, is tested in test_guard."""
    (tmp_path / "big.mp4").write_bytes(bytes(3 * 2**20))
    with serving({"tiny": detector}, Limits(max_bytes=2 * 2**20)) as address:
        page = visit(browser, address)
        page.set_input_files("#upload input[type=file]", tmp_path / "big.mp4")
        message = page.locator("#too-large")
        expect(message).to_have_text(
            "big.mp4 has 3 MB; at most 2 MB are accepted. "
            "Cut out the part that matters, or save it smaller."
        )
        upload(page, write_clip(tmp_path / "small.mp4", plain(2)))
        expect(message).to_be_hidden()
        page.close()
