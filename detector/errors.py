"""Errors, each for the person who can do something about it."""

from __future__ import annotations

import unicodedata

from detector.language import Message
from detector.records import Status

LONGEST = 600  # characters; room for a long name


def shown(text: str, most: int = 120) -> str:
    """Untrusted text, such as a file's name, on one line and at most `most` characters long.

    Characters that steer a terminal, turn the direction of reading, break the line or belong to
    no alphabet (Unicode categories C, Zl, Zp) become U+FFFD; a long middle becomes an ellipsis.
    """
    clean = "".join("\ufffd" if _steers(letter) else letter for letter in text)
    if len(clean) <= most:
        return clean
    # The end of a name often has its number and suffix.
    tail = most // 4
    return f"{clean[: most - tail - 1]}…{clean[-tail:]}"


def escaped(path: str) -> str:
    """A whole path in one line of text, by which its file is found again: what `shown` replaces
    becomes Python's escapes, such as \\udce9 for the byte E9 of a name that is not UTF-8."""
    return "".join(ascii(letter)[1:-1] if _steers(letter) else letter for letter in path)


def _steers(letter: str) -> bool:
    kind = unicodedata.category(letter)
    return kind[0] == "C" or kind in ("Zl", "Zp")


class VideoError(Exception):
    """The visitor's file cannot be analysed. The text is one sentence, written for a person,
    with the fault and what to do, and is fit to be `shown`; `status` is its type. A
    `Message` is rendered in the language of whoever reads it, also in another process."""

    def __init__(self, message: str | Message, status: Status = Status.UNREADABLE) -> None:
        super().__init__(message, status)
        self.message = message
        self.status = status

    def __str__(self) -> str:
        return shown(str(self.message), LONGEST)


class ReportError(Exception):
    """A report that somebody uploaded cannot be read; the text has the reason and the remedy, in
    the language of whoever reads it where it is a `Message`."""


class WeightsError(Exception):
    """Our own files are missing or damaged; the text names the file and the remedy."""


class CancelledError(Exception):
    """The work was cancelled by whom it was for."""
