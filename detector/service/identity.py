"""Who sent a request: signed in or not, from which address, under which number."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.context import LocalContext
from starlette.requests import Request, cookie_parser
from starlette.types import Scope

from detector.language import LANGUAGES, SOURCE, preferred
from detector.service.event_log import request_id

REQUEST_ID = "request_id"
LANGUAGE_COOKIE = "language"


def new_request_id() -> str:
    # 64 random bits: unique in any log, and not guessable.
    return secrets.token_hex(8)


def current_scope() -> Scope:
    """The HTTP request behind the event that runs in this thread; empty outside of one."""
    request: Any = LocalContext.request.get(None)
    while isinstance(request, gr.Request):  # a wrapper, whose own attributes would be found first
        request = request.request
    return request.scope if isinstance(request, Request) else {}


def name_request() -> None:
    """Let what this thread logs carry the number of the request that it works for."""
    request_id.set(current_scope().get(REQUEST_ID, ""))


def current_visitor() -> str:
    """Whose allowance the event in this thread uses: the signed-in user's, else the address's."""
    request: Any = LocalContext.request.get(None)
    username = getattr(request, "username", None)
    return f"user {username}" if username else visitor_of(current_scope())


def visitor_language() -> str:
    """The language of the visitor behind the running event; English without one."""
    request: Any = LocalContext.request.get(None)
    return language_of(request.headers) if request else SOURCE


def language_of(headers: Mapping[str, str]) -> str:
    """The language that a visitor chose on the page, else the first of ours that the browser
    requests, else English."""
    chosen = cookie_parser(headers.get("cookie", "")).get(LANGUAGE_COOKIE, "")
    return chosen if chosen in LANGUAGES else preferred(headers.get("accept-language", ""))


def visitor_of(scope: Scope) -> str:
    """As `current_visitor`, for a request that Gradio has not received yet.

    The address is the one that uvicorn found: the peer's, or the one that a proxy named in
    `FORWARDED_ALLOW_IPS` forwards. One network of IPv6 (/64) is one visitor, since whoever has
    one address of it has them all.
    """
    profile = scope.get("session", {}).get("oauth_info", {}).get("userinfo", {})
    if name := profile.get("preferred_username"):
        return f"user {name}"
    host = (scope.get("client") or ("unknown",))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    # ::ffff:1.2.3.4, as a socket for both versions reports an IPv4 address.
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    # A customer gets at least a /64 (RFC 6177), so a single address identifies nobody.
    return str(ipaddress.IPv6Network((int(address), 64), strict=False))
