"""Posts each answer, as it comes, to an address of the operator's."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

# Seconds to wait for a response, attempts, and seconds between them: a receiver that is down
# delays a batch by half a minute per file at most.
SECONDS, TRIES, PAUSE = 10.0, 3, 1.0


def check_address(address: str) -> str:
    """`address`. Raises ValueError unless it is one of the web."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"--webhook needs an http:// or https:// address, got {address}")
    return address


def post(address: str, answer: dict[str, Any]) -> str:
    """Send one answer as JSON; returns what went wrong at the last of three tries, or nothing."""
    request = urllib.request.Request(
        address,
        json.dumps(answer).encode(),
        {"Content-Type": "application/json", "User-Agent": "deepfake-detector"},
    )
    problem = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS):
                return ""
        except urllib.error.HTTPError as error:
            problem = f"it answered {error.code}"
            error.close()
            # 4xx: the request itself is refused, so another try would be as well.
            if error.code < 500:
                return problem
        except (OSError, ValueError) as error:
            problem = str(error)
    return problem
