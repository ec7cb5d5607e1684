"""The command line in the hands of people: names, folders, consoles, pipes, batches that go on."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest

from detector import Detector, cli
from detector.records import APP_VERSION
from detector.scoring.evaluation import LabelledScore, evaluate
from detector.terminal import watching
from detector.terminal.inputs import gather, labels_of
from detector.terminal.outputs import Names
from detector.terminal.run import evaluation_lines
from detector.video import Limits
from tests.clips import plain, write_clip
from tests.test_cli import run

ROOT = Path(__file__).parent.parent


def refused(capsys: pytest.CaptureFixture, weights: Path, *arguments: str | Path) -> str:
    """The error of an invalid command, before anything is loaded."""
    with pytest.raises(SystemExit) as exit_info:
        run(weights, *arguments)
    assert exit_info.value.code == 2
    return str(capsys.readouterr().err)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def twins(talking: Path, tmp_path: Path) -> Path:
    """Two videos of one name in two folders, and one that differs in its suffix alone."""
    for place in ("c23/Deepfakes/000.mp4", "c23/Face2Face/000.mp4", "c23/Face2Face/000.mov"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(talking, tmp_path / place)
    return tmp_path / "c23"


def test_files_of_one_name_keep_their_own_outputs_and_rows(
    weights: Path, twins: Path, tmp_path: Path
) -> None:
    options = ("--html", tmp_path / "pages", "--csv", tmp_path / "t.csv")
    assert run(weights, twins, *options, "--json", tmp_path / "t.json", "--no-heat") == 0
    assert len(list((tmp_path / "pages").rglob("*.html"))) == 3
    names = ["Deepfakes/000.mp4", "000.mov", "Face2Face/000.mp4"]
    assert [row["file"] for row in rows_of(tmp_path / "t.csv")] == names
    assert {row["path"] for row in rows_of(tmp_path / "t.csv")} == {
        str(path) for path in twins.rglob("0*")
    }
    answers = json.loads((tmp_path / "t.json").read_text())
    assert [answer["video"]["name"] for answer in answers] == names


def test_labels_are_the_shortest_that_differ_in_any_case_of_letters() -> None:
    paths = [Path(name) for name in ("/a/x/1.mp4", "/b/x/1.MP4", "/c/2.mp4")]
    assert labels_of(paths) == ["a/x/1.mp4", "b/x/1.MP4", "2.mp4"]


def test_no_two_files_share_a_name_however_long_it_is(tmp_path: Path) -> None:
    for ending in ("a.mp4", "b.mp4", "B.mov", "b.MOV"):
        (tmp_path / f"{'é' * 100}{ending}").touch()
    (tmp_path / "q").mkdir()
    files = gather([tmp_path], Limits().suffixes).files
    names = Names(files)
    places = {str(names.place(tmp_path / "out", file.label, "html")).lower() for file in files}
    assert len(places) == len(files) == 4
    assert all(len(os.fsencode(Path(place).name)) < 250 for place in places)


def test_folders_for_outputs_are_made_first(weights: Path, talking: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "deep" / "r.json"
    assert run(weights, talking, "--json", out, "--csv", out.with_suffix(".csv")) == 0
    assert json.loads(out.read_text())["status"] == "ok"


def test_what_cannot_be_written_is_refused_before_the_work(
    weights: Path, talking: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.json").mkdir()
    cases: list[tuple[list[str | Path], str]] = [
        (["--json", tmp_path / "file" / "r.json"], "cannot be made"),
        (["--json", tmp_path / "folder.json"], "is a folder"),
        (["--video", tmp_path / "out.txt"], "--video must end with .mp4"),
        (["--json", tmp_path / "out.txt"], "--json must end with .json"),
        (["--html", tmp_path / "out"], "--html must end with .html"),
        (["--csv", tmp_path / "out.xlsx"], "--csv must end with .csv"),
        (["--csv", tmp_path / "a.csv", "--clips-csv", tmp_path / "a.csv"], "the same name"),
        (["--json", "-", "--csv", "-"], "only one of the outputs"),
        (["--video", talking], "is one of the input files"),
        (["--out", tmp_path / "file"], "is a file"),
        (["--resume"], "needs --out"),
        (["--with-video"], "needs --out"),
        (["--webhook", "ftp://host"], "http:// or https://"),
        (["--evaluation", tmp_path / "e.json"], "needs --labels"),
        (["--watch"], "--watch needs folders"),
        ([talking.parent, "--html", tmp_path / "all.html"], "names a folder"),
        ([talking.parent, "--html", "-"], "is for one file"),
    ]
    for arguments, reason in cases:
        assert reason in refused(capsys, weights, talking, *arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.json"]


def test_a_dash_is_standard_output_and_the_summary_goes_to_stderr(
    weights: Path, talking: Path, tmp_path: Path, capfdbinary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(weights, talking, "--json", "-", "--no-heat") == 0
    captured = capfdbinary.readouterr()
    assert json.loads(captured.out)["status"] == "ok"
    assert b"Person 1" in captured.err
    assert run(weights, talking, "--video", "-", "--no-heat") == 0
    with av.open(io.BytesIO(capfdbinary.readouterr().out)) as video:
        assert video.streams.video[0].codec_context.name == "h264"
    assert run(weights, talking, "--csv", "-", "--quiet", "--no-heat") == 0
    captured = capfdbinary.readouterr()
    assert captured.out.startswith(b"file,")
    assert captured.err == b""
    assert not list(tmp_path.iterdir())


def command(weights: Path, *arguments: str | Path, **more: Any) -> subprocess.Popen[bytes]:
    call = [sys.executable, "-m", "detector", *map(str, arguments), "--frames", "8", "--no-heat"]
    call += ["--weights", str(weights / "tiny.safetensors"), "--device", "cpu"]
    return subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def test_a_closed_pipe_and_an_ascii_console_lose_no_result(
    weights: Path, talking: Path, tmp_path: Path
) -> None:
    """As `python -m detector folder | head -1` on an old Windows console."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("🎬.mp4", "b.mp4"):
        shutil.copy(talking, folder / name)
    poor = os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    out = tmp_path / "all.json"
    process = command(weights, folder, "--json", out, env=poor)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait() == 0, errors
    assert b"Traceback" not in errors
    assert b"BrokenPipe" not in errors
    names = [answer["video"]["name"] for answer in json.loads(out.read_text())]
    assert names == ["b.mp4", "🎬.mp4"]


def test_a_log_has_one_line_for_each_file(weights: Path, talking: Path) -> None:
    process = command(weights, talking)
    _, errors = process.communicate()
    assert b"\r" not in errors
    assert errors.count(b"\n") == 1


def test_standard_input_is_a_file(weights: Path, talking: Path) -> None:
    process = command(weights, "-", "--json", "-", "--quiet", stdin=subprocess.PIPE)
    out, errors = process.communicate(talking.read_bytes())
    assert process.returncode == 0, errors
    assert json.loads(out)["video"]["name"] == "stdin"


def test_the_version_is_printed(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert APP_VERSION in capsys.readouterr().out


def test_what_a_folder_run_passes_over_is_listed(
    weights: Path, talking: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = tmp_path / "in"
    (folder / "sub.mp4").mkdir(parents=True)
    shutil.copy(talking, folder / "a.mp4")
    for name in ("._a.mp4", "notes.txt", ".DS_Store"):
        (folder / name).touch()
    (folder / "again.mp4").symlink_to(folder / "a.mp4")
    (folder / "lost.mp4").symlink_to(folder / "gone.mp4")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(talking, elsewhere / "linked.mp4")
    (folder / "link").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    out = folder / "out"
    for _ in range(2):  # what the first run wrote is no input of the second
        assert run(weights, folder, "--out", out, "--with-video", "--no-heat") == 0
        assert [row["file"] for row in rows_of(out / "results.csv")] == ["a.mp4", "linked.mp4"]
    errors = capsys.readouterr().err
    for reason in ("left by macOS", "no kind of video", "a link to nothing", "the same file as"):
        assert reason in errors
    skipped = {Path(row["path"]).name for row in rows_of(out / "skipped.csv")}
    assert {"._a.mp4", "notes.txt", "again.mp4", "lost.mp4"} <= skipped


def test_a_folder_for_all_outputs_contains_all_of_them(
    weights: Path, twins: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run(weights, twins, "--out", out, "--no-heat") == 0
    assert len(json.loads((out / "results.json").read_text())) == 3
    clips = rows_of(out / "clips.csv")
    assert {"file", "person", "start", "end", "logit", "weight"} <= set(clips[0])
    assert len(clips) == 6
    assert len(list((out / "reports").rglob("*.json"))) == 3
    assert len(list((out / "reports").rglob("*.html"))) == 3


def test_an_interrupted_batch_goes_on_where_it_was(
    weights: Path, twins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyze, analysed = Detector.analyze, []

    def analyse_and_stop(self: Detector, path: Path, *more: Any, **options: Any) -> Any:
        if len(analysed) == 2:
            raise KeyboardInterrupt
        analysed.append(path)
        return analyze(self, path, *more, **options)

    out = tmp_path / "out"
    monkeypatch.setattr(Detector, "analyze", analyse_and_stop)
    assert run(weights, twins, "--out", out, "--no-heat") == 130
    with (out / "progress.jsonl").open("a") as journal:
        journal.write('{"key": "cut')  # a run that was killed while it wrote
    analysed.pop()
    assert run(weights, twins, "--out", out, "--no-heat", "--resume") == 0
    assert len(analysed) == 2
    assert len(rows_of(out / "results.csv")) == 3
    analysed.clear()
    assert run(weights, twins, "--out", out, "--no-heat", "--resume", "--threshold", "0.3") == 130


@pytest.mark.parametrize("end", [RuntimeError, SystemExit])
def test_a_batch_that_breaks_has_written_what_was_done(
    weights: Path,
    twins: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: type[BaseException],
) -> None:
    analyze, analysed = Detector.analyze, []

    def break_at_the_third(self: Detector, path: Path, *more: Any, **options: Any) -> Any:
        analysed.append(path)
        if len(analysed) == 3:
            raise end
        return analyze(self, path, *more, **options)

    monkeypatch.setattr(Detector, "analyze", break_at_the_third)
    with pytest.raises(end):
        run(weights, twins, "--csv", tmp_path / "t.csv", "--no-heat")
    assert len(rows_of(tmp_path / "t.csv")) == 2


def test_names_that_are_no_text_are_written_as_escapes(
    weights: Path, talking: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(talking, os.path.join(os.fsencode(folder), b"caf\xe9.mp4"))
    out = tmp_path / "out"
    assert run(weights, folder, "--out", out, "--no-heat") == 0
    assert "\\udce9" in rows_of(out / "results.csv")[0]["path"]
    assert len(list((out / "reports").iterdir())) == 2


def test_an_output_that_fails_costs_no_other(
    weights: Path, talking: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no full device")
    assert run(weights, talking, "--json", "/dev/full", "--csv", tmp_path / "t.csv") == 7
    assert "could not be written: No space left" in capsys.readouterr().err
    assert rows_of(tmp_path / "t.csv")[0]["status"] == "ok"


def test_labels_yield_auc_and_a_confusion_matrix(
    weights: Path, talking: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    names = [f"{label}/{k}.mp4" for label in ("real", "fake") for k in range(2)]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(talking, tmp_path / name)
    write_clip(tmp_path / "fake" / "none.mp4", plain(20))
    rows = [f"{name},{name[:4]},p{k}" for k, name in enumerate([*names, "fake/none.mp4"])]
    listing = tmp_path / "labels.csv"
    listing.write_text("\ufefffile;label;identity\n" + "\n".join(rows).replace(",", ";"))
    out = ("--evaluation", tmp_path / "e.json", "--csv", tmp_path / "t.csv")
    assert run(weights, "--labels", listing, *out, "--no-heat", "--threshold", "0.01") == 4
    found = json.loads((tmp_path / "e.json").read_text())
    assert found["auc"] == 0.5  # one and the same clip
    assert found["matrix"] == {
        **{"fake_called_fake": 2, "fake_called_real": 0, "fake_without_score": 1},
        **{"real_called_fake": 2, "real_called_real": 0, "real_without_score": 0},
    }
    assert "AUC 0.500" in capsys.readouterr().out
    assert [row["label"] for row in rows_of(tmp_path / "t.csv")] == ["REAL"] * 2 + ["FAKE"] * 3


def test_pictures_and_videos_are_counted_at_the_thresholds_that_they_have() -> None:
    video, picture = LabelledScore(True, 0.7, 0.6, "a"), LabelledScore(False, 0.7, 0.8, "b")
    both, one = evaluate([video, picture]), evaluate([video])
    assert (both.matrix.fake_called_fake, both.matrix.real_called_real) == (1, 1)
    assert (both.threshold, one.threshold) == (None, 0.6)
    assert "called fake (from 0.60)" in "".join(evaluation_lines(one))
    assert "called fake  " in "".join(evaluation_lines(both))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file,label\na.mp4,MAYBE\n", "Write REAL or FAKE"),
        ("file,label\na.mp4,REAL\na.mp4,FAKE\n", "as both REAL and FAKE"),
        ("name\na.mp4\n", "needs a column file"),
        ("file,label\n", "names no files"),
    ],
)
def test_empty_labels_are_refused(
    weights: Path, tmp_path: Path, text: str, reason: str, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "labels.csv").write_text(text)
    assert reason in refused(capsys, weights, "--labels", tmp_path / "labels.csv")


def test_a_watched_folder_is_analysed_as_files_arrive(
    weights: Path, talking: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out, turns = tmp_path / "in", tmp_path / "out", []
    folder.mkdir()
    steps = [
        lambda: shutil.copy(talking, folder / "a.mp4"),
        lambda: shutil.copy(talking, folder / "b.mp4"),
        lambda: None,
        lambda: None,
    ]

    def turn(_: float) -> None:
        turns.append(len(rows_of(out / "results.csv")) if (out / "results.csv").exists() else 0)
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()

    monkeypatch.setattr(watching, "time", SimpleNamespace(sleep=turn))
    assert run(weights, folder, "--watch", "--out", out, "--no-heat") == 0
    assert turns == [0, 0, 1, 2, 2]
    assert [row["file"] for row in rows_of(out / "results.csv")] == ["in/a.mp4", "in/b.mp4"]


def test_each_result_is_posted_to_the_webhook(
    weights: Path, talking: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    got: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if len(got) == 1 else 403)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "bad.mp4").write_text("no video")
    address = f"http://127.0.0.1:{server.server_port}/hook"
    assert run(weights, talking, tmp_path / "bad.mp4", "--webhook", address, "--no-heat") == 3
    server.shutdown()
    assert [answer["status"] for answer in got] == ["ok", "unreadable"]
    assert "bad.mp4 was not sent to the webhook: it answered 403" in capsys.readouterr().err
