"""Which files a visit has put on disk, so that the visitor can have them deleted at once.

Gradio deletes files by age, and identifies who leaves by nothing but the session's name; so this
is kept by that name, here, and removed with the files.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any


class SessionFiles:
    """Paths by session. A file is stored by its content's hash, so two visitors who give the same
    file share it: it is deleted when the last of them releases it. `kept()` are never deleted."""

    def __init__(self, kept: Callable[[], Iterable[str]] = tuple) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._files: dict[str, set[Path]] = {}

    def note(self, session: str, values: Any) -> None:
        """Record every file named in `values`, as components send them."""
        found = set(paths_in(values))
        if found:
            with self._lock:
                self._files.setdefault(session, set()).update(found)

    def delete(self, session: str) -> int:
        """Delete what this session has on disk; returns how many files that were."""
        kept = set(map(Path, self._kept()))
        with self._lock:
            own = self._files.pop(session, set())
            # Files are deleted under the lock: else another session could take one meanwhile.
            others = set().union(*self._files.values()) if self._files else set()
            return sum(_unlink(path) for path in own - others - kept)


def paths_in(values: Any) -> Iterator[Path]:
    """Every `path` of an object in plain data, however deep."""
    if isinstance(values, dict):
        if isinstance(values.get("path"), str):
            yield Path(values["path"])
        for value in values.values():
            yield from paths_in(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from paths_in(value)


def _unlink(path: Path) -> bool:
    """Remove the file, and the folder that Gradio made for it; False if it was gone already."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    with suppress(OSError):  # another file of the same content hash is in it
        path.parent.rmdir()
    return True
