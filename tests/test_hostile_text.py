"""Names and metadata of files are untrusted; no output interprets them."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import logging
import os
import signal
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import av
import pytest

from detector import Detector
from detector.cli import main as cli
from detector.errors import VideoError, shown
from detector.records import Report
from detector.render.answer_card import answer_card
from detector.render.batch import batch_csv, batch_json, single_json
from detector.render.document import error_json, to_csv, to_html, to_json
from detector.render.sections import findings, moments, numbers, people
from detector.render.timeline import timeline_svg
from detector.sandbox.reader import IsolatedReader
from detector.sandbox.server import server
from detector.service.batch import Batch
from detector.settings import Settings
from detector.ui import html
from detector.ui.handlers import write_documents
from detector.ui.tabs.batch import queue_list
from tests import reports
from tests.clips import plain, write_clip

NAMES = {
    "script": "<script>alert(1)</script>.mp4",
    "attribute": "\" onmouseover='alert(1)' x=\".mp4",
    "image": "<img src=x onerror=alert(1)>.mp4",
    "entity": "&lt;script&gt;&#60;b&#62;.mp4",
    "end of style": "</style><svg onload=alert(1)>.mp4",
    "comment": "--><!--<b>.mp4",
    "template": "${alert(1)}{{7*7}}{% x %}.mp4",
    "markdown": "[x](javascript:alert(1)) ![y](http://example.org/z).mp4",
    "formula": "=cmd|'/c calc'!A1.mp4",
    "wide formula": '＝HYPERLINK("http://example.org").mp4',
    "hidden formula": " \u00a0@SUM(1+1).mp4",
    "second cell": 'a;=1+1;",=2+2,".mp4',
    "terminal": "\x1b]0;owned\x07\x1b[2J\x1b[31mred.mp4",
    "C1 control": "a\x9b31mb.mp4",
    "lines": "good.mp4\nERROR all is lost\r\n\x0b\x0cx.mp4",
    "line separators": "a\u2028b\u2029c\x85.mp4",
    "bidi": "photo\u202egpj.exe\u2066\u2069.mp4",
    "invisible": "a\u200b\u200d\ufeff\U000e0041b.mp4",
    "not UTF-8": os.fsdecode(b"caf\xe9\xff.mp4"),
    "long": "a" * 240 + ".mp4",
    "wide and long": "\N{CJK UNIFIED IDEOGRAPH-8138}" * 80 + ".mp4",
    "dots": "...mp4",
    "windows path": "..\\..\\C:\\x.mp4",
    "option": "--help.mp4",
    "percent": "%s%n%(name)s{0}.mp4",
}
ON_DISK = {kind: name.replace("/", "_") for kind, name in NAMES.items()}
every_file = pytest.mark.parametrize("name", ON_DISK.values(), ids=ON_DISK.keys())
PATHS = {"up": "../../etc/passwd", "absolute": "/etc/passwd", "null": "a\0b.mp4"}
every_name = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())


class Markup(HTMLParser):
    """Tags and attributes that a browser would see, and the text it would show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", (data,)))

    def handle_data(self, data: str) -> None:
        self.text += data


def named(name: str) -> Report:
    """As a report comes from a file of that name."""
    report = reports.two_people()
    return replace(report, video=replace(report.video, name=shown(name)))


def harmless(text: str, *, also: str = "\n") -> bool:
    """No character that steers a terminal, hides, turns the line or starts a new one."""
    kinds = {unicodedata.category(letter) for letter in text if letter not in also}
    return not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@every_name
def test_no_page_gets_a_tag_or_an_attribute_from_a_name(name: str) -> None:
    def pages(name: str) -> Iterator[str]:
        report = named(name)
        error = VideoError(f"{name} is damaged.")
        yield from (to_html(report), answer_card(report), people(report), numbers(report))
        yield findings(report, interactive=True) + moments(report, interactive=True)
        yield timeline_svg(report, width=680, interactive=True)
        yield html.problem(error)
        batch = Batch.of([f"/x/{name}", "/x/b.mp4"]).started()
        yield queue_list(batch) + queue_list(batch.answered(error))

    for page, calm in zip(pages(name), pages("clip.mp4"), strict=True):
        assert Markup(page).found == Markup(calm).found
        assert harmless(page)
    assert shown(name)[:20].strip() in Markup(to_html(named(name))).text


@every_name
def test_no_table_gets_a_formula_a_cell_or_a_row_from_a_name(name: str) -> None:
    report, error = named(name), VideoError(f"{name} is damaged.")
    answers = [(name, report), (name, error)]
    for text, count in (
        (to_csv(report), len(to_csv(reports.two_people()).splitlines())),
        (batch_csv(answers), 3),
    ):
        assert len(text.splitlines()) == count
        assert harmless(text, also="\r\n")
        heads, *rows = csv.reader(io.StringIO(text, newline=""))
        assert all(len(row) == len(heads) for row in rows)
        for cell in (cell for row in rows for cell in row):
            assert cell.strip()[:1] not in tuple("=+@＝＋－＠")
        semicolons = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
        assert not [c for row in semicolons for c in row if c.strip().startswith(("=", "+", "@"))]


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from strings(part)


@every_name
def test_json_is_plain_ascii_and_its_name_fit_to_be_shown(name: str) -> None:
    for text in (
        single_json(name, named(name)),
        batch_json([(name, VideoError(f"{name} is damaged.")), (name, named(name))]),
        json.dumps([to_json(named(name)), error_json(VideoError(name), name)]),
    ):
        assert text.isascii()
        assert text.encode()
        assert all(harmless(string) for string in strings(json.loads(text)))


@pytest.mark.parametrize("name", [*NAMES.values(), *PATHS.values()])
def test_documents_are_stored_in_their_folder_under_safe_names(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "answer"
    folder.mkdir()
    paths = write_documents(named(name), folder)
    assert sorted(folder.iterdir()) == sorted(paths)
    for path in paths:
        assert path.resolve().parent == folder
        assert len(os.fsencode(path.name)) < 220
        assert not set(path.name) & set("/\\<>:\"|?*&'`$;\n\r\t =")
        assert harmless(path.name)
    assert list(tmp_path.iterdir()) == [folder]


@every_name
def test_a_message_stays_one_line_of_bounded_length(name: str) -> None:
    text = str(VideoError(f"{name * 50} is damaged. Send it again."))
    assert harmless(text, also="")
    assert len(text) <= 600
    assert text.endswith("Send it again.")


@every_file
def test_the_terminal_is_not_steered(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], weights: Path
) -> None:
    """A file that cannot be read: its name is printed, twice in a row with the message."""
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / name).write_bytes(b"no video at all")
    found = [str(tmp_path / "1" / name), str(tmp_path / "2" / name)]
    table = tmp_path / "table.csv"
    code = cli([*found, "--weights", str(weights / "tiny.safetensors"), "--csv", str(table)])
    captured = capsys.readouterr()
    assert code == 3
    assert harmless(captured.out)
    assert harmless(captured.err, also="\n\r")
    assert len(table.read_text().splitlines()) == 3


@pytest.fixture(scope="module")
def boastful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video whose metadata are hostile, and whose name is the longest there is."""
    folder = tmp_path_factory.mktemp("boastful")
    source = write_clip(folder / "source.mp4", plain(12))
    path = folder / ("<b>" + "x" * 248 + ".mp4")
    with av.open(str(source)) as inside, av.open(str(path), "w") as out:
        for key in ("title", "artist", "comment", "description"):
            out.metadata[key] = "<script>alert('METADATA')</script>\x1b[31m"
        stream = out.add_stream_from_template(inside.streams.video[0])
        for packet in inside.demux(inside.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return path


def test_metadata_appear_nowhere(boastful: Path, detector: Detector, tmp_path: Path) -> None:
    assert b"METADATA" in boastful.read_bytes()
    report = detector.analyze(boastful, Settings(frames=8))
    for path in write_documents(report, tmp_path):
        assert "METADATA" not in path.read_text(encoding="utf-8")


def test_the_longest_name_does_not_stop_a_batch(
    boastful: Path, tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = boastful.with_name(boastful.name.replace("x", "y"))
    other.write_bytes(boastful.read_bytes())
    out = tmp_path / "out"
    options = ["--weights", str(weights / "tiny.safetensors"), "--html", str(out), "--video"]
    code = cli([str(boastful), str(other), *options, str(out)])
    assert code == 4
    assert {path.suffix for path in out.iterdir()} == {".html", ".mp4"}


@every_file
def test_logs_do_not_name_the_file(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / name
    path.write_bytes(write_clip(tmp_path / "clip.mp4", plain(3)).read_bytes())
    with caplog.at_level(logging.DEBUG, "detector"):
        frames = IsolatedReader().read_all(path)
        next(frames)
        pid = server().process.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        with contextlib.suppress(VideoError):
            list(frames)
        path.write_bytes(b"no video")
        with pytest.raises(VideoError):
            IsolatedReader().probe(path)
    assert harmless("\n".join(caplog.messages))
    assert Path(name).stem not in caplog.text


def test_names_of_people_are_left_as_they_are() -> None:
    for name in ("Müller & Söhne (2).mp4", "Łódź-naïve.mov", "东京.mp4", "हिन्दी.mp4", "وجه.mp4"):
        assert shown(name) == name
