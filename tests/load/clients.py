"""What clients do: submit, send invalid files, cancel, disconnect. Each runs in its own process."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import httpx
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

UNDERWAY = ("working", "waiting")
PATIENCE = 240.0  # seconds that a visitor waits for one answer


@dataclass(frozen=True, slots=True)
class Errand:
    """One file to bring. `kind` is good, bad, cancelled or vanished."""

    kind: str
    path: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: `status` of the answer, or why there is none; `turned_away` counts how
    often the line was full before, `seconds` runs from the last attempt."""

    visitor: int
    kind: str
    status: str
    mine: bool
    seconds: float
    turned_away: int = 0


def visit(url: str, number: int, errands: list[Errand], outcomes: Queue[Outcome]) -> None:
    """Run all errands, one after the other, behind an address of one's own.

    Each begins with a new session, as a visitor with one request has.
    """
    headers = {"x-forwarded-for": f"10.0.{number // 250}.{number % 250 + 1}"}
    for errand in errands:
        try:
            if errand.kind == "vanished":
                outcome = _vanish(url, headers, number, errand)
            elif errand.kind == "cancelled":
                outcome = _cancel(_session(url, headers), number, errand)
            else:
                outcome = _send(_session(url, headers), number, errand)
        except (httpx.HTTPError, TimeoutError, AppError) as error:
            outcome = Outcome(number, errand.kind, f"failed: {type(error).__name__}", False, 0.0)
        outcomes.put(outcome)


def _session(url: str, headers: dict[str, str]) -> Client:
    timeout = {"timeout": PATIENCE}
    return Client(url, verbose=False, headers=headers, download_files=False, httpx_kwargs=timeout)


def _send(client: Client, number: int, errand: Errand) -> Outcome:
    turned_away = 0
    while True:
        start = time.monotonic()
        job = _submit(client, errand)
        answer = job.result(timeout=PATIENCE)
        seconds = time.monotonic() - start
        if answer["status"] != "busy":
            break
        turned_away += 1
        time.sleep(1.0)
    finals = {update["status"] for update in job.outputs()} - set(UNDERWAY)
    status = answer["status"] if finals == {answer["status"]} else f"answered {sorted(finals)}"
    return Outcome(number, errand.kind, status, _is_mine(answer, errand.path), seconds, turned_away)


def _submit(client: Client, errand: Errand) -> Any:
    frames = 48 if errand.kind == "cancelled" else 8
    return client.submit(video=handle_file(errand.path), n_frames=frames, api_name="/analyze_video")


def _is_mine(answer: dict[str, Any], path: Path) -> bool:
    """By name, and by content where the file could be read."""
    video = answer["video"]
    hash_ = video.get("sha256") or hashlib.sha256(path.read_bytes()).hexdigest()
    return bool(
        video["name"] == path.name and hash_ == hashlib.sha256(path.read_bytes()).hexdigest()
    )


def _cancel(client: Client, number: int, errand: Errand) -> Outcome:
    start = time.monotonic()
    job = _submit(client, errand)
    while not job.outputs() and not job.done():
        time.sleep(0.02)
    job.cancel()
    statuses = [answer["status"] for answer in job.outputs()]
    late = [status for status in statuses if status not in UNDERWAY]
    return Outcome(
        number, errand.kind, late[-1] if late else "cancelled", True, time.monotonic() - start
    )


def _vanish(url: str, headers: dict[str, str], number: int, errand: Errand) -> Outcome:
    """Disconnect at the first response, without cancelling."""
    start = time.monotonic()
    with httpx.Client(base_url=url, headers=headers, timeout=PATIENCE) as caller:
        files = {"files": (errand.path.name, errand.path.read_bytes())}
        sent = caller.post("gradio_api/upload", files=files).json()[0]
        data = [
            {"path": sent, "meta": {"_type": "gradio.FileData"}},
            48,
            8,
            None,
            "",
            "none",
            "frame",
            False,
            *(0, None, 0),  # all of the default track
        ]
        address = "gradio_api/call/analyze_video"
        event = caller.post(address, json={"data": data}).json()["event_id"]
        with caller.stream("GET", f"{address}/{event}") as stream:
            next(stream.iter_lines())
    return Outcome(number, errand.kind, "vanished", True, time.monotonic() - start)
