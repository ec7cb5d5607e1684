"""The answered page at every width, with every shape of video: nothing overlaps or sticks out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.clips import moving_portrait, write_clip
from tests.test_page import browser, pytestmark, url, visit  # noqa: F401
from tests.visits import LONG, upload

SHAPES = {
    "16:9": (640, 360),
    "9:16": (360, 640),
    "4:3": (480, 360),
    "1:1": (400, 400),
    "21:9": (840, 360),
}
WIDTHS = (390, 768, 1280, 1920)
PARTS = """() => ["#verdict", "#viewer .stage", "#viewer .controls", "#viewer .tools",
    "#viewer .inspector", "#viewer .timeline", "#viewer .key", "#dispute"].map(
    (name) => { const box = document.querySelector(name).getBoundingClientRect();
                return [name, box.left, box.top, box.right, box.bottom]; })"""


@pytest.fixture(scope="module", params=SHAPES.values(), ids=SHAPES.keys())
def shaped(
    request: pytest.FixtureRequest,
    browser: Browser,  # noqa: F811
    url: str,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Page]:
    """A page with the answer about a clip of one shape."""
    path = tmp_path_factory.mktemp("shape") / "clip.mp4"
    write_clip(path, moving_portrait(12, request.param, face=300))
    page = visit(browser, url)
    upload(page, path)
    page.click("#analyse")
    expect(page.locator("#verdict .answer")).to_be_visible(timeout=LONG)
    expect(page.locator("#viewer .stage")).to_be_visible(timeout=LONG)
    yield page
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overlaps_or_sticks_out(shaped: Page, width: int) -> None:
    shaped.set_viewport_size({"width": width, "height": 900})
    shaped.wait_for_timeout(300)
    boxes = shaped.evaluate(PARTS)
    for name, left, _, right, _ in boxes:
        assert left >= 0, name
        assert right <= width + 1, name
    for at, (one, *a) in enumerate(boxes):
        for other, *b in boxes[at + 1 :]:
            apart = a[2] <= b[0] + 1 or b[2] <= a[0] + 1 or a[3] <= b[1] + 1 or b[3] <= a[1] + 1
            assert apart, f"{one} lies over {other}"


def test_the_names_of_downloads_are_whole_on_a_phone(shaped: Page) -> None:
    expect(shaped.locator("#downloads")).to_contain_text("report", timeout=30_000)
    shaped.set_viewport_size({"width": 390, "height": 900})
    cut = shaped.locator("#downloads .stem").evaluate_all(
        "all => all.filter((name) => name.scrollWidth > name.clientWidth).length"
    )
    assert cut == 0


def test_verdict_and_video_are_side_by_side_above_the_fold(shaped: Page) -> None:
    shaped.set_viewport_size({"width": 1280, "height": 800})
    shaped.wait_for_timeout(300)
    verdict, stage, *_ = shaped.evaluate(PARTS)
    assert verdict[3] <= stage[1] + 1
    assert verdict[2] < 500
    assert stage[2] < 500


def test_choosing_another_file_hides_the_report(shaped: Page, talking: Path) -> None:
    """Else the old verdict would be shown beside the new video."""
    shaped.locator("#request button").first.click()
    shaped.locator("#upload").get_by_label("Clear").click()
    expect(shaped.locator("#verdict .answer")).to_have_count(0, timeout=20_000)
    expect(shaped.locator("#viewer")).to_be_hidden()
