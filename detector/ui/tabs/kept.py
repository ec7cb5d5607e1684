"""Finished answers of one visit, so that they can be compared without another analysis.

They are in the visitor's own session, as are the results of History that they belong to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from detector.errors import VideoError
from detector.records import Person, Report
from detector.render.spacing import unbroken
from detector.service.batch import Batch
from detector.settings import Settings
from detector.text.figures import percent
from detector.text.summary import headline, verdict_text
from detector.ui.handlers import Question
from detector.ui.tabs.batch_table import report_of

MOST = 40  # answers to choose from: two full batches
NO_RESULT = ""  # the key of none of them


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer without its pictures, and the question that it answers."""

    question: Question
    report: Report

    @property
    def key(self) -> str:
        """By what the browser names it; a batch may have answered two equal files at once."""
        report = self.report
        return "/".join((report.created_utc, report.video.sha256, self.name, report.model.id))

    @property
    def name(self) -> str:
        return self.report.video.name

    @property
    def line(self) -> str:
        """In a list of answers."""
        report, text = self.report, headline(self.report)
        if report.score is not None:
            text = f"{percent(report.score)}, {verdict_text(report.verdict)}"
        return f"{self.name} · {unbroken(text)} · {report.created_utc[11:16]} UTC"

    @property
    def can_be_repeated(self) -> bool:
        """Whether its file and a preset are enough to give the same answer, with pictures, again;
        a visitor may have deleted the file."""
        settings = self.question.settings
        plain = settings == Settings(preset=settings.preset)
        return plain and bool(self.report.people) and self.question.given().is_file()


def kept_answer(question: Question, report: Report) -> Kept:
    """To be kept in a session, which has no room for the network's inputs."""
    return Kept(question, replace(report, people=tuple(map(_without_pictures, report.people))))


def kept_answers(batch: Batch, preset: str, model: str) -> tuple[Kept, ...]:
    """The reports of a batch that began with `preset`."""
    return tuple(
        kept_answer(Question(item.path, Settings(preset=preset), model), report)
        for item in batch.items
        if (report := report_of(item)) is not None
    )


def kept_side(side: Report | VideoError, given: Question | Kept) -> Kept | None:
    """What is kept of a side of a comparison; None of one without a report."""
    if isinstance(given, Kept) or isinstance(side, VideoError):
        return given if isinstance(given, Kept) else None
    return kept_answer(given, side)


def choices_of(kept: Iterable[Kept]) -> list[tuple[str, str]]:
    """Line and key of each, the first `MOST`; one that is there twice, as in a comparison, once."""
    by_key = {one.key: one for one in reversed(list(kept))}
    return [(one.line, key) for key, one in reversed(by_key.items())][:MOST]


Given = Question | Kept | None
"""What is given for a side: a file to be analysed, an answer that is there, or nothing."""


def given_sides(*values: Any) -> tuple[Given, Given]:
    """Of A and B by the values of `Compared.given`."""
    files, keys, models, (preset, past) = values[:2], values[2:4], values[4:6], values[6:]
    kept: dict[str, Kept] = {one.key: one for entry in past for one in entry.kept}

    def given(file: str | None, key: str | None, model: str) -> Given:
        if key is not None and key in kept:
            return kept[key]
        return Question(Path(file), Settings(preset=preset), model) if file else None

    first, second = map(given, files, keys, models)
    return first, second


def under_other_model(given: Question | Kept, model: str, preset: str) -> Question | None:
    """The same file as `given`, where `model` is another one than its own."""
    question = given.question if isinstance(given, Kept) else given
    if model == question.model:
        return None
    return Question(question.path, Settings(preset=preset), model)


def name_of(given: Question | Kept) -> str:
    return given.name if isinstance(given, Kept) else given.given().name


def _without_pictures(person: Person) -> Person:
    nothing = np.zeros((0, 0, 3), np.uint8)
    return replace(
        person, moments=tuple(replace(moment, crop=nothing) for moment in person.moments)
    )
