"""Two books of the same crowd, the visitors' and the service's: do they agree?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.load.visitors import Outcome

ANSWERS = {"good": {"ok"}, "bad": {"unreadable", "unsupported", "empty"}}


@dataclass(frozen=True, slots=True)
class Books:
    """What the service counted: jobs that `ended`, by status, and those `refused`, by reason."""

    ended: Counter[str]
    refused: Counter[str]

    def __sub__(self, earlier: Books) -> Books:
        return Books(self.ended - earlier.ended, self.refused - earlier.refused)


def balance(rows: Sequence[Outcome], books: Books) -> dict[str, Any]:
    """Where every attempt went; `faults` are sentences, and empty if both books agree.

    A visitor who cancels or vanishes does not hear how the job ended: cancelled, done all the
    same, or refused since the line was full. So these are the difference of the two books, and
    there must be just as many of them as such visitors.
    """
    heard = Counter(row.status for row in rows if row.kind in ANSWERS)
    left = Counter(row.status for row in rows if row.kind not in ANSWERS)
    turned_away = sum(row.turned_away for row in rows)
    unheard = {
        "cancelled": books.ended["cancelled"],
        "done": books.ended["ok"] - heard["ok"],
        "refused": books.refused["busy"] - turned_away,
    }
    told = {"done": left["ok"], "refused": left["busy"]}
    others = {status: n for status, n in books.ended.items() if status not in ("ok", "cancelled")}
    bad = {status: n for status, n in heard.items() if status != "ok"}
    attempts = len(rows) + turned_away
    found = [
        (_wrong(rows), "jobs with a wrong answer"),
        (sum(not row.mine for row in rows), "answers to somebody else's file"),
        (attempts - books.ended.total() - books.refused.total(), "attempts in one book only"),
        (left.total() - sum(unheard.values()), "visitors who left, more than jobs let go of"),
        (sum(unheard[how] < n for how, n in told.items()), "answers that the service never gave"),
        (sum(n < 0 for n in unheard.values()), "answers more than the service gave"),
        (
            others != bad and f"{others}, not {bad}",
            "files refused that visitors heard otherwise of",
        ),
        (books.refused.total() - books.refused["busy"], "refused, but not for the full line"),
    ]
    return {
        "attempts": attempts,
        "ended": dict(books.ended),
        "refused": dict(books.refused),
        "let_go_of": unheard,
        "faults": [f"{what}: {number}" for number, what in found if number],
    }


def _wrong(rows: Sequence[Outcome]) -> int:
    return sum(row.status not in ANSWERS.get(row.kind, {row.status}) for row in rows)
