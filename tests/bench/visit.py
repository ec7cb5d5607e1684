"""How long a visitor waits after the upload: for the answer, and for the viewer.

    python -m tests.bench.visit

The app as it is run with the released weights, a headless Chromium on the same machine, the drawn
10 s 720p clip of the benchmark at the preset `standard`. Seconds from the click on "Analyse", which
follows the end of the upload, medians of several visits. With `--in-doubt` the range of "undecided"
begins at 0, so that the clip is sampled again as one is whose score lies near the threshold.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from tests.bench.scene import scene
from tests.bench.viewer import FLAGS
from tests.clips import write_clip
from tests.load.service import ROOT, running
from tests.visits import CHROMIUM

SECONDS, FPS = 10, 30.0
# Milliseconds by the page's own clock: Playwright looks less and less often for what it expects.
NOTE_TIMES = """() => {
    const verdict = document.querySelector("#verdict");
    window.clicked = new Promise((done) => {
        const note = () => done(performance.now());
        document.querySelector("#analyse").addEventListener("click", note, { capture: true });
    });
    window.painted = new Promise((done) => {
        const observer = new MutationObserver(() => {
            if (!verdict.querySelector(".answer")) return;
            observer.disconnect();
            // The second frame from now begins once the first is on the screen.
            const note = () => requestAnimationFrame(() => done(performance.now()));
            requestAnimationFrame(note);
        });
        observer.observe(verdict, { childList: true, subtree: true });
    });
}"""


def visit(chromium: Browser, url: str, clip: Path) -> tuple[float, float]:
    """Seconds until the verdict is painted, and until the viewer can play."""
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url)
    page.set_input_files("#upload input[type=file]", clip)
    expect(page.locator("#preview video")).to_be_visible(timeout=60_000)
    page.evaluate(NOTE_TIMES)
    page.click("#analyse")
    began, answered = page.evaluate("() => Promise.all([clicked, painted])")
    playable = page.wait_for_function(
        "document.querySelector('#viewer [data-part=plain]')?.readyState >= 2 && performance.now()",
        timeout=120_000,
    )
    shown = float(playable.json_value())
    page.close()
    return (answered - began) / 1000, (shown - began) / 1000


def weights(folder: Path, *, in_doubt: bool) -> Path:
    """The released weights, or a copy of them that is certain of nothing below its threshold."""
    released = ROOT / "weights" / "fast.safetensors"
    if not in_doubt:
        return released
    card = json.loads(released.with_suffix(".json").read_text(encoding="utf-8"))
    card["rules"]["undecided"][0] = 0.0
    (folder / "fast.json").write_text(json.dumps(card), encoding="utf-8")
    return Path(shutil.copy(released, folder))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.visit", description=__doc__)
    parser.add_argument("--visits", type=int, default=7)
    parser.add_argument("--in-doubt", action="store_true", help="the clip is sampled again")
    options = parser.parse_args(arguments)
    if not CHROMIUM:
        parser.error("There is no Chromium on this machine; set CHROMIUM.")
    with (
        tempfile.TemporaryDirectory() as name,
        running(weights(Path(name), in_doubt=options.in_doubt), Path(name) / "files") as service,
        sync_playwright() as playwright,
    ):
        clip = write_clip(Path(name) / "clip.mp4", scene(round(SECONDS * FPS)), fps=FPS)
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        visit(chromium, service.url, clip)  # loads the weights
        waits = [visit(chromium, service.url, clip) for _ in range(options.visits)]
        chromium.close()
    for what, seconds in zip(("answer", "viewer"), zip(*waits, strict=True), strict=True):
        low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
        print(f"{what}: {middle:.1f} s after the upload (from {low:.1f} to {high:.1f})")


if __name__ == "__main__":
    main()
