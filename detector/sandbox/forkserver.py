"""The process that forks a decoding process for each file, and reaps it.

    python -m detector.sandbox.forkserver SOCKET

It loads the decoders once and never reads a file itself: for each file it forks a child that
confines itself (`sandbox.limits`) and reads that one. Through the Unix socket SOCKET come pairs of
descriptors: a connection for messages, and the shared memory for the frames. The requester ends the
child by closing the connection; when a child has ended, its exit status is sent through it. When
the socket is closed, all children are killed and this process ends.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from typing import NoReturn

from detector.sandbox import child
from detector.sandbox.limits import leave_network
from detector.sandbox.preload import preload

# A request for a child: one byte, with the descriptors of its connection and its shared memory.
FORK, DESCRIPTORS = b"?", 2
CRASHED = 70  # exit status for an unforeseen error (EX_SOFTWARE of sysexits.h)


class ChildPool:
    """The running children: process id and a copy of their connection, by its descriptor."""

    def __init__(self, control: socket.socket, *, offline: bool) -> None:
        self.control = control
        self.offline = offline
        self.children: dict[int, int] = {}
        # The self-pipe trick: a signal becomes readable data, so that `poll` returns for both.
        self.woken, self.wake = socket.socketpair()
        for end in (self.woken, self.wake):
            end.setblocking(False)
        self.poll = select.poll()
        for readable in (control, self.woken):
            self.poll.register(readable, select.POLLIN)

    def serve(self) -> None:
        """Serve requests until the control socket is closed."""
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only interrupts `poll`
        signal.set_wakeup_fd(self.wake.fileno(), warn_on_full_buffer=False)
        running = True
        while running:
            events = dict(self.poll.poll())
            for connection in events.keys() & self.children.keys():  # the requester has closed it
                os.kill(self.children[connection], signal.SIGKILL)
                self.poll.unregister(connection)
            if self.woken.fileno() in events:
                self.woken.recv(4096)
                self.reap()
            if self.control.fileno() in events:
                running = self.begin()
        for pid in self.children.values():
            os.kill(pid, signal.SIGKILL)

    def begin(self) -> bool:
        """Fork for the next request; False if there will be none."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self.control, len(FORK), DESCRIPTORS)
        except ConnectionError:
            return False
        if not message:
            return False
        connection, memory = descriptors
        with suppress(OSError):  # no room for a process: the closed connection shows it
            pid = os.fork()
            if pid == 0:
                self.become_child(connection, memory)
            self.children[connection] = pid
            self.poll.register(connection, 0)  # hang-ups are reported in any case
        os.close(memory)
        if connection not in self.children:
            os.close(connection)
        return True

    def become_child(self, connection: int, memory: int) -> NoReturn:
        status = CRASHED
        try:
            # Inherited from the parent; the child must not write to it.
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            null = os.open(os.devnull, os.O_RDWR)
            for standard in range(3):
                os.dup2(null, standard)
            self.control.close()
            # Descriptors of other children, through which their files' frames could be reached.
            for other in (self.woken.fileno(), self.wake.fileno(), null, *self.children):
                os.close(other)
            status = child.serve(connection, memory, offline=self.offline)
        finally:
            # Without cleaning up: buffers and exit handlers belong to the parent.
            os._exit(status)

    def reap(self) -> None:
        """Reap children that have ended, and send their exit statuses."""
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            connection = next(fd for fd, child in self.children.items() if child == pid)
            del self.children[connection]
            with suppress(KeyError):
                self.poll.unregister(connection)
            # The framing of `multiprocessing.connection`: a length of four bytes, then the message.
            words = json.dumps({"ended": os.waitstatus_to_exitcode(status)}).encode()
            with suppress(OSError):
                # A requester that does not read must not block this process.
                os.set_blocking(connection, False)
                os.write(connection, struct.pack("!i", len(words)) + words)
            os.close(connection)


def main(descriptor: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    preload()
    offline = leave_network()
    gc.freeze()  # children share what is loaded, and do not copy it by collecting
    ChildPool(socket.socket(fileno=int(descriptor)), offline=offline).serve()


if __name__ == "__main__":
    main(sys.argv[1])
