"""The page, served on loopback by the tests' tiny detector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from detector.pipeline import Detector
from detector.ui.page import QUEUE_SIZE, build_page, launch_options
from detector.video import Limits


@contextmanager
def serving(detectors: Mapping[str, Detector], limits: Limits) -> Iterator[str]:
    """Yields the address; the server is closed afterwards."""
    page = build_page(detectors, limits).queue(max_size=QUEUE_SIZE)
    options = launch_options(detectors, limits)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **options)
    try:
        yield url
    finally:
        page.close(verbose=False)
