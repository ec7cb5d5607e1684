"""The networks in a process of their own: when it crashes, one visitor gets an error, no others.

A page has a `RemoteDetector` where a test may have a `Detector`. The worker is started afresh
by `spawn`, shares nothing with the server but a pipe, and serves one request at a time. It
sends progress while it works, and polls the pipe just as often for a request to stop.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from detector.errors import CancelledError, VideoError, WeightsError
from detector.language import lazy
from detector.records import Report, Status
from detector.requests import Hooks
from detector.service.event_log import note
from detector.service.remote import Facts, RemoteDetector, WorkerRequest

START_SECONDS = 120.0  # importing torch and loading weights on a slow disk
# Between two polls of the pipe the worker may be inside one decode or one forward pass.
GRACE_SECONDS = 5.0
UNDER_WAY = ("step", "partial")  # messages that are no answer yet
BROKEN_OFF = lazy(
    "The analysis broke off on our side and was not finished. Send the file once more."
)

Load = Callable[[], Mapping[str, Any]]


def load_networks() -> Mapping[str, Any]:
    """Every trained detector; imported only where they are loaded, since torch comes along."""
    from detector.pipeline import load_all

    return load_all()


class Worker:
    """Starts, watches, stops and replaces the process; safe to be called from many threads.

    `load` is called in the new process and must be importable there.
    """

    def __init__(self, load: Load = load_networks, *, grace: float = GRACE_SECONDS) -> None:
        self._load = load
        self._grace = grace
        self._lock = threading.Lock()
        self._facts: dict[str, Facts] = {}
        self._closed = False
        self._start()
        atexit.register(self.close)  # before multiprocessing joins its children, which would block

    def detectors(self) -> dict[str, RemoteDetector]:
        """By name, the default first; waits until the networks are loaded.

        Raises WeightsError as loading them does.
        """
        with self._lock:
            self._until_ready()
            return {name: RemoteDetector(self.send, name, f) for name, f in self._facts.items()}

    @property
    def ready(self) -> bool:
        """Whether a request would be served now, or after the one in progress."""
        # The lock is taken while a request is served; then the worker is ready, after that one.
        if self._lock.acquire(blocking=False):
            try:
                if not self._ready and self._process.is_alive() and self._pipe.poll():
                    self._until_ready()
                return self._ready and self._process.is_alive()
            finally:
                self._lock.release()
        return self._ready

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def send(self, request: WorkerRequest, hooks: Hooks) -> Any:
        """The answer to a request. Raises what it raised, and VideoError if the worker exited.

        `should_stop` may also raise, which stops the worker too. If the worker does not stop
        within its grace, it is killed and replaced.
        """
        with self._lock:
            if not self._process.is_alive():
                self._replace("exited while idle")
            self._until_ready()
            answered = False
            try:
                self._pipe.send(request)
                kind, content = self._follow(hooks)
                answered = True
            except (EOFError, OSError) as error:
                raise VideoError(BROKEN_OFF, Status.INTERRUPTED) from error
            finally:
                if not answered:
                    self._cancel()
        if kind == "failed":
            raise content
        return content

    def close(self) -> None:
        """End the process, in the middle of a job too, for good."""
        self._closed = True
        atexit.unregister(self.close)
        self._kill()

    def _start(self) -> None:
        # spawn, not fork: a forked child would inherit locks and threads of the server.
        context = multiprocessing.get_context("spawn")
        self._ready = False
        self._pipe, theirs = context.Pipe()
        # No daemon: those may have no children, and the decoder needs one.
        self._process: SpawnProcess = context.Process(
            target=serve_requests, args=(theirs, self._load), name="detector"
        )
        self._process.start()
        theirs.close()

    def _until_ready(self) -> None:
        if self._ready:
            return
        end = time.monotonic() + START_SECONDS
        try:
            while not self._pipe.poll(0.1):
                if time.monotonic() > end or not self._process.is_alive():
                    raise EOFError
            kind, content = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._replace("did not start")
            raise WeightsError(
                "The process of the networks did not start; its log states why."
            ) from error
        if kind == "failed":
            raise content
        self._facts, self._ready = content, True

    def _follow(self, hooks: Hooks) -> tuple[str, Any]:
        """Pass progress on until the answer is there."""
        while True:
            if self._pipe.poll(0.1):
                kind, content = self._pipe.recv()
                if kind not in UNDER_WAY:
                    return kind, content
                if kind == "partial" and hooks.on_partial is not None:
                    hooks.on_partial(content)
                elif kind == "step" and hooks.on_progress is not None:
                    hooks.on_progress(*content)
            elif not self._process.is_alive():
                raise EOFError
            if hooks.should_stop is not None and hooks.should_stop():
                raise CancelledError("The analysis was cancelled.")

    def _cancel(self) -> None:
        """Make the worker cancel a request whose answer is no longer awaited."""
        end = time.monotonic() + self._grace
        try:
            self._pipe.send(None)
            while time.monotonic() < end and self._process.is_alive():
                if self._pipe.poll(0.1) and self._pipe.recv()[0] not in UNDER_WAY:
                    return
        except (EOFError, OSError):
            pass
        self._replace("exited" if not self._process.is_alive() else "did not stop")

    def _replace(self, why: str) -> None:
        self._kill()
        if self._closed:
            return
        note("worker replaced", reason=why)
        self._start()
        if self._closed:  # meanwhile
            self._kill()

    def _kill(self) -> None:
        """The process and, where it leads a group, its children too."""
        self._pipe.close()
        if self._process.is_alive():
            self._process.kill()
        with suppress(ProcessLookupError, PermissionError, AttributeError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.join()


def serve_requests(pipe: Connection, load: Load) -> None:
    """The worker's main loop: load, then serve until the other end of the pipe is closed.

    An error that is no answer ends it, with a traceback in the log; the requester gets an error.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server handles it, and closes the pipe
    if hasattr(os, "setsid"):
        # A session of its own, so that its children can be killed as a group.
        os.setsid()
    try:
        detectors = load()
    except WeightsError as error:
        pipe.send(("failed", error))
        return
    try:
        pipe.send(("ready", {name: _facts(detector) for name, detector in detectors.items()}))
        while True:
            request = pipe.recv()
            if request is not None:  # a belated "stop" for one that is done
                pipe.send(_serve(pipe, detectors, request))
    except (EOFError, ConnectionError):
        os._exit(0)  # the server is gone; wait for no thread


def _facts(detector: Any) -> Facts:
    return Facts(detector.info, detector.device, detector.rules, detector.describe())


def _serve(
    pipe: Connection, detectors: Mapping[str, Any], request: WorkerRequest
) -> tuple[str, object]:
    def on_progress(stage: str, done: int, total: int) -> None:
        pipe.send(("step", (stage, done, total)))

    def should_stop() -> bool:
        # None means "stop"; nothing else is sent while a request is served.
        return pipe.poll() and pipe.recv() is None

    def on_partial(report: Report) -> None:
        pipe.send(("partial", report))

    hooks = Hooks(on_progress, should_stop, on_partial if request.partial else None)
    try:
        return "done", detectors[request.model].run(request.request, hooks)
    except (VideoError, CancelledError) as error:
        return "failed", error
