"""The public endpoints, for `gradio_client`, plain HTTP and MCP; one JSON schema for all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import api

from detector.errors import VideoError
from detector.records import Report
from detector.settings import Settings
from detector.ui.handlers import Detectors, Question, answer_json, draw, look, write_documents
from detector.ui.jobs import Step
from detector.video import Limits

Files = tuple[dict[str, Any], gr.FileData | None, gr.FileData | None, gr.FileData | None]


def add_api(detectors: Detectors, limits: Limits, heavy: dict[str, Any]) -> None:
    """Add the endpoints to the page that is being built."""
    default = next(iter(detectors))

    def analyze_video(
        video: gr.FileData,
        n_frames: int = 20,
        max_faces: int = 8,
        threshold: float | None = None,
        model: str = default,
    ) -> dict[str, Any]:
        """How likely each face in a video or picture is manipulated, and when.

        Args:
            video: the file to look at
            n_frames: frames to look at, 8 to 300
            max_faces: people to follow at most, 1 to 32
            threshold: call it fake above this probability; the model's own when left out
            model: which model speaks; see /model_info

        Returns:
            The report; `status` says whether there is a score, `p_fake` is null without one.
        """
        settings = read_settings(n_frames, max_faces, threshold, heat=False)
        question = ask(detectors, video, settings, model)
        return answer_json(wait(look(detectors, question)), question.given().name)

    def analyze_video_full(
        video: gr.FileData,
        n_frames: int = 20,
        max_faces: int = 8,
        threshold: float | None = None,
        model: str = default,
    ) -> Iterator[Files]:
        """The report with heat maps, as JSON, annotated video, HTML page and CSV of all frames.

        Args:
            video: the file to look at
            n_frames: frames to look at, 8 to 300
            max_faces: people to follow at most, 1 to 32
            threshold: call it fake above this probability; the model's own when left out
            model: which model speaks; see /model_info

        Returns:
            Report, annotated video (none for a picture or without a face), HTML report, CSV.
        """
        settings = read_settings(n_frames, max_faces, threshold, heat=True)
        question = ask(detectors, video, settings, model)
        result = wait(look(detectors, question))
        if isinstance(result, VideoError):
            yield answer_json(result, question.given().name), None, None, None
            return
        with tempfile.TemporaryDirectory(prefix="answer-") as name:
            folder = Path(name)
            page, _, table = write_documents(result, folder)
            movie = None
            if result.people and not result.video.is_still:
                steps = draw(detectors[model], question, result, folder)
                movie = file_data(wait(steps))
            yield (
                answer_json(result, question.given().name),
                movie,
                file_data(page),
                file_data(table),
            )

    def model_info() -> dict[str, Any]:
        """Which models can speak: id, weights, hash, threshold, training data and figures."""
        return {
            "default": default,
            "models": [detector.describe() for detector in detectors.values()],
        }

    def limits_of_service() -> dict[str, Any]:
        """What the service accepts."""
        return {
            "max_bytes": limits.max_bytes,
            "max_seconds": limits.max_seconds,
            "max_pixels": limits.max_pixels,
            "suffixes": sorted(limits.suffixes),
            "frames": {"min": 8, "max": 300, "default": 20},
            "max_faces": {"min": 1, "max": 32, "default": 8},
            "min_face_pixels": detectors[default].rules.min_size,
            "files_kept_seconds": 1800,
        }

    api(analyze_video, api_name="analyze_video", **heavy)
    api(analyze_video_full, api_name="analyze_video_full", **heavy)
    api(model_info, api_name="model_info", queue=False)
    api(limits_of_service, api_name="limits", queue=False)


def read_settings(frames: int, max_faces: int, threshold: float | None, *, heat: bool) -> Settings:
    """The caller's numbers as `Settings`; a number out of range is told to the caller."""
    try:
        return Settings(frames=frames, max_faces=max_faces, threshold=threshold, heat=heat)
    except ValueError as error:
        raise gr.Error(f"{error}.", print_exception=False) from error


def ask(detectors: Detectors, video: gr.FileData, settings: Settings, model: str) -> Question:
    if model not in detectors:
        known = ", ".join(detectors)
        raise gr.Error(f"There is no model {model!r} here; choose from: {known}.")
    path = video["path"] if isinstance(video, dict) else video.path
    return Question(Path(path), settings, model)


def wait(steps: Iterator[Step | Report | VideoError | Path]) -> Any:
    """The last item of `steps`; those before it are shown to the caller as progress."""
    progress = gr.Progress()
    for item in steps:
        if not isinstance(item, Step):
            return item
        progress((item.done, item.total), desc=item.stage, unit="frames")
    raise AssertionError("the work ended without an answer")


def file_data(path: Path) -> gr.FileData:
    return gr.FileData(path=str(path), orig_name=path.name)
