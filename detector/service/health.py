"""For operators of the service: is it alive, can it answer, what has it done, which request was it.

Runs before all other middleware, so that a request has its number before it may be refused.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detector.service.event_log import request_id
from detector.service.headers import HEADERS
from detector.service.identity import REQUEST_ID, new_request_id
from detector.service.metrics import Metrics


class Operation:
    """ASGI middleware; its state has nothing of any request.

    not_ready  why no score can be given now, in a sentence; empty when the service is ready
    metrics    what /metrics shows; None to have no such page
    """

    def __init__(
        self, app: ASGIApp, *, not_ready: Callable[[], str], metrics: Metrics | None = None
    ) -> None:
        self.app = app
        self.not_ready = not_ready
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        number = new_request_id()
        scope[REQUEST_ID] = number
        request_id.set(number)
        app = self._own(scope["path"].rstrip("/")) or self.app
        await app(scope, receive, _numbered(send, number))

    def _own(self, path: str) -> Response | None:
        # Liveness: restarting helps only where even this fails. Readiness is /readyz.
        if path == "/healthz":
            return JSONResponse({"status": "alive"}, headers=HEADERS)
        if path == "/metrics" and self.metrics is not None:
            return PlainTextResponse(self.metrics.text(), headers=HEADERS)
        if path != "/readyz":
            return None
        if reason := self.not_ready():
            return JSONResponse({"status": "not ready", "reason": reason}, 503, HEADERS)
        return JSONResponse({"status": "ready"}, headers=HEADERS)


def _numbered(send: Send, number: str) -> Send:
    async def numbered(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["X-Request-Id"] = number
        await send(message)

    return numbered
