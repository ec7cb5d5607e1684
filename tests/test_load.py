"""A small crowd visits the app itself, in its own processes."""

from __future__ import annotations

import json

import pytest

from tests.load.__main__ import main


def test_a_small_crowd_is_served_and_nothing_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--jobs", "16", "--visitors", "4", "--waiting", "1", "--rounds", "1"]
    code = main(few)
    results = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (code, results["faults"]) == (0, [])
    assert results["crowd"]["jobs"] == 16
    assert results["killed"]["interrupted"] == 1
