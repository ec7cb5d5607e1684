"""Windows and macOS lack what confines the decoder: everything works there, with a warning."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from detector.service import folder_lock

ROOT = Path(__file__).parent.parent
WITHOUT = "import sys; sys.modules['fcntl'] = sys.modules['resource'] = None\n"
MACOS = (  # what others import by the system's name comes first
    "import sys, os, av, c2pa, cv2, PIL.Image, torch, torchvision, timm, facenet_pytorch\n"
    "sys.platform = 'darwin'; del os.memfd_create\n"
)


def python(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


ANALYSE = """
import json
from pathlib import Path
from detector import Detector
from detector.settings import Settings
detector = Detector.load(sys.argv[1], device="cpu")
report = detector.analyze(Path(sys.argv[2]), Settings(frames=8))
print(json.dumps([report.status, report.frames_sampled, detector.describe()]))
"""


@pytest.mark.parametrize("system", [WITHOUT, MACOS], ids=["without fcntl and resource", "macOS"])
def test_a_system_without_confinement_analyses_and_reports_what_is_missing(
    system: str, weights: Path, talking: Path
) -> None:
    done = python(system + ANALYSE, weights / "tiny.safetensors", talking)
    assert done.returncode == 0, done.stderr
    status, sampled, described = json.loads(done.stdout.splitlines()[-1])
    assert (status, sampled) == ("ok", 8)
    assert described["decoding"] == []
    assert "in this very process" in described["fallbacks"][0]
    assert "in this very process" in done.stderr


def test_every_module_can_be_imported_without_them() -> None:
    code = WITHOUT + (
        "import importlib, pkgutil, detector\n"
        "names = [m.name for m in pkgutil.walk_packages(detector.__path__, 'detector.')]\n"
        "optional = ('detector.archive', 'detector.__main__')\n"
        "[importlib.import_module(n) for n in names if not n.startswith(optional)]\n"
    )
    done = python(code + "import app, train.index, train.prepare")
    assert done.returncode == 0, done.stderr


def test_linux_has_no_fallbacks(detector: object) -> None:
    assert detector.describe()["fallbacks"] == []  # type: ignore[attr-defined]


def test_a_locked_folder_is_not_free(tmp_path: Path) -> None:
    locked = folder_lock.lock(tmp_path / "running")
    with pytest.raises(BlockingIOError):
        folder_lock.lock(tmp_path / "running")
    folder_lock.release(locked)
    folder_lock.release(folder_lock.lock(tmp_path / "running"))


def test_without_locks_no_folder_of_another_run_is_removed(tmp_path: Path) -> None:
    code = WITHOUT + (
        "from pathlib import Path\n"
        "from detector.service.temp_files import Storage\n"
        "first, second = Storage(Path(sys.argv[1])), Storage(Path(sys.argv[1]))\n"
        "assert first.folder.is_dir()\n"
        "second.close(); assert first.folder.is_dir(); first.close()\n"
        "assert not list(Path(sys.argv[1]).iterdir())\n"
    )
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr
