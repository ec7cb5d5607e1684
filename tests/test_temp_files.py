"""Uploads and everything made of them are deleted after the stated time."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file

from detector import Detector
from detector.service import temp_files as storage_module
from detector.service.temp_files import KEPT_SECONDS, PREFIX, Storage
from detector.video import Limits
from tests.server import serving

ROOT = Path(__file__).parent.parent


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    storage = Storage(tmp_path)
    yield storage
    storage.close()


def aged(path: Path, seconds: float) -> Path:
    """`path`, written `seconds` ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    then = time.time() - seconds
    for each in (path, path.parent):
        os.utime(each, (then, then))
    return path


def test_what_is_older_than_the_stated_time_goes_and_the_rest_stays(storage: Storage) -> None:
    old = aged(storage.folder / "hash" / "clip.mp4", KEPT_SECONDS + 1)
    dead_job = aged(storage.folder / "answer-x" / "report.html", KEPT_SECONDS + 1)
    young = aged(storage.folder / "other" / "clip.mp4", KEPT_SECONDS - 60)
    storage.sweep()
    assert not old.exists()
    assert not dead_job.parent.exists(), "an old empty folder goes too"
    assert young.exists()


def test_the_pages_own_files_stay(storage: Storage) -> None:
    example = aged(storage.folder / "hash" / "two_people.mp4", 2 * KEPT_SECONDS)
    storage.keep()
    storage.sweep()
    assert example.exists()


def test_a_link_in_the_folder_leads_nowhere(storage: Storage, tmp_path: Path) -> None:
    outside = aged(tmp_path / "outside" / "precious.mp4", 2 * KEPT_SECONDS)
    (storage.folder / "link").symlink_to(outside.parent)
    (storage.folder / "file").symlink_to(outside)
    storage.sweep(age=-1)
    assert outside.exists()


def test_it_is_swept_on_schedule(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_module, "SWEEP_SECONDS", 0.05)
    old = aged(storage.folder / "hash" / "clip.mp4", KEPT_SECONDS + 1)
    storage.sweep_on_schedule()
    end = time.monotonic() + 5
    while old.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_files_of_a_killed_run_are_removed_by_the_next_and_those_of_a_running_one_are_not(
    tmp_path: Path,
) -> None:
    code = (
        "import sys, time; from pathlib import Path;"
        "from detector.service.temp_files import Storage;"
        "storage = Storage(Path(sys.argv[1])); (storage.folder / 'clip.mp4').write_bytes(b'x');"
        "print(storage.folder, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        left = Path(other.stdout.readline().strip())
        Storage(tmp_path).close()
        assert (left / "clip.mp4").exists(), "it is still running"
        other.kill()
    Storage(tmp_path).close()
    assert list(tmp_path.glob(f"{PREFIX}*")) == []


def adopt(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the length of one test."""
    for name in ("TMPDIR", "GRADIO_TEMP_DIR"):
        monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setattr(tempfile, "tempdir", "elsewhere")
    storage.adopt()


def test_all_temporary_files_of_a_run_are_in_its_folder(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopt(storage, monkeypatch)
    with tempfile.TemporaryDirectory() as name:
        assert Path(name).is_relative_to(storage.folder)
    child = [sys.executable, "-c", "import tempfile; print(tempfile.gettempdir())"]
    assert subprocess.check_output(child, text=True).strip() == tempfile.gettempdir()


def test_upload_and_outputs_are_gone_after_the_stated_time(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, detector: Detector, talking: Path
) -> None:
    """Through the real service, with its clock put forward; the page still works afterwards."""
    adopt(storage, monkeypatch)
    with serving({"tiny": detector}, Limits()) as url:
        storage.keep()
        client = Client(url, verbose=False, download_files=False)
        _, *files = client.predict(
            video=handle_file(talking), n_frames=8, api_name="/analyze_video_full"
        )
        addresses = [f"{url}gradio_api/file={file['path']}" for file in files]
        stray = {"stray": ("clip.mp4", b"sent under another field than Gradio expects")}
        httpx.post(f"{url}gradio_api/upload", files=stray)
        assert [httpx.get(address).status_code for address in addresses] == [200, 200, 200]
        assert written(storage)
        monkeypatch.setattr(time, "time", lambda now=time.time: now() + KEPT_SECONDS + 1)
        storage.sweep()
        monkeypatch.undo()
        assert not written(storage)
        assert {httpx.get(address).status_code for address in addresses} <= {403, 404}
        assert httpx.get(url).status_code == 200
        limits = client.predict(api_name="/limits")
        assert limits["files_kept_seconds"] == KEPT_SECONDS


def written(storage: Storage) -> list[Path]:
    """What a visitor's job put there: an upload, or an answer."""
    suffixes = {".mp4", ".html", ".csv", ".json"}
    files = (path for path in storage.folder.rglob("*") if path.suffix in suffixes)
    return [path for path in files if path not in storage._kept]


def test_every_text_states_the_same_time() -> None:
    lifetime = f"{KEPT_SECONDS // 60} minutes"
    for name in ("README.md", "SECURITY.md", "detector/ui/templates/about.md"):
        assert lifetime in " ".join((ROOT / name).read_text(encoding="utf-8").split()), name
