"""The panel that explains a frame, in a real browser: empty until a request, then complete."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image as Pictures
from playwright.sync_api import Browser, Page, expect

from detector import Detector
from detector.errors import CancelledError
from detector.requests import ExplainFrame, Hooks, Request, TryWorseCopies
from detector.video import Limits
from tests.clips import portrait
from tests.server import serving
from tests.test_page import GRAVE, browser, part, pytestmark, visit
from tests.visits import LONG, analyse, upload, wait_for_annotated

__all__ = ["browser", "pytestmark"]

EXPECTED = {"grad_cam/frame": {"mean": {"mouth": 0.1, "eyes": 0.1, "nose": 0.1}}}


class Counting(Detector):
    """Counts the requests beyond the analysis; `held`, it tries copies until it is stopped."""

    closer = 0
    held = False

    def run(self, request: Request, hooks: Hooks = Hooks()) -> Any:  # noqa: B008
        self.closer += isinstance(request, ExplainFrame)
        while self.held and isinstance(request, TryWorseCopies):
            time.sleep(0.05)
            if hooks.should_stop is not None and hooks.should_stop():
                raise CancelledError("The visitor cancelled.")
        return super().run(request, hooks)


@pytest.fixture(scope="module")
def counting(detector: Detector) -> Counting:
    """With a threshold so low that random scores are suspicious, and regions in its card."""
    assert detector.loaded is not None
    card = detector.loaded.card
    rules = replace(card.rules, threshold=0.02, undecided=(0.01, 0.03))
    card = replace(card, rules=rules, data={"regions": EXPECTED})
    return Counting(replace(detector.loaded, card=card), "cpu")


@pytest.fixture(scope="module")
def url(counting: Counting, cache: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPFAKE_TEXT_URL", "http://127.0.0.1:9/v1")
        patch.setenv("DEEPFAKE_TEXT_MODEL", "away")
        with serving({"tiny": counting}, Limits()) as address:
            yield address


@pytest.fixture(scope="module")
def answered(browser: Browser, url: str, talking: Path) -> Iterator[Page]:
    page = visit(browser, url)
    analyse(page, talking)
    yield page
    page.close()


def explain(page: Page) -> None:
    page.click("#closeup-start")
    expect(page.locator("#closeup .closeup")).to_be_visible(timeout=LONG)


def test_nothing_is_explained_before_a_request(answered: Page, counting: Counting) -> None:
    expect(answered.locator("#closeup")).to_be_empty()
    assert counting.closer == 0


def test_the_frame_in_the_viewer_is_the_one_that_is_explained(answered: Page) -> None:
    part(answered, "timeline").focus()
    answered.keyboard.press("Home")
    answered.keyboard.press("ArrowRight")
    when = (part(answered, "clock").text_content() or "").split(" ")[0]
    explain(answered)
    expect(answered.locator("#closeup h2")).to_contain_text(f"Why Person 1 at {when} scores")
    assert answered.locator("#closeup img").count() == 2
    expect(answered.locator("#closeup .regions li")).to_have_count(8)
    expect(answered.locator("#closeup .key")).to_contain_text("share on real faces")


def test_the_bars_have_a_table_of_the_same_values(answered: Page) -> None:
    answered.get_by_text("The same as a table").click()
    rows = answered.locator("#closeup tbody tr")
    expect(rows).to_have_count(8)
    bars = answered.locator("#closeup .regions b").all_text_contents()
    assert rows.locator("td:nth-child(2)").all_text_contents() == bars
    assert answered.locator("#closeup .regions").get_attribute("aria-hidden") == "true"


def test_the_target_and_the_method_are_named_in_the_explanation(answered: Page) -> None:
    answered.get_by_label("What this frame adds to the video").check()
    answered.locator("#heat-method input").click()
    answered.get_by_role("option", name="LayerCAM").click()
    answered.click("#closeup-start")
    closeup = answered.locator("#closeup")
    expect(closeup.locator("h2")).to_contain_text("adds to the video", timeout=LONG)
    expect(closeup).to_contain_text("LayerCAM of the score of the whole video")
    expect(closeup).to_contain_text("Without this frame the score of Person 1 would be")


def test_worse_copies_are_tried_on_request_with_chart_and_table(answered: Page) -> None:
    answered.click("#copies-start")
    steady = answered.locator("#steadiness")
    expect(steady).to_contain_text("percentage point", timeout=90_000)
    expect(steady.locator(".copies li")).to_have_count(4)
    expect(steady.locator("tbody tr")).to_have_count(4)
    expect(steady).to_contain_text("Re-encoded (H.264, CRF 32)")


def test_the_downloads_include_what_was_tested_as_well(answered: Page) -> None:
    """Also in the history, where it stays one result."""
    link = answered.locator("#downloads a[href*='-report.json']").first
    tried = None
    for _ in range(40):
        tried = answered.request.get(str(link.get_attribute("href"))).json()["robustness"]
        if tried:
            break
        answered.wait_for_timeout(250)
    assert tried
    assert len(tried["copies"]) == 3
    expect(answered.locator("#downloads")).to_contain_text("annotated")
    answered.get_by_role("tab", name="History").click()
    expect(answered.locator("#history input")).to_have_count(1)
    answered.get_by_role("tab", name="Check").click()


def test_a_language_model_that_is_away_has_its_sentence(answered: Page) -> None:
    answered.click("#retelling-start")
    retelling = answered.locator("#retelling")
    expect(retelling).to_contain_text("The language model could not be reached", timeout=LONG)
    expect(retelling).to_contain_text("Check its address.")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_panel(answered: Page, theme: str) -> None:
    answered.evaluate(f"document.body.classList.toggle('dark', {str(theme == 'dark').lower()})")
    found = Axe().run(answered, context={"include": [["#closeup"], ["#steadiness"]]})
    answered.evaluate("document.body.classList.remove('dark')")
    grave = [one for one in found.response["violations"] if one["impact"] in GRAVE]
    assert not grave, [(one["id"], one["nodes"][0]["target"]) for one in grave]


def test_on_a_phone_it_is_one_column_that_does_not_widen_the_page(answered: Page) -> None:
    answered.set_viewport_size({"width": 390, "height": 844})
    overflow = answered.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    widths = answered.locator("#explain .panel-card").evaluate_all(
        "nodes => nodes.map((node) => node.getBoundingClientRect().width)"
    )
    sizes = answered.locator("#explain button:visible").evaluate_all(
        "nodes => nodes.map((node) => node.getBoundingClientRect().height)"
    )
    answered.set_viewport_size({"width": 1280, "height": 900})
    assert overflow <= 0
    assert max(widths) <= 390
    assert min(sizes) >= 44


def test_a_new_analysis_clears_what_was_explained(answered: Page) -> None:
    report = answered.locator("#downloads a[href*='-report.json']").first
    before = str(report.get_attribute("href"))
    answered.click("#request > button")  # folded since there is an answer
    answered.click("#analyse")
    expect(answered.locator("#closeup")).to_be_empty(timeout=30_000)
    expect(answered.locator("#steadiness")).to_be_empty()
    expect(report).not_to_have_attribute("href", before, timeout=LONG)
    wait_for_annotated(answered)


def test_trying_copies_can_be_cancelled(
    answered: Page, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "held", True)
    answered.click("#copies-start")
    expect(answered.locator("#steadiness .working")).to_be_visible(timeout=30_000)
    answered.click("#copies-cancel")
    expect(answered.locator("#steadiness")).to_be_empty(timeout=10_000)


def test_cancel_is_offered_only_while_there_is_something_to_cancel(answered: Page) -> None:
    """Else it would clear an answer that is there."""
    for name in ("#closeup-cancel", "#copies-cancel"):
        expect(answered.locator(name)).to_be_disabled()
    explain(answered)
    expect(answered.locator("#closeup-cancel")).to_be_disabled(timeout=10_000)
    expect(answered.locator("#closeup .closeup")).to_be_visible()


def test_deleted_files_are_not_explained_from_memory(answered: Page) -> None:
    answered.get_by_role("tab", name="History").click()
    answered.click("#delete-files")
    answered.click("#delete-sure")
    expect(answered.locator("#history-shown")).to_contain_text("deleted", timeout=20_000)
    answered.get_by_role("tab", name="Check").click()
    expect(answered.locator("#answer")).to_be_hidden()


def test_retelling_is_not_offered_where_it_is_not_configured(
    browser: Browser,
    counting: Counting,
    talking: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DEEPFAKE_TEXT_URL", raising=False)
    with serving({"tiny": counting}, Limits()) as address:
        page = visit(browser, address)
        upload(page, talking)
        page.click("#analyse")
        expect(page.locator("#copies-start")).to_be_visible(timeout=90_000)
        expect(page.locator("#retelling-start")).to_have_count(0)
        page.close()


def test_a_still_picture_has_no_choices_about_a_video(
    browser: Browser, url: str, tmp_path: Path
) -> None:
    picture = tmp_path / "still.png"
    Pictures.fromarray(portrait()).save(picture)
    page = visit(browser, url)
    upload(page, picture)
    page.click("#analyse")
    expect(page.locator("#verdict .answer")).to_be_visible(timeout=LONG)
    expect(page.locator("#closeup-start")).to_be_visible()
    expect(page.locator("#heat-of")).to_be_hidden()
    part(page, "save").press("?")
    expect(part(page, "keys")).to_contain_text("Zoom")
    expect(part(page, "keys")).not_to_contain_text("scored frame")
    page.close()
