"""Reports as JSON, CSV, table rows and one HTML page."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from detector.errors import VideoError
from detector.records import Quality, Report, Status
from detector.render.document import (
    SCHEMA,
    error_json,
    rows_to_csv,
    summary_row,
    to_csv,
    to_html,
    to_json,
)
from detector.render.sections import numbers
from tests import reports

HOSTILE = '=cmd|"/c calc"!A1<script>alert(1)</script><img src=x onerror=alert(2)>.mp4'
every_kind = pytest.mark.parametrize(
    "make", reports.EVERY_KIND.values(), ids=reports.EVERY_KIND.keys()
)
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "null": type(None),
}


LIMITS: dict[str, Callable[[Any, Any], bool]] = {
    "enum": lambda value, limit: value in limit,
    "const": lambda value, limit: value == limit,
    "minimum": lambda value, limit: value >= limit,
    "maximum": lambda value, limit: value <= limit,
    "minItems": lambda value, limit: len(value) >= limit,
    "maxItems": lambda value, limit: len(value) <= limit,
}


def faults(value: Any, schema: dict[str, Any], where: str = "$") -> list[str]:
    """What in `value` breaks `schema`; supports the part of JSON Schema that `SCHEMA` uses."""
    if "anyOf" in schema:
        tried = [faults(value, option, where) for option in schema["anyOf"]]
        return [] if [] in tried else tried[0]
    kind = schema.get("type")
    number_that_is_flag = kind in ("number", "integer") and isinstance(value, bool)
    if kind and (not isinstance(value, TYPES[kind]) or number_that_is_flag):
        return [f"{where}: {value!r} is no {kind}"]
    broken = [
        key for key, holds in LIMITS.items() if key in schema and not holds(value, schema[key])
    ]
    found = [f"{where}: {value!r} breaks {key}" for key in broken]
    if kind == "array":
        for index, item in enumerate(value):
            found += faults(item, schema["items"], f"{where}[{index}]")
    return found + (_object_faults(value, schema, where) if kind == "object" else [])


def _object_faults(value: dict[str, Any], schema: dict[str, Any], where: str) -> list[str]:
    found = [f"{where}: lacks {name}" for name in schema.get("required", ()) if name not in value]
    other = schema.get("additionalProperties", True)
    for name, item in value.items():
        known = schema.get("properties", {}).get(name, other)
        if known is False:
            found.append(f"{where}: unknown {name}")
        elif isinstance(known, dict):
            found += faults(item, known, f"{where}.{name}")
    return found


@every_kind
def test_every_report_keeps_to_the_schema_and_survives_strict_json(
    make: Callable[[], Report],
) -> None:
    answer = to_json(make())
    assert faults(answer, SCHEMA) == []
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer


@pytest.mark.parametrize("status", list(Status))
def test_a_file_that_failed_keeps_to_the_same_schema(status: Status) -> None:
    answer = error_json(VideoError("The file is empty. Choose another.", status), HOSTILE)
    assert faults(answer, SCHEMA) == []
    assert answer.keys() == to_json(reports.calm()).keys()
    assert answer["video"].keys() == to_json(reports.calm())["video"].keys()
    assert answer["status"] == status.value
    assert answer["headline"] == "The file is empty. Choose another."


def test_the_schema_check_itself_notices_a_fault() -> None:
    answer = to_json(reports.calm())
    assert faults(answer | {"p_fake": 1.2}, SCHEMA)
    assert faults(answer | {"extra": 1}, SCHEMA)
    assert faults({k: v for k, v in answer.items() if k != "faces"}, SCHEMA)


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.OK])
def test_no_score_is_shown_unless_the_status_is_ok(status: Status) -> None:
    """Even if the record still carries a number."""
    report = replace(reports.calm(), status=status)
    report = replace(report, people=(replace(report.people[0], status=status),))
    answer = to_json(report)
    assert answer["p_fake"] is None
    assert answer["interval"] is None
    assert answer["band"] is None
    assert answer["faces"][0]["p_fake"] is None
    assert summary_row(report, "a.mp4")["p_fake"] is None


def test_numbers_from_numpy_and_nan_become_plain_json() -> None:
    report = reports.calm()
    one = report.people[0]
    odd = Quality(float(np.float32(180.04)), float("nan"), np.float32(0.5), float("inf"))  # type: ignore[arg-type]
    scores = (replace(one.scores[0], quality=odd, second=np.float64(0.12345678)),)  # type: ignore[arg-type]
    answer = to_json(replace(report, people=(replace(one, scores=scores),)))
    frame = json.loads(json.dumps(answer, allow_nan=False))["faces"][0]["frames"][0]
    assert frame["t"] == 0.123
    assert frame["quality"]["sharpness"] is None
    assert frame["quality"]["size"] == 180.0


def test_csv_has_a_row_per_person_and_frame() -> None:
    report = reports.two_people()
    rows = list(csv.DictReader(io.StringIO(to_csv(report), newline="")))
    assert len(rows) == sum(len(person.scores) for person in report.people)
    assert {row["person"] for row in rows} == {"1", "2"}
    assert float(rows[0]["p_fake"]) == pytest.approx(report.people[0].scores[0].fake, abs=1e-4)


def test_csv_of_untrained_faces_has_empty_scores() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(reports.untrained()), newline="")))
    assert len(rows) == 20
    assert {row["p_fake"] for row in rows} == {""}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " ="])
def test_no_cell_can_become_a_formula(start: str) -> None:
    text = rows_to_csv([{"file": start + "SUM(A1)", "p": -0.5}])
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["file"].startswith("'")
    assert row["p"] == "-0.5"


def test_a_hostile_file_name_stays_one_cell() -> None:
    report = reports.calm()
    text = to_csv(replace(report, video=replace(report.video, name=HOSTILE)))
    assert {row["file"] for row in csv.DictReader(io.StringIO(text))} == {"'" + HOSTILE}


def test_a_batch_table_contains_results_and_failures() -> None:
    rows = [
        summary_row(reports.two_people(), "good.mp4"),
        summary_row(VideoError("The file is empty.", Status.EMPTY), "bad.mp4"),
        summary_row(reports.no_face(), "hills.mp4"),
    ]
    assert rows[0]["most_suspicious_person"] == 1
    assert rows[0]["peak_second"] == pytest.approx(4.5)
    assert rows[1]["verdict"] is None
    assert rows[1]["p_fake"] is None
    read = list(csv.DictReader(io.StringIO(rows_to_csv(rows))))
    assert [row["status"] for row in read] == ["ok", "empty", "no_face"]


class Page(HTMLParser):
    """Collects tags, their attributes and the visible text."""

    VOID = frozenset({"meta", "img", "br", "link", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


@every_kind
def test_the_page_is_well_formed_and_requests_nothing(make: Callable[[], Report]) -> None:
    text = to_html(make())
    page = Page(text)
    assert page.open == []
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "form", "base"}
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset", "poster", "xlink:href"):
            assert (attributes.get(name) or "data:").startswith("data:")
    style = "".join(re.findall(r"<style>(.*?)</style>", text, re.S))
    assert "url(" not in style
    assert "@import" not in style


def test_hostile_text_from_file_and_card_is_shown_as_text() -> None:
    report = reports.two_people()
    report = replace(
        report,
        video=replace(report.video, name=HOSTILE, sha256=HOSTILE),
        model=replace(report.model, id=HOSTILE, architecture=HOSTILE, trained_on=HOSTILE),
        people=(replace(report.people[0], family=(HOSTILE, 0.5)), *report.people[1:]),
        created_utc=HOSTILE,
    )
    text = to_html(report)
    assert "<script" not in text
    assert "<img src=x" not in text
    page = Page(text)
    assert page.open == []
    assert HOSTILE in page.text


def test_the_page_shows_verdict_numbers_moments_limits_and_model() -> None:
    report = reports.two_people()
    page = Page(to_html(report))
    plain = page.text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Very strong evidence of manipulation: Person 1" in plain
    assert "96 %" in plain
    assert "42 of 48 sampled frames" in plain
    assert report.model.id in plain
    assert report.model.sha256 in plain
    assert "regions that contribute to the score" in plain
    assert "not an amount of manipulation" in plain
    pictures = [a for tag, a in page.tags if tag == "img" and a.get("alt")]
    assert len(pictures) == 2 * sum(len(person.moments) for person in report.people)


@pytest.mark.parametrize("kind", ["no face", "untrained", "too blurred"])
def test_a_page_without_a_score_shows_no_percentage(kind: str) -> None:
    report = reports.EVERY_KIND[kind]()
    page = Page(to_html(report))
    assert "No answer" in page.text
    assert "probability of" not in page.text.lower()
    assert not [a for _, a in page.tags if a.get("class") == "ruler"]


def rows_of_numbers(report: Report) -> tuple[list[str], list[list[str]]]:
    """The heads and the cells of the table of scored frames."""
    page = str(numbers(report))
    heads = re.findall(r"<th[^>]*>(.*?)</th>", page)
    rows = re.findall(r"<tr>(<td>.*?)</tr>", page)
    return heads, [re.findall(r"<td>(.*?)</td>", row) for row in rows]


def test_neighbouring_frames_have_rows_with_times_of_their_own() -> None:
    heads, rows = rows_of_numbers(reports.sparse())
    times = [row[heads.index("Time")] for row in rows]
    assert len(set(times)) == len(times) == 24


def test_the_score_without_time_has_a_column_only_where_it_differs() -> None:
    differing = reports.calm()
    same = replace(
        differing,
        people=tuple(
            replace(one, scores=tuple(replace(s, still=s.fake) for s in one.scores))
            for one in differing.people
        ),
    )
    for report, columns in ((differing, 7), (same, 6)):
        heads, rows = rows_of_numbers(report)
        assert ("Frame alone" in heads) == (columns == 7)
        assert {len(row) for row in rows} == {len(heads)} == {columns}


def test_a_still_picture_has_no_column_of_times() -> None:
    page = to_html(replace(reports.explained(), video=reports.still_image().video))
    assert "Every scored face" in page
    assert page.count('scope="col">Time<') == 0
    assert to_html(reports.explained()).count('scope="col">Time<') == 2
