"""Hostile requests against the real page: each is refused, with a reason for people.

Gradio is responsible for some of these refusals; they are tested here too, so that an upgrade that
loosens one does not pass unseen.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client
from starlette.types import Message, Receive, Scope, Send

from detector import Detector
from detector.service.admission import Admission
from detector.service.guard import MAX_JSON, UPLOAD_OVERHEAD, Guard
from detector.service.headers import HEADERS
from detector.service.health import Operation
from detector.video import Limits
from tests.server import serving

ROOT = Path(__file__).parent.parent
LIMITS = Limits(max_bytes=5 * 2**20, max_seconds=30)
MEGABYTE = bytes(10**6)


@pytest.fixture(scope="module")
def url(detector: Detector, cache: Path) -> Iterator[str]:
    with serving({"tiny": Detector(detector.loaded, "cpu", LIMITS)}, LIMITS) as address:
        yield address


@pytest.fixture
def api(url: str) -> str:
    return f"{url}gradio_api"


@pytest.fixture
def other_service() -> Iterator[tuple[str, list[str]]]:
    """Another service on this machine: its address, and the requests that it received."""
    requested: list[str] = []

    class Note(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Note)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/secret.mp4", requested
    server.shutdown()
    server.server_close()


def file_data(path: object, **more: str) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}


def send_file(api: str, name: str, content: bytes) -> Path:
    answer = httpx.post(f"{api}/upload", files={"files": (name, content)})
    assert answer.status_code == 200, answer.text
    return Path(answer.json()[0])


def submit(api: str, video: Any) -> httpx.Response:
    """Put `video` to /analyze_video: the refusal, or the whole stream of the answer."""
    address = f"{api}/call/analyze_video"
    settings = [8, 8, None, "", "none", "frame", False, 0, None, 0]
    joined = httpx.post(address, json={"data": [video, *settings]})
    if joined.status_code != 200:
        return joined
    return httpx.get(f"{address}/{joined.json()['event_id']}", timeout=60)


def written(cache: Path) -> set[Path]:
    return {path for path in cache.rglob("*") if path.is_file()}


# Files that are named instead of sent


@pytest.mark.parametrize("path", ["/etc/passwd", str(ROOT / "app.py")])
@pytest.mark.parametrize("meta", [{"meta": {"_type": "gradio.FileData"}}, {}])
def test_a_file_of_the_server_is_not_opened(api: str, path: str, meta: dict[str, Any]) -> None:
    answer = submit(api, {"path": path, **meta}).text
    assert "event: error" in answer
    assert "p_fake" not in answer


@pytest.mark.parametrize("field", ["path", "url"])
def test_an_address_is_not_fetched(
    api: str, other_service: tuple[str, list[str]], cache: Path, field: str
) -> None:
    address, requested = other_service
    sent = send_file(api, "mine.mp4", b"mine")
    refused = submit(api, file_data(str(sent)) | {field: address})
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["message"].endswith("Upload the file instead.")
    assert requested == []


def test_a_caller_reads_why_an_address_is_refused(url: str) -> None:
    client = Client(url, verbose=False)
    with pytest.raises(ValueError, match="Upload the file instead"):
        client.predict(video=file_data("https://example.org/a.mp4"), api_name="/analyze_video")


ADDRESSES = [
    "http://169.254.169.254/latest/meta-data",
    "https://example.org/clip.mp4",
    "HTTP://127.0.0.1/clip.mp4",
    " \thttp://127.0.0.1/clip.mp4",
    "//127.0.0.1/clip.mp4",
    "\\\\127.0.0.1\\clip.mp4",
    "file:///etc/passwd",
    "data:video/mp4;base64,AAAA",
    "data:image/svg+xml;base64,AAAA",
    "data:image/jpeg;base64,AAAA,http://127.0.0.1/",
    "http://127.0.0.1/gradio_api/file=/tmp/clip.mp4",
    "http://[",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("field", ["path", "url"])
def test_every_kind_of_address_is_refused(api: str, address: str, field: str) -> None:
    body = {"data": [file_data("/tmp/clip.mp4") | {field: address}], "session_hash": "a"}
    for endpoint in ("queue/join", "call/analyze_video", "run/analyze_video"):
        assert httpx.post(f"{api}/{endpoint}", json=body).status_code == 422
    named = {"video": body["data"][0]}  # type: ignore[index]
    assert httpx.post(f"{api}/call/v2/analyze_video", json=named).status_code == 422


def test_a_refusal_is_in_the_language_of_the_request(api: str) -> None:
    body = {"data": [file_data("http://example.com/a.mp4")]}
    refusals = {
        language: httpx.post(
            f"{api}/call/analyze_video", json=body, headers={"Accept-Language": language}
        ).text
        for language in ("", "fr", "de", "es")
    }
    assert "Upload the file instead" in refusals[""]
    assert refusals["fr"] == refusals[""]
    assert "Laden Sie die Datei" in refusals["de"]
    assert "Suba el archivo" in refusals["es"]


def test_a_camera_sends_its_pictures_within_the_request(api: str) -> None:
    """As the address of a file they are refused like any other."""
    picture = "data:image/jpeg;base64,AAAA"
    for field, refused in (("url", False), ("path", True)):
        body = {"data": [file_data("/tmp/clip.mp4") | {field: picture}], "session_hash": "a"}
        answer = httpx.post(f"{api}/queue/join", json=body)
        assert (answer.status_code == 422) is refused


def test_no_spelling_of_the_body_hides_an_address(api: str) -> None:
    plain = json.dumps({"data": [file_data("http://127.0.0.1/x")]})
    spellings = {
        "utf-16": plain.encode("utf-16"),
        "byte order mark": plain.encode("utf-8-sig"),
        "escapes": plain.replace("http", r"\u0068ttp").replace("path", r"p\u0061th").encode(),
        "key twice": plain.replace('"path"', '"path": "/tmp/x", "path"').encode(),
        "key twice, harmless last": plain.replace('"meta"', '"path": "/tmp/x", "meta"').encode(),
        "deep": b'{"data": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    }
    for spelling, body in spellings.items():
        answer = httpx.post(
            f"{api}/call/analyze_video", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 422, spelling


def test_an_address_is_refused_to_agents_too(
    url: str, other_service: tuple[str, list[str]]
) -> None:
    """MCP takes addresses as plain text and hands them to the same queue."""
    address, requested = other_service
    answer = agent(url, "tools/call", name="analyze_video", arguments={"video": address})
    assert '"isError":true' in answer
    assert "video must be the path of" in answer
    assert requested == []


def test_an_upload_may_carry_the_address_at_which_the_page_shows_it(api: str) -> None:
    """The browser sends it along with every upload."""
    sent = str(send_file(api, "mine.mp4", b"this is no video"))
    shown = file_data(sent, url=f"{api}/file={sent}")
    assert '"status": "unreadable"' in submit(api, shown).text


# What is read over the file route


@pytest.mark.parametrize("path", ["/etc/passwd", str(ROOT / "app.py"), "app.py"])
def test_files_of_the_server_are_not_served(api: str, path: str) -> None:
    assert httpx.get(f"{api}/file={path}").status_code == 403


def test_the_file_route_fetches_no_address(api: str, other_service: tuple[str, list[str]]) -> None:
    address, requested = other_service
    assert httpx.get(f"{api}/file={address}").status_code == 403
    assert requested == []


def test_an_upload_is_stored_in_the_cache_whatever_its_name(api: str, cache: Path) -> None:
    sent = send_file(api, "../../../../tmp/evil.mp4", b"evil")
    assert sent.name == "evil.mp4"
    assert sent.resolve().is_relative_to(cache.resolve())


def test_an_uploaded_page_runs_no_script(api: str) -> None:
    sent = send_file(api, "page.html", b"<script>alert(1)</script>")
    answer = httpx.get(f"{api}/file={sent}")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].endswith("; sandbox")


def test_parts_of_a_video_can_be_requested(api: str, talking: Path) -> None:
    """A player seeks by them."""
    sent = send_file(api, "talking.mp4", talking.read_bytes())
    answer = httpx.get(f"{api}/file={sent}", headers={"range": "bytes=4-7"})
    assert (answer.status_code, answer.content) == (206, b"ftyp")


def test_a_playlist_that_is_called_a_video_opens_nothing(api: str) -> None:
    """The script points to a pipe: opening it would unblock the writer."""
    sent = send_file(api, "list.mp4", b"ffconcat version 1.0\nfile other.mp4\n")
    sibling = sent.parent / "other.mp4"
    os.mkfifo(sibling)
    opened = threading.Event()

    def wait_for_a_reader() -> None:
        with sibling.open("wb"):
            opened.set()

    writer = threading.Thread(target=wait_for_a_reader, daemon=True)
    writer.start()
    assert '"status": "unsupported"' in submit(api, file_data(str(sent))).text
    assert not opened.is_set()
    with sibling.open("rb"):
        writer.join(timeout=5)
    assert opened.is_set()


@pytest.mark.parametrize(
    "script",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{0}\n#EXT-X-ENDLIST\n",
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{0}</BaseURL></MPD>',
        "ffconcat version 1.0\nfile {0}\n",
    ],
    ids=["hls", "dash", "concat"],
)
def test_no_playlist_sends_a_request(
    api: str, other_service: tuple[str, list[str]], script: str
) -> None:
    address, requested = other_service
    sent = send_file(api, "list.mp4", script.format(address).encode())
    assert '"status": "unsupported"' in submit(api, file_data(str(sent))).text
    assert not requested


# How much may be sent


def test_a_file_of_the_full_size_is_taken(api: str) -> None:
    assert send_file(api, "full.mp4", bytes(LIMITS.max_bytes)).stat().st_size == LIMITS.max_bytes


def test_a_file_over_the_limit_is_refused(api: str, cache: Path) -> None:
    before = written(cache)
    content = bytes(LIMITS.max_bytes + 2 * UPLOAD_OVERHEAD)
    answer = httpx.post(f"{api}/upload", files={"files": ("big.mp4", content)})
    assert answer.status_code == 413
    assert "5 MB" in answer.json()["detail"]
    assert written(cache) == before


def test_many_small_files_are_counted_together(api: str, cache: Path) -> None:
    before = written(cache)
    files = [("files", (f"{k}.mp4", MEGABYTE)) for k in range(12)]
    assert httpx.post(f"{api}/upload", files=files).status_code == 413
    assert written(cache) == before


FORM = {"content-type": "multipart/form-data; boundary=x"}
PART = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\n'


def in_chunks(count: int, head: bytes = b"") -> Iterator[bytes]:
    """A body of `count` megabytes without a declared length."""
    yield head
    for _ in range(count):
        yield MEGABYTE


def test_an_upload_is_counted_as_it_arrives(api: str, cache: Path) -> None:
    """Many parts, so that no single file is too long; and what was written is removed."""
    before = written(cache)
    body = (piece for _ in range(12) for piece in in_chunks(1, b"\r\n" + PART))
    answer = httpx.post(f"{api}/upload", content=body, headers=FORM)
    assert answer.status_code == 413
    assert answer.json()["detail"].startswith("This request is longer than the 5 MB")
    assert written(cache) == before


@pytest.mark.parametrize("endpoint", ["queue/join", "call/analyze_video", "component_server"])
def test_other_bodies_are_short_also_in_chunks(api: str, endpoint: str) -> None:
    for headers in ({"content-type": "application/json"}, FORM):
        for content in (bytes(2 * MAX_JSON), in_chunks(3)):
            answer = httpx.post(f"{api}/{endpoint}", content=content, headers=headers)
            assert answer.status_code == 413
            assert "1 MB" in answer.json()["detail"]


def test_an_upload_that_is_broken_off_leaves_nothing(api: str, cache: Path) -> None:
    before = written(cache)
    address = httpx.URL(api)
    head = (
        f"POST /gradio_api/upload HTTP/1.1\r\nHost: {address.host}\r\nContent-Length: 4000000\r\n"
        f"Content-Type: {FORM['content-type']}\r\n\r\n"
    )
    with socket.create_connection((address.host, address.port or 80)) as caller:
        caller.sendall(head.encode() + PART + MEGABYTE)
        wait_until(lambda: written(cache) != before)
    wait_until(lambda: written(cache) == before)


def wait_until(met: Any) -> None:
    start = time.monotonic()
    while not met():
        assert time.monotonic() - start < 5
        time.sleep(0.02)


# What is closed, and what every answer carries


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("monitoring/summary", 403),
        ("monitoring", 403),
        ("gradio_api/runs", 404),
        ("gradio_api/deep_link?session_hash=a", 404),
        ("gradio_api/proxy=http://127.0.0.1/", 400),
    ],
)
def test_what_the_page_does_not_need_is_closed(url: str, path: str, status: int) -> None:
    assert httpx.get(url + path).status_code == status


def test_no_upload_reaches_the_screen_recorder(api: str) -> None:
    """It would hand the file to an ffmpeg without limits."""
    files = {"video": ("a.mp4", b"ffconcat version 1.0\nfile other.mp4\n")}
    assert httpx.post(f"{api}/process_recording", files=files).status_code == 404


def test_every_response_has_the_security_headers(url: str) -> None:
    answers = [
        *(httpx.get(url + path) for path in ("", "healthz", "config", "nowhere", "theme.css")),
        httpx.get(f"{url}gradio_api/file=/etc/passwd"),
        httpx.post(f"{url}gradio_api/queue/join", content=bytes(2 * MAX_JSON)),
        httpx.post(f"{url}gradio_api/call/limits", json={"data": []}),
        httpx.post(f"{url}gradio_api/call/v2/no_such_endpoint", json={}),
    ]
    assert {200, 403, 404, 413, 500} <= {answer.status_code for answer in answers}
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name].startswith(value), (answer.url, name)


def test_the_page_may_be_embedded_by_spaces_only(url: str) -> None:
    policy = httpx.get(url).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["frame-ancestors"] == "'self' https://huggingface.co https://*.hf.space"
    assert "x-frame-options" not in httpx.get(url).headers
    hosts = [word for name, rule in rules.items() for word in rule.split() if "." in word]
    assert set(hosts) <= {"https://huggingface.co", "https://*.hf.space"}
    assert "camera=(self)" in httpx.get(url).headers["permissions-policy"]


# What goes on working


def agent(url: str, method: str, **params: Any) -> str:
    """One MCP request over HTTP, as an agent sends it."""
    answer = httpx.post(
        f"{url}gradio_api/mcp/",
        json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
        headers={"accept": "application/json, text/event-stream"},
        timeout=60,
    )
    assert answer.status_code == 200
    return answer.text


def test_agents_are_served(url: str) -> None:
    assert "analyze_video_full" in agent(url, "tools/list")
    answer = agent(url, "tools/call", name="limits", arguments={})
    assert str(LIMITS.max_bytes) in answer
    assert '"isError":false' in answer


def test_agents_send_a_small_file_within_the_call(url: str) -> None:
    video = "data:video/mp4;base64," + base64.b64encode(b"this is no video").decode()
    answer = agent(url, "tools/call", name="analyze_video", arguments={"video": video})
    assert "unreadable" in answer


def test_the_service_reports_that_it_is_healthy(url: str) -> None:
    alive, ready = httpx.get(f"{url}healthz"), httpx.get(f"{url}readyz")
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


def test_without_trained_weights_it_is_alive_but_not_ready(cache: Path) -> None:
    with serving({"none": Detector(None, "cpu")}, LIMITS) as url:
        assert httpx.get(f"{url}healthz").status_code == 200
        answer = httpx.get(f"{url}readyz")
    assert answer.status_code == 503
    assert "No trained weights" in answer.json()["reason"]


def test_what_is_no_http_passes_untouched() -> None:
    """Start and stop of the server, and sockets, have neither bodies nor headers."""
    received: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        received.extend((scope, receive, send))

    async def receive() -> Message:
        raise AssertionError("the guard must not read here")

    async def send(message: Message) -> None:
        raise AssertionError("the guard must not answer here")

    scope = {"type": "websocket", "path": "/healthz"}
    for outside in (Guard(app, max_upload=1, admission=Admission()), Operation(app, not_ready=str)):
        received.clear()
        asyncio.run(outside(scope, receive, send))
        assert received == [scope, receive, send]


def test_the_threat_model_names_tests_that_exist() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/\w+\.py)(?:::(\w+))?`", text)
    assert len(named) > 10
    for path, test in named:
        assert f"def {test}" in (ROOT / path).read_text(encoding="utf-8"), (path, test)
