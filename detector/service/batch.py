"""Several files in a queue: waiting, at work, or answered. Plain data, no page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from detector.errors import VideoError
from detector.findings import Verdict
from detector.language import _, lazy
from detector.records import Moment, Report, Status

# Half an allowance (`service.admission`), so that a second batch can follow at once.
MAX_FILES = 20
_BROKEN = lazy("Something went wrong here while this file was analysed. Try it again on its own.")
# The order of the table: the most suspicious first.
_RANKS = {Verdict.FAKE: 0, Verdict.UNDECIDED: 1, Verdict.NO_SIGN: 2}
_LEFT_OUT = lazy("This file was left out: the batch was cancelled.")


class Place(StrEnum):
    """Where a file of the queue stands."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    LEFT_OUT = "left_out"


@dataclass(frozen=True, slots=True)
class Item:
    """One file; `answer` is there once it is done: a report, or why there is none.

    `name` is the file's own, distinct from those of the others. `pictures` are the moments of
    the report, which has none itself, each with its crop as JPEG.
    """

    path: Path
    name: str
    place: Place = Place.WAITING
    answer: Report | VideoError | None = None
    pictures: tuple[tuple[Moment, bytes], ...] = ()

    @property
    def risk(self) -> tuple[int, float]:
        """Smaller for the more suspicious: manipulated, undecided, no sign, no answer; by score."""
        answer = self.answer
        if not isinstance(answer, Report) or answer.verdict is None:
            return len(_RANKS), 0.0
        return _RANKS[answer.verdict], -(answer.fake or 0.0)


@dataclass(frozen=True, slots=True)
class Batch:
    """All files, in the order given. Every change gives a new batch."""

    items: tuple[Item, ...] = ()

    @classmethod
    def of(cls, paths: Iterable[str | Path]) -> Batch:
        """A queue of waiting files. Raises ValueError, for a person, where there are too many."""
        given = [Path(path) for path in paths]
        names = distinct([path.name for path in given])
        items = tuple(Item(path, name) for path, name in zip(given, names, strict=True))
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
        return [(item.name, item.answer) for item in self.items if item.answer is not None]

    def by_risk(self) -> list[Item]:
        """The files, the most suspicious first; of equals in the order given."""
        return sorted(self.items, key=lambda item: item.risk)

    def named(self, name: str) -> Item | None:
        return next((item for item in self.items if item.name == name), None)

    def started(self) -> Batch:
        """The next waiting file is at work; the same batch if none waits."""
        index = self._first(Place.WAITING)
        return self if index is None else self._with(index, place=Place.WORKING)

    def answered(
        self, answer: Report | VideoError, pictures: Sequence[tuple[Moment, bytes]] = ()
    ) -> Batch:
        """The file at work has its answer. Its moments are dropped: `pictures` is smaller."""
        assert self.current is not None, "no file is at work"
        if isinstance(answer, Report):
            people = tuple(replace(person, moments=()) for person in answer.people)
            video = replace(answer.video, name=self.items[self.current].name)
            answer = replace(answer, people=people, video=video)
        done = {"place": Place.DONE, "answer": answer, "pictures": tuple(pictures)}
        return self._with(self.current, **done)

    def broken(self) -> Batch:
        """The file at work met a mistake of ours; it costs only itself."""
        return self if self.current is None else self.answered(VideoError(_BROKEN))

    def cancelled(self) -> Batch:
        """What is not done is left out; what is done is kept."""
        left = VideoError(_LEFT_OUT, Status.CANCELLED)
        return Batch(
            tuple(
                item
                if item.place is Place.DONE
                else replace(item, place=Place.LEFT_OUT, answer=left)
                for item in self.items
            )
        )

    def _first(self, place: Place) -> int | None:
        return next((k for k, item in enumerate(self.items) if item.place is place), None)

    def _with(self, index: int, **changes: object) -> Batch:
        items = list(self.items)
        items[index] = replace(items[index], **changes)  # type: ignore[arg-type]
        return Batch(tuple(items))


def distinct(names: Sequence[str], form: str = "{} ({}){}") -> list[str]:
    """The names; where one is there already, with a number: clip.mp4, then clip (2).mp4.

    `form` is filled with stem, number and suffix."""
    taken: set[str] = set()
    found = []
    for name in names:
        unique, path, number = name, Path(name), 1
        while unique.lower() in taken:  # as file systems compare them
            number += 1
            unique = form.format(path.stem, number, path.suffix)
        taken.add(unique.lower())
        found.append(unique)
    return found
