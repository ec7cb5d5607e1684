"""The page in front of the worker, served until it is stopped."""

from __future__ import annotations

from detector.engines.zero_gpu import declare
from detector.service.admission import Admission, Served
from detector.service.temp_files import Storage
from detector.service.worker import Worker
from detector.ui.page import QUEUE_SIZE, build_page, launch_options
from detector.video import Limits


def serve(worker: Worker, storage: Storage) -> None:
    """Raises WeightsError if the networks cannot be loaded."""
    declare()
    limits, admission = Limits(), Admission()
    detectors = {name: Served(found, admission) for name, found in worker.detectors().items()}
    page = build_page(detectors, limits)
    options = launch_options(page, detectors, limits, lambda: worker.ready)
    # After the page, whose examples are in Gradio's cache by now: they are never swept.
    storage.keep()
    storage.sweep_on_schedule()
    page.queue(max_size=QUEUE_SIZE).launch(**options)
