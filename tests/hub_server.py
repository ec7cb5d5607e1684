"""A Hub on loopback with the file-resolve protocol, which can fail on request."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REPO = "lab/faces"
REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """`files` are in `REPO` at `REVISION`. `short` cuts that many bytes off each body that is
    sent; `breaks` is how many bodies break off half-way before one is sent whole."""

    files: dict[str, bytes]
    short: int = 0
    breaks: int = 0
    endpoint: str = ""
    requests: list[str] = field(default_factory=list)


@contextmanager
def serving(files: dict[str, bytes], *, short: int = 0, breaks: int = 0) -> Iterator[FakeHub]:
    hub = FakeHub(files, short, breaks)

    class Handler(_Handler):
        world = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    world: FakeHub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, format: str, *args: object) -> None:
        self.world.requests.append(format % args)

    def _answer(self, *, body: bool) -> None:
        repo, _, rest = self.path.lstrip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        if repo != REPO:
            return self._refuse("RepoNotFound")
        if revision != REVISION:
            return self._refuse("RevisionNotFound")
        if name not in self.world.files:
            return self._refuse("EntryNotFound")
        content = self.world.files[name]
        sent = content[: len(content) - self.world.short] if body else content
        first = int((self.headers.get("Range") or "bytes=0-").split("=")[1].split("-")[0])
        self.send_response(206 if first else 200)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("Content-Length", str(len(sent) - first))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(sent) - 1}/{len(sent)}")
        self.end_headers()
        if body and self.world.breaks > 0:
            self.world.breaks -= 1
            self.wfile.write(sent[: len(sent) // 2])
        elif body:
            self.wfile.write(sent[first:])

    def _refuse(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()
