"""The counters of the service, for Prometheus: numbers and kinds, never a visitor or a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

VARIABLE = "DEEPFAKE_METRICS"
# Upper edges of the histogram's bins: from a refusal to the longest job.
SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


def is_enabled() -> bool:
    """Whether /metrics is to be served: only where the administrator switched it on."""
    return os.environ.get(VARIABLE, "") not in ("", "0")


class Metrics:
    """`queued()` is called when the metrics are read."""

    def __init__(self, queued: Callable[[], int]) -> None:
        # Not the library's global one, so that tests and several services do not share counts.
        registry = self._registry = CollectorRegistry()

        def counter(name: str, text: str, label: str, *more: str) -> Counter:
            return Counter(f"detector_{name}", text, [label, *more], registry=registry)

        def seconds(name: str, text: str, label: str) -> Histogram:
            return Histogram(
                f"detector_{name}_seconds", text, [label], registry=registry, buckets=SECONDS
            )

        self._jobs = counter("jobs", "Jobs that ended, by kind and outcome", "job", "status")
        self._answers = counter("answers", "Reports, by status", "status")
        self._refusals = counter("refusals", "Who was turned away, by reason", "reason")
        self._waited = seconds("wait", "Time in the queue", "job")
        self._worked = seconds("job", "Time of the work", "job")
        self._stages = seconds("stage", "Time of each stage of an analysis", "stage")
        queue = Gauge("detector_queue", "Jobs that wait or are worked on", registry=registry)
        queue.set_function(queued)

    def ended(self, job: str, status: str, waited: float, worked: float) -> None:
        self._jobs.labels(job, status).inc()
        self._waited.labels(job).observe(waited)
        self._worked.labels(job).observe(worked)

    def answered(self, status: str, timing_ms: Mapping[str, float]) -> None:
        self._answers.labels(status).inc()
        for stage, spent in timing_ms.items():
            self._stages.labels(stage).observe(spent / 1000)

    def refused(self, reason: str) -> None:
        self._refusals.labels(reason).inc()

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)
