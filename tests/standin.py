"""A detector controlled by the name of the file, for tests of everything around one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from detector.errors import CancelledError, VideoError
from detector.records import Report, Status
from detector.requests import Analyze, Annotate, Hooks, Operations, Request
from detector.scoring.calibration import ScoringRules
from tests.reports import MODEL, calm


class Standin(Operations):
    """`slow` works until it is stopped, `stuck` ignores cancelling for a minute, `crash`
    exits at once."""

    info = MODEL
    device = "cpu"
    rules = ScoringRules()

    def __init__(self) -> None:
        self.done: list[str] = []

    def describe(self) -> dict[str, Any]:
        return {"id": self.info.id, "pid": os.getpid()}

    def run(self, request: Request, hooks: Hooks = Hooks()) -> Any:  # noqa: B008
        match request:
            case Analyze(path):
                return self._analysis(path, hooks)
            case Annotate(_, report, out):
                out.write_bytes(report.video.name.encode())
                return out
            case _:
                return calm()

    def _analysis(self, path: Path, hooks: Hooks) -> Report:
        if hooks.on_progress is not None:
            hooks.on_progress("Analysing faces", 1, 2)
        self._behave(path.stem, hooks.should_stop or (lambda: False))
        self.done.append(path.name)
        report = calm()
        return replace(report, video=replace(report.video, name=path.name))

    def _behave(self, name: str, should_stop: Callable[[], bool]) -> None:
        match name:
            case "slow":
                while not should_stop():
                    time.sleep(0.01)
                raise CancelledError("stopped")
            case "stuck":
                time.sleep(60)
            case "crash":
                os.kill(os.getpid(), signal.SIGKILL)
            case "bad":
                raise VideoError("bad.mp4 holds no pictures.", Status.NO_VIDEO)
            case "bug":
                raise ZeroDivisionError
            case "brief":
                time.sleep(0.3)


def load_standin() -> Mapping[str, Standin]:
    return {"stand-in": Standin()}


def load_nothing() -> Mapping[str, Standin]:
    from detector.errors import WeightsError

    raise WeightsError("fast.safetensors is damaged. Copy it again.")
