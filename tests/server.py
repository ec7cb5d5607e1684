"""The page, served on loopback by the tests' tiny detector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from detector.requests import DetectorProtocol
from detector.service.admission import Admission, Served, Terms
from detector.ui.page import QUEUE_SIZE, build_page, launch_options
from detector.video import Limits

# One caller makes all requests of a test, and would soon have used up a visitor's share.
GENEROUS = Terms(burst=10_000, uploads_burst=10_000)


@contextmanager
def serving(
    detectors: Mapping[str, DetectorProtocol], limits: Limits, terms: Terms = GENEROUS, **more: Any
) -> Iterator[str]:
    """Yields the address; the server is closed afterwards."""
    admission = Admission(terms)
    served = {name: Served(detector, admission) for name, detector in detectors.items()}
    page = build_page(served, limits).queue(max_size=QUEUE_SIZE)
    options = launch_options(page, served, limits) | more
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **options)
    try:
        yield url
    finally:
        page.close(verbose=False)


def call_analysis(url: str, name: str, content: bytes) -> tuple[str, str]:
    """Requests an analysis by plain HTTP; returns the endpoint's address and the call's number."""
    sent = httpx.post(f"{url}gradio_api/upload", files={"files": (name, content)}).json()[0]
    address = f"{url}gradio_api/call/analyze_video"
    file = {"path": sent, "meta": {"_type": "gradio.FileData"}}
    data = [file, 8, 8, None, "", "none", "frame", False, 0, None, 0]
    return address, httpx.post(address, json={"data": data}).json()["event_id"]
