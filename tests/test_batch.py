"""Several files in turn: none is lost, also when some cannot be used or the client left."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from detector.errors import VideoError
from detector.findings import Verdict
from detector.records import Report, Status
from detector.render.batch import batch_csv, batch_json, packed, unpacked
from detector.render.document import SCHEMA
from detector.service.batch import MAX_FILES, Batch, Place
from tests import reports
from tests.test_document import faults


def places(batch: Batch) -> list[str]:
    return [item.place.value for item in batch.items]


def test_one_file_is_at_work_and_the_others_wait() -> None:
    batch = Batch.of(["a.mp4", "b.mp4"]).started()
    assert places(batch) == ["working", "waiting"]
    assert (batch.current, batch.waiting) == (0, 1)


def test_each_file_has_its_own_result() -> None:
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


def test_pictures_of_faces_are_kept_as_jpeg_and_come_back_where_they_were() -> None:
    whole = reports.two_people()
    batch = Batch.of(["a.mp4"]).started().answered(whole, packed(whole))
    item = batch.items[0]
    assert isinstance(item.answer, Report)
    assert all(not person.moments for person in item.answer.people)
    again = unpacked(item.answer, item.pictures)
    for before, after in zip(whole.people, again.people, strict=True):
        for one, other in zip(before.moments, after.moments, strict=True):
            assert other.second == one.second
            assert other.crop.shape == one.crop.shape
            assert other.heat is one.heat
            assert np.abs(other.crop.astype(int) - one.crop).mean() < 12


def test_files_of_the_same_name_are_distinguished_in_every_output() -> None:
    batch = Batch.of(["x/a.mp4", "y/A.mp4", "z/a (2).mp4"])
    for _item in batch.items:
        batch = batch.started().answered(reports.calm())
    names = [name for name, _answer in batch.answers]
    assert names == ["a.mp4", "A (2).mp4", "a (2) (2).mp4"]
    assert [document["video"]["name"] for document in json.loads(batch_json(batch.answers))] == (
        names
    )
    assert batch.named("A (2).mp4") is batch.items[1]


def test_the_order_of_risk_is_manipulated_undecided_no_sign_no_score() -> None:
    calm = reports.calm()

    def scored(verdict: Verdict, fake: float) -> Report:
        return replace(calm, verdict=verdict, fake=fake)

    batch = Batch.of(f"{k}.mp4" for k in range(6))
    for answer in (
        VideoError("0.mp4 is empty."),
        scored(Verdict.NO_SIGN, 0.1),
        scored(Verdict.UNDECIDED, 0.6),
        scored(Verdict.FAKE, 0.8),
        scored(Verdict.NO_SIGN, 0.3),
        scored(Verdict.FAKE, 0.9),
    ):
        batch = batch.started().answered(answer)
    assert [item.name[0] for item in batch.by_risk()] == list("532410")


def test_too_many_files_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=rf"more than the {MAX_FILES} that are taken"):
        Batch.of([f"{k}.mp4" for k in range(MAX_FILES + 1)])


def test_every_result_in_the_json_follows_the_published_schema() -> None:
    answers = [("a.mp4", reports.two_people()), ("b.mp4", VideoError("Empty.", Status.EMPTY))]
    for document in json.loads(batch_json(answers)):
        assert not faults(document, SCHEMA)
