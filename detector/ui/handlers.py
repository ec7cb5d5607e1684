"""An event of the page, or a call of the API, becomes a question to the detector.

Translation only: what is shown comes from the report, and each visitor's report lives in their
own session. `VideoError` is an answer and is shown as one; anything else is our bug.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import gradio as gr

from detector.errors import VideoError
from detector.pipeline import Detector
from detector.records import Report
from detector.render.document import to_csv, to_html, to_json
from detector.render.movie import annotate_video
from detector.render.views import Views, render_views
from detector.settings import Settings
from detector.ui.jobs import Step, run_job
from detector.watch import OnProgress, ShouldStop, Watch

# Models by name; the first is the default.
Detectors = Mapping[str, Detector]


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
    partial: deque[Report] = deque(maxlen=1)

    def work(on_progress: OnProgress, should_stop: ShouldStop) -> Report:
        return detector.analyze(
            path,
            question.settings,
            on_progress=on_progress,
            should_stop=should_stop,
            on_partial=partial.append,
        )

    try:
        with closing(run_job(work)) as steps:
            for item in steps:
                if isinstance(item, Step) and partial:
                    item = replace(item, so_far=partial[0])
                yield item
    except VideoError as error:
        yield error


def draw(
    detector: Detector, question: Question, report: Report, folder: Path
) -> Generator[Step | Path, None, None]:
    """The steps of drawing the annotated video into `folder`, then its path."""
    out = folder / f"{Path(report.video.name).stem}-annotated.mp4"
    path, margin = question.given(), detector.config.margin

    def work(on_progress: OnProgress, should_stop: ShouldStop) -> Path:
        return annotate_video(
            path, report, out, margin=margin, on_progress=on_progress, should_stop=should_stop
        )

    yield from run_job(work)


def draw_views(
    detector: Detector, question: Question, report: Report, folder: Path
) -> Generator[Step | Views, None, None]:
    """The steps of drawing what the viewer shows into `folder`, then its files."""
    path, margin = question.given(), detector.config.margin

    def work(on_progress: OnProgress, should_stop: ShouldStop) -> Views:
        watch = Watch(on_progress, should_stop)
        return render_views(path, report, folder, margin=margin, watch=watch)

    yield from run_job(work)


def write_documents(report: Report, folder: Path) -> list[Path]:
    """The report as JSON, CSV and one HTML page, named after the visitor's file."""
    stem = Path(report.video.name).stem
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
