"""The functions of `reading`, carried out by a process that is confined to the one file.

A file that crashes the decoder, hangs it or exhausts memory ends that process and nothing else: it
is answered with `Status.UNSAFE`, and the next file gets a process of its own. Those processes
are forked from a server (`forkserver`) that is started once and has everything loaded. Frames
come through shared memory; ending a reading early ends its process.
"""

from __future__ import annotations

import importlib.util
import logging
import mmap
import os
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from detector.errors import VideoError
from detector.findings import Credentials, Origin
from detector.records import Frame, VideoInfo
from detector.sandbox import protocol
from detector.sandbox.job import Job
from detector.sandbox.limits import Bounds
from detector.sandbox.server import begin, server
from detector.video import reading
from detector.video.opening import PRODUCT_LIMITS, Limits, check_file
from detector.video.packets import DecodeNotes
from detector.video.sampling import SamplingRange
from detector.video.sound import Block

SLOWEST_PIXEL = 60e-9  # CPU seconds; several times what HEVC takes
MOST_CPU_SECONDS = 3600  # whatever a file claims to contain
ORIGIN_BOUNDS = Bounds(cpu_seconds=20, most_cpu_seconds=20, wall_seconds=40.0)  # hashes 500 MB
NEEDED = ("fcntl", "resource")  # modules that Windows has not
log = logging.getLogger(__name__)


def _on_this_machine(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # it is blocked by an entry in sys.modules
        return False


AVAILABLE = sys.platform == "linux" and all(map(_on_this_machine, NEEDED))
if AVAILABLE:
    import fcntl
UNCONFINED = (
    "files are decoded in this very process: only Linux can confine it, so a file that breaks "
    "the decoder ends the process"
)


class OpenFile(Protocol):
    """A surveyed file; each call of `clips` is to be read to its end before the next."""

    @property
    def info(self) -> VideoInfo: ...

    def clips(
        self, ranges: Sequence[SamplingRange], notes: DecodeNotes
    ) -> Generator[list[Frame], None, None]: ...


class Reader(Protocol):
    """What `reading` and `IsolatedReader` have in common."""

    def opened(
        self, path: Path, limits: Limits = ..., *, track: int = ...
    ) -> AbstractContextManager[OpenFile, bool | None]: ...

    def probe(self, path: Path, limits: Limits = ...) -> VideoInfo: ...

    def read_all(
        self,
        path: Path,
        *,
        start: float = ...,
        limits: Limits = ...,
        info: VideoInfo | None = ...,
        notes: DecodeNotes | None = ...,
    ) -> Generator[Frame, None, None]: ...

    def read_sound(
        self, path: Path, *, info: VideoInfo | None = ...
    ) -> Generator[Block, None, None]: ...

    def read_origin(self, path: Path, limits: Limits = ...) -> Origin: ...


def prepare() -> None:
    """Start the server in the background, so that the first file need not wait for it."""
    if AVAILABLE:
        server()
    else:
        log.warning(UNCONFINED)


def reader(pulse: Callable[[], None], *, isolate: bool) -> Reader:
    """How to read files: confined if `isolate` is set and the system supports it."""
    return IsolatedReader(pulse) if isolate and AVAILABLE else reading


def protections() -> list[str]:
    """What a decoding process is confined by, in words; empty where there is none."""
    if AVAILABLE and not server().in_force:
        IsolatedReader().confine_only()
    return server().in_force if AVAILABLE else []


def fallbacks() -> list[str]:
    """What this system cannot do and what is done instead, in words; empty where all is done."""
    return [] if AVAILABLE else [UNCONFINED]


def bounds_for(info: VideoInfo | None) -> Bounds:
    """Enough for a valid file of that length and size on a slow machine, and not much more."""
    if info is None:
        return Bounds()
    pixels = info.frames * info.width * info.height
    cpu = min(60 + int(pixels * SLOWEST_PIXEL), MOST_CPU_SECONDS)
    return Bounds(cpu_seconds=cpu, most_cpu_seconds=cpu, wall_seconds=2.0 * cpu)


def nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class IsolatedReader:
    """`pulse` is called ten times a second while a reading is waited for, and may raise to end
    it; `bounds` gives the limits for a file. Results and errors are those of `reading`."""

    pulse: Callable[[], None] = nothing
    bounds: Callable[[VideoInfo | None], Bounds] = bounds_for

    def probe(self, path: Path, limits: Limits = PRODUCT_LIMITS) -> VideoInfo:
        """As `reading.probe`; the hash is computed here, while the process reads the file."""
        with self.opened(path, limits) as file:
            return file.info

    @contextmanager
    def opened(
        self, path: Path, limits: Limits = PRODUCT_LIMITS, *, track: int = 0
    ) -> Iterator[_Opened]:
        """As `reading.opened`, by one process that surveys the file once."""
        kind = check_file(path, limits)
        bounds = replace(self.bounds(None), most_cpu_seconds=MOST_CPU_SECONDS)
        with self._job(path, limits, bounds, operation="survey", track=track) as job:
            sha256 = reading.sha256_of(path)
            with job.checked():
                found = protocol.info_of(job.receive(), path, kind, limits)
            info = replace(found, sha256=sha256)
            yield _Opened(info, job, self.bounds(info))

    def read_all(
        self,
        path: Path,
        *,
        start: float = 0.0,
        limits: Limits = PRODUCT_LIMITS,
        info: VideoInfo | None = None,
        notes: DecodeNotes | None = None,
    ) -> Generator[Frame, None, None]:
        """`info`, if known, determines the limits of CPU time."""
        request = {"operation": "all", "start": start, "track": info.track if info else 0}
        with self._job(path, limits, self.bounds(info), **request) as job:
            for *_, frame in job.frames(notes or DecodeNotes()):
                yield frame

    def read_sound(
        self, path: Path, *, info: VideoInfo | None = None
    ) -> Generator[Block, None, None]:
        track = info.track if info else 1
        with self._job(
            path, PRODUCT_LIMITS, self.bounds(info), operation="sound", track=track
        ) as job:
            yield from job.blocks()

    def read_origin(self, path: Path, limits: Limits = PRODUCT_LIMITS) -> Origin:
        """As `reading.read_origin`, by a process of its own: a file that crashes the reader of its
        credentials can still be scored by its pictures."""
        try:
            with self._job(path, limits, ORIGIN_BOUNDS, operation="origin") as job, job.checked():
                return protocol.origin_of(job.receive())
        except VideoError:
            return Origin(Credentials.UNREAD)

    def confine_only(self) -> None:
        """Start a process that confines itself and reads nothing."""
        with self._job(Path(os.devnull), PRODUCT_LIMITS, Bounds(), operation="nothing") as job:
            job.receive()

    @contextmanager
    def _job(self, path: Path, limits: Limits, bounds: Bounds, **fields: Any) -> Iterator[Job]:
        request = {
            "path": str(path.absolute()),
            "limits": asdict(limits),
            "bounds": asdict(bounds),
            **fields,
        }
        with ExitStack() as stack:
            # A file in memory without a name, which the process receives as a descriptor.
            memory = os.memfd_create("frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            stack.callback(os.close, memory)
            os.ftruncate(memory, protocol.arena_bytes(limits))
            # Sealed: shrinking it would end this process by SIGBUS at the next access.
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
            # Read-only on this side.
            arena = stack.enter_context(mmap.mmap(memory, 0, prot=mmap.PROT_READ))
            connection = begin(request, memory, self.pulse)
            stack.enter_context(connection)
            yield Job(connection, arena, path.name, self.pulse, bounds.wall_seconds)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file that its process has surveyed, ready to send clips."""

    info: VideoInfo
    job: Job
    bounds: Bounds

    def clips(
        self, ranges: Sequence[SamplingRange], notes: DecodeNotes
    ) -> Generator[list[Frame], None, None]:
        messages = [protocol.range_message(stretch) for stretch in ranges]
        self.job.send(
            {"operation": "clips", "ranges": messages, "cpu_seconds": self.bounds.cpu_seconds}
        )
        self.job.timeout = self.bounds.wall_seconds
        yield from reading.gathered(self.job.frames(notes))
