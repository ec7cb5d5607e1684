"""One file being read by another process, seen from this side: nothing it says is believed."""

from __future__ import annotations

import logging
import mmap
import signal
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

from detector.errors import VideoError
from detector.language import Message, lazy
from detector.records import Frame, Status
from detector.sandbox import protocol
from detector.sandbox.child import OUT_OF_MEMORY
from detector.sandbox.server import wait
from detector.video.packets import DecodeNotes
from detector.video.sound import Block

# What taking a message apart raises when the other side is gone or was taken over.
NONSENSE = (EOFError, OSError, ValueError, KeyError, TypeError, RecursionError)
log = logging.getLogger(__name__)
BROKE_DOWN = lazy("the decoder broke down")


@dataclass
class Job:
    """One reading in progress. `patience` are the seconds for which it is still waited."""

    connection: Connection
    arena: mmap.mmap
    name: str
    pulse: Callable[[], None]
    patience: float

    def ask(self, request: protocol.Message) -> None:
        """Have the process go on. Raises VideoError if it is gone."""
        with self.distrust():
            protocol.send(self.connection, request)

    def receive(self) -> protocol.Message:
        """The next message. Raises VideoError for an error told, an early end, or no answer."""
        self._wait()
        message = protocol.receive(self.connection)
        if "error" in message:
            raise protocol.error_of(message)
        if "failed" in message:
            log.warning("the decoding process failed: %.80r", message["failed"])
            raise self.unsafe(BROKE_DOWN)
        if "ended" in message:
            raise self.unsafe(_how_it_ended(message["ended"]))
        return message

    def _wait(self) -> None:
        before = time.monotonic()
        if not wait(self.connection, before + self.patience, self.pulse):
            raise self.unsafe(lazy("it took too long"))
        self.patience -= time.monotonic() - before

    @contextmanager
    def distrust(self) -> Iterator[None]:
        """A process that is gone, or that talks nonsense, makes the file unsafe."""
        try:
            yield
        except NONSENSE as error:
            raise self.unsafe(BROKE_DOWN) from error

    def unsafe(self, why: Message) -> VideoError:
        log.warning("a file could not be read safely: %s", why)
        return VideoError(
            lazy(
                "{file} could not be read safely: {why}. "
                "Export it anew as MP4 (H.264) in a video editor, and send that.",
                file=self.name,
                why=why,
            ),
            Status.UNSAFE,
        )

    def frames(self, notes: DecodeNotes) -> Iterator[tuple[int, Frame]]:
        """Every frame with the number of its clip; each is copied, and its place freed."""
        count = 0
        while True:
            with self.distrust():
                message = self.receive()
                if "end" in message:
                    notes.add(protocol.notes_of(message["end"]))
                    return
                clip = protocol.whole(message["clip"])
                frame = self._frame(message, count)
                self._free()
            count += 1
            yield clip, frame
            del frame

    def _frame(self, message: protocol.Message, count: int) -> Frame:
        width, height = (protocol.whole(side) for side in message["size"])
        size = 3 * width * height
        room = protocol.slots(len(self.arena), size) if size else 0
        if not room:
            raise ValueError("no frame that is accepted is of this size")
        second = protocol.real(message["second"])
        pixels = np.frombuffer(self.arena, np.uint8, size, count % room * size)
        return Frame(second, pixels.reshape(height, width, 3).copy())

    def _free(self) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it has put its last and ended
            self.connection.send_bytes(b".")

    def blocks(self) -> Generator[Block, None, None]:
        while True:
            with self.distrust():
                message = self.receive()
                if "end" in message:
                    return
                self._wait()
                channels = 1 + (protocol.whole(message["channels"], 2) == 2)
                samples = np.frombuffer(self.connection.recv_bytes(protocol.LONGEST), "<i2")
                block = Block(protocol.real(message["second"]), samples.reshape(-1, channels))
            yield block


def _how_it_ended(code: object) -> Message:
    reasons = {
        -signal.SIGXCPU: lazy("it took too much processor time"),
        OUT_OF_MEMORY: lazy("it took too much memory"),
    }
    return reasons.get(code, BROKE_DOWN) if isinstance(code, int) else BROKE_DOWN
