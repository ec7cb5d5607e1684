"""Every word of the page is a message, and its visitor can choose the language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from playwright.sync_api import Browser, Page, expect

from detector import Detector
from detector.errors import ReportError, VideoError
from detector.language import LANGUAGES, catalogue, in_language, lazy
from detector.records import Verdict
from detector.service.admission import Admission, Served
from detector.service.batch import Batch
from detector.service.jobs import STARTING, WAITING, Step
from detector.ui import html
from detector.ui.gradio_patches import components
from detector.ui.greeting import render_of
from detector.ui.languages import translations
from detector.ui.page import build_page
from detector.ui.tabs import batch, explain, history, live, verify
from detector.verify.verify import Difference, Verification
from detector.video import Limits
from detector.video.live import Score, Stream
from tests import reports
from tests.pseudo import marked, unmarked
from tests.server import serving
from tests.test_page import browser, pytestmark

__all__ = ["browser"]
in_a_browser = pytestmark
BAD = VideoError(lazy("{file} contains only sound. Send a file with a picture.", file="No score"))


@pytest.fixture(scope="module")
def built(detector: Detector) -> gr.Blocks:
    return build_page({"tiny": Served(detector, Admission())}, Limits())


def labels(page: gr.Blocks) -> Iterator[Any]:
    """Everything that Gradio writes beside or on a component."""
    for block in components(page):
        for name in ("label", "placeholder", "info"):
            yield getattr(block, name, None)
        if isinstance(block, gr.Button):
            yield block.value
        if isinstance(block, gr.Radio):
            yield from (name for name, _value in block.choices)


def test_every_label_is_translated_to_the_visitor_s_language(built: gr.Blocks) -> None:
    """A label that no catalogue has, or that is not marked, fails here. Names of parameters, for
    programs, are lower case."""
    names = {"curl", "Python", "MCP", "Run"}
    plain = {str(label) for label in labels(built) if label and "__i18n__" not in str(label)}
    assert {label for label in plain - names if not re.fullmatch(r"[a-z_\d:]+", label)} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_browser_has_every_label_in_every_language(built: gr.Blocks, language: str) -> None:
    known = translations(built).translations
    assert known["en"]["Analyse all"] == "Analyse all"
    assert known[language].keys() >= known["en"].keys()
    assert known[language]["Analyse all"] == catalogue(language).gettext("Analyse all")


def test_every_text_of_the_initial_page_is_a_message(built: gr.Blocks, detector: Detector) -> None:
    info = detector.info
    known = (info.id, info.sha256, info.sha256[:8], info.trained_on, "float32", "AUC")
    renders = [render for block in components(built) if (render := render_of(block))]
    assert len(renders) > 10
    with marked():
        assert [text for render in renders for text in unmarked(render(), *known)] == []


def test_every_text_about_progress_is_a_message() -> None:
    report, step = reports.two_people(), Step(STARTING, 3, 20, 4.0)
    done = Batch.of(["/x/No score", "/x/yes", "/x/b"]).started().answered(report).started()
    done = done.answered(BAD).started()
    scores = (Score(1.0, 0.4, Verdict.UNDECIDED, 0.2), Score(2.0, 0.9, Verdict.FAKE, 0.2))
    differences = tuple(Difference("faces.0", "a", k) for k in range(40))
    with marked():
        texts = [
            *(html.working(one) for one in (step, Step(WAITING, 0, 1), Step(WAITING, 0, 4))),
            *(html.undrawn(BAD), html.problem(BAD), html.cancelled()),
            *(batch.queue_list(done, one) for one in (None, step, Step(WAITING, 0, 4))),
            batch.queue_list(done.cancelled()),
            *(history.deleted(1), history.deleted(2), history.choose(), history.together()),
            history.frame(history.Past(("", ""), "", (Path("/gone.html"), Path("/gone.json")))),
            *(live.waiting(Stream()), live.over(), live.live_card(Stream(scores=scores), report)),
            verify.verification_card(Verification(True, True, False, 0.1, differences), "No"),
            verify.verification_card(Verification(None, None), "No"),
            verify.verification_card(ReportError(lazy("the whole")), "No"),
            *(explain.closer(), explain.steadiness(), explain.retold()),
        ]
        table = batch.table(done, "given")
    known = ("No score", "yes", "faces.0", "No", " ms")
    assert unmarked("".join(texts), *known) == []
    assert all(head.startswith("«") for head in table["headers"])
    assert [row[1][:1] for row in table["data"]] == ["«", "«"]


@pytest.mark.parametrize("name", ["No score", "yes", "<b>", "{person}", "Undecided", "No"])
def test_a_file_name_is_never_translated(name: str) -> None:
    """In the queue, in the table, in the history and in the words about it."""
    error = VideoError(lazy("{file} contains only sound. Send a file with a picture.", file=name))
    done = Batch.of([f"/x/{name}"]).started().answered(error)
    shown = name.replace("<", "&lt;").replace(">", "&gt;")
    for language in LANGUAGES:
        with in_language(language):
            assert f'<b translate="no">{shown}</b>' in batch.queue_list(done)
            assert batch.table(done, "given")["data"][0][0] == name
            assert f"<h1>{shown}" in html.problem(error)
            card = verify.verification_card(Verification(True, True, True, 0.0), name)
            assert f'translate="no">{shown}</p>' in card


@pytest.fixture(scope="module")
def url(detector: Detector, cache: Path) -> Iterator[str]:
    with serving({"tiny": detector}, Limits()) as address:
        yield address


def visit(browser: Browser, url: str, locale: str) -> Page:
    page = browser.new_context(locale=locale).new_page()
    page.goto(url)
    expect(page.locator("#analyse")).to_be_visible(timeout=30_000)
    return page


@pytest.mark.browser
@in_a_browser[1]
def test_a_language_is_offered_whole_or_not_at_all(browser: Browser, url: str) -> None:
    """French is not: Gradio's own widgets have it."""
    page = visit(browser, url, "fr-FR")
    expect(page.locator("#upload")).to_contain_text("Drop File Here")
    expect(page.locator("#masthead h1")).to_have_text("Is this face real?")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.context.close()


@pytest.mark.browser
@in_a_browser[1]
def test_a_chosen_language_is_kept(browser: Browser, url: str) -> None:
    page = visit(browser, url, "fr-FR")
    page.get_by_label("Language").select_option("zh")
    expect(page.locator("#analyse")).to_have_text("分析", timeout=30_000)
    expect(page.locator("#upload")).to_contain_text("点击上传")
    expect(page.locator("#masthead h1")).to_have_text("这张脸是真的吗？")
    expect(page.locator("#masthead select")).to_have_value("zh")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.click("#analyse")
    expect(page.get_by_text("请先选择视频或图片。")).to_be_visible()
    expect(page).to_have_title("这张脸是真的吗？")
    page.get_by_role("tab", name="实时").click()
    expect(page.locator("#camera")).to_contain_text("点击以使用摄像头")
    again = page.context.new_page()
    again.goto(url)
    expect(again.locator("#analyse")).to_have_text("分析", timeout=30_000)
    again.locator("#masthead select").select_option("en")
    expect(again.locator("#analyse")).to_have_text("Analyse", timeout=30_000)
    page.context.close()


@pytest.mark.browser
@in_a_browser[1]
def test_gradio_s_own_buttons_are_named_in_the_language_and_files_are_not(
    browser: Browser, url: str, tmp_path: Path
) -> None:
    page = visit(browser, url, "de-DE")
    files = [tmp_path / "Fullscreen", tmp_path / "other"]
    for file in files:
        file.write_bytes(b"no video")
    page.get_by_role("tab", name="Mehrere Dateien").click()
    page.set_input_files("#batch-given input[type=file]", files)
    expect(page.get_by_label("Diese Datei entfernen")).to_have_count(2, timeout=10_000)
    expect(page.locator("td[aria-label=Fullscreen]")).to_have_count(1)
    for name in ("Prüfen", "Vergleichen", "Hilfe / API"):
        page.get_by_role("tab", name=name).click()
    page.wait_for_timeout(300)
    named = page.locator(":is(button, input, footer)[aria-label]").evaluate_all(
        "all => all.map((one) => one.getAttribute('aria-label'))"
    )
    assert [name for name in named if name in {*html.WIDGET_NAMES, "Copy"}] == []
    page.context.close()


@pytest.mark.browser
@in_a_browser[1]
def test_a_failure_without_a_reason_is_named_in_the_visitor_s_language(
    browser: Browser, url: str
) -> None:
    """Gradio has its text for it in English only; the reason itself is left alone."""
    page = visit(browser, url, "de-DE")
    expect(page.locator("#masthead h1")).to_have_text("Ist dieses Gesicht echt?")
    for text in ("An error occurred.", "An error occurred in a file"):
        page.evaluate(
            """(text) => document.body.append(
              Object.assign(document.createElement('div'), {
                className: 'toast-message-text', textContent: text,
              }))""",
            text,
        )
    toasts = page.locator(".toast-message-text")
    expect(toasts).to_have_text(["Ein Fehler ist aufgetreten.", "An error occurred in a file"])
    page.context.close()
