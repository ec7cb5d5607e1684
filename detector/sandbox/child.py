"""A decoding process: it confines itself, reads one file, and sends the result."""

from __future__ import annotations

import mmap
import os
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from detector.errors import VideoError
from detector.sandbox import protocol
from detector.sandbox.limits import Bounds, allow, confine
from detector.video import reading
from detector.video.opening import Limits
from detector.video.packets import DecodeNotes
from detector.video.sound import read_sound

DONE, OUT_OF_MEMORY = 0, 71  # exit statuses; 71 is EX_OSERR of sysexits.h


def serve(connection: int, memory: int, *, offline: bool) -> int:
    """Answer the one request that comes through `connection`; returns the exit status."""
    channel = Connection(connection)
    arena = mmap.mmap(memory, os.fstat(memory).st_size)
    os.close(memory)
    request = protocol.receive(channel)
    path = Path(request["path"])
    # Before anything of the file is opened; after this nothing can be undone.
    in_force = confine(Bounds(**request["bounds"]), path, offline=offline)
    protocol.send(channel, {"began": in_force})
    try:
        _Answer(channel, arena, request, path).give()
    except EOFError:
        pass  # the other end was closed
    except VideoError as error:
        protocol.send(channel, protocol.error_message(error))
    except MemoryError:
        return OUT_OF_MEMORY
    except Exception as error:  # noqa: BLE001 - hostile files raise anything
        protocol.send(channel, {"failed": _place_of(error)})
    return DONE


def _place_of(error: Exception) -> str:
    """Where and with what it failed, but not the message, which may quote the file."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"


@dataclass
class _Answer:
    channel: Connection
    arena: mmap.mmap
    request: protocol.Message
    path: Path

    def give(self) -> None:
        limits = Limits(**self.request["limits"])
        notes = DecodeNotes()
        operation = self.request["operation"]
        if operation == "nothing":
            pass
        elif operation == "survey":
            file = reading.survey_file(self.path, limits, track=self.request["track"])
            protocol.send(self.channel, protocol.info_message(file.info))
            self._show_clips(file, notes)
        elif operation == "origin":
            protocol.send(self.channel, protocol.origin_message(self.path, limits))
            return
        elif operation == "sound":
            self._play()
        else:
            source = reading.source_of(self.path, limits, notes, track=self.request["track"])
            frames = reading.frames_from(source, self.request["start"])
            self._show((k, True, frame) for k, frame in enumerate(frames))
        protocol.send(self.channel, {"end": protocol.notes_message(notes)})

    def _show_clips(self, file: reading.SurveyedFile, notes: DecodeNotes) -> None:
        """Send clips on every request. Raises EOFError once the other end is closed."""
        while True:
            more = protocol.receive(self.channel)
            allow(more["cpu_seconds"])
            self._show(
                file.members([protocol.range_of(stretch) for stretch in more["ranges"]], notes)
            )
            protocol.send(self.channel, {"end": protocol.notes_message(notes)})

    def _show(self, members: Iterator[reading.Member]) -> None:
        """Put each frame into the next slot of the shared memory, once that is free."""
        sent = freed = 0
        for clip, last, frame in members:
            size = frame.image.nbytes
            room = protocol.slots(len(self.arena), size)
            # Flow control: one byte comes back for each frame that was copied out.
            if sent - freed >= room:
                self.channel.recv_bytes(1)
                freed += 1
            at = sent % room * size
            # Slots of this frame's size; all frames of one request have one size.
            pixels = np.frombuffer(self.arena, np.uint8, size, at)
            pixels.reshape(frame.image.shape)[:] = frame.image
            sent += 1
            height, width = frame.image.shape[:2]
            about = {"clip": clip, "last": last, "second": frame.second, "size": [width, height]}
            protocol.send(self.channel, about)
        for _ in range(sent - freed):  # else they would be taken for the next request
            self.channel.recv_bytes(1)

    def _play(self) -> None:
        for block in read_sound(self.path, track=self.request["track"]):
            protocol.send(
                self.channel, {"second": block.second, "channels": block.samples.shape[1]}
            )
            self.channel.send_bytes(block.samples.tobytes())
