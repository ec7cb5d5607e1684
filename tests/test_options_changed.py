"""A result beside options that are not its own says so, and nothing of one file stays beside
another's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from detector import Detector
from detector.video import Limits
from tests.server import serving
from tests.test_page import browser, pytestmark
from tests.test_tabs import give, open_tab, page
from tests.visits import LONG, analyse, upload

__all__ = ["browser", "page", "pytestmark"]
NOTE = "The options were changed since this analysis began."


@pytest.fixture(scope="module")
def url(detector: Detector, cache: Path) -> Iterator[str]:
    with serving({"tiny": detector}, Limits()) as address:
        yield address


def choose(page: Page, place: str, name: str) -> None:
    page.locator(place).get_by_text(name).evaluate("(one) => one.click()")


def test_a_changed_option_is_stated_beside_the_answer_until_it_is_changed_back(
    page: Page, talking: Path
) -> None:
    analyse(page, talking)
    note = page.locator("#outdated")
    expect(note).not_to_contain_text(NOTE)
    choose(page, "#frames", "Quick")
    expect(note).to_contain_text(NOTE, timeout=10_000)
    expect(page.locator("#verdict .answer")).to_be_visible()
    choose(page, "#frames", "Standard")
    expect(note).not_to_contain_text(NOTE, timeout=10_000)
    choose(page, "#frames", "Quick")
    expect(note).to_contain_text(NOTE, timeout=10_000)
    page.locator("#analyse").evaluate("(one) => one.click()")
    # "Working" is not waited for: a tiny network may answer before it is seen.
    expect(note).not_to_contain_text(NOTE, timeout=20_000)
    expect(page.locator("#verdict .answer")).to_be_visible(timeout=LONG)
    expect(note).not_to_contain_text(NOTE)


def test_an_option_that_is_changed_during_the_analysis_is_stated_beside_its_answer(
    page: Page, talking: Path
) -> None:
    upload(page, talking)
    page.click("#analyse")
    choose(page, "#frames", "Thorough")
    expect(page.locator("#verdict .answer")).to_be_visible(timeout=LONG)
    expect(page.locator("#outdated")).to_contain_text(NOTE, timeout=10_000)


def test_a_robustness_test_ends_with_the_answer_that_it_is_about(
    page: Page, talking: Path, tmp_path: Path
) -> None:
    """Else it would put its report, of the file before, in the place of the new one's."""
    analyse(page, talking)
    page.click("#copies-start")
    expect(page.locator("#steadiness .working")).to_be_visible(timeout=20_000)
    page.locator("#request > button").first.click()
    page.locator("#upload").get_by_label("Clear").click()
    expect(page.locator("#answer")).to_be_hidden(timeout=10_000)
    second = tmp_path / "second.mp4"
    second.write_bytes(talking.read_bytes())
    analyse(page, second)
    expect(page.locator("#steadiness")).not_to_contain_text("Worse copies")
    expect(page.locator("#steadiness .working")).to_have_count(0)
    expect(page.locator("#downloads")).not_to_contain_text("talking")


def test_a_batch_keeps_the_options_that_it_began_with_and_states_so(
    page: Page, talking: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second.mp4"
    second.write_bytes(talking.read_bytes())
    open_tab(page, "Several files")
    give(page, "#batch-given", talking, second)
    choose(page, "#batch-frames", "Quick")
    page.click("#batch-start")
    queue, note = page.locator("#batch-queue"), page.locator("#batch-outdated")
    expect(queue).to_contain_text("of 2 files answered", timeout=LONG)
    choose(page, "#batch-frames", "Thorough")
    expect(note).to_contain_text(NOTE, timeout=10_000)
    expect(page.locator("#batch-files")).to_be_visible(timeout=LONG)
    with page.expect_download() as caught:
        page.locator("#batch-files tr.file", has_text="json").locator("a").first.click()
    reports = json.loads(caught.value.path().read_text(encoding="utf-8"))
    assert [one["settings"]["preset"] for one in reports] == ["quick", "quick"]
    expect(note).to_contain_text(NOTE)
    choose(page, "#batch-frames", "Quick")
    expect(note).not_to_contain_text(NOTE, timeout=10_000)
