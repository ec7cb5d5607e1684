"""The layers between visitors and the detector: limits, queue, files, log, and the worker."""
