"""The public endpoint that compares two answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import gradio as gr

from detector.comparison import Side, compare_answers
from detector.render.comparison import comparison_content
from detector.service.jobs import Step
from detector.text.comparison import LETTERS
from detector.ui.api import Endpoints, working
from detector.ui.handlers import analyse
from detector.ui.parameters import part_of, read_settings, stretch_and_track


class CompareEndpoint:
    """The requests of callers to analyse two files, or one under two models."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        self.detectors = endpoints.detectors

    def compare(
        self,
        video: str,
        other: str | None = None,
        n_frames: int = 0,
        max_faces: int = 8,
        threshold: float | None = None,
        model: str = "",
        other_model: str = "",
        start: float = 0.0,
        end: float | None = None,
        track: int = 0,
    ) -> Iterator[dict[str, Any]]:
        """Two answers side by side: of two files, or of two models about one file.

        Args:
            video: the first file, A
            other: the second file, B; the first one again, by another model, when left out
            n_frames: exactly so many frames of each, 8 to 600; 0: by the length of the video
            max_faces: people to follow at most, 1 to 32
            threshold: verdict fake above this probability; the model's own when left out
            model: which model scores A, see /model_info; the default one when left out
            other_model: which model scores B; that of A when left out
            start: analyse from this second on
            end: and up to this second; the end of the video when left out
            track: number of the video track to analyse, from 1; 0: the one that players show

        Returns:
            Both reports in `answers`; same_file, same_model, same_verdict, the `difference` of B
            from A, and intervals_overlap (null: not known), and an explanation.
        """
        settings = read_settings(
            frames=n_frames,
            max_faces=max_faces,
            threshold=threshold,
            heat=False,  # only scores are compared
            **part_of(start, end, track),
        )
        questions = [
            self.endpoints.question(video, settings, model),
            self.endpoints.question(other or video, settings, other_model or model),
        ]
        if questions[0] == questions[1]:
            # A mistake of the caller: no traceback in our log.
            raise gr.Error("Give two files, or two models.", print_exception=False)
        sides: list[Side] = []
        for letter, question in zip(LETTERS, questions, strict=True):
            # Closed when Gradio cancels the event, which stops the worker, too.
            with closing(analyse(self.detectors, question)) as steps:
                for item in steps:
                    if isinstance(item, Step):
                        yield working(item) | {"of": letter}
                    else:
                        sides.append(item)
        first, second = (question.given().name for question in questions)
        yield comparison_content(compare_answers(sides[0], sides[1], (first, second)))


def add_compare_api(endpoint: CompareEndpoint, heavy: dict[str, Any]) -> None:
    """Add the endpoint to the page that is being built; see `add_api`."""
    with gr.Row(visible=False):
        given = [
            gr.File(label="video"),
            gr.File(label="other"),
            gr.Number(0, label="n_frames", precision=0),
            gr.Number(8, label="max_faces", precision=0),
            gr.Number(None, label="threshold"),
            gr.Textbox("", label="model"),
            gr.Textbox("", label="other_model"),
            *stretch_and_track(),
        ]
        found = gr.JSON(label="comparison")
        gr.Button().click(endpoint.compare, given, found, api_name="compare", **heavy)
