"""An event of the page, or a call of the API, becomes a question to the detector.

Translation only: what is shown comes from the report, and each visitor's report lives in their
own session. `VideoError` is an answer and is shown as one; anything else is our bug.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from detector.errors import VideoError
from detector.records import Report
from detector.render.document import to_csv, to_html, to_json
from detector.settings import Settings
from detector.ui.desk import Served
from detector.ui.jobs import Step, run_job
from detector.watch import OnProgress, ShouldStop

# Models by name; the first is the default.
Detectors = Mapping[str, Served]


@dataclass(frozen=True, slots=True)
class Question:
    """One file and how to look at it; `path` is None when nothing was chosen."""

    path: Path | None
    settings: Settings
    model: str

    def given(self) -> Path:
        """The file; raises gr.Error, which the visitor reads, when there is none."""
        if self.path is None:
            raise gr.Error("Choose a video or a picture first.", title="Nothing to look at")
        return self.path


def look(
    detectors: Detectors, question: Question
) -> Generator[Step | Report | VideoError, None, None]:
    """The steps of the analysis, then its report, or the error that is the answer."""
    path, detector = question.given(), detectors[question.model]

    def work(on_progress: OnProgress, should_stop: ShouldStop) -> Report:
        return detector.analyze(
            path, question.settings, on_progress=on_progress, should_stop=should_stop
        )

    try:
        yield from run_job(work)
    except VideoError as error:
        yield error


def draw(
    detector: Served, question: Question, report: Report, folder: Path
) -> Generator[Step | Path | VideoError, None, None]:
    """The steps of drawing the annotated video into `folder`, then its path, or why there is
    none: the report stands without it."""
    out = folder / f"{stem_of(report)}-annotated.mp4"
    path = question.given()

    def work(on_progress: OnProgress, should_stop: ShouldStop) -> Path:
        return detector.annotate(
            path, report, out, on_progress=on_progress, should_stop=should_stop
        )

    try:
        yield from run_job(work)
    except VideoError as error:
        yield error


def stem_of(report: Report) -> str:
    """What the visitor's file is called, as the beginning of a file name of ours."""
    letters = re.sub(r"[^\w-]+", "_", Path(report.video.name).stem).strip("_")
    return letters[:60] or "video"


def write_documents(report: Report, folder: Path) -> list[Path]:
    """The report as JSON, CSV and one HTML page, named after the visitor's file."""
    stem = stem_of(report)
    texts = {
        f"{stem}-report.html": to_html(report),
        f"{stem}-report.json": json.dumps(to_json(report), indent=2),
        f"{stem}-frames.csv": to_csv(report),
    }
    paths = []
    for name, text in texts.items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths
