"""Clearing a visit deletes its files, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detector import Detector
from detector.service.admission import Admission, Served
from detector.service.session_files import SessionFiles, paths_in
from detector.settings import Settings
from detector.ui.handlers import Question
from detector.ui.page import build_page
from detector.video import Limits
from tests.reports import calm


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = []
    for name in ("a", "b", "c"):
        path = tmp_path / name / f"{name}.mp4"
        path.parent.mkdir()
        path.write_bytes(b"video")
        made.append(path)
    return made


def sent(path: Path) -> dict[str, Any]:
    return {"path": str(path), "url": f"/file={path}", "meta": {"_type": "gradio.FileData"}}


def test_clearing_a_visit_deletes_its_own_files_only(files: list[Path]) -> None:
    recorded = SessionFiles()
    recorded.note("mine", [sent(files[0]), None, "text"])
    recorded.note("yours", [sent(files[1])])
    assert recorded.delete("mine") == 1
    assert [path.exists() for path in files] == [False, True, True]
    assert not files[0].parent.exists()


def test_a_file_shared_by_two_visits_is_deleted_with_the_last(files: list[Path]) -> None:
    recorded = SessionFiles()
    for session in ("mine", "yours"):
        recorded.note(session, sent(files[0]))
    assert recorded.delete("mine") == 0
    assert recorded.delete("yours") == 1
    assert not files[0].exists()


def test_the_examples_of_the_page_stay(files: list[Path]) -> None:
    recorded = SessionFiles(lambda: [str(files[2])])
    recorded.note("mine", [sent(path) for path in files])
    assert recorded.delete("mine") == 2
    assert files[2].exists()


def test_what_is_gone_already_is_no_error(files: list[Path]) -> None:
    recorded = SessionFiles()
    recorded.note("mine", sent(files[0]))
    files[0].unlink()
    assert recorded.delete("mine") == 0
    assert recorded.delete("nobody") == 0


def test_files_are_found_however_deep_they_are_named(files: list[Path]) -> None:
    value = {"video": sent(files[0]), "frames": [{"picture": sent(files[1])}]}
    assert set(paths_in(value)) == {files[0], files[1]}


def test_a_report_is_hidden_for_another_file_and_not_for_its_own(
    detector: Detector, tmp_path: Path
) -> None:
    """A slow browser reports the chosen file only after the result for it."""
    page = build_page({"tiny": Served(detector, Admission())}, Limits())
    (event,) = {fn.fn for fn in page.fns.values() if fn.name == "put_aside" and len(fn.inputs) > 5}
    mine, other = str(tmp_path / "mine.mp4"), str(tmp_path / "other.mp4")
    answered = (Question(Path(mine), Settings(), "tiny"), calm())

    def what_goes(chosen: str | None) -> int:
        values = [chosen, "standard", 0, 0, 8, True, "tiny", "", "", 0]
        return len(event(answered, *values))

    assert what_goes(mine) == 1
    assert what_goes(other) > 10
    assert what_goes(None) > 10
