"""Evidence that is no face is shown everywhere, and changes no probability."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest

from detector.findings import SignalStatus
from detector.render.document import SCHEMA, summary_row, to_html, to_json
from detector.text.summary import headline, sentences
from detector.verify.report_reader import read_claims
from detector.verify.verify import Verification, compared
from tests import reports


def test_a_file_without_a_face_can_still_declare_that_it_was_generated() -> None:
    report = reports.declared()
    assert headline(report) == (
        "No answer: no face was found in this video; "
        "its content credentials say that it was generated."
    )
    assert report.verdict is None
    assert report.fake is None


def test_a_signal_appears_in_sentences_json_table_and_page() -> None:
    report = reports.declared()
    assert "Signed by <b>No score</b>." in [one.text for one in sentences(report)]
    answer = to_json(report)
    jsonschema.validate(answer, SCHEMA)
    assert answer["signals"][0]["facts"] == {"Signed by": "<b>No score</b>"}
    assert summary_row(report, "a.mp4")["signals"] == "content_credentials=declared"
    page = to_html(report)
    assert "Declared by the file" in page
    assert page.count("Signed by &lt;b&gt;No score&lt;/b&gt;.") == 1  # with the findings alone
    assert "<b>No score</b>" not in page


def test_a_signal_changes_no_score_and_no_verdict() -> None:
    plain = reports.two_people()
    answer = to_json(replace(plain, signals=reports.declared().signals))
    same = to_json(plain)
    assert answer["signals"] != same["signals"]
    for key in ("p_fake", "interval", "band", "verdict", "headline", "faces"):
        assert answer[key] == same[key]


@pytest.mark.parametrize("status", [SignalStatus.SOUND, SignalStatus.NOTED, SignalStatus.ABSENT])
def test_only_what_points_at_manipulation_joins_the_headline(status: SignalStatus) -> None:
    report = reports.declared()
    quiet = replace(report, signals=(replace(report.signals[0], status=status),))
    assert headline(quiet) == headline(reports.no_face())


def test_a_report_without_signals_is_still_verified() -> None:
    answer = to_json(reports.two_people())
    older = {key: value for key, value in answer.items() if key != "signals"}
    claims = read_claims(json.dumps({**older, "schema_version": "1.1"}))
    assert compared(Verification(True, True), claims, answer).ok


def test_a_report_whose_signals_were_removed_is_not_verified() -> None:
    answer = to_json(reports.declared())
    claims = read_claims(json.dumps({**answer, "signals": []}))
    assert not compared(Verification(True, True), claims, answer).ok
