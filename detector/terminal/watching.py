"""Waits for new files in folders, and analyses each once it is written to the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from detector.terminal.inputs import Input, gather
from detector.terminal.run import Run
from detector.video import Limits

POLL_SECONDS = 2.0  # a file that grows within this time is not finished

Version = tuple[int, int]


def watch(run: Run, folders: Sequence[Path], *, known: Sequence[Input]) -> None:
    """Until Ctrl-C, which is raised. A file is analysed when its size and time of change have
    stayed the same from one poll to the next, and again when it is replaced."""
    done = {file.path: _version(file.path) for file in known}
    seen: dict[Path, Version | None] = {}
    run.console.log("Waiting for new files; Ctrl-C ends it.")
    while True:
        found = gather(folders, Limits().suffixes, run.outputs.written(), within=True)
        run.skipped = found.skipped
        here = {file.path: _version(file.path) for file in found.files}
        ready = [
            file
            for file in found.files
            if here[file.path] not in (None, done.get(file.path))
            and seen.get(file.path) == here[file.path]
        ]
        for file in ready:
            done[file.path] = here[file.path]
            run.analyse(file)
            run.finish()
        seen = here
        time.sleep(POLL_SECONDS)


def _version(path: Path) -> Version | None:
    try:
        known = path.stat()
    except OSError:
        return None
    return known.st_size, known.st_mtime_ns
