"""How steady an answer is: the same frames, re-encoded, downscaled and blurred, judged again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from detector.degrade import COPIES
from detector.evidence import Robustness, WorseCopy
from detector.pipeline import Detector
from detector.records import Report
from detector.watch import OnProgress, ShouldStop, Watch

FRAMES = 20
"""At most so many frames are judged again, however closely the video was looked at."""


def try_worse_copies(
    detector: Detector,
    path: str | Path,
    report: Report,
    *,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Report:
    """`report` with its `robustness`: what happens to the score as the video gets worse.

    Each copy costs about what an analysis of `FRAMES` frames costs, without heat maps; nothing is
    written to disk. If `report` looked more closely, the video as given is judged again with as
    few frames, so that like is compared with like. Raises what `Detector.analyze` raises.
    """
    frames = min(report.settings.frames, FRAMES)
    settings = replace(report.settings, frames=frames, heat=False)
    watch = Watch(None, should_stop)
    kinds = list(COPIES) if frames == report.settings.frames else ["as_given", *COPIES]
    answers = {"as_given": report}
    for done, kind in enumerate(kinds):
        if on_progress is not None:
            on_progress("Trying worse copies", done, len(kinds))
        answers[kind] = detector.look(path, settings, watch, alter=COPIES.get(kind))
    if on_progress is not None:
        on_progress("Trying worse copies", len(kinds), len(kinds))
    given = answers.pop("as_given")
    copies = tuple(
        WorseCopy(kind, answer.fake, answer.verdict.value, answer.status.value)
        for kind, answer in answers.items()
    )
    found = Robustness(given.fake, given.verdict.value, frames, copies)
    return replace(report, robustness=found)
