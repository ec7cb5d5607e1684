"""Starts the fork server when it is needed, and requests decoding processes of it."""

from __future__ import annotations

import atexit
import functools
import logging
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from detector.sandbox import protocol
from detector.sandbox.forkserver import FORK
from detector.video.credentials import anchors_in_environment

PACKAGES = Path(__file__).parents[2]
INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR")
# One thread, so that forking is safe; few arenas, so that address space is a measure of memory.
# Large blocks are kept and in huge pages: a new process would otherwise spend its time on page
# faults.
MALLOC = {
    "arena_max": 2,
    "mmap_threshold": 32 * 2**20,
    "trim_threshold": 256 * 2**20,
    "hugetlb": 1,
}
SETTINGS = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "GLIBC_TUNABLES": ":".join(f"glibc.malloc.{name}={value}" for name, value in MALLOC.items()),
}
# For the first start on a slow machine, and for one message of a process that stopped in its
# middle.
START_SECONDS, STALL_SECONDS = 60.0, 10.0
log = logging.getLogger(__name__)


class Server:
    """The running fork server of this process; `in_force` are the limits its children set."""

    def __init__(self) -> None:
        # SEQPACKET keeps messages apart, so that one request is one set of descriptors.
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        inherited |= anchors_in_environment()  # the server has another working folder
        paths = os.pathsep.join([str(PACKAGES), *filter(None, sys.path)])
        with theirs:
            self.process = subprocess.Popen(
                # -P: the current folder is not on the path, so no file there can replace a module.
                [sys.executable, "-P", "-m", "detector.sandbox.forkserver", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=inherited | SETTINGS | {"PYTHONPATH": paths},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches this process only; the server ends with it
            )
        self.control = ours
        self.in_force: list[str] = []
        atexit.register(self.close)

    def fork(self, connection: socket.socket, memory: int) -> None:
        socket.send_fds(self.control, [FORK], [connection.fileno(), memory])

    def note(self, in_force: list[str]) -> None:
        if not self.in_force:
            log.info("files are decoded in a process of their own: %s", ", ".join(in_force))
        self.in_force = in_force

    def close(self) -> None:
        """Ends it and its children; readings in progress end with an error."""
        atexit.unregister(self.close)
        self.control.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
            return
        self.process.kill()
        self.process.wait()


class _Servers:
    """At most one server, started when first needed, and again if it has exited."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.current: Server | None = None

    def get(self) -> Server:
        with self.lock:
            if self.current is None or self.current.process.poll() is not None:
                if self.current is not None:
                    log.warning("the decoding server had exited and is started again")
                    self.current.close()
                self.current = Server()
            return self.current


@functools.cache
def _servers_of(pid: int) -> _Servers:
    """By process: a fork of this one must not use its socket."""
    return _Servers()


def server() -> Server:
    """Starts it if need be, without waiting until it is ready."""
    return _servers_of(os.getpid()).get()


def begin(request: protocol.Message, memory: int, pulse: Callable[[], None]) -> Connection:
    """A connection to a process that has confined itself and begun. Raises RuntimeError if none
    can be had even with a new server: an error of the service, and of no file."""
    for _ in range(2):
        connection, theirs = channel()
        running = server()
        with theirs, suppress(OSError, EOFError):
            running.fork(theirs, memory)
            theirs.close()
            protocol.send(connection, request)
            wait(connection, time.monotonic() + START_SECONDS, pulse)
            answer = protocol.receive(connection)
            if "began" in answer:
                running.note(answer["began"])
                return connection
        connection.close()
        with suppress(subprocess.TimeoutExpired):
            running.process.wait(1)  # if it is about to end, a new one is started
    raise RuntimeError("No process for reading files could be started; see the log.")


def channel(timeout: float = STALL_SECONDS) -> tuple[Connection, socket.socket]:
    """Both ends; on ours a message that stops in its middle raises OSError after `timeout`."""
    ours, theirs = socket.socketpair()
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        whole, part = divmod(timeout, 1)
        # struct timeval: seconds and microseconds, as C longs.
        ours.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", int(whole), int(part * 1e6)))
    return Connection(ours.detach()), theirs


def wait(connection: Connection, deadline: float, pulse: Callable[[], None]) -> bool:
    """Whether something has come before the `deadline` (by `time.monotonic`)."""
    while not connection.poll(0.1):
        pulse()
        if time.monotonic() > deadline:
            return False
    return True
