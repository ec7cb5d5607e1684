"""Several files in a queue: waiting, at work, or answered. Plain data, no page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from detector.errors import VideoError
from detector.language import _, lazy
from detector.records import Report, Status

MAX_FILES = 20
_BROKEN = lazy("Something went wrong here while this file was analysed. Try it again on its own.")
_LEFT_OUT = lazy("This file was left out: the batch was cancelled.")


class Place(StrEnum):
    """Where a file of the queue stands."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    LEFT_OUT = "left_out"


@dataclass(frozen=True, slots=True)
class Item:
    """One file; `answer` is there once it is done: a report, or why there is none."""

    path: Path
    place: Place = Place.WAITING
    answer: Report | VideoError | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """All files, in the order given. Every change gives a new batch."""

    items: tuple[Item, ...] = ()

    @classmethod
    def of(cls, paths: Iterable[str | Path]) -> Batch:
        """A queue of waiting files. Raises ValueError, for a person, where there are too many."""
        items = tuple(Item(Path(path)) for path in paths)
        if len(items) > MAX_FILES:
            raise ValueError(
                _(
                    "{count} files are more than the {most} that are taken at once. "
                    "Start with some of them.",
                    count=len(items),
                    most=MAX_FILES,
                )
            )
        return cls(items)

    @property
    def current(self) -> int | None:
        """The index of the file at work; None if there is none."""
        return self._first(Place.WORKING)

    @property
    def waiting(self) -> int:
        return sum(item.place is Place.WAITING for item in self.items)

    @property
    def answers(self) -> list[tuple[str, Report | VideoError]]:
        """Name and answer of every file that is done."""
        return [(item.path.name, item.answer) for item in self.items if item.answer is not None]

    def started(self) -> Batch:
        """The next waiting file is at work; the same batch if none waits."""
        index = self._first(Place.WAITING)
        return self if index is None else self._with(index, place=Place.WORKING)

    def answered(self, answer: Report | VideoError) -> Batch:
        """The file at work has its answer. Pictures are dropped: the table shows none."""
        assert self.current is not None, "no file is at work"
        if isinstance(answer, Report):
            people = tuple(replace(person, moments=()) for person in answer.people)
            answer = replace(answer, people=people)
        return self._with(self.current, place=Place.DONE, answer=answer)

    def broken(self) -> Batch:
        """The file at work met a mistake of ours; it costs only itself."""
        return self if self.current is None else self.answered(VideoError(_BROKEN))

    def cancelled(self) -> Batch:
        """What is not done is left out; what is done is kept."""
        left = VideoError(_LEFT_OUT, Status.CANCELLED)
        return Batch(
            tuple(
                item if item.place is Place.DONE else Item(item.path, Place.LEFT_OUT, left)
                for item in self.items
            )
        )

    def _first(self, place: Place) -> int | None:
        return next((k for k, item in enumerate(self.items) if item.place is place), None)

    def _with(self, index: int, **changes: object) -> Batch:
        items = list(self.items)
        items[index] = replace(items[index], **changes)  # type: ignore[arg-type]
        return Batch(tuple(items))
