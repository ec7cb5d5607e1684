"""Two visitors on one service: the files of one cannot be read, guessed or listed by the other."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file

from detector import Detector
from detector.video import Limits
from tests.server import call_analysis, serving


@pytest.fixture(scope="module")
def url(detector: Detector, cache: Path) -> Iterator[str]:
    with serving({"tiny": detector}, Limits()) as address:
        yield address


@pytest.fixture(scope="module")
def ann(url: str, talking: Path) -> dict[str, Any]:
    """What one visitor sent and got: her session, her upload, her answers."""
    client = Client(url, verbose=False, download_files=False)
    report, *files = client.predict(
        video=handle_file(talking), n_frames=8, api_name="/analyze_video_full"
    )
    assert report["status"] == "ok"
    return {"session": client.session_hash, "files": [Path(file["path"]) for file in files]}


def get(url: str, path: object) -> httpx.Response:
    return httpx.get(f"{url}gradio_api/file={path}")


def test_the_client_that_made_a_request_can_read_its_files(url: str, ann: dict[str, Any]) -> None:
    """Else the tests below would pass for a service that serves nothing."""
    assert [get(url, path).status_code for path in ann["files"]] == [200, 200, 200]


def test_the_folder_of_a_file_cannot_be_computed_from_the_file(
    url: str, ann: dict[str, Any], talking: Path, cache: Path
) -> None:
    """The address of an upload cannot be derived from the same video."""
    content = sha256(talking.read_bytes()).hexdigest()
    assert get(url, cache / content / talking.name).status_code in (403, 404)
    for path in ann["files"]:
        assert len(path.parent.name) == 64
        assert path.parent.name != sha256(path.read_bytes()).hexdigest()


def test_what_names_are_made_of_is_secret_and_not_served(url: str) -> None:
    from gradio.processing_utils import hash_seed
    from gradio.utils import HASH_SEED_PATH

    assert len(hash_seed) >= 32
    assert get(url, HASH_SEED_PATH).status_code == 403
    for path in ("", "config", "gradio_api/info", "gradio_api/startup-events"):
        assert hash_seed.decode() not in httpx.get(url + path).text


@pytest.mark.parametrize("spelling", ["{}", "{}/", "{}/.", "{}/*", "{}/%2e%2e", "{}/.."])
def test_no_folder_is_listed(url: str, ann: dict[str, Any], cache: Path, spelling: str) -> None:
    names = [path.name for path in ann["files"]]
    for folder in (cache, ann["files"][0].parent, cache.parent):
        answer = get(url, spelling.format(folder))
        assert answer.status_code >= 400
        assert not any(name in answer.text for name in names)


def test_a_guessed_folder_reveals_nothing(url: str, ann: dict[str, Any], cache: Path) -> None:
    """Not even whether it was close."""
    name = ann["files"][0].name
    right = ann["files"][0].parent.name
    for candidate in (secrets.token_hex(32), right[:-1] + ("0" if right[-1] != "0" else "1")):
        assert get(url, cache / candidate / name).status_code in (403, 404)


def test_no_endpoint_reveals_other_sessions(url: str, ann: dict[str, Any]) -> None:
    paths = [
        "config",
        "gradio_api/info",
        "gradio_api/queue/status",
        "gradio_api/runs",
        "gradio_api/heartbeat",
        "monitoring/summary",
        "monitoring",
        "metrics",
        "healthz",
        "readyz",
    ]
    for path in paths:
        text = httpx.get(url + path).text
        assert ann["session"] not in text, path
        assert ann["files"][0].parent.name not in text, path


def received(address: str, **params: str) -> str:
    """What a stream sends within a second; it may also end, or break off, before."""
    text, end = "", time.monotonic() + 1
    with (
        suppress(httpx.TransportError),
        httpx.stream("GET", address, params=params, timeout=1) as answer,
    ):
        for line in answer.iter_lines():
            text += line
            if time.monotonic() > end:
                break
    return text


@pytest.mark.parametrize("session", ["", "0", "a", "*", "../", "null", "undefined"])
def test_a_guessed_session_receives_nothing(url: str, ann: dict[str, Any], session: str) -> None:
    assert "talking" not in received(f"{url}gradio_api/queue/data", session_hash=session)


def test_a_finished_result_is_not_sent_again(url: str, ann: dict[str, Any]) -> None:
    """Not even with the name of the session."""
    text = received(f"{url}gradio_api/queue/data", session_hash=ann["session"])
    assert "talking" not in text
    assert "p_fake" not in text


def test_a_finished_call_is_not_sent_again(url: str, talking: Path) -> None:
    """Its number is random, and used up by the first who reads the answer."""
    address, event = call_analysis(url, "mine.mp4", talking.read_bytes())
    assert re.fullmatch(r"[0-9a-f]{32}", event)
    assert "p_fake" in httpx.get(f"{address}/{event}", timeout=60).text
    assert "p_fake" not in received(f"{address}/{event}")


def test_another_visitor_s_result_cannot_be_used_as_an_input_file(
    url: str, ann: dict[str, Any], cache: Path
) -> None:
    """The folder would have to be guessed, and a wrong guess is a file that is not there."""
    candidate = cache / secrets.token_hex(32) / ann["files"][0].name
    data = [
        {"path": str(candidate), "meta": {"_type": "gradio.FileData"}},
        8,
        8,
        None,
        "",
        "none",
        "frame",
        False,
        *(0, None, 0),
    ]
    address = f"{url}gradio_api/call/analyze_video"
    event = httpx.post(address, json={"data": data}).json()["event_id"]
    answer = httpx.get(f"{address}/{event}", timeout=60).text
    last = json.loads(re.findall(r"^data: (.*)$", answer, re.MULTILINE)[-2])
    assert (last[0]["status"], last[0]["p_fake"]) == ("unreadable", None)
