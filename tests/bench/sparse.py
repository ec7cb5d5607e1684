"""Whether detecting faces in few frames of a clip changes answers by more than chance does.

    python -m tests.bench.sparse VIDEO [...]

Each video is analysed with faces detected as the product does, at the ends of a clip of
neighbouring frames and interpolated between, and in every frame. For comparison it is analysed
moved by one pixel, and lightly compressed, with faces detected in every frame: changes that mean
nothing. The last line is one JSON object.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np

from detector import Detector
from detector.faces import tracking
from detector.progress import Progress
from detector.records import Frame, Report
from detector.settings import Settings
from detector.video.degrade import Alter, Clip, h264

Spread = Callable[[Sequence[Frame], range], Sequence[int]]
PRODUCT = tracking._spread
LIGHTLY = 12  # constant rate factor of x264


def every_frame(_: Sequence[Frame], shot: range) -> Sequence[int]:
    return shot


def as_it_is(clip: Clip) -> Clip:
    return clip


def moved(clip: Clip) -> Clip:
    """By one pixel to the right and down."""
    return np.pad(clip, ((0, 0), (1, 0), (1, 0), (0, 0)), mode="edge")[:, :-1, :-1]


def compressed(clip: Clip) -> Clip:
    return h264(clip, LIGHTLY)


# In which frames faces are detected, and how the pictures are altered before.
WAYS: dict[str, tuple[Spread, Alter]] = {
    "every frame": (every_frame, as_it_is),
    "ends of clips": (PRODUCT, as_it_is),
    "moved by a pixel": (every_frame, moved),
    "compressed lightly": (every_frame, compressed),
}


@dataclass(frozen=True)
class Answer:
    """`share` is that of the frames in which a face was found, `cpu` in seconds."""

    verdict: str
    fake: float | None
    share: float
    cpu: float


def answer(detector: Detector, path: Path, way: str, settings: Settings) -> Answer:
    spread, alter = WAYS[way]
    start = time.process_time()
    with patch.object(tracking, "_spread", spread):
        report: Report = detector.analyze_file(path, settings, Progress(None, None), alter=alter)
    return Answer(
        verdict=f"{report.status} {report.verdict}",
        fake=report.fake,
        share=report.frames_with_face / max(report.frames_sampled, 1),
        cpu=time.process_time() - start,
    )


def changes(base: Sequence[Answer], other: Sequence[Answer]) -> dict[str, float]:
    """By how much the answers to the same videos differ."""
    pairs = list(zip(base, other, strict=True))
    moves = [abs(a.fake - b.fake) for a, b in pairs if a.fake is not None and b.fake is not None]
    return {
        "videos": len(pairs),
        "verdicts_changed": sum(a.verdict != b.verdict for a, b in pairs),
        "mean_change": statistics.fmean(moves) if moves else 0.0,
        "frames_with_face": statistics.fmean(b.share for b in other),
        "cpu_seconds": statistics.fmean(b.cpu for b in other),
    }


def measure(
    detector: Detector, paths: Sequence[Path], settings: Settings
) -> dict[str, dict[str, float]]:
    """The ways take turns, so that other load affects all alike."""
    answers: dict[str, list[Answer]] = {way: [] for way in WAYS}
    for path in paths:
        for way, list_of in answers.items():
            list_of.append(answer(detector, path, way, settings))
    base = answers["every frame"]
    return {way: changes(base, list_of) for way, list_of in answers.items()}


def main(arguments: Sequence[str]) -> None:
    detector = Detector.load(device="cpu")
    detector.isolate = False
    table = measure(detector, list(map(Path, arguments)), Settings(heat=False))
    print(f"{'':20}{'verdicts changed':>18}{'mean change':>13}{'with a face':>13}{'CPU s':>8}")
    for way, row in table.items():
        print(
            f"{way:20}{row['verdicts_changed']:>18}{row['mean_change']:>13.4f}"
            f"{row['frames_with_face']:>13.4f}{row['cpu_seconds']:>8.2f}"
        )
    print(json.dumps({"sparse_detection": table}))


if __name__ == "__main__":
    main(sys.argv[1:])
