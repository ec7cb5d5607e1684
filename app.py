"""The Space's front door: load the networks, build the page, serve it."""

import os

# They are read when the libraries load: threads that spin while they wait slow each other down
# on shared cores, and nothing of a visitor's use is reported anywhere.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from detector.pipeline import load_all
from detector.ui.page import QUEUE_SIZE, build_page, launch_options
from detector.video import Limits


def main() -> None:
    limits = Limits()
    detectors = load_all()
    page = build_page(detectors, limits)
    page.queue(max_size=QUEUE_SIZE).launch(**launch_options(detectors, limits))


if __name__ == "__main__":
    main()
