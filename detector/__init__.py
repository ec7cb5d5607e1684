"""Which person in a video looks manipulated, when, and where the evidence is."""

from typing import Any

from detector.errors import VideoError
from detector.records import Report, Status, Verdict
from detector.settings import Settings

__all__ = ["Detector", "Report", "Settings", "Status", "Verdict", "VideoError"]


def __getattr__(name: str) -> Any:
    """`Detector` brings torch along, so it is imported when it is first used."""
    if name == "Detector":
        from detector.pipeline import Detector

        return Detector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
