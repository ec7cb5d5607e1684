"""The Space's front door: load the networks in a process of their own, build the page, serve it."""

import os
import signal
import sys
import tempfile
from pathlib import Path

# They are read when the libraries load: threads that spin while they wait slow each other down
# on shared cores, and nothing of a visitor's use is reported anywhere.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# Gradio sums up its last 10,000 events after every one, for a page that is closed here.
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000")

from detector.service.event_log import open_journal
from detector.service.temp_files import Storage
from detector.service.worker import Worker


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # by way of `finally`
    open_journal()
    storage = Storage(Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()))
    storage.adopt()
    worker = Worker()
    # Here, not above: the worker imports this file too, needs no page, and loads meanwhile.
    from detector.ui.serve import serve

    try:
        serve(worker, storage)
    finally:
        worker.close()
        storage.close()


if __name__ == "__main__":
    main()
