"""The HTML report on paper, as Chromium prints it: A4, white, nothing cut off."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from detector.records import Report
from detector.render.document import to_html
from tests import reports
from tests.test_page import browser, pytestmark  # noqa: F401

A4 = 595, 842  # points
INSIDE = 688  # CSS pixels between the margins
STICKING_OUT = """(wide) => [...document.querySelectorAll('body *')]
    .filter((one) => !one.closest('svg') || one.tagName === 'svg')
    .filter((one) => one.getBoundingClientRect().right > wide + 1)
    .map((one) => `${one.tagName} ${one.className}`)"""
VISIBLE = """(name) => [...document.querySelectorAll(name)]
    .filter((one) => one.checkVisibility({contentVisibilityAuto: true}))
    .filter((one) => one.getBoundingClientRect().height > 0).length"""
every_kind = pytest.mark.parametrize(
    "make", reports.EVERY_KIND.values(), ids=reports.EVERY_KIND.keys()
)


@pytest.fixture(scope="module")
def paper(browser: Browser) -> Iterator[Page]:  # noqa: F811
    """A page of a visitor whose screen is dark, as it is laid out for print."""
    page = browser.new_page(viewport={"width": INSIDE, "height": 1000}, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    yield page
    page.close()


def shown(page: Page, report: Report, folder: Path, language: str = "en") -> Page:
    path = folder / "report.html"
    path.write_text(to_html(report, language), encoding="utf-8")
    page.goto(path.as_uri())
    return page


def sheets(pdf: bytes) -> list[tuple[int, int]]:
    """The size of every page in points."""
    sizes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", pdf)
    return [(round(float(wide)), round(float(high))) for wide, high in sizes]


@pytest.mark.parametrize(
    ("make", "most"),
    [(reports.still_image, 3), (reports.no_face, 2), (reports.calm, 5), (reports.two_people, 9)],
)
def test_a_report_fills_a_few_sheets_of_a4(
    paper: Page, tmp_path: Path, make: Callable[[], Report], most: int
) -> None:
    printed = sheets(shown(paper, make(), tmp_path).pdf(prefer_css_page_size=True))
    assert 1 <= len(printed) <= most
    assert set(printed) == {A4}


@every_kind
def test_nothing_sticks_out_of_the_sheet(
    paper: Page, tmp_path: Path, make: Callable[[], Report]
) -> None:
    page = shown(paper, make(), tmp_path, "de")  # whose words are the longest
    assert page.evaluate(STICKING_OUT, INSIDE) == []


def test_what_is_folded_on_the_screen_is_printed(paper: Page, tmp_path: Path) -> None:
    page = shown(paper, reports.two_people(), tmp_path)
    rows = page.locator("tbody tr").count()
    assert rows > 50
    assert page.evaluate(VISIBLE, "tbody tr") == rows


def test_one_chart_is_printed_and_never_two_of_the_same(paper: Page, tmp_path: Path) -> None:
    page = shown(paper, reports.two_people(), tmp_path)
    assert page.evaluate(VISIBLE, "svg.tl") == 1


def test_paper_is_white_on_a_dark_screen(paper: Page, tmp_path: Path) -> None:
    page = shown(paper, reports.two_people(), tmp_path)
    backgrounds = page.evaluate(
        "['body', 'section'].map((name) => getComputedStyle(document.querySelector(name))"
        ".backgroundColor)"
    )
    assert set(backgrounds) == {"rgb(255, 255, 255)"}
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"


def test_a_report_has_no_controls_to_print(paper: Page, tmp_path: Path) -> None:
    page = shown(paper, reports.explained(), tmp_path)
    assert page.locator("button, input, select, video").count() == 0


@pytest.mark.parametrize("name", ["tr", "figure", "svg", ".person", ".answer"])
def test_what_belongs_together_stays_on_one_sheet(paper: Page, tmp_path: Path, name: str) -> None:
    page = shown(paper, reports.two_people(), tmp_path)
    inside = "(all) => all.map((one) => getComputedStyle(one).breakInside)"
    breaks = page.locator(name).evaluate_all(inside)
    assert breaks
    assert set(breaks) == {"avoid"}
