"""A short slice of `python -m tests.fuzz`: the traps, and some sixty damaged files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.__main__ import Files, figures, run

COUNT = 64


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "fuzz.jsonl"


def test_hostile_files_are_analysed_or_refused_without_side_effects(log: Path) -> None:
    rows = run(COUNT, log, log.with_suffix(".kept"))
    found = figures(rows)
    assert found["crashes_of_the_service"] == 0, found["by_status"]
    assert found["hangs"] == 0
    assert found["answered"] + found["refused"] == found["files"] == COUNT
    assert found["answered"] >= 10
    assert found["refused"] >= 10
    assert found["highest_mb_of_a_decoding_process"] < 2000


def test_a_run_that_was_broken_off_goes_on_where_it_was(log: Path) -> None:
    whole = log.read_text()
    log.write_text(whole[:-30])
    rows = run(COUNT, log, log.with_suffix(".kept"))
    assert [row["file"] for row in rows] == list(range(COUNT))
    assert log.read_text().splitlines()[:-1] == whole.splitlines()[:-1]


def test_the_same_number_is_the_same_file(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert [files.number(k) for k in range(20, 40)] == [files.number(k) for k in range(20, 40)]
