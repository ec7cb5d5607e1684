"""Where the service writes, and that nothing of it stays: one folder a run, swept by age.

A run locks its folder, and the system releases the lock when the run ends, however it ends.
So the next one recognises folders of ended runs.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from detector.service.folder_lock import CAN_LOCK, lock, release

# Half an hour, as the page, the README and SECURITY.md state.
KEPT_SECONDS = 1800
SWEEP_SECONDS = 300  # a file is kept by at most a sixth longer than stated
PREFIX = "deepfake-detector-"
LOCK = "running"


class Storage:
    """The folder of this run, under `base`; folders of runs that ended are removed first.

    `adopt` makes it the place for all temporary files of this process and of those it starts:
    uploads, answers, and whatever a job that was interrupted leaves behind.
    """

    def __init__(self, base: Path) -> None:
        base.mkdir(parents=True, exist_ok=True)
        # Before making our own, which is like an abandoned one until it is locked.
        remove_abandoned(base)
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        self._lock = lock(self.folder / LOCK)
        self._kept: frozenset[Path] = frozenset()
        self._over = threading.Event()

    def adopt(self) -> None:
        served, work = self.folder / "served", self.folder / "work"
        for folder in (served, work):
            folder.mkdir()
        # Two, since Gradio copies no file that is in its own folder, and work is removed at once.
        os.environ["GRADIO_TEMP_DIR"] = str(served)
        os.environ["TMPDIR"] = tempfile.tempdir = str(work)
        self.keep()

    def keep(self) -> None:
        """Never sweep what is there now: the page's own files, such as its examples."""
        self._kept = frozenset(self._written())

    def sweep(self, age: float = KEPT_SECONDS) -> None:
        """Remove what was last changed more than `age` seconds ago, and folders left empty."""
        oldest = time.time() - age
        old = [path for path in self._written() if _changed(path) < oldest]
        for path in sorted(old, reverse=True):  # what is in a folder before the folder
            with suppress(OSError):  # gone meanwhile, or a folder that is in use
                if path.is_dir() and not path.is_symlink():
                    path.rmdir()
                else:
                    path.unlink()

    def sweep_on_schedule(self) -> None:
        """Sweep every five minutes, in a thread, until closed."""

        def sweep_until_closed() -> None:
            while not self._over.wait(SWEEP_SECONDS):
                self.sweep()

        threading.Thread(target=sweep_until_closed, name="sweeper", daemon=True).start()

    def _written(self) -> Iterator[Path]:
        lock = self.folder / LOCK
        return (p for p in self.folder.rglob("*") if p != lock and p not in self._kept)

    def close(self) -> None:
        """Remove the folder."""
        self._over.set()
        _remove(self.folder, self._lock)


def remove_abandoned(base: Path) -> None:
    """Remove the folders of runs that ended without doing so themselves."""
    if not CAN_LOCK:
        return
    for folder in base.glob(f"{PREFIX}*"):
        try:
            descriptor = lock(folder / LOCK)
        except (BlockingIOError, FileNotFoundError, PermissionError):
            continue  # it runs, or is another user's
        _remove(folder, descriptor)


def _remove(folder: Path, lock: int) -> None:
    """A folder that is locked, so that nobody else takes it meanwhile."""
    shutil.rmtree(folder, ignore_errors=True)
    release(lock)
    shutil.rmtree(folder, ignore_errors=True)  # Windows removes no file that is open


def _changed(path: Path) -> float:
    try:
        # lstat: a link counts by its own age, and is not followed.
        return path.lstat().st_mtime
    except FileNotFoundError:
        return float("inf")
