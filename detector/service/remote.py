"""What the page asks of a detector in another process, and the detector as it looks from there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.live import Shot
from detector.progress import OnPartial, OnProgress, ShouldStop
from detector.records import ModelInfo, Report
from detector.render.viewer_media import Views
from detector.scoring.calibration import ScoringRules
from detector.settings import FrameQuestion, Settings

Clips = Sequence[Sequence[Shot]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page shows of one model."""

    info: ModelInfo
    device: str
    rules: ScoringRules
    described: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """Which method of which detector to call, and with what."""

    model: str
    method: str
    given: tuple[Any, ...]
    partial: bool = False


class RemoteDetector:
    """A `Detector` in the worker, as far as the page needs one."""

    def __init__(self, ask: Callable[..., Any], name: str, facts: Facts) -> None:
        self.info, self.device, self.rules = facts.info, facts.device, facts.rules
        self._described = facts.described
        self._ask = ask
        self._name = name

    def describe(self) -> dict[str, Any]:
        """As `Detector.describe`."""
        return self._described

    def analyze(
        self,
        path: str | Path,
        settings: Settings | None = None,
        *,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
        on_partial: OnPartial | None = None,
    ) -> Report:
        """As `Detector.analyze`; raises VideoError also when the worker died over it."""
        question = Question(self._name, "analyze", (path, settings), on_partial is not None)
        report: Report = self._ask(question, on_progress, should_stop, on_partial)
        return report

    def analyze_clips(self, clips: Clips, settings: Settings | None = None) -> Report:
        """As `Detector.analyze_clips`."""
        question = Question(self._name, "analyze_clips", (clips, settings))
        report: Report = self._ask(question, None, None)
        return report

    def annotate(
        self,
        path: Path,
        report: Report,
        out: Path,
        *,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Path:
        """As `Detector.annotate`; raises VideoError also when the worker died over it."""
        question = Question(self._name, "annotate", (path, report, out))
        written: Path = self._ask(question, on_progress, should_stop)
        return written

    def draw_views(
        self,
        path: Path,
        report: Report,
        stem: Path,
        *,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Views:
        """As `Detector.draw_views`; raises VideoError also when the worker died over it."""
        question = Question(self._name, "draw_views", (path, report, stem))
        drawn: Views = self._ask(question, on_progress, should_stop)
        return drawn

    def explain_frame(
        self,
        path: Path,
        report: Report,
        asked: FrameQuestion,
        *,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Report:
        """As `Detector.explain_frame`; raises VideoError also when the worker died over it."""
        question = Question(self._name, "explain_frame", (path, report, asked))
        explained: Report = self._ask(question, on_progress, should_stop)
        return explained

    def try_worse_copies(
        self,
        path: Path,
        report: Report,
        *,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Report:
        """As `Detector.try_worse_copies`; raises VideoError also when the worker died over it."""
        question = Question(self._name, "try_worse_copies", (path, report))
        tried: Report = self._ask(question, on_progress, should_stop)
        return tried
