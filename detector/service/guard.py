"""Middleware before Gradio: refuses what an untrusted client must not send.

Gradio checks each file's size and which files may be read; it does not bound a whole request, and
it downloads whatever address stands where an uploaded file is named.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import tempfile
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detector.language import Message as Sentence
from detector.language import _, in_language, lazy
from detector.service.admission import Admission
from detector.service.headers import HEADERS, with_headers
from detector.service.identity import language_of, visitor_of

MAX_JSON = 2**20  # bytes of a request without files
UPLOAD_OVERHEAD = 64 * 2**10  # names and boundaries of the parts
# Clients read an answer only after they have sent everything, so this much more is discarded.
MAX_DISCARDED = 64 * 2**20

# Beside the upload itself, for the answers to those that are already here.
SPARE_DISK = 256 * 2**20
REASONS = {
    400: "broken_off",
    404: "closed",
    413: "too_long",
    422: "address",
    429: "uploads",
    507: "disk_full",
}

UPLOAD = "/gradio_api/upload"
FILE = "/gradio_api/file="
# What Gradio offers and this page does not use: a recorder that passes any upload to ffmpeg, and
# links that write a session to disk and never remove it.
CLOSED = ("/gradio_api/process_recording", "/gradio_api/deep_link")

# "//host", "\\host" and "scheme:"; a single letter is a drive, not a scheme.
ADDRESS = re.compile(r"[/\\]{2}|[a-z][a-z0-9+.-]+:", re.IGNORECASE)
# A camera's picture within the request; nothing is fetched for it.
PICTURE = re.compile(r"data:image/(?:jpeg|png|webp);base64,[A-Za-z0-9+/=]*\Z")
IGNORED_FIRST = "".join(map(chr, range(33)))  # what URL parsers skip before the scheme


class RefusedError(MultiPartException):
    """Why a request is not served, in a sentence; `status` is the HTTP status, and after
    `seconds` it may be tried again (0: no use).

    A multipart error, because Gradio's upload parser removes its half-written files only for that
    family; after any other error, a broken connection too, they would stay on disk.
    """

    def __init__(self, status: int, sentence: Sentence, seconds: int = 0) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence
        self.status = status
        self.seconds = seconds

    def answer(self, headers: Mapping[str, str]) -> Response:
        """The sentence as `detail`, in the language of the request; for 422 in a list, where
        Gradio's clients parse it."""
        with in_language(language_of(headers)):
            message = str(self.sentence)
        later = {"Retry-After": str(self.seconds)} if self.seconds else {}
        if self.status != 422:
            return JSONResponse({"detail": message}, self.status, later)
        fault = {"__type__": "validate", "is_valid": False, "message": message}
        return JSONResponse({"detail": [fault]}, self.status)


class Guard:
    """ASGI middleware; its state is settings, and nothing of any request.

    max_upload  bytes that all files of one request may have together
    admission   keeps every visitor's allowance of uploads, and counts who is turned away

    Answers 413 to a body that is too long, counted as it arrives, whatever it announced; 422 to
    a file that is named by an address; 404 to what is closed; 429 to too many uploads; 507 when
    the disk is nearly full. Each has the reason, in JSON.
    """

    def __init__(self, app: ASGIApp, *, max_upload: int, admission: Admission) -> None:
        self.app = app
        self.max_upload = max_upload
        self.admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"].rstrip("/")
        send = with_headers(send, served_file=FILE in path)
        try:
            await self._serve(path, scope, receive, send)
        except RefusedError as refusal:
            self.admission.turned_away(REASONS[refusal.status])
            # The client is still sending a long body.
            if refusal.status in (413, 429, 507):
                await _discard(receive)
            await refusal.answer(Headers(scope=scope))(scope, receive, send)

    async def _serve(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if path.endswith(CLOSED):
            raise RefusedError(404, lazy("This service does not offer that."))
        headers = Headers(scope=scope)
        upload = path.endswith(UPLOAD)
        most = self.max_upload + UPLOAD_OVERHEAD if upload else MAX_JSON
        # What is announced can be refused at once; what is not is counted as it arrives.
        announced = headers.get("content-length", "")
        if announced.isdigit() and int(announced) > most:
            raise _too_long(most)
        if upload:
            self._allow_upload(scope)
            await self._stream(scope, receive, send, most)
            return
        body = await _read(receive, most)
        check_addresses(body, _own_hosts(headers))
        await self.app(scope, _replay(body, receive), send)

    def _allow_upload(self, scope: Scope) -> None:
        seconds = math.ceil(self.admission.uploads.take(visitor_of(scope)))
        if seconds:
            raise RefusedError(
                429,
                lazy(
                    "You have sent many files in a short time. "
                    "The next one is possible in {seconds} seconds.",
                    seconds=seconds,
                ),
                seconds,
            )
        # For an upload of any size: its real one is not known before it has arrived.
        if shutil.disk_usage(tempfile.gettempdir()).free < self.max_upload + SPARE_DISK:
            raise RefusedError(
                507,
                lazy("This machine's disk is full for the moment. Try again in half an hour."),
                1800,
            )

    async def _stream(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        """Hand an upload on as it comes; raises RefusedError where it becomes too long."""
        upload = _Upload(receive, most)

        async def unless_refused(message: Message) -> None:
            if upload.refusal is None:  # else the parser answers for us, in words of its own
                await send(message)

        await self.app(scope, upload.receive, unless_refused)
        if upload.refusal is not None:
            raise upload.refusal


class _Upload:
    """The `receive` of one upload, which ends with an error if it is too long or broken off."""

    def __init__(self, receive: Receive, most: int) -> None:
        self.refusal: RefusedError | None = None
        self._receive = receive
        self._most = most
        self._taken = 0
        self._whole = False

    async def receive(self) -> Message:
        message = await self._receive()
        # Counted here, since a chunked body announces no length.
        self._taken += len(message.get("body", b""))
        if self._taken > self._most:
            self.refusal = _too_long(self._most)
        elif message["type"] == "http.disconnect" and not self._whole:
            self.refusal = RefusedError(400, lazy("The upload was broken off."))
        if self.refusal is not None:
            raise self.refusal
        self._whole = not message.get("more_body", False)
        return message


async def answer_error(request: Request, error: Exception) -> Response:
    """The answer to an unforeseen error of ours; the log has the details.

    The application's handler of `Exception`: that answer passes outside all middleware.
    """
    with in_language(language_of(request.headers)):
        sentence = _("Something went wrong here. Try again.")
    return JSONResponse({"detail": sentence}, 500, HEADERS)


def check_addresses(body: bytes, own_hosts: Collection[str]) -> None:
    """Raises RefusedError if `path` or `url` of any object in a JSON body is an address.

    The browser sends the `url` at which this server shows an upload; that one, on one of
    `own_hosts`, is let through, since Gradio reads the file by its `path`; and so is a camera's
    picture that is in the `url` itself. What is no JSON is
    left to Gradio, which reads it with the same parser and answers for itself.
    """

    def check(pairs: list[tuple[str, Any]]) -> None:
        for key, value in pairs:  # all of them, should a key stand there twice
            if key not in ("path", "url") or not isinstance(value, str):
                continue
            # Only in `url`, which is not fetched where `path` names a local file.
            ours = key == "url" and (PICTURE.match(value) or _shows_upload(value, own_hosts))
            if _is_address(value) and not ours:
                raise RefusedError(
                    422,
                    lazy("Files cannot be named by an address here. Upload the file instead."),
                )

    try:
        json.loads(body, object_pairs_hook=check)
    except RecursionError as error:
        sentence = lazy("This request is nested too deeply to be read.")
        raise RefusedError(422, sentence) from error
    except ValueError:
        return


def _is_address(text: str) -> bool:
    return ADDRESS.match(text.lstrip(IGNORED_FIRST)) is not None


def _shows_upload(url: str, own_hosts: Collection[str]) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    ours = parts.scheme in ("http", "https") and parts.netloc.lower() in own_hosts
    return ours and FILE in parts.path


def _own_hosts(headers: Headers) -> set[str]:
    """The names by which visitors may address this server, behind a proxy or not."""
    forwarded = headers.get("x-forwarded-host", "").split(",")
    names = [headers.get("host", ""), headers.get("origin", "").partition("://")[2], *forwarded]
    return {name.strip().lower() for name in names} - {""}


async def _read(receive: Receive, most: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError(400, lazy("The request was broken off."))
        body += message.get("body", b"")
        if len(body) > most:
            raise _too_long(most)
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """`receive` as if nothing had been read: the body, then what follows, such as a hang-up."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed


async def _discard(receive: Receive) -> None:
    left = MAX_DISCARDED
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if not message.get("more_body", False):
            return


def _too_long(most: int) -> RefusedError:
    size = f"{most / 2**20:.0f} MB" if most >= 2**20 else f"{most / 2**10:.0f} KB"
    return RefusedError(
        413,
        lazy(
            "This request is longer than the {size} that are accepted. Send less at once.",
            size=size,
        ),
    )
