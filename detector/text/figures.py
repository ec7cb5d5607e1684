"""Numbers as people read them: moments, lengths, probabilities."""

from __future__ import annotations

import math

from detector.language import _


def clock(second: float, digits: int = 1) -> str:
    """A moment as a player shows it, with tenths: 0:03.4, 12:05.0, 1:02:03.4.

    Two digits distinguish neighbouring frames.
    """
    unit = 10**digits
    # Rounded before it is split: 59.96 s is 1:00.0, not 0:60.0.
    minutes, rest = divmod(round(max(second, 0.0) * unit), 60 * unit)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // unit:02d}.{rest % unit:0{digits}d}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def moment(text: str) -> float:
    """Seconds of `83.5`, `1:23.5` or `0:01:23.5`. Raises ValueError for anything else."""
    seconds = 0.0
    for index, part in enumerate(text.strip().split(":")):
        value = float(part)
        if not 0 <= value < (60 if index else math.inf):
            raise ValueError(text)
        seconds = seconds * 60 + value
    return seconds


def length_text(seconds: float) -> str:
    """How long something is: 3.6 s, 1:58, 1:02:03."""
    if seconds < 60:
        return _("{seconds} s", seconds=f"{seconds:.1f}")
    return clock(round(seconds)).partition(".")[0]


def whole_seconds(seconds: float) -> str:
    """How long something takes, where tenths would only flicker: 12 s."""
    return _("{seconds} s", seconds=f"{seconds:.0f}")


def fps_text(fps: float) -> str:
    """Frames per second with at most two decimals: 25, 29.97."""
    return f"{fps:.2f}".rstrip("0").rstrip(".")


def percent(fake: float) -> str:
    """A probability for a person; never 0 % or 100 %, for the model is never that sure."""
    # Above it, a rounded value would read as certainty.
    if fake > 0.99:
        return _("over 99 %")
    if fake < 0.01:
        return _("under 1 %")
    return f"{fake * 100:.0f} %"


def percent_sign(fake: float) -> str:
    """The same without words, to be drawn into pictures."""
    if fake > 0.99:
        return ">99 %"
    return "<1 %" if fake < 0.01 else f"{fake * 100:.0f} %"
