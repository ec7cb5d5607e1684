"""The security headers of every answer of the service."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

# 'unsafe-inline' and 'unsafe-eval' are Gradio's own needs: its start script is in the page,
# and a component's script is compiled in the browser. No other host is ever allowed.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self' https://huggingface.co https://*.hf.space",
    )
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # The webcam tab records picture and sound; whoever embeds the page gets neither from it.
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), payment=(), usb=()",
    "Content-Security-Policy": POLICY,
}


def with_headers(send: Send, *, served_file: bool) -> Send:
    """`send` that adds the security headers to every answer.

    A served file is untrusted: should a browser show it, it runs no script of its own.
    """

    async def added(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            if served_file:
                headers["Content-Security-Policy"] = f"{POLICY}; sandbox"
        await send(message)

    return added
