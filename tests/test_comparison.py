"""Two answers side by side: what is said of them, shown, written and printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any, ClassVar

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from detector import Detector, cli
from detector.comparison import Comparison, Side, compare_answers
from detector.errors import VideoError
from detector.language import LANGUAGES, in_language
from detector.records import Report, Status
from detector.render.comparison import (
    comparison_json,
    comparison_page,
    comparison_sections,
    fact_lines,
    signal_lines,
)
from detector.render.spacing import unbroken
from detector.render.timeline import charts
from detector.requests import Analyze, Hooks, Request
from detector.settings import Settings
from detector.text.comparison import comparison_texts
from detector.video import Limits
from tests.clips import moving_portrait, plain, write_clip
from tests.reports import calm, declared, no_face, still_image, two_people
from tests.server import serving
from tests.test_page import GRAVE, browser, pytestmark, visit
from tests.test_tabs import give, open_tab
from tests.tiny import tiny_weights
from tests.visits import LONG, upload

__all__ = ["browser", "pytestmark"]


def scored(fake: float, low: float, high: float) -> Report:
    return replace(calm(), fake=fake, interval=(low, high))


def compared(first: Side, second: Side) -> Comparison:
    return compare_answers(first, second, ("a.mp4", "b.mp4"))


def text_of(first: Side, second: Side) -> str:
    return " ".join(comparison_texts(compared(first, second)))


def test_intervals_that_overlap_leave_the_difference_open() -> None:
    found = compared(scored(0.62, 0.40, 0.80), scored(0.12, 0.05, 0.45))
    assert found.intervals_overlap
    assert found.difference == pytest.approx(-0.5)
    text = " ".join(comparison_texts(found))
    assert "A: 62 % (95 % interval 40 % to 80 %)" in text
    assert "A scores higher by 50 percentage points." in text
    assert "The intervals overlap" in text


def test_intervals_that_lie_apart_make_the_difference_clear() -> None:
    assert "The intervals do not overlap" in text_of(
        scored(0.12, 0.05, 0.30), scored(0.62, 0.40, 0.80)
    )


def test_an_answer_without_a_score_is_compared_with_nothing() -> None:
    text = text_of(scored(0.62, 0.40, 0.80), no_face())
    assert "no face was found" in text
    assert "Without two scores there is nothing to compare." in text
    assert "percentage point" not in text


def test_a_score_of_a_report_without_an_answer_is_none() -> None:
    """A report may keep a number that its status takes back."""
    taken_back = replace(scored(0.9, 0.8, 0.95), status=Status.TOO_SHORT)
    found = compared(taken_back, calm())
    assert (found.difference, found.same_verdict) == (None, None)


def test_a_file_that_cannot_be_read_is_named_with_its_reason() -> None:
    broken = VideoError("b.mp4 is not a video.")
    assert "B: b.mp4 is not a video." in text_of(calm(), broken)
    assert "b.mp4 is not a video." in comparison_sections(compared(calm(), broken))


def test_two_models_about_one_file_are_named_with_their_thresholds() -> None:
    other = replace(calm().model, id="other", sha256="0" * 64, threshold=0.7)
    text = text_of(calm(), replace(calm(), model=other))
    assert "the same file" in text
    assert "B by the model other" in text
    assert "70 % for B" in text


def test_options_that_differ_are_named_beside_the_scores() -> None:
    """A result that was there already may be of other options."""
    stretch = replace(calm(), settings=Settings(frames=30, start=2.0))
    assert "different options" in text_of(calm(), stretch)
    stricter = replace(calm(), settings=replace(calm().settings, threshold=0.8, heat=False))
    text = text_of(calm(), stricter)
    assert "thresholds differ: 50 % for A, 80 % for B" in text
    assert "Each model" not in text
    unheated = replace(calm(), settings=replace(calm().settings, heat=False))
    assert "options" not in text_of(calm(), unheated)


def test_a_score_that_the_status_takes_back_is_in_no_line() -> None:
    taken_back = replace(scored(0.9, 0.8, 0.95), status=Status.TOO_SHORT)
    lines = {line.name: line.first for line in fact_lines(compared(taken_back, calm()))}
    assert (lines["Score"], lines["95 % interval"]) == ("–", "–")


def test_lines_pair_what_both_have_and_mark_what_differs() -> None:
    found = compared(two_people(), declared())
    lines = {line.name: line for line in fact_lines(found)}
    assert lines["People"].differs
    assert not lines["Decision threshold"].differs
    signals = {line.name: line for line in signal_lines(found)}
    assert (signals["Signed by"].first, signals["Signed by"].second) == ("–", "<b>No score</b>")


def test_names_and_facts_of_a_file_are_text_and_never_markup() -> None:
    found = replace(compared(two_people(), declared()), names=("<i>a</i>", "b"))
    text = comparison_sections(found)
    assert "<i>a" not in text
    assert "<b>No score" not in text


def test_both_timelines_share_the_axis_of_the_longer_video() -> None:
    long = replace(calm(), video=replace(calm().video, seconds=60.0))
    text = comparison_sections(compared(two_people(), long))
    assert text.count(">0:50<") == text.count(">0:10<") > 0
    assert ">end<" in text


def test_two_charts_on_one_page_have_no_id_in_common() -> None:
    text = comparison_page(compared(two_people(), calm()))
    ids = [part.split('"')[0] for part in text.split(' id="')[1:]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_comparison_is_a_page_in_every_language(language: str) -> None:
    page = comparison_page(compared(two_people(), still_image()), language)
    assert f'<html lang="{language}">' in page
    with in_language(language):
        expected = list(map(unbroken, _texts()))
    assert all(text in unescape(page) for text in expected)


def _texts() -> list[str]:
    return list(comparison_texts(compared(two_people(), still_image())))


def test_a_program_reads_both_answers_and_the_difference_in_english() -> None:
    with in_language("de"):
        found = json.loads(comparison_json(compared(scored(0.6, 0.4, 0.8), calm())))
    assert found["same_file"] is True
    assert [answer["status"] for answer in found["answers"]] == ["ok", "ok"]
    assert found["difference"] == pytest.approx(calm().fake - 0.6, abs=1e-3)  # type: ignore[operator]
    assert "percentage points" in " ".join(found["explanation"])


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of a second model, `other`."""
    return tiny_weights(tmp_path_factory.mktemp("other"), id="other") / "other.safetensors"


@pytest.fixture
def faceless(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "none.mp4", plain(20))


def test_the_terminal_compares_two_files_and_writes_both_forms(
    weights: Path, talking: Path, faceless: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    model = ["--weights", str(weights / "tiny.safetensors"), "--device", "cpu", "--frames", "8"]
    out = ["--json", str(tmp_path / "c.json"), "--html", str(tmp_path / "c.html")]
    assert cli.main(["--compare", str(talking), str(faceless), *model, *out]) == 4
    printed = capsys.readouterr().out
    assert "A and B are different files." in printed
    assert "no face was found" in printed
    assert json.loads((tmp_path / "c.json").read_text())["same_file"] is False
    assert "none.mp4" in (tmp_path / "c.html").read_text(encoding="utf-8")


def test_the_terminal_compares_two_models_about_one_file(
    weights: Path, other: Path, talking: Path, capsys: pytest.CaptureFixture
) -> None:
    models = ["--weights", str(weights / "tiny.safetensors"), "--weights", str(other)]
    options = ["--device", "cpu", "--frames", "8"]
    assert cli.main(["--compare", str(talking), *models, *options]) == 0
    assert "A was scored by the model tiny, B by the model other." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--compare"], "two files, or one file"),
        (["--compare", "--csv", "x.csv"], "--csv"),
        (["--weights", "a", "--weights", "b"], "with --compare only"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_the_work(
    talking: Path, capsys: pytest.CaptureFixture, options: list[str], reason: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(talking), *options])
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


class Counting(Detector):
    """A detector that lists the files that it analyses."""

    names: ClassVar[list[str]] = []

    def run(self, request: Request, hooks: Hooks = Hooks()) -> Any:  # noqa: B008
        if isinstance(request, Analyze):
            self.names.append(request.path.name)
        return super().run(request, hooks)


@pytest.fixture
def analysed() -> list[str]:
    """The names of all files that were analysed."""
    return Counting.names


@pytest.fixture(scope="module")
def url(detector: Detector, other: Path, cache: Path) -> Iterator[str]:
    second = Detector.load(other, device="cpu")
    first = Counting(detector.loaded, "cpu")
    with serving({"tiny": first, "other": second}, Limits()) as address:
        yield address


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    page = visit(browser, url)
    open_tab(page, "Compare")
    yield page
    page.close()


def test_one_file_under_two_models_is_compared_listed_and_opened(page: Page, talking: Path) -> None:
    give(page, "#compare-a", talking)
    page.click("#compare-start")
    answer = page.locator("#comparison")
    expect(answer).to_contain_text("B by the model other", timeout=LONG)
    expect(answer.locator(".side")).to_have_count(2)
    expect(page.locator("#compare-files")).to_contain_text("comparison", timeout=10_000)
    open_tab(page, "History")
    expect(page.locator("#history")).to_contain_text("Comparison: talking.mp4 and talking.mp4")
    open_tab(page, "Compare")
    page.click("#compare-view-b")
    expect(page.locator("#viewer .viewer")).to_be_visible(timeout=LONG)
    expect(page.locator("#verdict .answer")).to_be_visible(timeout=LONG)


def test_a_suspicious_stretch_has_the_colour_of_its_verdict_on_the_page(page: Page) -> None:
    """Gradio gives every element of such a text the colour of ink."""
    page.locator("#comparison .prose").evaluate(
        "(place, html) => { place.innerHTML = html; }", charts(two_people())
    )
    colours = page.locator("#comparison .wide-only :is(.stretch rect, rect.fake)").evaluate_all(
        "all => all.map((one) => getComputedStyle(one).color)"
    )
    assert len(colours) >= 3
    assert set(colours) == {"rgb(181, 71, 0)"}


def test_another_file_or_model_clears_the_comparison(
    page: Page, talking: Path, faceless: Path
) -> None:
    give(page, "#compare-a", talking)
    give(page, "#compare-b", faceless)
    page.click("#compare-start")
    answer = page.locator("#comparison")
    expect(answer).to_contain_text("Without two scores", timeout=LONG)
    expect(page.locator("#compare-view-b")).to_be_hidden()
    page.locator("#compare-b").get_by_label("Clear").first.click()
    expect(answer).to_contain_text("Two answers, side by side", timeout=10_000)
    expect(page.locator("#compare-files")).to_be_hidden()
    expect(page.locator("#compare-view-a")).to_be_hidden()


def test_without_two_files_or_models_the_page_shows_what_to_choose(page: Page) -> None:
    page.click("#compare-start")
    expect(page.get_by_text("Choose two files or results first.")).to_be_visible(timeout=10_000)
    expect(page.get_by_test_id("toast-body").locator("strong")).to_have_text("Nothing to compare")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out_of_a_comparison(page: Page, talking: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    give(page, "#compare-a", talking)
    page.click("#compare-start")
    expect(page.locator("#compare-files")).to_be_visible(timeout=LONG)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_a_comparison(page: Page, talking: Path, theme: str) -> None:
    page.evaluate(f"document.body.classList.toggle('dark', {str(theme == 'dark').lower()})")
    give(page, "#compare-a", talking)
    page.click("#compare-start")
    expect(page.locator("#compare-files")).to_be_visible(timeout=LONG)
    for details in page.locator("#comparison details").all():
        details.evaluate("(one) => { one.open = true; }")
    found = Axe().run(page, context="#comparison")
    grave = [one for one in found.response["violations"] if one["impact"] in GRAVE]
    assert not grave, [(one["id"], one["nodes"][0]["target"]) for one in grave]


def test_a_comparison_is_made_and_opened_by_keyboard(page: Page, talking: Path) -> None:
    """From the chosen file on; each control is reached by Tab, in the order in which it stands."""
    give(page, "#compare-a", talking)
    quick, *_others = page.locator("#compare-frames input").all()
    quick.focus()
    page.keyboard.press("Space")
    expect(quick).to_be_checked()
    for _press in range(3):  # over the other two numbers of frames
        page.keyboard.press("Tab")
    expect(page.locator("#compare-start")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#compare-view-b")).to_be_visible(timeout=LONG)
    for _press in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "compare-view-b":
            break
    expect(page.locator("#compare-view-b")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#verdict .answer")).to_be_visible(timeout=LONG)


def test_numbers_of_frames_are_offered_unless_all_files_are_pictures(
    page: Page, talking: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "face.png"
    Image.fromarray(moving_portrait(1)[0]).save(picture)
    frames = page.locator("#compare-frames")
    give(page, "#compare-a", picture)
    expect(frames).to_be_hidden(timeout=10_000)
    give(page, "#compare-b", talking)
    expect(frames).to_be_visible(timeout=10_000)


def choose(page: Page, side: str, name: str, *, of: int = 1) -> None:
    """Choose the result about the file `name` once at least `of` are offered: the list grows when
    an analysis ends, and a click in that moment would choose another one."""
    place = page.locator(f"#compare-result-{side}")
    expect(place).to_be_visible(timeout=10_000)
    place.locator("input").click()
    # The first option is none of them.
    expect(place.get_by_role("option").nth(of)).to_be_visible(timeout=10_000)
    place.get_by_role("option").filter(has_text=name).first.click()
    expect(place.locator("input")).to_have_value(re.compile(name), timeout=10_000)


@pytest.fixture
def after_answer(page: Page, talking: Path) -> Page:
    """A visit with the answer about `talking`, in the tab Compare."""
    open_tab(page, "Check")
    upload(page, talking)
    page.click("#analyse")
    expect(page.locator("#downloads")).to_contain_text("report", timeout=LONG)
    open_tab(page, "Compare")
    return page


def test_results_of_the_visit_are_compared_without_another_analysis(
    after_answer: Page, talking: Path, faceless: Path, analysed: list[str]
) -> None:
    """One answer of the first tab with one of several files; three results in all."""
    page = after_answer
    open_tab(page, "Several files")
    give(page, "#batch-given", faceless, talking)
    page.click("#batch-start")
    expect(page.locator("#batch-files")).to_contain_text("results", timeout=LONG)
    done = len(analysed)
    open_tab(page, "Compare")
    choose(page, "a", "talking", of=3)
    choose(page, "b", "none", of=3)
    expect(page.locator("#compare-frames")).to_be_hidden(timeout=10_000)
    page.click("#compare-start")
    answer = page.locator("#comparison")
    expect(answer.locator(".which").last).to_contain_text("none.mp4", timeout=20_000)
    expect(answer).to_contain_text("A and B are different files.")
    assert len(analysed) == done


def test_a_result_is_compared_with_a_file_and_gives_way_to_one(
    after_answer: Page, talking: Path, faceless: Path
) -> None:
    page = after_answer
    choose(page, "a", "talking")
    give(page, "#compare-b", faceless)
    page.click("#compare-start")
    answer = page.locator("#comparison")
    expect(answer).to_contain_text("Without two scores", timeout=LONG)
    expect(page.locator("#compare-files")).to_contain_text("comparison")
    give(page, "#compare-a", faceless)
    expect(page.locator("#compare-result-a input")).to_have_value("", timeout=10_000)
    expect(answer).to_contain_text("Two answers, side by side")


def test_a_result_is_compared_with_the_same_file_under_the_other_model(after_answer: Page) -> None:
    choose(after_answer, "a", "talking")
    after_answer.click("#compare-start")
    answer = after_answer.locator("#comparison")
    expect(answer).to_contain_text("B by the model other", timeout=LONG)


def test_both_sides_of_a_comparison_are_results_of_the_visit(
    page: Page, talking: Path, faceless: Path
) -> None:
    expect(page.locator("#compare-result-a")).to_be_hidden()
    give(page, "#compare-a", talking)
    give(page, "#compare-b", faceless)
    page.click("#compare-start")
    expect(page.locator("#compare-result-a")).to_be_visible(timeout=LONG)
    expect(page.locator("#comparison")).to_contain_text("Without two scores")
    page.locator("#compare-result-a input").click()
    expect(page.locator("li[role=option]")).to_contain_text(
        ["No result", "talking.mp4", "none.mp4"]
    )


def test_a_chosen_result_can_be_put_back(after_answer: Page) -> None:
    page = after_answer
    choose(page, "a", "talking")
    expect(page.locator("#compare-frames")).to_be_hidden(timeout=10_000)
    choose(page, "a", "No result")
    expect(page.locator("#compare-frames")).to_be_visible(timeout=10_000)
    page.click("#compare-start")
    expect(page.get_by_text("Choose two files or results first.")).to_be_visible(timeout=10_000)


def test_deleted_results_can_be_compared_no_more(after_answer: Page) -> None:
    expect(after_answer.locator("#compare-result-a")).to_be_visible(timeout=10_000)
    open_tab(after_answer, "History")
    after_answer.click("#delete-files")
    after_answer.click("#delete-sure")
    expect(after_answer.locator("#history-shown")).to_contain_text("deleted", timeout=10_000)
    open_tab(after_answer, "Compare")
    expect(after_answer.locator("#compare-result-a")).to_be_hidden(timeout=10_000)


def test_another_visitor_has_no_result_of_mine(
    after_answer: Page, browser: Browser, url: str
) -> None:
    expect(after_answer.locator("#compare-result-a")).to_be_visible(timeout=10_000)
    stranger = visit(browser, url)
    open_tab(stranger, "Compare")
    expect(stranger.locator("#compare-start")).to_be_visible()
    stranger.wait_for_timeout(500)
    expect(stranger.locator("#compare-result-a")).to_be_hidden()
    stranger.close()
