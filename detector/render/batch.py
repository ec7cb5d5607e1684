"""The answers to several files as one JSON text and one CSV table; terminal and page share them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict

from detector.errors import VideoError
from detector.language import SOURCE, speaking
from detector.records import Report
from detector.render.document import answer_json, rows_to_csv
from detector.render.rows import row_of

Answer = tuple[str, Report | VideoError]
"""A file's name, and its report or why there is none."""


def single_json(name: str, answer: Report | VideoError) -> str:
    """One answer, in the shape of `SCHEMA`."""
    return json.dumps(answer_json(answer, name), indent=2) + "\n"


def batch_json(answers: Iterable[Answer]) -> str:
    """A list of such answers, in the order given."""
    return json.dumps([answer_json(answer, name) for name, answer in answers], indent=2) + "\n"


@speaking(SOURCE)
def batch_csv(answers: Iterable[Answer]) -> str:
    """A `Row` per file, as in an archive; cells that a spreadsheet would run are escaped."""
    return rows_to_csv(asdict(row_of(answer, name)) for name, answer in answers)
