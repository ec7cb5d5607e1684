"""A report and a video come back: is it the same file, were it these weights, is it this answer?

A report is not signed, so nothing in it is trusted: the file and the weights are compared by
their SHA-256, and the answer with what the same analysis gives now.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from detector.errors import VideoError
from detector.language import SOURCE, in_language
from detector.model.hub import sha256_of
from detector.progress import OnProgress, ShouldStop
from detector.records import ModelInfo, Report, Status
from detector.render.document import answer_json
from detector.settings import Settings
from detector.text.messages import VERIFY
from detector.verify.report_reader import Claims, read_claims

# Another processor rounds otherwise; a GPU in half precision moved no score by more than this.
TOLERANCE = 0.02
LISTED = 20  # differences shown; the rest is counted
_SCORES = ("p_fake", "p", "p_still", "interval", "peak")
# How far other numbers may differ, in their own unit: half a frame in seconds, rounding of boxes
# in pixels, and sharpness (a variance), which depends on both.
_SLACK = {"t": 0.02, "start": 0.02, "end": 0.02, "box": 2.0, "size": 2.0, "sharpness": 10.0}
# What may differ between two runs, or repeats other keys in words.
_UNCOMPARED = (
    *("schema_version", "timing_ms", "created_utc", "app_version", "video.name", "settings"),
    "retelling",
)
_WORDS = ("headline", "explanation")
_ABSENT = "(absent)"
# Errors that concern the file; others, such as a service that is busy, do not.
_OF_THE_FILE = (
    Status.UNREADABLE,
    Status.UNSAFE,
    Status.EMPTY,
    Status.NO_VIDEO,
    Status.UNSUPPORTED,
    Status.TOO_LARGE,
    Status.TOO_LONG,
)


class Verifier(Protocol):
    """What verifying a report uses of a detector, here or in another process."""

    @property
    def info(self) -> ModelInfo: ...

    def analyze(
        self,
        path: str | Path,
        settings: Settings | None = None,
        *,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Report: ...

    def try_worse_copies(
        self,
        path: Path,
        report: Report,
        *,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Report: ...


@dataclass(frozen=True, slots=True)
class Difference:
    """`where` in the report something else is stated than was found, such as "faces.0.p_fake"."""

    where: str
    reported: Any
    found: Any


@dataclass(frozen=True, slots=True)
class Verification:
    """Three answers; each is None where that could not be, or was not, checked.

    `max_abs_diff` is the largest difference of a probability, None without a re-run.
    """

    same_file: bool | None
    same_weights: bool | None
    same_score: bool | None = None
    max_abs_diff: float | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything was checked, and confirmed."""
        return bool(self.same_file and self.same_weights and self.same_score)

    def answers(self) -> Iterator[tuple[str, bool | None, str]]:
        """Each question, its answer, and that in a sentence."""
        matches = {"file": self.same_file, "weights": self.same_weights, "score": self.same_score}
        for key, match in matches.items():
            question, yes, no, unchecked = VERIFY[key]
            yield str(question), match, str(unchecked if match is None else yes if match else no)

    @in_language(SOURCE)
    def to_json(self) -> dict[str, Any]:
        """In plain types; of many differences the first `LISTED`."""
        return {
            "ok": self.ok,
            "video_match": self.same_file,
            "model_match": self.same_weights,
            "score_match": self.same_score,
            "max_abs_diff": None if self.max_abs_diff is None else round(self.max_abs_diff, 4),
            "tolerance": TOLERANCE,
            "differences": [asdict(difference) for difference in self.differences[:LISTED]],
            "explanation": [sentence for _, _, sentence in self.answers()],
        }


def verify_origin(
    claims: Claims, path: str | Path, detectors: Collection[Verifier]
) -> Verification:
    """Only what needs no analysis: the file and the weights."""
    same_file = claims.video_sha256 and sha256_of(Path(path)) == claims.video_sha256
    known = detector_named(claims, detectors) is not None
    return Verification(
        same_file=None if same_file is None else bool(same_file),
        same_weights=None if claims.model_sha256 is None else known,
    )


def verify_report(
    text: str | bytes,
    path: str | Path,
    detectors: Collection[Verifier],
    *,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Verification:
    """Compare the JSON report in `text` with the file at `path`, and with a second analysis.

    `detectors` are those at hand; the one whose weights the report names analyses again, with the
    report's own settings, and tries worse copies where the report contains them. It does not where
    the file or the weights differ. Raises ReportError if the report cannot be read,
    CancelledError if stopped, VideoError if the analysis was refused. A file that cannot be used
    is no error: its report states that.
    """
    claims = read_claims(text)
    found = verify_origin(claims, path, detectors)
    if found.same_file is False or found.same_weights is False:
        return found
    detector = detector_named(claims, detectors) or next(iter(detectors))
    try:
        answer = detector.analyze(
            path, claims.settings, on_progress=on_progress, should_stop=should_stop
        )
        if claims.content.get("robustness") and answer.status is Status.OK:
            answer = detector.try_worse_copies(
                Path(path), answer, on_progress=on_progress, should_stop=should_stop
            )
    except VideoError as error:
        if error.status not in _OF_THE_FILE:
            raise
        return compared(found, claims, answer_json(error, ""))
    return compared(found, claims, answer_json(answer, ""))


def detector_named(claims: Claims, detectors: Collection[Verifier]) -> Verifier | None:
    """The detector with the weights that the report names; None if it is not among them."""
    if claims.model_sha256 is None:
        return None
    return next((d for d in detectors if d.info.sha256 == claims.model_sha256), None)


def compared(so_far: Verification, claims: Claims, answer: dict[str, Any]) -> Verification:
    """`so_far` with what became of the answer; `answer` is that of the re-run, as JSON."""
    differences, gap = [], 0.0
    answer = as_old_as(claims.content, answer)
    for difference, off in walk(claims.content, answer):
        gap = max(gap, off)
        if difference is not None:
            differences.append(difference)
    differences += _words(claims.content, answer, exact=gap == 0.0)
    return Verification(
        so_far.same_file, so_far.same_weights, not differences, gap, tuple(differences)
    )


def as_old_as(reported: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """`answer` without the keys that came into the format after `reported` was written."""
    if reported.get("schema_version") == answer["schema_version"]:
        return answer
    return {key: value for key, value in answer.items() if key in reported}


def walk(reported: Any, found: Any, where: str = "") -> Iterator[tuple[Difference | None, float]]:
    """Every place at which two reports can be compared: the difference if it is one, and by how
    much a probability is off."""
    if where in _UNCOMPARED or where in _WORDS:
        return
    if isinstance(reported, dict) and isinstance(found, dict):
        # Keys of either report, in the order of the re-run; an absent one is a difference.
        for key in [*found, *(reported.keys() - found.keys())]:
            place = f"{where}.{key}".lstrip(".")
            yield from walk(reported.get(key, _ABSENT), found.get(key, _ABSENT), place)
    elif isinstance(reported, list) and isinstance(found, list) and len(reported) == len(found):
        for index, pair in enumerate(zip(reported, found, strict=True)):
            yield from walk(*pair, f"{where}.{index}")
    else:
        yield _leaf(reported, found, where)


def _leaf(reported: Any, found: Any, where: str) -> tuple[Difference | None, float]:
    if _is_number(reported) and _is_number(found):
        # The last part that is a name: places in lists have no slack of their own.
        name = next((part for part in reversed(where.split(".")) if not part.isdigit()), "")
        off = abs(float(reported) - float(found))
        slack = 0.0 if where.startswith("model.") else _SLACK.get(name, TOLERANCE)
        difference = Difference(where, reported, found) if off > slack else None
        return difference, off if name in _SCORES else 0.0
    if isinstance(reported, list) and isinstance(found, list):
        reported, found = f"{len(reported)} entries", f"{len(found)} entries"
    return (None, 0.0) if reported == found else (Difference(where, reported, found), 0.0)


def _is_number(value: Any) -> bool:
    # True == 1 in Python, yet they are different answers.
    return isinstance(value, int | float) and not isinstance(value, bool)


def _words(reported: dict[str, Any], found: dict[str, Any], *, exact: bool) -> Iterator[Difference]:
    """Sentences that the re-run does not have. Numbers in them may differ where scores do."""
    for key in _WORDS:
        before, now = (_texts(report.get(key)) for report in (reported, found))
        if not exact:
            before, now = ([re.sub(r"\d+", "#", text) for text in texts] for texts in (before, now))
        if before != now:
            yield Difference(key, reported.get(key), found.get(key))


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [str(item.get("text")) if isinstance(item, dict) else str(item) for item in value]
    return [str(value)]
