"""A report and a file come back: the same file, the same weights, the same answer - or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detector import Detector
from detector.errors import CancelledError, ReportError, VideoError
from detector.records import Report, Status
from detector.render.document import error_json, to_json
from detector.verify.report_reader import MAX_BYTES, read_claims
from detector.verify.verify import TOLERANCE, verify_origin, verify_report
from tests.clips import plain, write_clip

Json = dict[str, Any]


@pytest.fixture
def unaltered(report: Report) -> Json:
    copied: Json = json.loads(json.dumps(to_json(report)))
    return copied


def check(document: Json, path: Path, detector: Detector, **options: Any) -> Any:
    return verify_report(json.dumps(document), path, [detector], **options)


def test_an_unaltered_report_is_confirmed_to_the_last_digit(
    unaltered: Json, talking: Path, detector: Detector
) -> None:
    found = check(unaltered, talking, detector)
    assert (found.same_file, found.same_weights, found.same_score) == (True, True, True)
    assert found.max_abs_diff == 0.0
    assert found.ok
    assert not found.differences


def test_scores_of_degraded_copies_are_verified_too(
    report: Report, talking: Path, detector: Detector
) -> None:
    document = json.loads(json.dumps(to_json(detector.try_worse_copies(talking, report))))
    assert check(document, talking, detector).ok
    document["robustness"]["copies"][0]["fake"] = 0.01
    found = check(document, talking, detector)
    assert [one.where for one in found.differences] == ["robustness.copies.0.fake"]


def test_a_retelling_is_not_verified(unaltered: Json, talking: Path, detector: Detector) -> None:
    unaltered["retelling"] = {"outcome": "timeout", "text": "", "model": "away"}
    assert check(unaltered, talking, detector).ok


def test_without_a_rerun_the_score_stays_open(
    unaltered: Json, talking: Path, detector: Detector
) -> None:
    found = verify_origin(read_claims(json.dumps(unaltered)), talking, [detector])
    assert (found.same_file, found.same_weights, found.same_score) == (True, True, None)
    assert not found.ok


def test_another_file_is_recognised_and_not_analysed(
    unaltered: Json, detector: Detector, tmp_path: Path
) -> None:
    other = write_clip(tmp_path / "talking.mp4", plain(12))
    found = check(unaltered, other, detector)
    assert (found.same_file, found.same_score) == (False, None)


def test_other_weights_are_recognised(unaltered: Json, talking: Path, detector: Detector) -> None:
    unaltered["model"]["sha256"] = "0" * 64
    found = check(unaltered, talking, detector)
    assert (found.same_file, found.same_weights, found.same_score) == (True, False, None)


def set_score(report: Json) -> str:
    report["p_fake"] = abs(report["p_fake"] - 0.4)
    return "p_fake"


def set_one_frame(report: Json) -> str:
    frame = report["faces"][0]["frames"][3]
    frame["p"] = abs(frame["p"] - 0.4)
    return "faces.0.frames.3.p"


def set_verdict(report: Json) -> str:
    report["verdict"] = "no_sign" if report["verdict"] != "no_sign" else "fake"
    return "verdict"


def drop_a_face(report: Json) -> str:
    report["faces"] = []
    return "faces"


def set_threshold(report: Json) -> str:
    report["model"]["threshold"] += 0.01
    return "model.threshold"


def set_headline(report: Json) -> str:
    report["headline"] = "This video is certified genuine."
    return "headline"


def set_a_number_in_words(report: Json) -> str:
    report["explanation"][0]["text"] = report["explanation"][0]["text"].replace("%", "0 %", 1)
    return "explanation"


def add_a_stamp(report: Json) -> str:
    report["certificate"] = "approved"
    return "certificate"


@pytest.mark.parametrize(
    "tamper",
    [
        set_score,
        set_one_frame,
        set_verdict,
        drop_a_face,
        set_threshold,
        set_headline,
        set_a_number_in_words,
        add_a_stamp,
    ],
)
def test_a_tampered_report_is_shown_with_the_altered_field(
    unaltered: Json, talking: Path, detector: Detector, tamper: Callable[[Json], str]
) -> None:
    where = tamper(unaltered)
    found = check(unaltered, talking, detector)
    assert (found.same_file, found.same_weights, found.same_score) == (True, True, False)
    assert where in [difference.where for difference in found.differences]


def test_rounding_on_another_machine_is_no_tampering(
    unaltered: Json, talking: Path, detector: Detector
) -> None:
    for frame in unaltered["faces"][0]["frames"]:
        frame["p"] = min(1.0, frame["p"] + TOLERANCE / 2)
    found = check(unaltered, talking, detector)
    assert found.ok
    assert found.max_abs_diff == pytest.approx(TOLERANCE / 2, abs=1e-6)


def test_a_renamed_file_is_the_same_file(
    unaltered: Json, talking: Path, detector: Detector, tmp_path: Path
) -> None:
    renamed = tmp_path / "renamed.mp4"
    renamed.write_bytes(talking.read_bytes())
    assert check(unaltered, renamed, detector).ok


def test_a_report_on_an_unusable_file_can_be_repeated(detector: Detector, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("this is no video")
    with pytest.raises(VideoError) as caught:
        detector.analyze(bad)
    document = error_json(caught.value, bad.name)
    found = check(document, bad, detector)
    assert (found.same_file, found.same_weights, found.same_score) == (None, None, True)


def test_the_weights_named_in_the_report_are_used_for_verification(
    unaltered: Json, talking: Path, detector: Detector
) -> None:
    other = Detector(None, "cpu")
    found = verify_report(json.dumps(unaltered), talking, [other, detector])
    assert found.ok


def test_a_rerun_can_be_called_off(unaltered: Json, talking: Path, detector: Detector) -> None:
    with pytest.raises(CancelledError):
        check(unaltered, talking, detector, should_stop=lambda: True)


def test_a_busy_service_does_not_refute_a_report(
    unaltered: Json, talking: Path, detector: Detector
) -> None:
    class Busy(Detector):
        def analyze(self, *_: Any, **__: Any) -> Report:
            raise VideoError("Others are waiting already.", Status.CANCELLED)

    with pytest.raises(VideoError, match="waiting"):
        check(unaltered, talking, Busy(detector.loaded, "cpu"))


HOSTILE: dict[str, str | bytes] = {
    "empty": "",
    "no JSON": "<html>",
    "no text": b"\xff\xfe\x00\xd8",
    "a list": "[]",
    "a number": "7",
    "nothing in it": "{}",
    "deeply nested": "[" * 200_000,
    "too large": " " * (MAX_BYTES + 1),
    "not a number": '{"p_fake": NaN}',
    "a huge number": '{"p_fake": 1' + "0" * 6000 + "}",
    "the same key twice": '{"status": "ok", "status": "no_face"}',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_is_refused_in_a_sentence(kind: str) -> None:
    with pytest.raises(ReportError, match=r"\.$"):
        read_claims(HOSTILE[kind])


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("p_fake",), 1.5),
        (("p_fake",), True),
        (("p_fake",), "0.5"),
        (("video",), None),
        (("video", "sha256"), "../../etc/passwd"),
        (("model", "sha256"), 7),
        (("settings", "frames"), 10**9),
        (("settings", "frames"), "many"),
        (("settings",), []),
        (("faces",), {}),
        (("faces",), [None]),
        (("faces", 0, "frames"), [{"t": 0.0, "p": 2}]),
        (("schema_version",), "2.0"),
    ],
)
def test_a_key_of_the_wrong_kind_is_refused(
    unaltered: Json, place: tuple[str | int, ...], value: Any
) -> None:
    inner: Any = unaltered
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(ReportError):
        read_claims(json.dumps(unaltered))


def test_settings_of_the_report_are_used_again(
    report: Report, talking: Path, detector: Detector
) -> None:
    eight = detector.analyze(talking, replace(report.settings, frames=8))
    assert check(to_json(eight), talking, detector).ok
