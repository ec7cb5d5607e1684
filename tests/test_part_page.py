"""The page shows what will be analysed, and the time it takes, before the analysis."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from detector import Detector
from detector.requests import Analyze, Hooks, Inspect, Request
from detector.scoring.coverage import frames_again, frames_for
from detector.service.pace import Pace
from detector.settings import Settings
from detector.ui.tabs.closer import suspicious_part
from detector.video import Limits
from detector.video.reading import probe
from tests.clips import moving_portrait, write_clip
from tests.reports import calm, two_people
from tests.server import serving
from tests.standin import Standin
from tests.test_page import EXAMPLES, browser, pytestmark, visit
from tests.test_world_files import two_tracks
from tests.visits import LONG, upload, wait_for_annotated

__all__ = ["browser", "pytestmark"]


@pytest.fixture
def page(detector: Detector, browser: Browser, cache: Path) -> Iterator[Page]:
    with serving({"tiny": detector}, Limits()) as url:
        yield visit(browser, url)


def test_the_plan_shows_length_frames_and_limit_before_the_analysis(
    page: Page, talking: Path
) -> None:
    upload(page, talking)
    settings, info = Settings(), probe(talking)
    first = frames_for(settings, info)
    plan = page.locator("#plan")
    expect(plan).to_contain_text(f"{info.seconds:.1f} s long")
    expect(plan).to_contain_text(f"{first} frames")
    expect(plan).to_contain_text("10 minutes")
    page.locator("#frames").get_by_text("Thorough").click()
    closer = min(frames_for(Settings(preset="thorough"), info), info.frames)
    expect(plan).to_contain_text(f"{closer} frames")


def test_the_expected_duration_is_shown_once_it_is_known(page: Page, talking: Path) -> None:
    upload(page, talking)
    expect(page.locator("#plan")).not_to_contain_text("About")
    page.click("#analyse")
    wait_for_annotated(page)
    page.locator("#request > button").first.click()
    page.locator("#frames").get_by_text("Quick").click()
    expect(page.locator("#plan")).to_contain_text(re.compile(r"About \d+\.\d\ss on this machine"))


def test_only_the_chosen_part_is_analysed(page: Page, talking: Path) -> None:
    upload(page, talking)
    page.get_by_text("Options").first.click()
    page.locator("#from textarea, #from input").first.fill("0:00.4")
    page.locator("#to textarea, #to input").first.fill("1.2")
    page.keyboard.press("Tab")
    expect(page.locator("#plan")).to_contain_text("From 0:00.4 to 0:01.2")
    page.click("#analyse")
    expect(page.locator("#findings")).to_contain_text("Only the part from 0:00.4", timeout=LONG)


def test_what_is_no_moment_is_refused_with_how_to_write_it(page: Page, talking: Path) -> None:
    upload(page, talking)
    page.get_by_text("Options").first.click()
    page.locator("#to textarea, #to input").first.fill("soon")
    page.keyboard.press("Tab")
    expect(page.get_by_text("write it as 83.5 or 1:23.5")).to_be_visible()


def test_a_file_with_two_tracks_offers_a_choice(page: Page, talking: Path, tmp_path: Path) -> None:
    upload(page, talking)
    expect(page.locator("#plan")).to_contain_text("s long")
    expect(page.locator("#track")).to_be_hidden()
    page.locator("#upload").get_by_label("Clear").click()
    upload(page, two_tracks(tmp_path / "two.mp4", default=0))
    expect(page.locator("#track")).to_be_visible()
    page.locator("#track input").click()
    page.get_by_role("listbox").get_by_role("option").nth(1).click()
    page.click("#analyse")
    expect(page.locator("#verdict .answer")).to_contain_text("No face", timeout=LONG)


def test_an_unusable_file_is_reported_before_the_analysis(page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"this is no video, whatever its name says")
    page.set_input_files("#upload input[type=file]", broken)
    expect(page.locator("#plan")).to_contain_text("broken.mp4")


def test_a_still_picture_is_offered_nothing_that_only_a_video_has(
    page: Page, talking: Path
) -> None:
    """Neither how many frames, nor a stretch of time; what was typed for a video is dropped."""
    choices = [page.locator(f"#{name}") for name in ("frames", "from", "to")]
    page.get_by_text("Options").first.click()
    upload(page, talking)
    expect(page.locator("#preview video")).to_be_visible()
    for choice in choices:
        expect(choice).to_be_visible()
    page.locator("#from textarea, #from input").first.fill("soon")
    page.locator("#upload").get_by_label("Clear").click()
    upload(page, EXAMPLES / "still.jpg")
    expect(page.locator("#preview img")).to_be_visible()
    expect(page.locator("#plan")).to_contain_text("A picture of 640 × 480 pixels")
    for choice in choices:
        expect(choice).to_be_hidden()
    page.click("#analyse")
    expect(page.locator("#verdict .answer")).to_contain_text("Person 1", timeout=LONG)
    page.locator("#request > button").first.click()
    page.locator("#upload").get_by_label("Clear").click()
    expect(page.locator("#preview img")).to_have_count(0)
    for choice in choices:
        expect(choice).to_be_visible()


def test_what_a_file_is_decides_its_content_and_not_its_name(page: Page, tmp_path: Path) -> None:
    named = tmp_path / "clip.mp4"
    named.write_bytes((EXAMPLES / "still.jpg").read_bytes())
    upload(page, named)
    expect(page.locator("#preview img")).to_be_visible()
    expect(page.locator("#frames")).to_be_hidden()


def test_a_file_that_the_browser_cannot_show_can_be_analysed(page: Page, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "old.avi", moving_portrait(12), codec="mpeg4")
    page.set_input_files("#upload input[type=file]", clip)
    expect(page.locator("#preview")).to_contain_text("This browser cannot show the file")
    expect(page.locator("#preview video")).to_be_hidden()
    page.click("#analyse")
    expect(page.locator("#verdict .answer")).to_contain_text("Person 1", timeout=LONG)


def test_the_pace_is_that_of_the_last_analyses_of_this_model() -> None:
    pace = Pace()
    assert pace.seconds("fast", 20) is None
    pace.add("fast", 4.0, 20)
    pace.add("fast", 8.0, 20)
    pace.add("slow", 100.0, 20)
    assert pace.seconds("fast", 10) == pytest.approx(3.0)
    pace.add("fast", 1.0, 0)
    assert pace.seconds("fast", 10) == pytest.approx(3.0)


def test_a_second_pass_is_planned_only_by_presets() -> None:
    assert frames_again(Settings(), 20) > 0
    assert frames_again(Settings(frames=20), 20) == 0


def test_the_most_suspicious_part_is_that_of_the_highest_score() -> None:
    assert suspicious_part(two_people()) == (2.0, 6.75)  # 3.0 to 5.75, and a second around
    assert suspicious_part(calm()) is None
    short = replace(two_people(), settings=Settings(start=2.5, end=6.0))
    assert suspicious_part(short) == (2.5, 6.0)
    closely = replace(two_people(), settings=Settings(preset="thorough", start=2.5, end=6.0))
    assert suspicious_part(closely) is None


class Suspicious(Standin):
    """Finds two people in every file, and lists the settings of its analyses."""

    def __init__(self) -> None:
        super().__init__()
        self.requested: list[Settings] = []

    def run(self, request: Request, hooks: Hooks = Hooks()) -> Any:  # noqa: B008
        if isinstance(request, Inspect):
            return two_people().video
        if not isinstance(request, Analyze):
            return super().run(request, hooks)
        self.requested.append(request.settings)
        return replace(two_people(), settings=request.settings)


def test_a_visitor_goes_from_a_finding_to_a_closer_analysis(
    browser: Browser, cache: Path, talking: Path
) -> None:
    detector = Suspicious()
    with serving({"stand-in": detector}, Limits()) as url:
        page = visit(browser, url)
        upload(page, talking)
        expect(page.locator("#closer")).to_be_hidden()
        page.click("#analyse")
        page.locator("#closer").click(timeout=30_000)
        expect(page.locator("#closer")).to_be_hidden(timeout=20_000)
        page.close()
    closely = Settings(preset="thorough", start=2.0, end=6.8)
    assert detector.requested == [Settings(), closely]
