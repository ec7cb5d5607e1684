"""The viewer's tools in a real browser: speed, zoom, full screen, keys, and saved frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image as Pictures
from playwright.sync_api import Browser, Locator, Page, expect

from tests.clips import moving_portrait, write_clip
from tests.test_page import (
    GRAVE,
    HEAT,
    VIDEO,
    answered,  # noqa: F401
    browser,  # noqa: F401
    now,
    part,
    pytestmark,  # noqa: F401
    url,  # noqa: F401
    visit,
)
from tests.visits import analyse


@pytest.fixture
def page(answered: Page) -> Iterator[Page]:  # noqa: F811
    """The finished answer, everything as it was at first."""
    yield answered
    part(answered, "speed").select_option("1")
    part(answered, "zoom").select_option("1")
    answered.evaluate(f"{VIDEO}.pause()")


def centre(one: Locator) -> tuple[float, float]:
    place = one.bounding_box()
    assert place is not None
    return place["x"] + place["width"] / 2, place["y"] + place["height"] / 2


def rates(page: Page) -> list[float]:
    return [page.evaluate(f"{video}.playbackRate") for video in (VIDEO, HEAT)]


@pytest.mark.parametrize("rate", [0.25, 0.5, 1])
def test_both_videos_play_at_the_chosen_speed(page: Page, rate: float) -> None:
    part(page, "speed").select_option(str(rate))
    assert rates(page) == [rate, rate]


def test_a_slow_video_takes_its_time(page: Page) -> None:
    part(page, "speed").select_option("0.25")
    page.evaluate(f"{VIDEO}.currentTime = 0")
    part(page, "play").click()
    page.wait_for_function(f"{VIDEO}.currentTime > 0")
    before = now(page)
    page.wait_for_timeout(800)
    assert 0.05 < now(page) - before < 0.5


def test_zooming_to_the_face_brings_it_to_the_middle_and_enlarges_it(page: Page) -> None:
    stage, box = part(page, "stage"), page.locator("#viewer .box").first
    page.evaluate(f"{VIDEO}.pause()")  # playing, it would leave the moment
    part(page, "timeline").press("Home")  # there is a face at every scored moment
    page.wait_for_function(f"!{VIDEO}.seeking")
    expect(box).to_be_visible()
    small = box.bounding_box()
    part(page, "zoom").select_option("face")
    large, whole = box.bounding_box(), stage.bounding_box()
    assert small is not None
    assert large is not None
    assert whole is not None
    assert large["width"] > 1.2 * small["width"]
    assert large["height"] == pytest.approx(0.55 * min(whole["width"], whole["height"]), rel=0.1)
    assert centre(box)[0] == pytest.approx(centre(stage)[0], abs=0.15 * whole["width"])
    part(page, "zoom").select_option("1")
    again = box.bounding_box()
    assert again is not None
    assert again["width"] == pytest.approx(small["width"], abs=1)


def test_a_zoomed_picture_is_moved_by_dragging_and_by_keys_and_does_not_begin_to_play(
    page: Page,
) -> None:
    part(page, "zoom").select_option("4")
    box = page.locator("#viewer .box").first
    x, y = centre(part(page, "stage"))
    before = centre(box)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 20, y + 10, steps=4)
    page.mouse.up()
    after = centre(box)
    assert after[0] - before[0] == pytest.approx(20, abs=6)
    assert page.evaluate(f"{VIDEO}.paused")
    part(page, "timeline").press("Shift+ArrowRight")
    assert centre(box)[0] < after[0] - 10


def test_a_click_on_the_picture_still_plays(page: Page) -> None:
    part(page, "stage").click()
    page.wait_for_function(f"!{VIDEO}.paused")


def test_full_screen_shows_picture_and_controls_and_is_left_again(page: Page) -> None:
    part(page, "full").click()
    page.wait_for_function("document.fullscreenElement?.dataset.part === 'screen'")
    expect(part(page, "full")).to_have_attribute("aria-label", "Leave full screen")
    for name in ("stage", "play", "save"):
        expect(part(page, name)).to_be_in_viewport(ratio=0.99)
    page.keyboard.press("f")
    page.wait_for_function("!document.fullscreenElement")


def test_question_mark_lists_the_keys_and_escape_closes_the_list(page: Page) -> None:
    part(page, "timeline").press("?")
    keys = part(page, "keys")
    expect(keys).to_be_visible()
    expect(keys).to_contain_text("Next suspicious moment")
    found = Axe().run(page, context="#viewer [data-part=keys]")
    assert [one["id"] for one in found.response["violations"] if one["impact"] in GRAVE] == []
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    expect(part(page, "timeline")).to_be_focused()


def test_every_listed_key_has_its_listed_effect(page: Page) -> None:
    timeline = part(page, "timeline")
    timeline.press("s")
    assert rates(page) == [0.5, 0.5]
    timeline.press("z")
    expect(part(page, "zoom")).to_have_value("2")
    timeline.press("Home")
    at = now(page)
    timeline.press(".")
    assert now(page) - at == pytest.approx(0.04, abs=0.005)
    timeline.press(",")
    assert now(page) == pytest.approx(at, abs=0.005)


def test_letters_typed_into_a_choice_are_left_to_it(page: Page) -> None:
    part(page, "speed").press("z")
    expect(part(page, "zoom")).to_have_value("1")


def test_a_finger_is_offered_no_list_of_keys(page: Page) -> None:
    keys = part(page, "show-keys")
    expect(keys).to_be_visible()
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 1})
    expect(keys).to_be_hidden()
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": False})
    expect(keys).to_be_visible()


@pytest.fixture(scope="module")
def saved(answered: Page, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:  # noqa: F811
    """The frame at the first scored moment, saved without and with its overlay."""
    folder = tmp_path_factory.mktemp("saved")
    part(answered, "timeline").press("Home")
    now(answered)
    answered.wait_for_timeout(300)
    paths = {}
    for name in ("save", "save-overlay"):
        with answered.expect_download() as caught:
            part(answered, name).click()
        paths[name] = folder / caught.value.suggested_filename
        caught.value.save_as(paths[name])
    return paths


def test_a_saved_frame_is_named_after_file_and_time(page: Page, saved: dict[str, Path]) -> None:
    second = float(part(page, "viewer").get_attribute("data-second") or "nan")
    stem = f"talking-0m{second:05.2f}s"
    assert [path.name for path in saved.values()] == [f"{stem}.png", f"{stem}-overlay.png"]
    expect(part(page, "saved")).to_contain_text(f"{stem}-overlay.png")


def test_a_saved_frame_is_the_picture_and_the_other_has_box_and_heat(
    page: Page, saved: dict[str, Path]
) -> None:
    bare, overlaid = (np.asarray(Pictures.open(path).convert("RGB")) for path in saved.values())
    size = page.evaluate(f"[{VIDEO}.videoHeight, {VIDEO}.videoWidth]")
    assert list(bare.shape[:2]) == list(overlaid.shape[:2]) == size
    expect(part(page, "saved-size")).to_have_text(f"{size[1]} × {size[0]}")
    changed = (np.abs(bare.astype(int) - overlaid) > 20).any(axis=2)
    assert 0.01 < changed.mean() < 0.7
    assert (overlaid == (181, 71, 0)).all(axis=2).sum() > 50


@pytest.fixture(scope="module")
def large(browser: Browser, url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:  # noqa: F811
    """The finished answer about a clip that is larger than what is shown of it."""
    path = tmp_path_factory.mktemp("large") / "large.mp4"
    write_clip(path, moving_portrait(20, size=(1600, 1200)))
    page = visit(browser, url)
    analyse(page, path)
    yield page
    page.close()


def kept(page: Page, name: str, folder: Path) -> tuple[int, ...]:
    """Height and width of the frame that is saved now."""
    with page.expect_download(timeout=30_000) as caught:
        part(page, name).click()
    caught.value.save_as(folder / "kept.png")
    return np.asarray(Pictures.open(folder / "kept.png")).shape[:2]


def test_a_frame_is_saved_in_the_size_of_the_original(large: Page, tmp_path: Path) -> None:
    assert large.evaluate(f"{VIDEO}.videoWidth") == 1280
    for name in ("save", "save-overlay"):
        assert kept(large, name, tmp_path) == (1200, 1600)
        expect(part(large, "saved-size")).to_have_text("1600 × 1200")


def test_without_the_original_the_shown_picture_is_saved_with_its_size(
    large: Page, cache: Path, tmp_path: Path
) -> None:
    for original in cache.rglob("large.mp4"):
        original.unlink()
    assert kept(large, "save", tmp_path) == (960, 1280)
    expect(part(large, "saved-size")).to_have_text("1280 × 960 (reduced from 1600 × 1200)")


def test_saved_frames_are_deleted_with_a_visitor_s_files(large: Page, cache: Path) -> None:
    assert list(cache.rglob("large-frame.png"))
    large.get_by_role("tab", name="History").click()
    large.click("#delete-files")
    large.click("#delete-sure")
    expect(large.locator("#history-shown")).to_contain_text("deleted", timeout=10_000)
    assert not list(cache.rglob("large-frame.png"))
