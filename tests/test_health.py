"""What an operator sees: health, metrics, and a log without personal data."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from prometheus_client.parser import text_string_to_metric_families

from detector.service.event_log import JsonLines, log
from detector.service.metrics import VARIABLE
from detector.video import Limits
from tests.server import serving
from tests.standin import Standin

LIMITS = Limits(max_bytes=2**20)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """The service's log."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield stream
    log.removeHandler(handler)


def analyze(url: str, folder: Path, name: str, **more: Any) -> dict[str, Any]:
    (folder / name).write_bytes(name.encode())
    client = Client(url, verbose=False, **more)
    answer = client.predict(video=handle_file(folder / name), api_name="/analyze_video")
    assert isinstance(answer, dict)
    return answer


def test_the_log_identifies_jobs_by_request_and_names_neither_file_nor_visitor(
    tmp_path: Path, lines: io.StringIO
) -> None:
    with serving({"tiny": Standin()}, LIMITS) as url:
        analyze(url, tmp_path, "holiday-of-ann.mp4", headers={"x-forwarded-for": "203.0.113.77"})
        analyze(url, tmp_path, "bad.mp4")
        refused = httpx.post(
            f"{url}gradio_api/upload", files={"files": ("a.mp4", bytes(2 * LIMITS.max_bytes))}
        )
    entries = [json.loads(line) for line in lines.getvalue().splitlines()]
    jobs = [entry for entry in entries if entry["event"] == "analysis"]
    assert [job["status"] for job in jobs] == ["ok", "no_video"]
    assert len({job["request"] for job in jobs}) == 2
    assert all(job["worked"] >= 0 <= job["waited"] for job in jobs)
    (refusal,) = (entry for entry in entries if entry["event"] == "refused")
    assert (refusal["reason"], refusal["request"]) == ("too_long", refused.headers["x-request-id"])
    for secret in ("holiday", "ann", "203.0.113", "127.0.0.1", str(tmp_path)):
        assert secret not in lines.getvalue()


def test_every_response_has_a_unique_id() -> None:
    with serving({"tiny": Standin()}, LIMITS) as url:
        numbers = {httpx.get(url + path).headers["x-request-id"] for path in ("", "healthz", "x")}
    assert len(numbers) == 3


def test_metrics_are_off_by_default() -> None:
    with serving({"tiny": Standin()}, LIMITS) as url:
        assert httpx.get(f"{url}metrics").status_code == 404


def test_metrics_count_jobs_stages_line_and_refusals_by_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    with serving({"tiny": Standin()}, LIMITS) as url:
        analyze(url, tmp_path, "a.mp4")
        analyze(url, tmp_path, "bad.mp4")
        httpx.get(f"{url}gradio_api/deep_link")
        text = httpx.get(f"{url}metrics").text
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["detector_jobs_total", "analysis", "ok"] == 1
    assert samples["detector_jobs_total", "analysis", "no_video"] == 1
    assert samples["detector_refusals_total", "closed"] == 1
    assert samples["detector_queue",] == 0
    assert any(name == "detector_stage_seconds_count" for name, *_ in samples)
    assert "a.mp4" not in text


def test_the_service_is_not_ready_while_its_networks_are_loaded_again() -> None:
    from starlette.testclient import TestClient

    from detector.service.health import Operation

    async def nowhere(*_: object) -> None:
        raise AssertionError("health is answered before the page is asked")

    reasons = iter(["The networks are being loaded again.", ""])
    health_client = TestClient(Operation(nowhere, not_ready=lambda: next(reasons)))
    assert [health_client.get("/readyz").status_code for _ in range(2)] == [503, 200]
