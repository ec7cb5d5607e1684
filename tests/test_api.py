"""The endpoints, called by a real `gradio_client` over loopback."""

from __future__ import annotations

import csv
import inspect
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from detector import Detector
from detector.records import APP_VERSION
from detector.render.document import COMPARISON, EXPLANATION, SCHEMA
from detector.service.admission import Terms
from detector.settings import MOST_FRAMES
from detector.ui import api, api_compare
from detector.video import Limits
from tests.clips import moving_portrait, plain, write_clip
from tests.server import serving
from tests.test_document import faults
from tests.test_world_files import two_tracks

LIMITS = Limits(max_bytes=5 * 2**20, max_seconds=30)


@pytest.fixture(scope="module")
def url(detector: Detector, cache: Path) -> Iterator[str]:
    strict = Detector(detector.loaded, "cpu", LIMITS)
    with serving({"tiny": strict, "other": strict}, LIMITS) as address:
        yield address


@pytest.fixture
def client(url: str, tmp_path: Path) -> Client:
    return Client(url, verbose=False, download_files=tmp_path)


def analyze(client: Client, path: Path, **more: Any) -> dict[str, Any]:
    answer = client.predict(
        video=handle_file(path), api_name="/analyze_video", **{"n_frames": 8, **more}
    )
    assert isinstance(answer, dict)
    return answer


def test_only_the_named_endpoints_are_public(client: Client) -> None:
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {
        "/analyze_video",
        "/analyze_video_full",
        "/verify_report",
        "/compare",
        "/explain_frame",
        "/robustness",
        "/model_info",
        "/limits",
    }


def test_a_report_follows_the_published_schema(client: Client, talking: Path) -> None:
    answer = analyze(client, talking)
    assert not faults(answer, SCHEMA)
    assert answer["status"] == "ok"
    assert answer["app_version"] == APP_VERSION
    assert answer["video"]["name"] == "talking.mp4"


def test_a_video_alone_is_enough(client: Client, talking: Path) -> None:
    """Everything but the file has a default, also over plain HTTP."""
    answer = client.predict(handle_file(talking), api_name="/analyze_video")
    assert answer["video"]["frames_sampled"] >= 20


def test_the_full_endpoint_returns_video_page_and_table(client: Client, talking: Path) -> None:
    answer, video, page, table = client.predict(
        video=handle_file(talking), n_frames=8, api_name="/analyze_video_full"
    )
    assert answer["status"] == "ok"
    with av.open(video) as movie:
        assert movie.streams.video[0].codec_context.name == "h264"
    assert "<html" in Path(page).read_text(encoding="utf-8")
    with Path(table).open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 8


BAD = {
    "empty.mp4": (b"", "empty"),
    "text.mp4": (b"this is no video, whatever its name says", "unreadable"),
    "list.mp4": (b"ffconcat version 1.0\nfile other.mp4\n", "unsupported"),
    "notes.txt": (b"plain text", "unsupported"),
}


@pytest.mark.parametrize("name", BAD)
def test_every_bad_file_has_its_own_status(client: Client, tmp_path: Path, name: str) -> None:
    content, status = BAD[name]
    (tmp_path / name).write_bytes(content)
    answer = analyze(client, tmp_path / name)
    assert not faults(answer, SCHEMA)
    assert (answer["status"], answer["p_fake"]) == (status, None)
    assert answer["headline"].endswith(".")


def test_a_truncated_video_is_analysed(client: Client, talking: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(talking.read_bytes()[: talking.stat().st_size // 2])
    assert analyze(client, cut)["status"] in {"unreadable", "ok"}


def test_a_video_over_the_length_limit_is_refused_with_the_limit(
    client: Client, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "long.mp4", plain(40), fps=1)
    assert analyze(client, clip)["status"] == "too_long"


def test_no_face_and_too_many_faces_are_reported(client: Client, tmp_path: Path) -> None:
    assert analyze(client, write_clip(tmp_path / "none.mp4", plain(12)))["status"] == "no_face"


def test_the_full_endpoint_reports_bad_files_too(client: Client, tmp_path: Path) -> None:
    bad = tmp_path / "text.mp4"
    bad.write_text("no video")
    answer, *files = client.predict(video=handle_file(bad), api_name="/analyze_video_full")
    assert answer["status"] == "unreadable"
    assert files == [None, None, None]


def test_the_evidence_is_located_by_the_method_that_is_named(client: Client, talking: Path) -> None:
    assert analyze(client, talking)["heat"] is None
    answer = analyze(client, talking, heat_method="layer_cam", heat_of="video")
    assert not faults(answer, SCHEMA)
    assert (answer["heat"]["method"], answer["heat"]["of"]) == ("layer_cam", "video")
    assert any(moment["regions"] for moment in answer["faces"][0]["moments"])


def test_only_the_requested_part_is_analysed(client: Client, talking: Path) -> None:
    person = analyze(client, talking, start=0.4, end=1.2)["faces"][0]
    assert all(0.4 <= frame["t"] <= 1.2 for frame in person["frames"])
    for wrong, message in (({"start": 2, "end": 1}, "after start"), ({"start": -1}, "0 or more")):
        with pytest.raises(AppError, match=message):
            analyze(client, talking, **wrong)


def test_the_requested_video_track_is_analysed(client: Client, tmp_path: Path) -> None:
    path = two_tracks(tmp_path / "two.mkv", default=0)
    assert analyze(client, path)["source"]["track"] == 1
    assert analyze(client, path, track=2)["source"]["track"] == 2
    assert analyze(client, path, track=3)["status"] == "no_video"


def test_an_unknown_method_is_named_with_those_there_are(client: Client, talking: Path) -> None:
    with pytest.raises(AppError, match="eigen_cam"):
        analyze(client, talking, heat_method="lime")


def test_one_frame_is_explained_with_a_picture(client: Client, talking: Path) -> None:
    found, picture = client.predict(
        video=handle_file(talking), second=1.0, heat_of="video", api_name="/explain_frame"
    )
    assert not faults(found, EXPLANATION)
    assert (found["status"], found["person"], found["heat"]["of"]) == ("ok", 1, "video")
    assert found["t"] == pytest.approx(1.0, abs=0.3)
    assert Path(picture).read_bytes().startswith(b"\xff\xd8")


def test_a_person_without_a_score_is_not_explained(client: Client, talking: Path) -> None:
    with pytest.raises(AppError, match="choose from: 1"):
        client.predict(video=handle_file(talking), person=7, api_name="/explain_frame")


def test_degraded_copies_are_scored_on_request(client: Client, talking: Path) -> None:
    answer = client.predict(video=handle_file(talking), n_frames=8, api_name="/robustness")
    assert not faults(answer, SCHEMA)
    assert answer["status"] == "ok", answer["headline"]
    assert [copy["kind"] for copy in answer["robustness"]["copies"]] == [
        "reencoded",
        "downscaled",
        "blurred",
    ]
    assert answer["robustness"]["largest_change"] is not None


def compare(client: Client, path: Path, **more: Any) -> dict[str, Any]:
    given = {"video": handle_file(path), "n_frames": 8, **more}
    found = client.predict(api_name="/compare", **given)
    assert isinstance(found, dict)
    assert not faults(found, COMPARISON)
    return found


def test_two_files_are_compared(client: Client, talking: Path, tmp_path: Path) -> None:
    faceless = write_clip(tmp_path / "none.mp4", plain(12))
    found = compare(client, talking, other=handle_file(faceless))
    assert [answer["video"]["name"] for answer in found["answers"]] == ["talking.mp4", "none.mp4"]
    assert [answer["status"] for answer in found["answers"]] == ["ok", "no_face"]
    assert (found["same_file"], found["difference"]) == (False, None)


def test_one_file_is_compared_under_two_models(client: Client, talking: Path) -> None:
    found = compare(client, talking, other_model="other", start=0.4)
    assert (found["same_file"], found["difference"]) == (True, 0.0)  # both are the same network
    assert all(frame["t"] >= 0.4 for a in found["answers"] for frame in a["faces"][0]["frames"])


def test_a_file_that_is_no_video_has_its_reason_in_a_comparison(
    client: Client, talking: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    found = compare(client, talking, other=handle_file(tmp_path / "text.mp4"))
    assert [answer["status"] for answer in found["answers"]] == ["ok", "unreadable"]


@pytest.mark.parametrize(
    ("more", "message"),
    [({}, "two files, or two models"), ({"other_model": "best"}, "tiny, other")],
)
def test_nothing_to_compare_is_refused(
    client: Client, talking: Path, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(AppError, match=message):
        compare(client, talking, **more)


def test_both_analyses_of_a_comparison_count_and_the_second_is_refused(
    detector: Detector, talking: Path, cache: Path
) -> None:
    with serving({"tiny": detector}, LIMITS, Terms(burst=1, per_minute=0.01)) as url:
        client = Client(url, verbose=False)
        other = handle_file(write_clip(talking.with_name("second.mp4"), plain(12)))
        found = compare(client, talking, other=other)
    assert [answer["status"] for answer in found["answers"]] == ["ok", "quota_used"]


@pytest.mark.parametrize("endpoint", ["/explain_frame", "/robustness"])
def test_without_a_score_robustness_returns_the_same_as_an_analysis(
    client: Client, tmp_path: Path, endpoint: str
) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    answer = client.predict(video=handle_file(tmp_path / "text.mp4"), api_name=endpoint)
    answer = answer[0] if isinstance(answer, tuple | list) else answer
    assert not faults(answer, SCHEMA)
    assert answer["status"] == "unreadable"


def test_retelling_is_refused_where_no_language_model_is_configured(
    client: Client, talking: Path
) -> None:
    assert client.predict(api_name="/limits")["language_model"] is None
    with pytest.raises(AppError, match="No language model is configured"):
        analyze(client, talking, retelling=True)


def test_a_language_model_that_is_away_leaves_the_sentences(
    client: Client, talking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPFAKE_TEXT_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("DEEPFAKE_TEXT_MODEL", "away")
    answer = analyze(client, talking, retelling=True)
    assert not faults(answer, SCHEMA)
    assert answer["retelling"] == {"outcome": "unreachable", "text": "", "model": "away"}
    assert answer["explanation"]


@pytest.mark.parametrize("module", [api, api_compare])
def test_the_documentation_names_the_largest_number_of_frames(module: object) -> None:
    named = re.findall(r"n_frames: .*8 to (\d+)", inspect.getsource(module))
    assert set(named) == {str(MOST_FRAMES)}


@pytest.mark.parametrize("wrong", [{"n_frames": 5}, {"max_faces": 0}, {"threshold": 2.0}])
def test_numbers_out_of_range_are_named(client: Client, talking: Path, wrong: dict) -> None:
    with pytest.raises(AppError, match="must lie between"):
        analyze(client, talking, **wrong)


def test_an_unknown_model_is_named_with_those_there_are(client: Client, talking: Path) -> None:
    with pytest.raises(AppError, match="tiny, other"):
        analyze(client, talking, model="best")


def verify(client: Client, video: Path, report: Path, **more: Any) -> dict[str, Any]:
    answer = client.predict(
        video=handle_file(video), report=handle_file(report), api_name="/verify_report", **more
    )
    assert isinstance(answer, dict)
    return answer


def test_a_report_is_verified(client: Client, talking: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    answer = analyze(client, talking)
    report.write_text(json.dumps(answer))
    found = verify(client, talking, report)
    assert found["differences"] == []
    assert [found[key] for key in ("video_match", "model_match", "score_match")] == [True] * 3
    assert (found["ok"], found["max_abs_diff"]) == (True, 0.0)
    report.write_text(json.dumps(answer | {"p_fake": abs(answer["p_fake"] - 0.4)}))
    found = verify(client, talking, report)
    assert (found["ok"], found["differences"][0]["where"]) == (False, "p_fake")
    assert verify(client, talking, report, rerun=False)["score_match"] is None


def test_what_is_no_report_is_refused(client: Client, talking: Path, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("[" * 100_000)
    with pytest.raises(AppError, match="nested far deeper than any report"):
        verify(client, talking, tmp_path / "report.json")


def test_limits_list_what_is_enforced(client: Client) -> None:
    limits = client.predict(api_name="/limits")
    assert limits["max_bytes"] == LIMITS.max_bytes
    assert limits["max_seconds"] == LIMITS.max_seconds
    assert ".mp4" in limits["suffixes"]


def test_model_info_names_the_weights_and_their_hash(client: Client, detector: Detector) -> None:
    info = client.predict(api_name="/model_info")
    assert info["default"] == "tiny"
    assert info["models"][0]["sha256"] == detector.info.sha256
    json.dumps(info)


@pytest.mark.parametrize(
    "endpoint", ["analyze_video", "analyze_video_full", "compare", "explain_frame", "robustness"]
)
def test_a_file_of_the_server_cannot_be_named(url: str, talking: Path, endpoint: str) -> None:
    """By plain HTTP: `gradio_client` would upload the path from the caller's own disk."""
    theft = {"path": str(talking), "meta": {"_type": "gradio.FileData"}}
    given = {
        "analyze_video": [theft, 8, 8, None, "", "none", "frame", False, 0, None, 0],
        "analyze_video_full": [theft, 8, 8, None, "", "grad_cam", "frame"],
        "compare": [theft, theft, 8, 8, None, "tiny", "other"],
        "explain_frame": [theft, 0, None, "grad_cam", "frame"],
        "robustness": [theft, 8, 8, None, ""],
    }
    address = f"{url}gradio_api/call/{endpoint}"
    event = httpx.post(address, json={"data": given[endpoint]}).json()
    answer = httpx.get(f"{address}/{event['event_id']}", timeout=60).text
    assert "event: error" in answer
    assert "p_fake" not in answer


def test_two_uploads_of_one_file_are_stored_separately(url: str, talking: Path) -> None:
    """Whoever deletes theirs, or leaves, takes nothing from the other."""
    files = {"files": (talking.name, talking.read_bytes())}
    sent = [httpx.post(f"{url}gradio_api/upload", files=files).json()[0] for _ in range(2)]
    assert sent[0] != sent[1]
    assert [Path(path).read_bytes() for path in sent] == [talking.read_bytes()] * 2


def test_concurrent_clients_receive_their_own_reports(
    url: str, talking: Path, tmp_path: Path
) -> None:
    faceless = write_clip(tmp_path / "none.mp4", plain(12))

    def visit(index: int) -> tuple[str, str]:
        path = [talking, faceless][index % 2]
        return path.name, analyze(Client(url, verbose=False), path)["video"]["name"]

    with ThreadPoolExecutor(4) as pool:
        for sent, answered in pool.map(visit, range(6)):
            assert sent == answered


def working() -> bool:
    return any(thread.name.startswith("job") for thread in threading.enumerate())


def wait_until(met: Callable[[], bool], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, f"not met within {seconds} s"
        time.sleep(0.05)


def test_a_cancelled_job_frees_the_worker(url: str, tmp_path: Path) -> None:
    long = write_clip(tmp_path / "long.mp4", moving_portrait(250))
    client = Client(url, verbose=False, download_files=tmp_path)
    job = client.submit(video=handle_file(long), n_frames=300, api_name="/analyze_video_full")
    wait_until(working, seconds=60)
    time.sleep(1)  # the client can cancel only once it knows the job
    job.cancel()
    wait_until(lambda: not working(), seconds=20)
    assert analyze(client, write_clip(tmp_path / "none.mp4", plain(8)))["status"] == "no_face"


def test_no_file_remains_after_a_request(
    client: Client, talking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Gradio serves is in its own cache, which it empties; our folders are gone at once."""
    import tempfile

    before = set(Path(tempfile.gettempdir()).glob("answer-*"))
    client.predict(video=handle_file(talking), n_frames=8, api_name="/analyze_video_full")
    assert set(Path(tempfile.gettempdir()).glob("answer-*")) == before
