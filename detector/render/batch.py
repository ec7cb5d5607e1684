"""The answers to several files as one JSON text and one CSV table; terminal and page share them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace

import numpy as np

from detector.errors import VideoError
from detector.language import SOURCE, in_language
from detector.records import Moment, Report
from detector.render.document import answer_json, rows_to_csv
from detector.render.overlay import from_jpeg, to_jpeg
from detector.render.rows import clip_rows, row_of

Pictures = Sequence[tuple[Moment, bytes]]
Answer = tuple[str, Report | VideoError]
"""A file's name, and its report or why there is none."""


def single_json(name: str, answer: Report | VideoError) -> str:
    """One answer, in the shape of `SCHEMA`."""
    return json.dumps(answer_json(answer, name), indent=2) + "\n"


def batch_json(answers: Iterable[Answer]) -> str:
    """A list of such answers, in the order given."""
    return json.dumps([answer_json(answer, name) for name, answer in answers], indent=2) + "\n"


@in_language(SOURCE)
def batch_csv(answers: Iterable[Answer]) -> str:
    """A `Row` per file, as in an archive; cells that a spreadsheet would run are escaped."""
    return rows_to_csv(asdict(row_of(answer, name)) for name, answer in answers)


def clips_csv(reports: Iterable[Report]) -> str:
    """The network's scores of every person and run of frames; "" if there are none."""
    return rows_to_csv(row for report in reports for row in clip_rows(report))


def packed(report: Report) -> list[tuple[Moment, bytes]]:
    """The moments of a report, each without its crop, which is a JPEG beside it: a tenth as
    large."""
    nothing = np.zeros((0, 0, 3), np.uint8)
    return [
        (replace(moment, crop=nothing), to_jpeg(moment.crop))
        for person in report.people
        for moment in person.moments
    ]


def unpacked(report: Report, pictures: Pictures) -> Report:
    """The report with the moments that were `packed`."""
    moments = [replace(moment, crop=from_jpeg(data)) for moment, data in pictures]
    people = (
        replace(person, moments=tuple(one for one in moments if one.person == person.id))
        for person in report.people
    )
    return replace(report, people=tuple(people))
