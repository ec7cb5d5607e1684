"""What a `Detector` is to the page, in this process or in another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from detector.live import Shot
from detector.progress import OnPartial, OnProgress, ShouldStop
from detector.records import Report
from detector.render.viewer_media import Views
from detector.scoring.calibration import ScoringRules
from detector.settings import FrameQuestion, Settings
from detector.verify import verify


class Analyst(verify.Analyst, Protocol):
    """The methods do as those of `Detector` that are called so."""

    @property
    def device(self) -> str: ...
    @property
    def rules(self) -> ScoringRules: ...

    def describe(self) -> dict[str, Any]: ...

    def analyze(
        self,
        path: str | Path,
        settings: Settings | None = None,
        *,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
        on_partial: OnPartial | None = None,
    ) -> Report: ...

    def analyze_clips(
        self, clips: Sequence[Sequence[Shot]], settings: Settings | None = None
    ) -> Report: ...

    def annotate(
        self,
        path: Path,
        report: Report,
        out: Path,
        *,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Path: ...

    def draw_views(
        self,
        path: Path,
        report: Report,
        stem: Path,
        *,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Views: ...

    def explain_frame(
        self,
        path: Path,
        report: Report,
        asked: FrameQuestion,
        *,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Report: ...
