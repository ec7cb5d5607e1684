"""An event of the page, or a call of the API, becomes a request to the detector.

Translation only: what is shown comes from the report, and each visitor's report is kept in their
own session. `VideoError` is an answer and is shown as one; anything else is our bug.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from detector.errors import VideoError
from detector.language import _, mark
from detector.progress import DRAWING, KEEPING, OnProgress, ShouldStop
from detector.records import Report
from detector.render.batch import clips_csv
from detector.render.document import to_csv, to_html, to_json
from detector.render.viewer_media import Views
from detector.requests import (
    Analyze,
    Annotate,
    DrawViews,
    ExplainFrame,
    Hooks,
    Request,
    SaveFrame,
    TryWorseCopies,
)
from detector.service.admission import Served
from detector.service.jobs import STARTING, Result, Step, run_job
from detector.settings import FrameQuestion, Settings
from detector.text.llm import Narrator

# Models by name; the first is the default.
Detectors = Mapping[str, Served]


@dataclass(frozen=True, slots=True)
class Question:
    """One file and how to analyse it; `path` is None when nothing was chosen."""

    path: Path | None
    settings: Settings
    model: str

    def given(self) -> Path:
        """The file; raises gr.Error, which the visitor reads, when there is none."""
        if self.path is None:
            raise gr.Error(_("Choose a video or a picture first."), title=_("Nothing to show"))
        return self.path


def analyse(
    detectors: Detectors, question: Question, *, partial: bool = False
) -> Generator[Step | Report | VideoError, None, None]:
    """The steps of the analysis, then its report, or the error that is the answer.

    With `partial`, the steps carry the answer so far.
    """
    path, detector = question.given(), detectors[question.model]
    # Appended to in the job's thread and read in this one: a deque is safe for both.
    newest: deque[Report] = deque(maxlen=1)

    def work(on_progress: OnProgress, should_stop: ShouldStop) -> Report:
        hooks = Hooks(on_progress, should_stop, newest.append if partial else None)
        report: Report = detector.run(Analyze(path, question.settings), hooks)
        return report

    with closing(_with_error(work)) as steps:
        for item in steps:
            if isinstance(item, Step) and newest:
                item = replace(item, so_far=newest[0])
            yield item


def _with_error(
    work: Callable[[OnProgress, ShouldStop], Result], begins: str = STARTING
) -> Generator[Step | Result | VideoError, None, None]:
    """As `run_job`, but what is wrong with the file is an answer like any other."""
    try:
        yield from run_job(work, begins=begins)
    except VideoError as error:
        yield error


def _run(
    detector: Served, request: Request, begins: str = STARTING
) -> Generator[Step | Any | VideoError, None, None]:
    """The steps of a request, then its answer, or the error that is the answer."""

    def work(on_progress: OnProgress, should_stop: ShouldStop) -> Any:
        return detector.run(request, Hooks(on_progress, should_stop))

    return _with_error(work, begins)


def draw(
    detector: Served, question: Question, report: Report, folder: Path
) -> Generator[Step | Path | VideoError, None, None]:
    """The steps of drawing the annotated video into `folder`, then its path, or why there is
    none: the report stands without it."""
    out = folder / f"{stem_of(report)}-annotated.mp4"
    return _run(detector, Annotate(question.given(), report, out), KEEPING)


def draw_views(
    detector: Served, question: Question, report: Report, folder: Path
) -> Generator[Step | Views | VideoError, None, None]:
    """The steps of drawing what the viewer shows into `folder`, then its files, or why there are
    none: the report stands without them."""
    stem = folder / stem_of(report)
    return _run(detector, DrawViews(question.given(), report, stem), DRAWING)


def original_frame(
    detector: Served, question: Question, report: Report, second: float, folder: Path
) -> Generator[Step | Path | VideoError, None, None]:
    """The steps of reading one frame of the original into `folder`, then its path, or why there is
    none."""
    out = folder / f"{stem_of(report)}-frame.png"
    return _run(detector, SaveFrame(question.given(), report, second, out))


def explain(
    detectors: Detectors, question: Question, report: Report, frame: FrameQuestion
) -> Generator[Step | Report | VideoError, None, None]:
    """The steps of a closer look at one frame, then the report of it, or why there is none."""
    return _run(detectors[question.model], ExplainFrame(question.given(), report, frame))


def try_copies(
    detectors: Detectors, question: Question, report: Report
) -> Generator[Step | Report | VideoError, None, None]:
    """The steps of trying worse copies, then the report with them, or the error."""
    return _run(detectors[question.model], TryWorseCopies(question.given(), report))


def retell(
    detector: Served, report: Report, narrator: Narrator
) -> Generator[Step | Report | VideoError, None, None]:
    """The wait for a language model, then the report with its text, or with why there is none."""

    # One request to a server, with a time limit of its own; it cannot be stopped halfway.
    def work(on_progress: OnProgress, _should_stop: ShouldStop) -> Report:
        on_progress(mark("Waiting for the language model"), 0, 1)
        return detector.retell(report, narrator)

    yield from _with_error(work)


def stem_of(report: Report) -> str:
    """What the visitor's file is called, as the beginning of a file name of ours."""
    # Letters of any script; nothing that means something to a shell or a file system.
    letters = re.sub(r"[^\w-]+", "_", Path(report.video.name).stem).strip("_")
    # File systems allow names of 255 bytes; a character has up to 4 in UTF-8.
    return letters[:60] or "video"


def write_documents(
    report: Report, folder: Path, language: str = "en", stem: str = ""
) -> list[Path]:
    """The report as one HTML page, as JSON, and as CSV of its frames and, if any, of its runs of
    frames, named after the visitor's file unless `stem` is given; the page, which is for people,
    in `language`."""
    stem = stem or stem_of(report)
    texts = {
        f"{stem}-report.html": to_html(report, language),
        f"{stem}-report.json": json.dumps(to_json(report), indent=2),
        f"{stem}-frames.csv": to_csv(report),
    }
    clips = clips_csv([report])
    if clips:
        texts[f"{stem}-clips.csv"] = clips
    paths = []
    for name, text in texts.items():
        path = folder / name
        path.write_text(text, encoding="utf-8", newline="")  # rows of CSV end in CR LF already
        paths.append(path)
    return paths
