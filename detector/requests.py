"""Requests to a detector, as records, and the methods that make them.

A detector here, in another process, or behind a queue differs in `run` alone: it receives a
request and the caller's hooks, and returns the answer. So a new operation is one record here, one
case in `Detector.run` and one row of `service.admission.TURNS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from detector.progress import OnPartial, OnProgress, ShouldStop
from detector.records import ModelInfo, Report, VideoInfo
from detector.render.viewer_media import Views
from detector.scoring.calibration import ScoringRules
from detector.settings import FrameQuestion, Settings
from detector.video.live import Shot


@dataclass(frozen=True, slots=True)
class Analyze:
    """Analyse one video or picture: a `Report`."""

    path: Path
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class Inspect:
    """Read the facts of a file, without analysing it: a `VideoInfo`."""

    path: Path


@dataclass(frozen=True, slots=True)
class AnalyzeClips:
    """Analyse the pictures of a camera, clip by clip in the order of time: a `Report` whose file
    has no name and no hash."""

    clips: Sequence[Sequence[Shot]]
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class ExplainFrame:
    """Explain one scored frame of a report: a `Report`, see `explain.frame`."""

    path: Path
    report: Report
    frame: FrameQuestion


@dataclass(frozen=True, slots=True)
class TryWorseCopies:
    """The report with its `robustness`, see `explain.robustness`."""

    path: Path
    report: Report


@dataclass(frozen=True, slots=True)
class Annotate:
    """Write the video of a report with boxes, scores and heat maps to `out`: that `Path`."""

    path: Path
    report: Report
    out: Path


@dataclass(frozen=True, slots=True)
class DrawViews:
    """Write what a viewer shows of a report, in files that begin with `stem`: `Views`."""

    path: Path
    report: Report
    stem: Path


@dataclass(frozen=True, slots=True)
class SaveFrame:
    """Write the frame of a report's file that is shown at `second`, in its own size, as PNG to
    `out`: that `Path`."""

    path: Path
    report: Report
    second: float
    out: Path


Request = (
    Analyze
    | Inspect
    | AnalyzeClips
    | ExplainFrame
    | TryWorseCopies
    | Annotate
    | DrawViews
    | SaveFrame
)


@dataclass(frozen=True, slots=True)
class Hooks:
    """The caller's functions: `on_progress(stage, done, total)` is called as frames are done,
    `should_stop()` just as often, and `on_partial(report)` with the answer so far after a batch."""

    on_progress: OnProgress | None = None
    should_stop: ShouldStop | None = None
    on_partial: OnPartial | None = None


class DetectorProtocol(Protocol):
    """A detector, wherever it runs."""

    @property
    def info(self) -> ModelInfo: ...
    @property
    def device(self) -> str: ...
    @property
    def rules(self) -> ScoringRules: ...

    def describe(self) -> dict[str, Any]: ...

    def run(self, request: Request, hooks: Hooks = ...) -> Any:
        """Raises VideoError if the file cannot be used or the work was refused, CancelledError if
        it was stopped."""


class Operations:
    """The requests as methods, for every class that has `run`."""

    def run(self, request: Request, hooks: Hooks = Hooks()) -> Any:
        raise NotImplementedError

    def analyze(
        self,
        path: str | Path,
        settings: Settings | None = None,
        *,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
        on_partial: OnPartial | None = None,
    ) -> Report:
        """See `Analyze` and `Hooks`."""
        request = Analyze(Path(path), settings or Settings())
        report: Report = self.run(request, Hooks(on_progress, should_stop, on_partial))
        return report

    def inspect(self, path: str | Path, **hooks: Any) -> VideoInfo:
        """See `Inspect`; `hooks` are fields of `Hooks`, here and below."""
        info: VideoInfo = self.run(Inspect(Path(path)), Hooks(**hooks))
        return info

    def analyze_clips(
        self, clips: Sequence[Sequence[Shot]], settings: Settings | None = None, **hooks: Any
    ) -> Report:
        """See `AnalyzeClips`."""
        report: Report = self.run(AnalyzeClips(clips, settings or Settings()), Hooks(**hooks))
        return report

    def explain_frame(
        self, path: Path, report: Report, frame: FrameQuestion, **hooks: Any
    ) -> Report:
        """See `ExplainFrame`."""
        explained: Report = self.run(ExplainFrame(path, report, frame), Hooks(**hooks))
        return explained

    def try_worse_copies(self, path: Path, report: Report, **hooks: Any) -> Report:
        """See `TryWorseCopies`."""
        tried: Report = self.run(TryWorseCopies(path, report), Hooks(**hooks))
        return tried

    def annotate(self, path: Path, report: Report, out: Path, **hooks: Any) -> Path:
        """See `Annotate`."""
        written: Path = self.run(Annotate(path, report, out), Hooks(**hooks))
        return written

    def draw_views(self, path: Path, report: Report, stem: Path, **hooks: Any) -> Views:
        """See `DrawViews`."""
        drawn: Views = self.run(DrawViews(path, report, stem), Hooks(**hooks))
        return drawn

    def save_frame(
        self, path: Path, report: Report, second: float, out: Path, **hooks: Any
    ) -> Path:
        """See `SaveFrame`."""
        saved: Path = self.run(SaveFrame(path, report, second, out), Hooks(**hooks))
        return saved
