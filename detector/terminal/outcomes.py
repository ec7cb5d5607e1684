"""The outcome of each file, in plain types, and a journal of it from which a batch is resumed."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from detector.errors import VideoError, escaped, shown
from detector.records import Report, Status
from detector.render.document import answer_json, summary_row
from detector.render.rows import clip_rows, row_of
from detector.terminal.inputs import Input

# Exit codes, listed in `detector.cli`.
ANSWERED, BAD_FILE, NO_ANSWER, NO_WEIGHTS = 0, 3, 4, 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """`row` is the file's line in the CSV, `summary` in the printed table, `answer` its JSON, and
    `clips` has a line per person and run of frames. `again`: another try may end otherwise."""

    label: str
    path: str
    code: int
    row: dict[str, Any]
    summary: dict[str, Any]
    answer: dict[str, Any]
    clips: list[dict[str, Any]] = field(default_factory=list)
    fake: float | None = None
    threshold: float | None = None
    again: bool = False


def outcome_of(file: Input, result: Report | VideoError) -> Outcome:
    path = str(file.path)
    if isinstance(result, VideoError):
        return Outcome(
            label=file.label,
            path=path,
            code=BAD_FILE,
            row=asdict(row_of(result, file.label)) | {"path": escaped(path)},
            summary=summary_row(result, file.label),
            answer=answer_json(result, file.label),
            again=True,
        )
    codes = {Status.OK: ANSWERED, Status.UNTRAINED: NO_WEIGHTS}
    # The label, which is unique among the inputs, where the file's own name may not be.
    named = replace(result, video=replace(result.video, name=shown(file.label)))
    return Outcome(
        label=file.label,
        path=path,
        code=codes.get(result.status, NO_ANSWER),
        row=asdict(row_of(named, file.label)) | {"path": escaped(path)},
        summary=summary_row(named, file.label),
        answer=answer_json(named, file.label),
        clips=list(clip_rows(named)),
        fake=result.score,
        threshold=result.threshold,
    )


class Journal:
    """A line of JSON for each file that is done, written at once: what a killed run leaves.

    A line is used again if file, size, time of change and `run` (settings, weights, version) are
    the same.
    """

    def __init__(self, path: Path, run: dict[str, Any], *, resume: bool) -> None:
        self.path = path
        # Sorted keys: equal settings have equal text.
        self.run = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()
        self._done: dict[str, dict[str, Any]] = {}
        if resume:
            self._read()
        else:
            path.unlink(missing_ok=True)

    def _read(self) -> None:
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        for line in lines:
            try:
                entry = json.loads(line)
                self._done[entry["key"]] = entry["outcome"]
            except (ValueError, KeyError, TypeError):
                continue  # the last line of a run that was killed

    def find(self, file: Input) -> Outcome | None:
        """The outcome of `file` in an earlier run, unless another try may end otherwise."""
        earlier = self._done.get(self._key(file))
        if earlier is None or earlier.get("again") or earlier.get("label") != file.label:
            return None
        return Outcome(**earlier)

    def add(self, file: Input, outcome: Outcome) -> None:
        """Raises OSError if it cannot be written."""
        line = json.dumps({"key": self._key(file), "outcome": asdict(outcome)})
        with self.path.open("a", encoding="utf-8") as journal:
            journal.write(line + "\n")

    def _key(self, file: Input) -> str:
        try:
            stat = file.path.stat()
        except OSError:
            return f"{file.path}|gone|{self.run}"
        real = os.path.realpath(file.path)
        # Size and time of change instead of a hash: reading gigabytes would take as long as
        # analysing.
        return f"{real}|{stat.st_size}|{stat.st_mtime_ns}|{self.run}"
