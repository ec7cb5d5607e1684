"""What a visitor does on the page, for the tests in a browser."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from playwright.sync_api import Page, expect

# A headless shell is the same engine without windows, and takes a fifth less processor time.
PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
# Milliseconds for an analysis and its drawings, where several processes share two cores.
LONG = 120_000


def upload(page: Page, path: Path) -> None:
    page.set_input_files("#upload input[type=file]", path)
    expect(page.locator("#preview").locator("video, img")).to_be_visible(timeout=20_000)


def analyse(page: Page, path: Path) -> None:
    """Upload a clip, run the analysis, and wait for the annotated video, which comes last."""
    upload(page, path)
    page.click("#analyse")
    wait_for_annotated(page)


def wait_for_annotated(page: Page) -> None:
    expect(page.locator("#downloads")).to_contain_text("annotated", timeout=LONG)
    expect(page.locator("#analyse")).to_be_enabled(timeout=LONG)
