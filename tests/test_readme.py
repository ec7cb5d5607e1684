"""The README is true: its versions, its commands, its code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from detector import Detector
from detector.cli import build_parser
from detector.records import APP_VERSION
from detector.service.admission import Admission, Served
from detector.ui.gradio_patches import events_of
from detector.ui.page import build_page
from detector.ui.templates import piece
from detector.video import Limits

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_space_runs_the_gradio_that_is_pinned() -> None:
    header = re.search(r'^sdk_version: "(.+)"$', README, re.MULTILINE)
    pinned = re.search(r"^gradio\S*==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert header is not None
    assert pinned is not None
    assert header[1] == pinned[1]


def test_the_space_header_names_files_that_are_there() -> None:
    header = README.split("---")[1]
    app_file = re.search(r"^app_file: (\S+)$", header, re.MULTILINE)
    assert app_file is not None
    assert (ROOT / app_file[1]).is_file()
    assert re.search(r'^python_version: ".+"$', header, re.MULTILINE), "unquoted 3.10 is 3.1"


def test_every_option_in_the_readme_exists() -> None:
    known = {option for action in build_parser()._actions for option in action.option_strings}
    commands = re.findall(r"^python -m detector (.+)$", README, re.MULTILINE)
    assert commands
    for command in commands:
        assert set(re.findall(r"--[a-z-]+", command)) <= known, command


def test_the_python_example_runs(
    monkeypatch: pytest.MonkeyPatch, detector: Detector, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the tests' tiny network in place of the released one."""
    blocks = re.findall(r"```python\n(.+?)```", README, re.DOTALL)
    example = next(block for block in blocks if "Detector.load()" in block)
    monkeypatch.setattr(Detector, "load", lambda *_: detector)
    monkeypatch.chdir(ROOT)
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("ok ")


def test_the_version_is_written_once() -> None:
    assert f"version = {{{APP_VERSION}}}" in README


def test_pictures_that_the_readme_shows_are_there() -> None:
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / path).is_file(), path


def test_readme_and_page_list_every_endpoint(detector: Detector) -> None:
    served = {"tiny": Served(detector, Admission())}
    events = events_of(build_page(served, Limits()))
    endpoints = {f"/{one.api_name}" for one in events if one.api_visibility == "public"}
    assert len(endpoints) > 5
    for text in (README, piece("programs.md")):
        assert set(re.findall(r"^\| `(/\w+)` \|", text, re.MULTILINE)) == endpoints
