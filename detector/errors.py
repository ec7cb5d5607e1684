"""What can go wrong, told to the person who can do something about it."""

from __future__ import annotations

from detector.records import Status


class VideoError(Exception):
    """The visitor's file cannot be judged. The text is one sentence, written for a person,
    that says what is wrong and what to do; `status` is its type."""

    def __init__(self, message: str, status: Status = Status.UNREADABLE) -> None:
        super().__init__(message)
        self.status = status


class ReportError(Exception):
    """A report that somebody gave back cannot be read; the text says why and what to do."""


class WeightsError(Exception):
    """Our own files are missing or damaged; the text says which and how to mend it."""


class CancelledError(Exception):
    """The person who asked no longer wants the answer."""
