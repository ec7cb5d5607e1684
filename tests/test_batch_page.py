"""Several files on the page: answers that open, their order, their reports, and known labels."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from detector import Detector
from detector.video import Limits
from tests.clips import moving_portrait, plain, write_clip
from tests.server import serving
from tests.test_page import GRAVE, browser, pytestmark, visit
from tests.test_tabs import give, open_tab
from tests.visits import LONG, wait_for_annotated

__all__ = ["browser", "pytestmark"]


@pytest.fixture(scope="module")
def finished(
    browser: Browser,
    detector: Detector,
    cache: Path,
    talking: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Page]:
    """A visit with four reports: no face in the first file, and two files of one name."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "other").mkdir()
    files = [
        write_clip(folder / "none.mp4", plain(12)),
        write_clip(folder / "clip.mp4", moving_portrait(12)),
        write_clip(folder / "other" / "clip.mp4", moving_portrait(12, (400, 400))),
        write_clip(folder / "last.mp4", moving_portrait(12)),
    ]
    with serving({"tiny": detector}, Limits()) as address:
        page = visit(browser, address)
        open_tab(page, "Several files")
        give(page, "#batch-given", *files)
        page.click("#batch-start")
        expect(page.locator("#batch-files")).to_be_visible(timeout=LONG)
        yield page
        page.close()


def cells(page: Page) -> list[list[str]]:
    """The table's rows, as shown."""
    texts = page.locator("#batch-table [role=gridcell]").all_inner_texts()
    return [texts[k : k + 7] for k in range(0, len(texts), 7)]


def download(page: Page, place: str, name: str) -> bytes:
    with page.expect_download() as got:
        page.locator(f"{place} tr.file", has_text=name).locator("a").first.click()
    return Path(got.value.path()).read_bytes()


def test_a_row_opens_the_full_report_of_its_file(finished: Page) -> None:
    finished.locator("#batch-table").get_by_text("last.mp4").click()
    row = finished.locator("#batch-row")
    expect(row.locator("h2").first).to_contain_text("last.mp4", timeout=20_000)
    expect(row.locator("h2").first).to_be_focused()
    for part in (".answer", ".moments img", "details table"):
        expect(row.locator(part).first).to_be_attached()
    for moment in row.locator(".moments figure").all():
        assert moment.locator("img").count() == 2, "the face, and its heat map"
    report = json.loads(download(finished, "#batch-row-files", "json"))
    assert report["video"]["name"] == "last.mp4"


def test_an_opened_file_is_analysed_alone_with_the_viewer_on_one_click(finished: Page) -> None:
    finished.locator("#batch-table").get_by_text("last.mp4").click()
    finished.click("#batch-view")
    expect(finished.locator("#verdict .answer")).to_contain_text("last.mp4", timeout=LONG)
    expect(finished.locator("#viewer .stage")).to_be_visible(timeout=20_000)
    wait_for_annotated(finished)
    open_tab(finished, "Several files")
    expect(finished.locator("#batch-row h2").first).to_contain_text("last.mp4")


def test_a_report_is_opened_by_keyboard_alone(finished: Page) -> None:
    finished.locator("#batch-queue").get_by_role("button").nth(1).focus()
    finished.keyboard.press("Enter")
    head = finished.locator("#batch-row h2").first
    expect(head).to_have_text("Opened clip.mp4", timeout=20_000)
    finished.locator("#batch-queue").get_by_role("button").nth(0).focus()
    finished.keyboard.press("Enter")
    expect(head).to_have_text("Opened none.mp4", timeout=20_000)
    expect(finished.locator("#batch-row")).to_contain_text("no face was found")
    expect(finished.locator("#batch-view")).to_be_hidden()


def test_the_order_of_risk_puts_files_without_a_score_last(finished: Page) -> None:
    given = [row[0] for row in cells(finished)]
    assert given == ["none.mp4", "clip.mp4", "clip (2).mp4", "last.mp4"]
    finished.locator("#batch-order").get_by_text("Most suspicious first").click()
    table = finished.locator("#batch-table [role=gridcell]")
    expect(table.nth(21)).to_have_text("none.mp4", timeout=10_000)
    scores = [float(row[2]) for row in cells(finished)[:3]]
    assert scores == sorted(scores, reverse=True)
    finished.locator("#batch-order").get_by_text("Order given").click()
    expect(table.first).to_have_text("none.mp4", timeout=10_000)


def test_one_archive_contains_every_report_under_a_unique_name(finished: Page) -> None:
    archive = ZipFile(io.BytesIO(download(finished, "#batch-files", "zip")))
    names = archive.namelist()
    assert len(set(names)) == len(names)
    for stem in ("none", "clip", "clip_2", "last"):
        assert f"reports/{stem}-report.html" in names
        assert f"reports/{stem}-frames.csv" in names
        document = json.loads(archive.read(f"reports/{stem}-report.json"))
        assert document["video"]["name"].startswith(stem.split("_")[0])
    assert "data:image/jpeg" in archive.read("reports/last-report.html").decode()
    results = list(csv.DictReader(io.StringIO(archive.read("results.csv").decode())))
    assert [row["file"] for row in results] == [
        json.loads(archive.read("results.json"))[k]["video"]["name"] for k in range(4)
    ]


def test_the_logits_of_every_run_of_frames_are_a_table(finished: Page) -> None:
    text = download(finished, "#batch-files", "clips").decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["file"] for row in rows} == {"clip.mp4", "clip (2).mp4", "last.mp4"}
    assert all(float(row["logit"]) == float(row["logit"]) for row in rows)


def label(page: Page, text: str, folder: Path) -> None:
    clear = page.locator("#batch-labels").get_by_label("Clear")
    if not page.locator("#batch-labels").is_visible():
        page.locator("#batch-known button").first.click()
    if clear.count():
        clear.first.click()
        expect(clear).to_have_count(0)
    path = folder / "labels.csv"
    path.write_text(text)
    page.set_input_files("#batch-labels input[type=file]", path)


def test_labels_yield_auc_curve_and_confusion_matrix(finished: Page, tmp_path: Path) -> None:
    labels = "file,label\nfakes/last.mp4,FAKE\nclip.mp4,REAL\nelsewhere.mp4,REAL\n"
    label(finished, labels, tmp_path)
    found = finished.locator("#batch-measured")
    expect(found).to_contain_text("3 of 4 files have a label. AUC", timeout=20_000)
    expect(found).to_contain_text("Without a label, and left out here: none.mp4")
    expect(found.locator("svg[aria-label='ROC curve']")).to_be_visible()
    rows = "rows => rows.map((row) => [...row.cells].map((cell) => cell.innerText))"
    fake, real = found.locator("tbody tr").evaluate_all(rows)
    assert sum(map(int, fake[1:])) == 1
    assert sum(map(int, real[1:])) == 2
    threshold = finished.locator("#batch-threshold input[type=number]")
    threshold.fill("0.01")
    threshold.press("Tab")
    expect(found).to_contain_text("Called fake from a score of 1", timeout=20_000)
    expect(found.locator("tbody tr").nth(1)).to_have_text("Real200", use_inner_text=False)


@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
def test_nothing_sticks_out_at_any_width(finished: Page, width: int) -> None:
    finished.set_viewport_size({"width": width, "height": 900})
    finished.wait_for_timeout(300)
    parts = ("batch-frames", "batch-order", "batch-queue", "batch-row", "batch-files")
    for name in parts:
        box = finished.locator(f"#{name}").bounding_box()
        assert box is not None, name
        assert box["x"] >= 0, name
        assert box["x"] + box["width"] <= width + 1, name
    rows = "nodes => new Set(nodes.map((node) => node.getBoundingClientRect().top)).size"
    for name in ("batch-frames", "batch-order"):
        assert finished.locator(f"#{name} label").evaluate_all(rows) == 1, name


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_our_own_parts(finished: Page, theme: str) -> None:
    finished.evaluate(f"document.body.classList.toggle('dark', {str(theme == 'dark').lower()})")
    parts = ("batch-queue", "batch-measured", "batch-row")
    found = Axe().run(finished, context={"include": [[f"#{name}"] for name in parts]})
    finished.evaluate("document.body.classList.remove('dark')")
    grave = [one for one in found.response["violations"] if one["impact"] in GRAVE]
    assert not grave, [(one["id"], one["nodes"][0]["target"]) for one in grave]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file,label\nother.mp4,FAKE\n", "No label is about any of these files"),
        ("name\nclip.mp4\n", "labels.csv needs a column file"),
        ("file,label\nclip.mp4,MAYBE\n", "Write REAL or FAKE"),
    ],
)
def test_labels_that_do_not_fit_are_refused_in_a_sentence(
    finished: Page, tmp_path: Path, text: str, sentence: str
) -> None:
    label(finished, text, tmp_path)
    expect(finished.locator("#batch-measured")).to_contain_text(sentence, timeout=20_000)
