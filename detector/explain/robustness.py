"""Robustness of an answer: the same frames, re-encoded, downscaled and blurred, scored again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

from detector.findings import Robustness, WorseCopy
from detector.language import mark
from detector.progress import ANALYSING, Progress
from detector.records import Report, verdict_name
from detector.settings import Settings
from detector.video.degrade import COPIES, Alter

FRAMES = 20
"""At most so many frames are scored again, however densely the video was sampled: as many as the
standard preset has at least."""


class FileAnalyzer(Protocol):
    """The part of a `Detector` that trying worse copies uses."""

    def analyze_file(
        self,
        path: str | Path,
        settings: Settings,
        progress: Progress,
        *,
        alter: Alter | None = None,
    ) -> Report: ...


def try_worse_copies(
    detector: FileAnalyzer, path: Path, report: Report, progress: Progress
) -> Report:
    """`report` with its `robustness`: what happens to the score as the video gets worse.

    Each copy costs about what an analysis of `FRAMES` frames costs, without heat maps; nothing is
    written to disk. If `report` has more frames, the video as given is scored again with as
    few frames, so that like is compared with like. Raises what `Detector.analyze` raises.
    """
    frames = min(report.settings.frames or FRAMES, FRAMES)
    # Without heat maps: only the scores of the copies are compared.
    settings = replace(report.settings, frames=frames, heat=False)
    kinds = list(COPIES) if frames == report.settings.frames else ["as_given", *COPIES]
    answers = {"as_given": report}
    for index, kind in enumerate(kinds):
        part = _part(progress, index, len(kinds))
        answers[kind] = detector.analyze_file(path, settings, part, alter=COPIES.get(kind))
    given = answers.pop("as_given")
    copies = tuple(
        WorseCopy(kind, answer.fake, verdict_name(answer.verdict), answer.status.value)
        for kind, answer in answers.items()
    )
    found = Robustness(given.fake, verdict_name(given.verdict), given.frames_sampled, copies)
    return replace(report, robustness=found)


def _part(progress: Progress, place: int, count: int) -> Progress:
    """Passes on the frames of copy number `place` as a part of those of all `count` copies."""

    def update(stage: str, done: int, total: int) -> None:
        if stage == ANALYSING and progress.on_progress is not None:
            progress.on_progress(mark("Testing robustness"), place * total + done, count * total)

    return Progress(update, progress.should_stop)
