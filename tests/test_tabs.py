"""The tabs beside the first one, in a real browser; one server for all of them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import Browser, Locator, Page, expect

from detector import Detector
from detector.records import Report
from detector.render.document import to_json
from detector.requests import Analyze, AnalyzeClips, Hooks, Request
from detector.video import Limits
from detector.video.live import PAUSE_SECONDS
from tests.clips import moving_portrait, plain, write_clip
from tests.server import serving
from tests.test_page import FLAGS, browser, pytestmark, visit
from tests.visits import CHROMIUM, LONG, upload

__all__ = ["browser", "pytestmark"]


class Stumbling(Detector):
    """A detector with a mistake in it, which shows for one file."""

    def run(self, request: Request, hooks: Hooks = Hooks()) -> Any:  # noqa: B008
        if isinstance(request, Analyze) and request.path.name == "stumble.mp4":
            raise RuntimeError("a mistake of ours")
        return super().run(request, hooks)


@pytest.fixture(scope="module")
def url(detector: Detector, cache: Path) -> Iterator[str]:
    with serving({"tiny": Stumbling(detector.loaded, "cpu")}, Limits()) as address:
        yield address


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    page = visit(browser, url)
    yield page
    page.close()


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def give(page: Page, place: str, *paths: Path) -> None:
    page.set_input_files(f"{place} input[type=file]", list(paths))
    for path in paths:
        expect(page.locator(place)).to_contain_text(path.stem, timeout=20_000)


def test_a_batch_reports_every_file_whatever_happens_to_one(
    page: Page, talking: Path, tmp_path: Path
) -> None:
    bad, stumble = tmp_path / "bad.mp4", tmp_path / "stumble.mp4"
    bad.write_text("this is no video")
    stumble.write_bytes(talking.read_bytes())
    last = write_clip(tmp_path / "none.mp4", plain(12))
    open_tab(page, "Several files")
    give(page, "#batch-given", bad, stumble, talking, last)
    page.click("#batch-start")
    queue = page.locator("#batch-queue")
    expect(queue).to_contain_text("4 of 4 files answered", timeout=LONG)
    for text in ("not a video", "Something went wrong here", "no face was found"):
        expect(queue).to_contain_text(text)
    with page.expect_download() as download:
        page.locator("#batch-files tr.file", has_text="json").locator("a").first.click()
    answers = json.loads(Path(download.value.path()).read_text())
    assert [answer["status"] for answer in answers] == ["unreadable", "unreadable", "ok", "no_face"]
    open_tab(page, "History")
    expect(page.locator("#history-shown")).to_contain_text("Choose a result above")
    page.locator("#history").get_by_text("4 files: bad.mp4").click()
    expect(page.locator("#history-files")).to_contain_text("results", timeout=10_000)
    open_tab(page, "Several files")
    page.locator("#batch-given").get_by_label("Clear").first.click()
    expect(page.locator("#batch-table")).to_be_hidden(timeout=10_000)
    expect(queue).to_contain_text("Several files, one after the other")


@pytest.mark.parametrize(
    ("tab", "places", "start", "shown"),
    [
        ("Several files", ["#batch-given"], "#batch-start", "#batch-queue"),
        ("Compare", ["#compare-a", "#compare-b"], "#compare-start", "#comparison"),
    ],
)
def test_on_a_phone_the_start_leads_to_the_progress(
    page: Page, talking: Path, tab: str, places: list[str], start: str, shown: str
) -> None:
    open_tab(page, tab)
    page.set_viewport_size({"width": 390, "height": 700})
    for place in places:
        give(page, place, talking)
    expect(page.locator(shown)).not_to_be_in_viewport(ratio=0.5)
    page.click(start)
    expect(page.locator(shown)).to_be_in_viewport(ratio=0.5, timeout=10_000)


def test_the_table_of_a_batch_is_sorted_by_its_heads(
    page: Page, talking: Path, tmp_path: Path
) -> None:
    faceless = write_clip(tmp_path / "a_none.mp4", plain(12))
    open_tab(page, "Several files")
    give(page, "#batch-given", talking, faceless)
    page.click("#batch-start")
    first = page.locator("#batch-table [role=gridcell]").first
    expect(first).to_contain_text("talking", timeout=30_000)
    expect(page.locator("#batch-files")).to_be_visible(timeout=30_000)
    page.locator("#batch-table").get_by_role("columnheader").first.hover()
    page.locator("#batch-table").get_by_label("Open cell menu").first.click()
    page.get_by_text("Sort ascending").click()
    expect(first).to_contain_text("a_none", timeout=10_000)


def test_cancelling_a_batch_keeps_what_is_done(page: Page, talking: Path, tmp_path: Path) -> None:
    long = write_clip(tmp_path / "long.mp4", moving_portrait(250, size=(960, 720)))
    open_tab(page, "Several files")
    give(page, "#batch-given", talking, long)
    page.locator("#batch-frames").get_by_text("Thorough").click()
    page.click("#batch-start")
    queue = page.locator("#batch-queue")
    expect(queue).to_contain_text("1 of 2 files answered", timeout=LONG)
    page.click("#batch-cancel")
    expect(queue).to_contain_text("This file was left out", timeout=15_000)
    expect(page.locator("#batch-files")).to_contain_text("results")


def test_a_tampered_report_is_shown_in_the_page(
    page: Page, report: Report, talking: Path, tmp_path: Path
) -> None:
    document = to_json(report)
    unaltered, tampered = tmp_path / "unaltered.json", tmp_path / "tampered.json"
    unaltered.write_text(json.dumps(document))
    tampered.write_text(json.dumps(document | {"headline": "Certified <b>genuine</b>."}))
    open_tab(page, "Verify")
    answer = page.locator("#verification")
    give(page, "#verify-report", unaltered)
    give(page, "#verify-video", talking)
    page.click("#verify-start")
    expect(answer).to_contain_text("Everything in this report is correct", timeout=30_000)
    page.locator("#verify-report").get_by_label("Clear").click()
    expect(answer).to_contain_text("Is this report correct?", timeout=10_000)
    give(page, "#verify-report", tampered)
    page.click("#verify-start")
    expect(answer).to_contain_text("This report is not correct", timeout=30_000)
    expect(answer.get_by_text("Certified <b>genuine</b>.")).to_be_visible()


def test_a_file_that_is_no_report_is_refused_with_a_next_step(
    page: Page, talking: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.json").write_text('{"hello": "world"}')
    open_tab(page, "Verify")
    give(page, "#verify-report", tmp_path / "other.json")
    give(page, "#verify-video", talking)
    page.click("#verify-start")
    answer = page.locator("#verification")
    expect(answer).to_contain_text("no report of this detector", timeout=20_000)
    expect(answer).to_contain_text("Choose the JSON report")


def analyse(page: Page, path: Path) -> None:
    upload(page, path)
    page.click("#analyse")
    expect(page.locator("#verdict .answer")).to_be_visible(timeout=LONG)
    expect(page.locator("#analyse")).to_be_enabled(timeout=30_000)


def on_disk(stem: str) -> list[Path]:
    """Files of this name in the service's folders, which may be deleted meanwhile."""
    walk = os.walk(os.environ["GRADIO_TEMP_DIR"])
    return [Path(folder, name) for folder, _, names in walk for name in names if stem in name]


def test_a_past_result_is_shown_again_and_deleted_for_good(
    page: Page, talking: Path, tmp_path: Path
) -> None:
    clip = tmp_path / "own-clip.mp4"
    clip.write_bytes(talking.read_bytes() + b"mine")  # a hash of its own
    analyse(page, clip)
    open_tab(page, "History")
    page.locator("#history").get_by_text("own-clip.mp4").click()
    past = page.frame_locator("#history-shown iframe")
    expect(past.get_by_role("heading", name="People")).to_be_visible(timeout=10_000)
    assert len(on_disk("own-clip")) >= 5
    page.click("#delete-files")
    page.click("#delete-sure")
    expect(page.locator("#history-shown")).to_contain_text("files were deleted", timeout=10_000)
    assert on_disk("own-clip") == []
    page.wait_for_timeout(800)  # the emptied list had the last word
    expect(page.locator("#history-shown")).to_contain_text("files were deleted")
    expect(page.locator("#history")).not_to_contain_text("own-clip")
    open_tab(page, "Check")
    expect(page.locator("#answer")).to_be_hidden()
    expect(page.locator("#verdict")).to_contain_text("What it does with your video")
    analyse(page, talking)
    expect(page.locator("#answer")).to_be_visible()


def test_deleting_ones_files_leaves_the_examples_to_others(
    page: Page, browser: Browser, url: str
) -> None:
    page.get_by_role("button", name="No face").click()
    expect(page.locator("#verdict")).to_contain_text("no face was found", timeout=40_000)
    open_tab(page, "History")
    page.click("#delete-files")
    page.click("#delete-sure")
    expect(page.locator("#history-shown")).to_contain_text("deleted", timeout=10_000)
    other = visit(browser, url)
    other.get_by_role("button", name="No face").click()
    expect(other.locator("#verdict")).to_contain_text("no face was found", timeout=40_000)
    other.close()


def test_leaving_the_page_deletes_what_was_sent(browser: Browser, url: str, talking: Path) -> None:
    clip = talking.with_name("left behind.mp4")
    clip.write_bytes(talking.read_bytes() + b"left")
    page = visit(browser, url)
    upload(page, clip)
    page.wait_for_timeout(500)
    assert on_disk("left behind")
    page.close()
    end = time.monotonic() + 30
    while on_disk("left behind"):
        assert time.monotonic() < end, "still there"
        time.sleep(0.2)


def test_the_model_tab_shows_the_values_of_the_card(page: Page, detector: Detector) -> None:
    open_tab(page, "Model")
    expect(page.get_by_text(detector.info.sha256)).to_be_visible()


def test_help_shows_the_address_of_this_very_page(page: Page, url: str) -> None:
    open_tab(page, "Help / API")
    expect(page.locator("#snippet-analyze-sh")).to_contain_text(
        url.removesuffix("/"), timeout=10_000
    )


@pytest.fixture
def camera(browser: Browser, tmp_path: Path) -> Iterator[Browser]:
    """A browser whose camera shows a drifting face."""
    film = write_clip(
        tmp_path / "camera.mjpeg",
        moving_portrait(50, size=(640, 480), face=420),
        codec="mjpeg",
        pixel_format="yuvj420p",
    )
    fake = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]
    chromium = browser.browser_type.launch(executable_path=CHROMIUM, args=[*FLAGS, *fake])
    yield chromium
    chromium.close()


def turn_on(page: Page) -> Locator:
    """Start the camera; returns where its answers are shown."""
    open_tab(page, "Live")
    page.get_by_text("Click to Access Webcam").click()
    page.locator("#camera").get_by_text("Record").click()
    return page.locator("#live")


def test_a_camera_ends_with_its_time_and_can_be_started_again(
    camera: Browser, detector: Detector, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.ui.tabs.live.TIME_LIMIT", 4)
    with serving({"tiny": detector}, Limits()) as address:
        page = visit(camera, address)
        live = turn_on(page)
        expect(live).to_contain_text("The 4 seconds are over", timeout=20_000)
        expect(page.locator("#camera").get_by_text("Record")).to_be_visible(timeout=10_000)
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url))
        page.wait_for_timeout(1000 * PAUSE_SECONDS + 500)
        assert sent == [], "it went on"
        page.locator("#camera").get_by_text("Record").click()
        expect(live).to_contain_text("Filling the first window", timeout=20_000)
        page.close()


SLOW = PAUSE_SECONDS + 2.5  # seconds: the camera's time is over, and more, before it can be shown


class Slow(Detector):
    """A detector on a machine that is busy with other things."""

    def run(self, request: Request, hooks: Hooks = Hooks()) -> Any:  # noqa: B008
        if isinstance(request, AnalyzeClips):
            time.sleep(SLOW)
        return super().run(request, hooks)


def test_on_a_slow_machine_camera_updates_are_rarer_and_the_session_is_as_long(
    camera: Browser, detector: Detector, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would start over for ever if slow answers were counted as pauses of the camera."""
    monkeypatch.setattr("detector.ui.tabs.live.TIME_LIMIT", 20)
    with serving({"tiny": Slow(detector.loaded, "cpu")}, Limits()) as address:
        page = visit(camera, address)
        live = turn_on(page)
        expect(live).to_contain_text("Pictures seen", timeout=40_000)
        texts = set()
        while "are over" not in (text := live.inner_text()):
            texts.add(text)
            assert "first window" not in text, "it started over"
            assert len(texts) < 200, "its time is not up"
            page.wait_for_timeout(100)
        page.close()


TRACKS = """window.tracks = []; const media = navigator.mediaDevices;
const ask = media.getUserMedia.bind(media);
media.getUserMedia = async (wanted) => {
  const stream = await ask(wanted);
  tracks.push(...stream.getTracks());
  return stream;
};"""


def test_a_recording_becomes_the_file_and_the_camera_is_closed(camera: Browser, url: str) -> None:
    page = camera.new_page()
    page.add_init_script(TRACKS)
    page.goto(url)
    page.get_by_role("button", name="Record with the camera").click(timeout=30_000)
    page.get_by_text("Click to Access Webcam").click()
    page.get_by_label("start recording").click()
    page.wait_for_timeout(1500)
    assert page.evaluate("tracks.every((track) => track.readyState === 'live')")
    page.locator("#recorder").get_by_text("Stop").click()
    expect(page.locator("#preview video")).to_be_visible(timeout=20_000)
    expect(page.locator("#upload")).to_contain_text(".webm")
    expect(page.locator("#recorder")).to_have_count(0)
    assert page.evaluate("tracks.every((track) => track.readyState === 'ended')")
    page.get_by_role("button", name="Record with the camera").click()
    expect(page.locator("#recorder")).to_be_visible()
    page.get_by_role("button", name="Close the camera").click()
    expect(page.locator("#recorder")).to_have_count(0)
    expect(page.locator("#preview video")).to_be_visible()
    page.click("#analyse")
    expect(page.locator("#verdict .answer")).to_contain_text("Person 1", timeout=LONG)
    page.close()


def test_a_german_browser_gets_german_and_an_api_client_english(
    browser: Browser, url: str, talking: Path, tmp_path: Path
) -> None:
    context = browser.new_context(locale="de-DE")
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#analyse")).to_have_text("Analysieren", timeout=30_000)
    expect(page.get_by_role("tab", name="Mehrere Dateien")).to_be_visible()
    expect(page.locator("#verdict")).to_contain_text("Was mit Ihrem Video geschieht")
    page.click("#analyse")
    expect(page.get_by_text("Wählen Sie zuerst ein Video oder ein Bild.")).to_be_visible()
    expect(page.get_by_role("button", name="Zwei Personen")).to_be_visible()
    bad = tmp_path / "kein Video.mp4"
    bad.write_text("this is no video")
    with page.expect_response("**/upload*"):
        page.set_input_files("#upload input[type=file]", bad)
    page.click("#analyse")
    expect(page.locator("#verdict")).to_contain_text("Video.mp4 ist kein Video", timeout=30_000)
    context.close()
    answer = Client(url, verbose=False).predict(handle_file(talking), api_name="/analyze_video")
    assert answer["headline"].isascii()


def test_viewer_keys_and_history_are_translated(browser: Browser, url: str, talking: Path) -> None:
    context = browser.new_context(locale="de-DE")
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#analyse")).to_have_text("Analysieren", timeout=30_000)
    upload(page, talking)
    page.click("#analyse")
    expect(page.locator("#downloads")).to_contain_text("report", timeout=LONG)
    for german in ("Bild im Detail", "Wärmebild", "wie unruhig benachbarte Bilder sind"):
        expect(page.locator("#viewer")).to_contain_text(german)
    page.locator("#viewer [data-part=timeline]").press("?")
    for key in ("Pos1", "Ende", "Leertaste", "Umschalt"):
        expect(page.locator("#viewer [data-part=keys]")).to_contain_text(key)
    page.keyboard.press("Escape")
    expect(page.locator("#analyse")).to_be_enabled(timeout=30_000)
    open_tab(page, "Verlauf")
    page.locator("#history").get_by_text("talking.mp4").click()
    past = page.frame_locator("#history-shown iframe")
    expect(past.get_by_role("heading", name="Personen")).to_be_visible(timeout=10_000)
    context.close()


def test_an_error_is_shown_once_and_not_over_every_result(
    page: Page, talking: Path, tmp_path: Path
) -> None:
    """Also where a mistake of ours ends an analysis."""
    shown = page.get_by_test_id("toast-body")
    page.click("#analyse")
    expect(shown).to_contain_text("Choose a video or a picture first.")
    expect(shown.locator("strong")).to_have_text("Nothing to show")
    expect(shown.locator(".toast-title")).to_be_hidden()
    expect(page.locator("[data-testid=status-tracker] .error:visible")).to_have_count(0)
    shown.get_by_role("button").first.click()
    stumble = tmp_path / "stumble.mp4"
    stumble.write_bytes(talking.read_bytes())
    upload(page, stumble)
    page.click("#analyse")
    expect(shown).to_contain_text("Error", timeout=30_000)
    expect(page.locator("[data-testid=status-tracker] .error:visible")).to_have_count(0)
