"""How long the viewer takes to show a requested moment, and the offset between its two videos.

In a real headless Chromium, on the page that visitors get, with a tiny network: what is measured
is the browser's part.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from detector import Detector
from detector.video import Limits
from tests.server import serving
from tests.visits import CHROMIUM

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# From the request for a moment until its frame is on the screen.
SEEK = """async (share) => {
    const video = document.querySelector('#viewer [data-part=plain]');
    const line = document.querySelector('#viewer [data-part=chart] svg');
    const [x0, x1] = [line.dataset.x0, line.dataset.x1].map(Number);
    const frame = line.getBoundingClientRect();
    const x = frame.left + (x0 + share * (x1 - x0)) / line.viewBox.baseVal.width * frame.width;
    const y = frame.top + frame.height / 3;
    const shown = new Promise((done) => video.requestVideoFrameCallback(done));
    const start = performance.now();
    const timeline = document.querySelector('#viewer [data-part=timeline]');
    timeline.setPointerCapture = () => {};
    for (const kind of ['pointerdown', 'pointerup'])
        timeline.dispatchEvent(new PointerEvent(kind, {clientX: x, clientY: y, bubbles: true}));
    await shown;
    return performance.now() - start;
}"""
# The offset in time between the shown frames of the two videos, at every frame of the plain one
# later than half a second after a start; a short video starts again until there is one.
APART = """async (seconds) => {
    const [plain, heat] = ['plain', 'heat'].map(
        (name) => document.querySelector(`#viewer [data-part=${name}]`));
    const apart = [];
    let settled = Infinity;
    const note = (now) => {
        if (now > settled) apart.push(Math.abs(plain.currentTime - heat.currentTime) * 1000);
        plain.requestVideoFrameCallback(note);
    };
    plain.requestVideoFrameCallback(note);
    plain.muted = true;
    plain.currentTime = 0;
    const start = performance.now();
    while (performance.now() < start + 1000 * seconds + 500 || !apart.length) {
        if (performance.now() > start + 60000) throw new Error('no frame was shown');
        if (plain.paused) {
            await plain.play();
            settled = performance.now() + 500;
        }
        await new Promise((done) => setTimeout(done, 50));
    }
    plain.pause();
    return apart;
}"""


def measure(clip: Path, weights: Path, seeks: int) -> dict[str, Any]:
    """Milliseconds: median and worst of `seeks` seeks, and of the videos' distance in play."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        os.environ["GRADIO_TEMP_DIR"] = folder
        detector = Detector.load(weights, "cpu")
        with serving({"stand-in": detector}, Limits()) as url:
            chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = chromium.new_page(viewport={"width": 1280, "height": 900})
            _analyse(page, url, clip)
            waited = [page.evaluate(SEEK, (0.37 + 0.61 * k) % 1) for k in range(seeks)]
            apart = page.evaluate(APART, min(3, seeks / 4))
            chromium.close()
        del os.environ["GRADIO_TEMP_DIR"]
    return {
        "seek_ms": statistics.median(waited),
        "seek_worst_ms": max(waited),
        "apart_ms": statistics.median(apart),
        "apart_worst_ms": max(apart),
        "frames_compared": len(apart),
    }


def _analyse(page: Page, url: str, clip: Path) -> None:
    page.goto(url)
    page.wait_for_selector("#analyse")
    page.set_input_files("#upload input[type=file]", clip)
    page.wait_for_selector("#preview video")
    page.click("#analyse")
    page.wait_for_selector("#downloads >> text=annotated", timeout=120_000)
    page.wait_for_function(
        "['plain', 'heat'].every((name) => "
        "document.querySelector(`#viewer [data-part=${name}]`).readyState >= 3)"
    )
