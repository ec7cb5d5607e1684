"""A lock on a file that ends with the process that owns it, on any system."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
with suppress(ImportError):
    import fcntl

CAN_LOCK = "fcntl" in globals() or "msvcrt" in globals()
"""Without it ended runs cannot be recognised, and no folder of another run is removed."""


def lock(path: Path) -> int:
    """A lock on the file `path`, which is made; give it to `release`.

    Raises BlockingIOError if another process owns it.
    """
    # O_NOFOLLOW: in a shared folder the name could be another user's symbolic link.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        _lock(descriptor)
    except OSError as error:
        os.close(descriptor)
        raise BlockingIOError(f"{path} is held by another process") from error
    return descriptor


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    elif CAN_LOCK:
        # flock belongs to the open file and ends with it, also when the process is killed.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def release(descriptor: int) -> None:
    os.close(descriptor)
