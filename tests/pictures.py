"""Takes the pictures of the page that the documents show: python -m tests.pictures [FOLDER]

The app as it is run, the two-person example, a headless Chromium: a desktop and a phone, light and
dark. Look at them before you commit them.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.load.service import ROOT, running
from tests.test_page import EXAMPLES, FLAGS, HEAT, PAINTED, VIDEO
from tests.visits import CHROMIUM, analyse

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
QUALITY = 80


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs")
    folder = parser.parse_args(arguments).folder
    with (
        tempfile.TemporaryDirectory() as name,
        running(ROOT / "weights" / "fast.safetensors", Path(name) / "files") as service,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for theme, picture in (("light", "page"), ("dark", "page-dark")):
            page = answered(chromium, f"{service.url}?__theme={theme}", DESKTOP)
            keep(folder / f"{picture}.jpg", shot(page, below="#viewer"))
            page.close()
        sides = []
        for theme in ("light", "dark"):
            page = answered(chromium, f"{service.url}?__theme={theme}", PHONE)
            for part in ("#verdict", "#viewer"):
                page.locator(part).evaluate("node => node.scrollIntoView({block: 'start'})")
                page.wait_for_timeout(500)
                sides.append(Image.open(io.BytesIO(page.screenshot())))
            page.close()
        keep(folder / "phone.jpg", beside(sides))
        chromium.close()


def answered(chromium: Browser, url: str, size: dict[str, int]) -> Page:
    """The page once the example is analysed, and its videos are drawn."""
    page = chromium.new_page(viewport=size)  # type: ignore[arg-type]
    page.goto(url)
    expect(page.locator("#analyse")).to_be_visible(timeout=30_000)
    analyse(page, EXAMPLES / "two_people.mp4")
    page.wait_for_function(f"[{VIDEO}, {HEAT}].every((v) => v.readyState >= 2 && !v.seeking)")
    page.wait_for_function(PAINTED, arg="warm")
    page.mouse.move(0, 0)
    return page


def shot(page: Page, *, below: str) -> Image.Image:
    """From the head of the page down to the end of one of its parts."""
    whole = Image.open(io.BytesIO(page.screenshot(full_page=True)))
    box = page.locator(below).bounding_box()
    assert box is not None
    end = box["y"] + box["height"] + page.evaluate("window.scrollY") + 10
    return whole.crop((0, 0, whole.width, min(round(end), whole.height)))


def beside(pictures: Sequence[Image.Image]) -> Image.Image:
    """One row of them, with a grey seam."""
    gap = 12
    wide = sum(picture.width for picture in pictures) + gap * (len(pictures) - 1)
    row = Image.new("RGB", (wide, pictures[0].height), (128, 128, 128))
    at = 0
    for picture in pictures:
        row.paste(picture, (at, 0))
        at += picture.width + gap
    return row


def keep(path: Path, picture: Image.Image) -> None:
    """Three quarters as large, which is enough to read and loads at once."""
    small = picture.convert("RGB").resize((picture.width * 3 // 4, picture.height * 3 // 4))
    small.save(path, quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
