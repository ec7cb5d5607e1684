"""The public endpoints, for `gradio_client`, plain HTTP and MCP; one JSON schema for all."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import gradio as gr

from detector.errors import ReportError, VideoError
from detector.heat_methods import DEFAULT_METHOD
from detector.records import Report
from detector.render.document import answer_json
from detector.service.jobs import Step
from detector.service.temp_files import KEPT_SECONDS
from detector.settings import HEAT_METHODS, HEAT_TARGETS, MOST_FRAMES, PRESETS, Settings
from detector.text.llm import narrator_of
from detector.ui.handlers import Detectors, Question, analyse, draw, retell, write_documents
from detector.ui.parameters import (
    NO_HEAT,
    file_and_settings,
    method_choice,
    part_of,
    read_settings,
    stretch_and_track,
)
from detector.ui.tabs.explain import NOT_CONFIGURED
from detector.ui.tabs.verify import compare
from detector.video import Limits

WEIGHTS = Path(__file__).parent.parent.parent / "weights"
# The report, then the annotated video, the HTML page and the CSV as paths.
Full = tuple[Any, str | None, str | None, str | None]


class Endpoints:
    """The requests of callers; its state is the detectors, and nothing of any caller.

    The two analyses are generators that yield their progress: Gradio can only cancel an event
    between two yields. `predict` returns the last value, which is the answer.
    """

    def __init__(self, detectors: Detectors, limits: Limits) -> None:
        self.detectors = detectors
        self.accepted = limits
        self.default = next(iter(detectors))

    def analyze_video(
        self,
        video: str,
        n_frames: int = 0,
        max_faces: int = 8,
        threshold: float | None = None,
        model: str = "",
        heat_method: str = NO_HEAT,
        heat_of: str = HEAT_TARGETS[0],
        retelling: bool = False,
        start: float = 0.0,
        end: float | None = None,
        track: int = 0,
    ) -> Iterator[dict[str, Any]]:
        """How likely each face in a video or picture is manipulated, when, and why.

        Args:
            video: the file to analyse
            n_frames: exactly so many frames, 8 to 600; 0: by the length of the video
            max_faces: people to follow at most, 1 to 32
            threshold: verdict fake above this probability; the model's own when left out
            model: which model scores, see /model_info; the default one when left out
            heat_method: locate the evidence in the face by this kind of heat map, or by none
            heat_of: what it explains: the frame's own score, or what the frame adds to the video
            retelling: add the findings in a language model's words, where /limits names one
            start: analyse from this second on
            end: and up to this second; the end of the video when left out
            track: number of the video track to analyse, from 1; 0: the one that players show

        Returns:
            The report; `status` states whether there is a score, `p_fake` is null without one.
        """
        settings = read_settings(
            frames=n_frames,
            max_faces=max_faces,
            threshold=threshold,
            heat=heat_method != NO_HEAT,
            **part_of(start, end, track),
        )
        if settings.heat:
            settings = replace(settings, heat_method=heat_method, heat_of=heat_of)
        question = self.question(video, settings, model)
        narrator = narrator_of()
        if retelling and narrator is None:
            raise gr.Error(str(NOT_CONFIGURED), print_exception=False)
        name = question.given().name
        # Closed when Gradio cancels the event, which stops the worker, too.
        with closing(analyse(self.detectors, question)) as steps:
            for item in steps:
                if retelling and narrator is not None and isinstance(item, Report):
                    retelling_steps = retell(self.detectors[question.model], item, narrator)
                    yield from answers(retelling_steps, name)
                else:
                    yield job_json(item, name)

    def analyze_video_full(
        self,
        video: str,
        n_frames: int = 0,
        max_faces: int = 8,
        threshold: float | None = None,
        model: str = "",
        heat_method: str = DEFAULT_METHOD,
        heat_of: str = HEAT_TARGETS[0],
        start: float = 0.0,
        end: float | None = None,
        track: int = 0,
    ) -> Iterator[Full]:
        """The report with heat maps, as JSON, annotated video, HTML page and CSV of all frames.

        Args:
            video: the file to analyse
            n_frames: exactly so many frames, 8 to 600; 0: by the length of the video
            max_faces: people to follow at most, 1 to 32
            threshold: verdict fake above this probability; the model's own when left out
            model: which model scores, see /model_info; the default one when left out
            heat_method: how heat maps are made
            heat_of: what they explain: the frame's own score, or what the frame adds to the video
            start: analyse from this second on
            end: and up to this second; the end of the video when left out
            track: number of the video track to analyse, from 1; 0: the one that players show

        Returns:
            Report, annotated video (none for a picture or without a face), HTML report, CSV.
        """
        settings = read_settings(
            frames=n_frames,
            max_faces=max_faces,
            threshold=threshold,
            heat_method=heat_method,
            heat_of=heat_of,
            **part_of(start, end, track),
        )
        question = self.question(video, settings, model)
        with closing(analyse(self.detectors, question)) as steps:
            for item in steps:
                if isinstance(item, Step):
                    yield working(item), None, None, None
                elif isinstance(item, Report):
                    yield from self._files(question, item)
                else:
                    yield answer_json(item, question.given().name), None, None, None

    def verify_report(
        self, video: str, report: str, rerun: bool = True
    ) -> Iterator[dict[str, Any]]:
        """Whether a JSON report is about this file, by these weights, and repeats its answer.

        Args:
            video: the file that the report is about
            report: the JSON report, as a file
            rerun: analyse the file again and compare the answers

        Returns:
            video_match, model_match, score_match (null: not checked), max_abs_diff, differences,
            explanation, and `ok`: everything was checked, and confirmed.
        """
        if not video or not report:
            # A mistake of the caller: no traceback in our log.
            raise gr.Error("Give a file and the JSON report about it.", print_exception=False)
        with closing(compare(self.detectors, video, report, rerun)) as steps:
            for item in steps:
                if isinstance(item, ReportError | VideoError):
                    raise gr.Error(str(item), print_exception=False)
                yield working(item) if isinstance(item, Step) else item.to_json()

    def model_info(self) -> dict[str, Any]:
        """Which models there are: id, weights, hash, threshold, training data and figures.

        Those that are not trained yet are named, and cannot be chosen. Each one's `decoding`
        names what confines the process that reads a visitor's file; it is empty where none does.
        `fallbacks` names what this system cannot do, and what is done instead.
        """
        models = [detector.describe() for detector in self.detectors.values()]
        return {"default": self.default, "models": models, "untrained": untrained_models()}

    def limits(self) -> dict[str, Any]:
        """What the service accepts."""
        terms, narrator = self.detectors[self.default].admission.terms, narrator_of()
        return {
            "max_bytes": self.accepted.max_bytes,
            "max_seconds": self.accepted.max_seconds,
            "max_pixels": self.accepted.max_pixels,
            "max_still_pixels": self.accepted.max_still_pixels,
            "suffixes": sorted(self.accepted.suffixes),
            "frames": {"min": 8, "max": MOST_FRAMES, "default": 0},
            "presets": {name: asdict(preset) for name, preset in PRESETS.items()},
            "max_faces": {"min": 1, "max": 32, "default": 8},
            "min_face_pixels": self.detectors[self.default].rules.min_size,
            "files_kept_seconds": KEPT_SECONDS,
            "waiting_at_most": terms.longest_queue,
            "jobs": {"at_once": terms.burst, "per_minute": terms.per_minute},
            "job_seconds": terms.job_seconds,
            "heat_methods": list(HEAT_METHODS),
            "heat_of": list(HEAT_TARGETS),
            "language_model": narrator.model if narrator else None,
        }

    def question(self, video: str, settings: Settings, model: str) -> Question:
        model = model or self.default
        if model not in self.detectors:
            choices = ", ".join(self.detectors)
            raise gr.Error(f"There is no model {model!r} here; choose from: {choices}.")
        question = Question(Path(video) if video else None, settings, model)
        question.given()  # without a file it raises, before anything waits in line
        return question

    def _files(self, question: Question, report: Report) -> Iterator[Full]:
        # Gradio copies the files of each yield into its cache; the folder outlives the last one.
        with tempfile.TemporaryDirectory(prefix="answer-") as name:
            folder = Path(name)
            page, _, table, *_ = write_documents(report, folder)
            movie = None
            if report.people and not report.video.is_still:
                with closing(
                    draw(self.detectors[question.model], question, report, folder)
                ) as steps:
                    for item in steps:
                        if isinstance(item, Step):
                            yield working(item), None, None, None
                        elif isinstance(item, Path):
                            movie = str(item)
            yield answer_json(report, question.given().name), movie, str(page), str(table)


def add_api(endpoints: Endpoints, heavy: dict[str, Any]) -> None:
    """Add the endpoints to the page that is being built.

    Through real components, not `gr.api`: those check that a file was uploaded to this server,
    and serve what is returned from Gradio's own cache.
    """
    with gr.Row(visible=False):
        inputs = file_and_settings()
        of = gr.Dropdown(list(HEAT_TARGETS), value=HEAT_TARGETS[0], label="heat_of")
        part = stretch_and_track()
        located = [method_choice(NO_HEAT), of, gr.Checkbox(False, label="retelling")]
        claim = [
            *(gr.File(label=label) for label in ("video", "report")),
            gr.Checkbox(True, label="rerun"),
        ]
        report, info = gr.JSON(label="report"), gr.JSON(label="answer")
        full = [report, *(gr.File(label=label) for label in ("video", "html", "csv"))]
        for endpoint, given, outputs, options in (
            (endpoints.analyze_video, [*inputs, *located, *part], report, heavy),
            (endpoints.analyze_video_full, [*inputs, method_choice(), of, *part], full, heavy),
            (endpoints.verify_report, claim, report, heavy),
            (endpoints.model_info, None, info, {"queue": False}),
            (endpoints.limits, None, info, {"queue": False}),
        ):
            # An endpoint needs a trigger; this button is invisible.
            gr.Button().click(endpoint, given, outputs, api_name=endpoint.__name__, **options)


def untrained_models(folder: Path = WEIGHTS) -> list[str]:
    """Ids of the cards without weights, read as plain JSON: torch stays out of this process."""
    cards = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    return sorted(card["id"] for card in cards if not card["trained"])


def answers(
    steps: Generator[Step | Report | VideoError, None, None], name: str
) -> Iterator[dict[str, Any]]:
    """What a caller receives of a job about the file `name`: its progress, then its report."""
    with closing(steps):
        for item in steps:
            yield job_json(item, name)


def job_json(item: Step | Report | VideoError, name: str) -> dict[str, Any]:
    return working(item) if isinstance(item, Step) else answer_json(item, name)


def working(step: Step) -> dict[str, Any]:
    """What is returned in the report's place until there is one; `place` 1 in line is next."""
    if step.place is not None:
        return {"status": "waiting", "place": step.place}
    return {"status": "working", "stage": step.stage, "done": step.done, "total": step.total}
