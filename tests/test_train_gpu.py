"""The minutes on a GPU, as a smoke test without one."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from detector.pipeline import Detector
from tests.shards import drawn_shards
from train import gpu, pack, parts
from train.gpu import Step, follow
from train.verbs import DataError


@pytest.mark.timeout(1200)  # eight processes, each of which imports torch
def test_the_whole_script_runs_on_two_cores(tmp_path: Path) -> None:
    """From parts that travelled to weights in parts, joined, and loaded by the product."""
    shards = drawn_shards(tmp_path / "drawn", clips=3, frames=3)
    pack.main(["--shards", str(shards), "--out", str(tmp_path / "packed")])
    out = tmp_path / "out"
    code = gpu.main(["--packed", str(tmp_path / "packed"), "--out", str(out), "--smoke-test"])
    table = (out / "table.md").read_text()
    assert code == 0, table
    for figure in ("frames at step", "clips at step", "crops of val", "8 frames"):
        assert figure in table
    assert parts.main(["--join", str(out / "parts"), "--out", str(out / "joined")]) == 0
    card = out / "weights" / "accurate.json"
    (out / "joined" / card.name).write_bytes(card.read_bytes())
    assert Detector.load(out / "joined" / "accurate.safetensors", "cpu").info.trained


def test_a_step_beyond_its_limit_is_terminated_and_may_save_its_state(
    tmp_path: Path,
) -> None:
    code = (
        "import time, pathlib\ntry:\n    print('began', flush=True); time.sleep(60)\n"
        f"except KeyboardInterrupt:\n    pathlib.Path({str(tmp_path / 'kept')!r}).touch()"
    )
    outcome = follow(Step("slow", ["-c", code], 6.0), tmp_path, time.monotonic() + 99)
    assert outcome.end == "stopped"
    assert outcome.note == "began"
    assert (tmp_path / "kept").exists()


def test_a_step_that_ignores_termination_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "GRACE", 0.5)
    code = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"
    began = time.monotonic()
    outcome = follow(Step("stuck", ["-c", code], 4.0), tmp_path, began + 99)
    assert outcome.end == "stopped"
    assert time.monotonic() - began < 30


def test_a_failed_step_reports_its_exit_code_and_no_step_starts_after_the_end(
    tmp_path: Path,
) -> None:
    end = time.monotonic() + 60
    failed = follow(Step("bad", ["-c", "raise SystemExit('no data')"], 30.0), tmp_path, end)
    assert (failed.end, failed.note) == ("failed (1)", "no data")
    late = follow(Step("late", ["-c", ""], 30.0), tmp_path, time.monotonic() - 1)
    assert late.end == "skipped"
    assert sys.executable  # the interpreter of this environment runs them


def test_a_file_comes_back_from_its_parts(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(range(256)) * 20)
    made = parts.split(tmp_path / "w.bin", tmp_path / "parts", 2048 / parts.MEBI)
    assert [part.stat().st_size for part in made] == [2048, 2048, 1024]
    (back,) = parts.join(tmp_path / "parts", tmp_path / "back")
    assert back.read_bytes() == (tmp_path / "w.bin").read_bytes()


def test_damaged_or_missing_parts_are_not_joined(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(3000))
    first, second, _ = parts.split(tmp_path / "w.bin", tmp_path / "parts", 1024 / parts.MEBI)
    first.write_bytes(bytes(1023) + b"x")
    with pytest.raises(DataError, match="damaged"):
        parts.join(tmp_path / "parts", tmp_path)
    second.unlink()
    with pytest.raises(DataError, match=r"lacks w\.bin\.001"):
        parts.join(tmp_path / "parts", tmp_path)
    with pytest.raises(DataError, match="contains no"):
        parts.join(tmp_path / "elsewhere", tmp_path)
