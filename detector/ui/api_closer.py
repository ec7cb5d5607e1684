"""The public endpoints for explanations: of one frame, and of the score of worse copies."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gradio as gr

from detector.errors import VideoError
from detector.heat_methods import DEFAULT_METHOD
from detector.records import Person, Report, Status
from detector.render.document import answer_json, explanation_json
from detector.render.overlay import blend_heat, to_jpeg
from detector.service.jobs import Step
from detector.settings import HEAT_TARGETS, FrameQuestion
from detector.text.summary import peak_of
from detector.ui.api import Endpoints, answers, job_json, working
from detector.ui.handlers import Question, analyse, explain, try_copies
from detector.ui.parameters import (
    file_and_settings,
    method_choice,
    part_of,
    read_settings,
    stretch_and_track,
)

Explained = tuple[dict[str, Any], str | None]


class CloserEndpoints:
    """The requests of callers about an answer; each call begins with the analysis."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        self.detectors = endpoints.detectors

    def explain_frame(
        self,
        video: str,
        person: int = 0,
        second: float | None = None,
        heat_method: str = DEFAULT_METHOD,
        heat_of: str = HEAT_TARGETS[0],
        start: float = 0.0,
        end: float | None = None,
        track: int = 0,
    ) -> Iterator[Explained]:
        """Why one frame of one person scores as it does, or what it adds to the video.

        Args:
            video: the file to analyse; 20 frames of it are scored
            person: whose frame, numbered as in the report; the most suspicious person's for 0
            second: the scored frame nearest to this moment; the most suspicious when left out
            heat_method: how the heat map is made
            heat_of: what it explains: the frame's own score, or what the frame adds to the video
            start: analyse from this second on
            end: and up to this second; the end of the video when left out
            track: number of the video track to analyse, from 1; 0: the one that players show

        Returns:
            Parts of the face with their share of the heat, of the picture, and on real faces, what
            blurring them changed, and a sentence; then the heat map as a picture. Without a score
            the report with the reason, and no picture.
        """
        # Without heat maps: the one frame gets its own below.
        settings = read_settings(frames=20, heat=False, **part_of(start, end, track))
        question = self.endpoints.question(video, settings, "")
        with closing(analyse(self.detectors, question)) as steps:
            for item in steps:
                if isinstance(item, Step):
                    yield working(item), None
                elif isinstance(item, Report) and item.status is Status.OK:
                    whom = _person(item, person)
                    peak = peak_of(whom)
                    at = second if second is not None else peak.second if peak else 0.0
                    frame_question = FrameQuestion(whom.id, at, heat_method, heat_of)
                    yield from self._explained(question, item, frame_question)
                else:
                    yield answer_json(item, question.given().name), None

    def _explained(
        self, question: Question, report: Report, frame_question: FrameQuestion
    ) -> Iterator[Explained]:
        with (
            tempfile.TemporaryDirectory(prefix="answer-") as folder,
            closing(explain(self.detectors, question, report, frame_question)) as steps,
        ):
            for item in steps:
                if isinstance(item, Step):
                    yield working(item), None
                elif isinstance(item, VideoError):
                    yield answer_json(item, question.given().name), None
                else:
                    yield explanation_json(item), str(_picture(item, Path(folder)))

    def robustness(
        self,
        video: str,
        n_frames: int = 20,
        max_faces: int = 8,
        threshold: float | None = None,
        model: str = "",
        start: float = 0.0,
        end: float | None = None,
        track: int = 0,
    ) -> Iterator[dict[str, Any]]:
        """Robustness of the score: the same frames re-encoded, reduced and blurred, scored again.

        Args:
            video: the file to analyse
            n_frames: frames to analyse, 8 to 300; of each copy 20 at most
            max_faces: people to follow at most, 1 to 32
            threshold: verdict fake above this probability; the model's own when left out
            model: which model scores, see /model_info; the default one when left out
            start: analyse from this second on
            end: and up to this second; the end of the video when left out
            track: number of the video track to analyse, from 1; 0: the one that players show

        Returns:
            The report; its `robustness` has the score of every copy, and how far it moves.
        """
        settings = read_settings(
            frames=n_frames,
            max_faces=max_faces,
            threshold=threshold,
            heat=False,  # only scores are compared
            **part_of(start, end, track),
        )
        question = self.endpoints.question(video, settings, model)
        name = question.given().name
        with closing(analyse(self.detectors, question)) as steps:
            for item in steps:
                if isinstance(item, Report) and item.status is Status.OK:
                    yield from answers(try_copies(self.detectors, question, item), name)
                else:
                    yield job_json(item, name)


def _person(report: Report, number: int) -> Person:
    """Raises gr.Error, which the caller reads, for a person without a score."""
    scored = {person.id: person for person in report.people if person.fake is not None}
    if number == 0 and report.suspect is not None:
        return report.suspect
    if number not in scored:
        choices = ", ".join(map(str, scored))
        raise gr.Error(
            f"Person {number} has no score; choose from: {choices}.", print_exception=False
        )
    return scored[number]


def _picture(report: Report, folder: Path) -> Path:
    """The heat over the network's input, as a JPEG file."""
    (moment,) = (moment for person in report.people for moment in person.moments)
    assert moment.heat is not None  # an explanation always has a map
    path = folder / "heat.jpg"
    path.write_bytes(to_jpeg(blend_heat(moment.crop, moment.heat, report.heat_scale)))
    return path


def add_closer_api(endpoints: CloserEndpoints, heavy: dict[str, Any]) -> None:
    """Add the endpoints to the page that is being built; see `add_api`."""
    with gr.Row(visible=False):
        frame = [
            gr.File(label="video"),
            gr.Number(0, label="person", precision=0),
            gr.Number(None, label="second"),
            method_choice(),
            gr.Dropdown(list(HEAT_TARGETS), value=HEAT_TARGETS[0], label="heat_of"),
            *stretch_and_track(),
        ]
        found, heat, report = gr.JSON(label="found"), gr.File(label="heat"), gr.JSON(label="report")
        gr.Button().click(
            endpoints.explain_frame, frame, [found, heat], api_name="explain_frame", **heavy
        )
        given = [*file_and_settings(), *stretch_and_track()]
        gr.Button().click(endpoints.robustness, given, report, api_name="robustness", **heavy)
