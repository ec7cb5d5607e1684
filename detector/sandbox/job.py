"""One file being read by another process, from this side: nothing that it sends is trusted."""

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
from detector.video.reading import Member
from detector.video.sound import Block

# What parsing a message raises when the other side is gone or was taken over.
MALFORMED = (EOFError, OSError, ValueError, KeyError, TypeError, RecursionError)
log = logging.getLogger(__name__)
BROKE_DOWN = lazy("the decoder broke down")


@dataclass
class Job:
    """One reading in progress. `timeout` are the seconds that it may still take."""

    connection: Connection
    arena: mmap.mmap
    name: str
    pulse: Callable[[], None]
    timeout: float

    def send(self, request: protocol.Message) -> None:
        """Send the next request to the process. Raises VideoError if it is gone."""
        with self.checked():
            protocol.send(self.connection, request)

    def receive(self) -> protocol.Message:
        """The next message. Raises VideoError for a reported error, an early end, or no answer."""
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
        if not wait(self.connection, before + self.timeout, self.pulse):
            raise self.unsafe(lazy("it took too long"))
        self.timeout -= time.monotonic() - before

    @contextmanager
    def checked(self) -> Iterator[None]:
        """A process that is gone, or that sends malformed messages, makes the file unsafe."""
        try:
            yield
        except MALFORMED as error:
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

    def frames(self, notes: DecodeNotes) -> Iterator[Member]:
        """Every frame, as `reading` gives them; each is copied, and its place freed."""
        count = 0
        while True:
            with self.checked():
                message = self.receive()
                if "end" in message:
                    notes.add(protocol.notes_of(message["end"]))
                    return
                clip, last = protocol.whole(message["clip"]), message["last"] is True
                frame = self._frame(message, count)
                self._free()
            count += 1
            yield clip, last, frame
            del frame

    def _frame(self, message: protocol.Message, count: int) -> Frame:
        width, height = (protocol.whole(side) for side in message["size"])
        # Every number is checked before it is used as a size or an offset.
        size = 3 * width * height
        room = protocol.slots(len(self.arena), size) if size else 0
        if not room:
            raise ValueError("no frame that is accepted is of this size")
        second = protocol.real(message["second"])
        pixels = np.frombuffer(self.arena, np.uint8, size, count % room * size)
        # Copied, since the process may write into its slot again.
        return Frame(second, pixels.reshape(height, width, 3).copy())

    def _free(self) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it has put its last and ended
            self.connection.send_bytes(b".")

    def blocks(self) -> Generator[Block, None, None]:
        while True:
            with self.checked():
                message = self.receive()
                if "end" in message:
                    return
                self._wait()
                channels = 1 + (protocol.whole(message["channels"], 2) == 2)
                # Little-endian 16-bit samples; the length of the message is bounded.
                samples = np.frombuffer(self.connection.recv_bytes(protocol.LONGEST), "<i2")
                block = Block(protocol.real(message["second"]), samples.reshape(-1, channels))
            yield block


def _how_it_ended(code: object) -> Message:
    reasons = {
        -signal.SIGXCPU: lazy("it took too much processor time"),
        OUT_OF_MEMORY: lazy("it took too much memory"),
    }
    return reasons.get(code, BROKE_DOWN) if isinstance(code, int) else BROKE_DOWN
