"""Printing that never ends a batch: any console, a closed pipe, a log, or nothing at all."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import IO, Any

from tqdm import tqdm

from detector.errors import shown

LONGEST_PATH = 300  # characters of a path that are printed
LOG_EVERY = 60.0  # seconds between two lines about one file where there is no terminal


class LastingStream:
    """A text stream that survives a closed pipe; characters that the console has not are written as
    escapes."""

    def __init__(self, stream: IO[str] | None) -> None:
        self.stream = stream
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            # A Windows console may have a code page without the letters of a file's name.
            reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        if self.stream is not None:
            try:
                self.stream.write(text)
            except UnicodeEncodeError:
                self.stream.write(text.encode("ascii", "backslashreplace").decode())
            except (OSError, ValueError):  # the pipe or the stream is closed
                self._drop()
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        """As `write`, past the console's encoding; as UTF-8 text where there is no byte stream."""
        binary = getattr(self.stream, "buffer", None)
        if binary is None:
            self.write(data.decode("utf-8", errors="replace"))
            return
        try:
            self.flush()
            binary.write(data)
            binary.flush()
        except (OSError, ValueError):
            self._drop()

    def flush(self) -> None:
        if self.stream is not None:
            try:
                self.stream.flush()
            except (OSError, ValueError):
                self._drop()

    def isatty(self) -> bool:
        try:
            return self.stream is not None and self.stream.isatty()
        except ValueError:
            return False

    def _drop(self) -> None:
        """Drop the stream, and keep the interpreter from flushing it at its end."""
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is self.stream:
                setattr(sys, name, None)
        self.stream = None


@dataclass
class Console:
    """`print` prints answers, `log` progress and `warn` errors.

    `quiet` keeps answers and progress back; `to_error` moves the answers to standard error, for
    when a file is written to standard output.
    """

    quiet: bool = False
    to_error: bool = False

    def __post_init__(self) -> None:
        self.out, self.err = LastingStream(sys.stdout), LastingStream(sys.stderr)

    def print(self, text: str) -> None:
        if not self.quiet:
            stream = self.err if self.to_error else self.out
            stream.write(text + "\n")
            stream.flush()

    def log(self, text: str) -> None:
        if not self.quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        self.err.write(text + "\n")
        self.err.flush()

    def bar(self, name: str, stage_in_log: str) -> Bar:
        return Bar(name, self, stage_in_log)


class Bar:
    """How far one file is: a progress bar on a terminal. In a log it is one line when the stage
    `stage_in_log` begins, and one a minute after that."""

    def __init__(self, name: str, console: Console, stage_in_log: str) -> None:
        self.name, self.console, self.stage_in_log = shown(name), console, stage_in_log
        self.bar: tqdm[Any] | None = None
        self.stage = ""
        self.logged = 0.0

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def show(self, stage: str, done: int, total: int) -> None:
        if self.console.quiet:
            return
        if not self.console.err.isatty():
            self._log(stage, done, total)
            return
        # Each stage has a bar of its own, since its total differs.
        if self.bar is None or stage != self.stage:
            self.close()
            self.stage = stage
            label = f"{self.name}: {stage}"
            self.bar = tqdm(total=total, desc=label, file=self.console.err, leave=False)
        self.bar.total = total
        self.bar.update(done - self.bar.n)

    def _log(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        begins = not self.logged and stage == self.stage_in_log
        if begins or (self.logged and now - self.logged > LOG_EVERY):
            self.logged = now
            self.console.log(f"{self.name}: {stage}" + ("" if begins else f", {done} of {total}"))

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def shown_path(path: object) -> str:
    return shown(str(path), LONGEST_PATH)
