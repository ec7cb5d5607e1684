"""A few concurrent clients use the app itself, in its own processes."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.load.__main__ import main
from tests.load.clients import Outcome
from tests.load.counts import Counts, balance


def test_concurrent_clients_are_served_and_no_request_is_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    few = ["--jobs", "16", "--visitors", "4", "--waiting", "1", "--rounds", "1"]
    code = main(few)
    results = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (code, results["faults"]) == (0, [])
    assert results["concurrent"]["jobs"] == 16
    assert results["killed"]["interrupted"] == 1


ROWS = [
    Outcome(1, "good", "ok", True, 1.0, turned_away=2),
    Outcome(2, "bad", "empty", True, 1.0),
    Outcome(3, "cancelled", "cancelled", True, 1.0),
    Outcome(4, "vanished", "vanished", True, 1.0),
]


@pytest.mark.parametrize(
    "ended",
    [
        {"ok": 1, "empty": 1, "cancelled": 2},
        {"ok": 2, "empty": 1, "cancelled": 1},  # done before the disconnection was noticed
    ],
)
def test_matching_counts_have_no_fault(ended: dict[str, int]) -> None:
    counts = Counts(Counter(ended), Counter(busy=2))
    assert balance(ROWS, counts)["faults"] == []


@pytest.mark.parametrize(
    ("ended", "busy"),
    [
        ({"ok": 1, "empty": 1, "cancelled": 1}, 2),  # lost
        ({"ok": 1, "empty": 1, "cancelled": 3}, 2),  # done twice
        ({"ok": 1, "cancelled": 3}, 2),  # the bad file is not counted
        ({"empty": 1, "cancelled": 3}, 2),  # a result that was not sent
        ({"ok": 1, "empty": 1, "cancelled": 2}, 1),  # a refusal that was not sent
        ({"ok": 1, "empty": 1, "cancelled": 1, "error": 1}, 2),
    ],
)
def test_a_job_lost_or_done_twice_is_a_fault(ended: dict[str, int], busy: int) -> None:
    assert balance(ROWS, Counts(Counter(ended), Counter(busy=busy)))["faults"]


def test_a_wrong_report_is_a_fault_although_the_counts_match() -> None:
    other = Outcome(1, "good", "ok", False, 1.0, turned_away=2)
    counts = Counts(Counter(ok=1, empty=1, cancelled=2), Counter(busy=2))
    assert balance([other, *ROWS[1:]], counts)["faults"] == ["answers to another client's file: 1"]
