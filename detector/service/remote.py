"""Requests to a detector in another process, and its stand-in in this one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from detector.records import ModelInfo
from detector.requests import Hooks, Operations, Request
from detector.scoring.calibration import ScoringRules


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page shows of one model."""

    info: ModelInfo
    device: str
    rules: ScoringRules
    described: dict[str, Any]


@dataclass(frozen=True, slots=True)
class WorkerRequest:
    """A request, the name of its detector, and whether partial answers are sent."""

    model: str
    request: Request
    partial: bool = False


class RemoteDetector(Operations):
    """A `Detector` in the worker, as far as the page needs one."""

    def __init__(
        self, send: Callable[[WorkerRequest, Hooks], Any], name: str, facts: Facts
    ) -> None:
        self.info, self.device, self.rules = facts.info, facts.device, facts.rules
        self._described = facts.described
        self._send = send
        self._name = name

    def describe(self) -> dict[str, Any]:
        """As `Detector.describe`."""
        return self._described

    def run(self, request: Request, hooks: Hooks = Hooks()) -> Any:  # noqa: B008 - it is frozen
        """As `Detector.run`; raises VideoError also when the worker exited meanwhile."""
        return self._send(WorkerRequest(self._name, request, hooks.on_partial is not None), hooks)
