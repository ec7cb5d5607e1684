"""Concurrent clients: which are served, how soon, and the cost in memory and time."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import struct
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from tests.clips import moving_portrait, plain, write_clip
from tests.load.clients import Errand, Outcome, visit
from tests.load.counts import Counts, balance
from tests.load.service import Service, cpu_seconds, open_files, resident

MIX = {"good": 0.6, "bad": 0.2, "cancelled": 0.1, "vanished": 0.1}
BAD = {".txt": b"plain text", ".mp4": b"this is no video", ".webm": b""}


@dataclass(frozen=True, slots=True)
class Sample:
    """The service's memory (MB) and open files after so many jobs."""

    jobs: int
    server: float
    worker: float
    files: int


class Files:
    """Draws what visitors bring; no two files have the same name or content."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.count = 0
        small = moving_portrait(12, size=(320, 240), face=230)
        self.short = write_clip(folder / "short.mp4", small).read_bytes()
        self.long = write_clip(folder / "long.mp4", small * 5).read_bytes()
        self.faceless = write_clip(folder / "faceless.mp4", plain(12)).read_bytes()

    def errand(self, kind: str) -> Errand:
        self.count += 1
        suffix = ".mp4"
        content = self.long if kind in ("cancelled", "vanished") else self.short
        if kind == "bad":
            suffix = list(BAD)[self.count % len(BAD)]
            content = BAD[suffix]
        else:  # an MP4 box that every reader skips
            content += struct.pack(">I4sQ", 16, b"free", self.count)
        path = self.folder / f"{self.count:05d}-{kind}{suffix}"
        path.write_bytes(content)
        return Errand(kind, path)

    def mixed(self, count: int, rng: random.Random) -> list[Errand]:
        kinds = rng.choices(list(MIX), list(MIX.values()), k=count)
        return [self.errand(kind) for kind in kinds]


def visiting(url: str, plans: Sequence[list[Errand]], first: int = 0) -> Iterator[Outcome]:
    """One process per plan; their outcomes as they come. Raises RuntimeError if any are lost."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.load.concurrency"])
    outcomes = context.Queue()
    processes = [
        context.Process(target=visit, args=(url, first + k, plan, outcomes))
        for k, plan in enumerate(plans)
    ]
    for process in processes:
        process.start()
    wanted = sum(map(len, plans))
    while wanted:
        if outcomes.empty() and not any(process.is_alive() for process in processes):
            time.sleep(0.5)
            if outcomes.empty():
                raise RuntimeError(f"{wanted} jobs were never answered")
        if outcomes.empty():
            time.sleep(0.05)
            continue
        wanted -= 1
        yield outcomes.get()
    for process in processes:
        process.join()


def latencies(service: Service, files: Files, waiting: int, rounds: int) -> dict[str, Any]:
    """`waiting` visitors, each with the next file as soon as the last is answered."""
    plans = [[files.errand("good") for _ in range(rounds)] for _ in range(waiting)]
    start = time.monotonic()
    rows = list(visiting(service.url, plans, first=100 * waiting))
    seconds = sorted(row.seconds for row in rows)
    high = quantiles(seconds, n=20)[-1] if len(seconds) >= 20 else None
    assert {row.status for row in rows} == {"ok"}, Counter(row.status for row in rows)
    return {
        "waiting": waiting,
        "jobs": len(rows),
        "median_s": round(median(seconds), 2),
        "p95_s": high and round(high, 2),
        "jobs_per_s": round(len(rows) / (time.monotonic() - start), 2),
    }


def concurrent(service: Service, files: Files, visitors: int, jobs: int) -> dict[str, Any]:
    """`jobs` of all kinds by `visitors` at once, and what became of them."""
    rng = random.Random(5)
    errands = files.mixed(jobs, rng)
    plans = [errands[k::visitors] for k in range(visitors)]
    before, spent_before = counts_of(service), cpu_seconds(service.server)
    rows, samples = [], []
    start = time.monotonic()
    for row in visiting(service.url, plans):
        rows.append(row)
        if len(rows) % max(jobs // 10, 1) == 0:
            samples.append(sample(service, len(rows)))
    spent = time.monotonic() - start
    until_idle(service)
    counts = balance(rows, counts_of(service) - before)
    return {
        "visitors": visitors,
        "jobs": len(rows),
        "seconds": round(spent, 1),
        "outcomes": dict(Counter(f"{row.kind}: {row.status}" for row in rows)),
        "turned_away": sum(row.turned_away for row in rows),
        "counts": counts,
        "server_cpu_s": round(cpu_seconds(service.server) - spent_before, 1),
        "median_s": round(median(row.seconds for row in rows if row.kind == "good"), 2),
        "longest_s": round(max(row.seconds for row in rows), 2),
        "samples": samples,
    }


def killed(service: Service, files: Files, visitors: int = 4) -> dict[str, Any]:
    """The worker is killed while one is being served and the others wait."""
    plans = [[files.errand("good") for _ in range(4)] for _ in range(visitors)]
    rows: list[Outcome] = []
    for row in visiting(service.url, plans, first=5000):
        rows.append(row)
        if len(rows) == visitors:
            os.kill(service.worker, signal.SIGSTOP)  # else it could die between two jobs
            while not service.count("detector_queue"):
                time.sleep(0.01)
            time.sleep(0.5)
            os.kill(service.worker, signal.SIGKILL)
    return {"jobs": len(rows), **Counter(row.status for row in rows)}


def counts_of(service: Service) -> Counts:
    """How many analyses ended so far, by how, and how many were refused, by why."""
    ended = service.counts("detector_jobs_total", "status")
    return Counts(ended, service.counts("detector_refusals_total", "reason"))


def sample(service: Service, jobs: int) -> Sample:
    worker = service.worker
    return Sample(
        jobs, round(resident(service.server)), round(resident(worker)), open_files(service.server)
    )


def until_idle(service: Service, seconds: float = 30) -> None:
    """Raises RuntimeError if a request is still queued."""
    end = time.monotonic() + seconds
    while service.count("detector_queue"):
        if time.monotonic() > end:
            raise RuntimeError("a request was left in the queue")
        time.sleep(0.1)
