"""The page, served on loopback by the tests' tiny detector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from detector.ui.analyst import Analyst
from detector.ui.desk import Desk, Served, Terms
from detector.ui.page import QUEUE_SIZE, build_page, launch_options
from detector.video import Limits

# One caller makes all requests of a test, and would soon have used up a visitor's share.
GENEROUS = Terms(burst=10_000, uploads_burst=10_000)


@contextmanager
def serving(
    detectors: Mapping[str, Analyst], limits: Limits, terms: Terms = GENEROUS, **more: Any
) -> Iterator[str]:
    """Yields the address; the server is closed afterwards."""
    desk = Desk(terms)
    served = {name: Served(detector, desk) for name, detector in detectors.items()}
    page = build_page(served, limits).queue(max_size=QUEUE_SIZE)
    options = launch_options(served, limits) | more
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **options)
    try:
        yield url
    finally:
        page.close(verbose=False)
