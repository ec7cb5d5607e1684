"""The command line: readable output, files at the given paths, exit codes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from detector import Detector, cli
from detector.records import Report
from tests.clips import plain, write_clip


def run(weights: Path, *arguments: str | Path) -> int:
    model = str(weights / "tiny.safetensors")
    return cli.main([*map(str, arguments), "--frames", "8", "--weights", model, "--device", "cpu"])


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.mp4"
    path.write_text("this is no video")
    return path


def test_a_face_gets_a_score(weights: Path, talking: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(weights, talking) == 0
    out = capsys.readouterr().out
    assert str(talking) in out
    assert "Person 1" in out


def test_all_outputs_are_written_to_the_given_paths(
    weights: Path, talking: Path, tmp_path: Path
) -> None:
    names = {"--json": "r.json", "--html": "r.html", "--video": "r.mp4", "--csv": "r.csv"}
    options = [part for option, name in names.items() for part in (option, tmp_path / name)]
    assert run(weights, talking, *options) == 0
    assert json.loads((tmp_path / "r.json").read_text())["status"] == "ok"
    assert "<html" in (tmp_path / "r.html").read_text()
    with av.open(str(tmp_path / "r.mp4")) as video:
        assert video.streams.video[0].codec_context.name == "h264"
        assert video.streams.audio
    with (tmp_path / "r.csv").open() as file:
        assert next(csv.DictReader(file))["status"] == "ok"


def test_a_bad_file_among_good_ones_costs_only_itself(
    weights: Path, talking: Path, bad: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run(weights, bad, talking, "--json", tmp_path / "all.json") == 3
    answers = json.loads((tmp_path / "all.json").read_text())
    assert [answer["status"] for answer in answers] == ["unreadable", "ok"]
    assert answers[0]["p_fake"] is None
    assert "bad.mp4" in capsys.readouterr().out


def test_every_kind_of_bad_file_is_reported_with_a_next_step(
    weights: Path, talking: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """From one call: none of them loses the others."""
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("this is no video")
    (folder / "cut.mp4").write_bytes(talking.read_bytes()[:3000])
    with av.open(str(folder / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate, frame.pts = 44_100, 0
        container.mux([*stream.encode(frame), *stream.encode()])
    write_clip(folder / "wide.mp4", [np.zeros((64, 8192, 3), np.uint8)] * 2)
    assert run(weights, folder, "--json", tmp_path / "all.json") == 4
    answers = json.loads((tmp_path / "all.json").read_text())
    assert {answer["video"]["name"]: answer["status"] for answer in answers} == {
        "cut.mp4": "unreadable",
        "empty.mp4": "empty",
        "sound.mp4": "no_video",
        "text.mp4": "unreadable",
        "wide.mp4": "no_face",
    }
    assert all(answer["p_fake"] is None for answer in answers)


def test_a_folder_is_printed_as_a_table(
    weights: Path, talking: Path, capsys: pytest.CaptureFixture
) -> None:
    write_clip(talking.parent / "none.mp4", plain(20))
    assert run(weights, talking.parent) == 4
    out = capsys.readouterr().out
    assert "no_face" in out
    assert out.count("talking.mp4") >= 2


def test_a_hostile_file_name_is_no_formula_in_the_table(weights: Path, tmp_path: Path) -> None:
    bad = tmp_path / "=1+1.mp4"
    bad.write_text("no video")
    run(weights, bad, "--csv", tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["file"] == "'=1+1.mp4"


def test_html_of_several_files_goes_to_a_folder(
    weights: Path, talking: Path, bad: Path, tmp_path: Path
) -> None:
    run(weights, talking, bad, "--html", tmp_path / "pages")
    assert [path.name for path in (tmp_path / "pages").iterdir()] == ["talking.html"]


def test_an_interrupted_batch_keeps_the_files_that_were_done(
    weights: Path,
    talking: Path,
    bad: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    analyze = Detector.analyze

    def press_ctrl_c_at_the_third(self: Detector, path: Path, *more: Any, **options: Any) -> Report:
        if path.name == "third.mp4":
            raise KeyboardInterrupt
        return analyze(self, path, *more, **options)

    monkeypatch.setattr(Detector, "analyze", press_ctrl_c_at_the_third)
    files = [talking, bad, tmp_path / "third.mp4", tmp_path / "fourth.mp4"]
    out = {"--json": tmp_path / "all.json", "--csv": tmp_path / "all.csv"}
    options = [part for pair in out.items() for part in pair]
    assert run(weights, *files, *options) == 130
    answers = json.loads(out["--json"].read_text())
    assert [answer["status"] for answer in answers] == ["ok", "unreadable"]
    with out["--csv"].open(newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["talking.mp4", "bad.mp4"]
    assert "2 of 4 files are done" in capsys.readouterr().err


def test_a_report_is_verified_and_a_tampered_one_is_not(
    weights: Path, talking: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "report.json"
    run(weights, talking, "--json", path)
    assert run(weights, talking, "--verify", path) == 0
    report = json.loads(path.read_text())
    report["verdict"] = "no_sign" if report["verdict"] != "no_sign" else "fake"
    path.write_text(json.dumps(report))
    assert run(weights, talking, "--verify", path) == 6
    out = capsys.readouterr().out
    assert "Same answer: NO" in out
    assert "verdict: " in out


def test_a_file_that_is_no_report_is_an_error(
    weights: Path, talking: Path, bad: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run(weights, talking, "--verify", bad) == 6
    assert "not a JSON report" in capsys.readouterr().err


def test_missing_weights_have_their_own_exit_code(
    talking: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    missing = str(tmp_path / "gone.safetensors")
    assert cli.main([str(talking), "--weights", missing]) == 5
    assert "gone.safetensors" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--frames", "7"], ["--frames", "601"], ["--threshold", "1.5"]]
)
def test_numbers_out_of_range_are_refused_as_typing_errors(
    talking: Path, arguments: list[str], capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        cli.main([str(talking), *arguments])
    assert exit_info.value.code == 2
    assert "must lie between" in capsys.readouterr().err


def test_progress_is_not_mixed_into_the_output(
    weights: Path, talking: Path, capsys: pytest.CaptureFixture
) -> None:
    run(weights, talking)
    captured = capsys.readouterr()
    assert "Analysing faces" in captured.err
    assert "Analysing faces" not in captured.out
