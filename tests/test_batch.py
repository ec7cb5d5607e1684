"""Several files: one after the other, none lost, also when some cannot be used or nobody waits."""

from __future__ import annotations

import csv
import io
import json

import pytest

from detector.batch import MAX_FILES, Batch, Place
from detector.errors import VideoError
from detector.records import Status
from detector.render.batch import batch_csv, batch_json
from detector.render.document import SCHEMA
from tests import reports
from tests.test_document import faults


def places(batch: Batch) -> list[str]:
    return [item.place.value for item in batch.items]


def test_one_file_is_at_work_and_the_others_wait() -> None:
    batch = Batch.of(["a.mp4", "b.mp4"]).started()
    assert places(batch) == ["working", "waiting"]
    assert (batch.current, batch.waiting) == (0, 1)


def test_each_file_gets_its_own_answer() -> None:
    batch = Batch.of(["a.mp4", "b.mp4"]).started().answered(VideoError("a.mp4 is empty."))
    batch = batch.started().answered(reports.calm())
    assert [name for name, _ in batch.answers] == ["a.mp4", "b.mp4"]
    assert batch.started().current is None


def test_a_mistake_of_ours_costs_one_file() -> None:
    batch = Batch.of(["a.mp4", "b.mp4"]).started().broken().started()
    assert places(batch) == ["done", "working"]
    assert "Something went wrong" in str(batch.answers[0][1])


def test_cancelling_keeps_what_is_done() -> None:
    batch = Batch.of(["a.mp4", "b.mp4", "c.mp4"]).started().answered(reports.calm()).started()
    batch = batch.cancelled()
    assert [item.place for item in batch.items] == [Place.DONE, Place.LEFT_OUT, Place.LEFT_OUT]
    assert [row["status"] for row in csv.DictReader(io.StringIO(batch_csv(batch.answers)))] == [
        "ok",
        "cancelled",
        "cancelled",
    ]


def test_a_batch_keeps_no_pictures_of_faces() -> None:
    batch = Batch.of(["a.mp4"]).started().answered(reports.two_people())
    _, report = batch.answers[0]
    assert not isinstance(report, VideoError)
    assert all(not person.moments for person in report.people)


def test_too_many_files_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=rf"more than the {MAX_FILES} that are taken"):
        Batch.of([f"{k}.mp4" for k in range(MAX_FILES + 1)])


def test_every_answer_of_the_json_is_in_the_published_schema() -> None:
    answers = [("a.mp4", reports.two_people()), ("b.mp4", VideoError("Empty.", Status.EMPTY))]
    for document in json.loads(batch_json(answers)):
        assert not faults(document, SCHEMA)
