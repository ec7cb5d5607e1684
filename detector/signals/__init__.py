"""Evidence other than faces: who made a file, and what its container contains of its history.

A reader takes the facts of a file and returns a `Signal`, or None where there is nothing to
examine. To add one, write it in a module of its own here and name it in `READERS`; verdict, page,
documents and terminal show whatever it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from detector.findings import Signal
from detector.records import VideoInfo
from detector.signals.container import container_facts
from detector.signals.credentials import content_credentials

READERS: tuple[Callable[[VideoInfo], Signal | None], ...] = (content_credentials, container_facts)


def read_signals(info: VideoInfo) -> Iterator[Signal]:
    """What every reader has found in one file, in the order of `READERS`."""
    for read in READERS:
        signal = read(info)
        if signal is not None:
            yield signal
