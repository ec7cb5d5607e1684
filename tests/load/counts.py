"""Compares the counts of the clients with those of the service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.load.clients import Outcome

ANSWERS = {"good": {"ok"}, "bad": {"unreadable", "unsupported", "empty"}}


@dataclass(frozen=True, slots=True)
class Counts:
    """What the service counted: jobs that `ended`, by status, and those `refused`, by reason."""

    ended: Counter[str]
    refused: Counter[str]

    def __sub__(self, earlier: Counts) -> Counts:
        return Counts(self.ended - earlier.ended, self.refused - earlier.refused)


def balance(rows: Sequence[Outcome], counts: Counts) -> dict[str, Any]:
    """Where every attempt went; `faults` are sentences, and empty if both counts match.

    A client that cancels or disconnects does not receive how the job ended: cancelled, done all the
    same, or refused since the queue was full. So these are the difference of the two counts, and
    there must be just as many of them as such visitors.
    """
    received = Counter(row.status for row in rows if row.kind in ANSWERS)
    left = Counter(row.status for row in rows if row.kind not in ANSWERS)
    turned_away = sum(row.turned_away for row in rows)
    undelivered = {
        "cancelled": counts.ended["cancelled"],
        "done": counts.ended["ok"] - received["ok"],
        "refused": counts.refused["busy"] - turned_away,
    }
    by_log = {"done": left["ok"], "refused": left["busy"]}
    others = {status: n for status, n in counts.ended.items() if status not in ("ok", "cancelled")}
    bad = {status: n for status, n in received.items() if status != "ok"}
    attempts = len(rows) + turned_away
    found = [
        (_wrong(rows), "jobs with a wrong answer"),
        (sum(not row.mine for row in rows), "answers to another client's file"),
        (
            attempts - counts.ended.total() - counts.refused.total(),
            "attempts counted on one side only",
        ),
        (left.total() - sum(undelivered.values()), "visitors who left, more than jobs abandoned"),
        (
            sum(undelivered[how] < n for how, n in by_log.items()),
            "results that the service never sent",
        ),
        (sum(n < 0 for n in undelivered.values()), "answers more than the service gave"),
        (
            others != bad and f"{others}, not {bad}",
            "files refused that visitors received other answers to",
        ),
        (counts.refused.total() - counts.refused["busy"], "refused, but not for a full queue"),
    ]
    return {
        "attempts": attempts,
        "ended": dict(counts.ended),
        "refused": dict(counts.refused),
        "abandoned": undelivered,
        "faults": [f"{what}: {number}" for number, what in found if number],
    }


def _wrong(rows: Sequence[Outcome]) -> int:
    return sum(row.status not in ANSWERS.get(row.kind, {row.status}) for row in rows)
