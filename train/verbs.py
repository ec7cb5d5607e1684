"""What all commands of `train` share: files appear whole, and errors are told to a person."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from safetensors import SafetensorError

Main = Callable[[Sequence[str] | None], int]


class Verb(Protocol):
    """A command: its arguments, or those of the process, to its exit code."""

    def __call__(self, argv: Sequence[str] | None = None) -> int: ...


class DataError(ValueError):
    """Something about the data, or about the order of commands; the text says what to do."""


class DiskError(OSError):
    """A file could not be written; what stood there before is untouched."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Write to the path that is given: it becomes `path` if all went well, and is removed if not.

    Raises DiskError where the disk is full or may not be written to.
    """
    part = path.parent / ".parts" / path.name  # apart: nobody who lists the folder finds it
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except (OSError, SafetensorError) as error:
        raise DiskError(
            f"{path} could not be written ({error}). Nothing that was there is lost; make room and "
            "give the same command again."
        ) from error
    finally:
        part.unlink(missing_ok=True)
        with suppress(OSError):  # others may be writing, too
            part.parent.rmdir()


def verb(main: Main) -> Verb:
    """A command that ends with a sentence and not with a traceback where a person can help."""

    @functools.wraps(main)
    def told(argv: Sequence[str] | None = None) -> int:
        try:
            return main(argv)
        except (DataError, DiskError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("Stopped; the same command goes on from here.", file=sys.stderr)
            return 130

    return told
