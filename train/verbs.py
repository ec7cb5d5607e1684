"""Shared by all commands of `train`: files appear whole, and errors are sentences for a person."""

from __future__ import annotations

import errno
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from safetensors import SafetensorError

Main = Callable[[Sequence[str] | None], int]


class Verb(Protocol):
    """A command: its arguments, or those of the process, to its exit code."""

    def __call__(self, argv: Sequence[str] | None = None) -> int: ...


class DataError(ValueError):
    """Something about the data, or about the order of commands; the text states what to do."""


class DiskError(OSError):
    """A file could not be written; what was there before is unchanged."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Write to the path that is given: it becomes `path` if all went well, and is removed if not.

    Raises DiskError where the disk is full or may not be written to.
    """
    # A hidden name of this process's own: no listing shows it, no other process removes it.
    part = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        # Atomic, as both are in one folder.
        part.replace(path)
    except (OSError, SafetensorError) as error:
        way_out = " Make room and give the same command again." * (_errno(error) == errno.ENOSPC)
        raise DiskError(
            f"{path} could not be written ({error}). What was there before is unchanged.{way_out}"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _errno(error: BaseException) -> int | None:
    return error.errno if isinstance(error, OSError) else None


def verb(main: Main) -> Verb:
    """A command that ends with a sentence and not with a traceback where a person can help."""

    @functools.wraps(main)
    def wrapped(argv: Sequence[str] | None = None) -> int:
        try:
            return main(argv)
        except (DataError, DiskError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("Stopped; the same command resumes here.", file=sys.stderr)
            # 128 + SIGINT, as shells report it.
            return 130

    return wrapped
