"""The service under load: the app itself in its own processes, and what can be measured of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Service:
    """`url` of the running app, its process, and where it keeps files."""

    url: str
    server: int
    folder: Path

    def _samples(self, name: str) -> list[Sample]:
        families = text_string_to_metric_families(httpx.get(f"{self.url}metrics", timeout=60).text)
        return [each for family in families for each in family.samples if each.name == name]

    @property
    def worker(self) -> int:
        """The process of the networks: the server's largest child."""
        return max(children(self.server), key=resident)

    def count(self, name: str, **labels: str) -> float:
        """The sum of one of its metrics."""
        found = self._samples(name)
        return sum(each.value for each in found if labels.items() <= each.labels.items())

    def counts(self, name: str, label: str) -> Counter[str]:
        """One of its metrics by the values of `label`."""
        found: Counter[str] = Counter()
        for sample in self._samples(name):
            found[sample.labels[label]] += int(sample.value)
        return found


@contextmanager
def running(weights: Path, folder: Path) -> Iterator[Service]:
    """The app with `weights`, once it is ready, writing below `folder`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        "DEEPFAKE_WEIGHTS": str(weights),
        "DEEPFAKE_METRICS": "1",
        "GRADIO_TEMP_DIR": str(folder),
        "GRADIO_SERVER_PORT": str(port),
    }
    folder.mkdir()
    url = f"http://127.0.0.1:{port}/"
    with (folder.parent / "service.log").open("wb") as log:
        app = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=os.environ | environment, stdout=log,
            stderr=log,
        )  # fmt: skip
    try:
        until_ready(url, seconds=120)
        yield Service(url, app.pid, folder)
    finally:
        app.terminate()
        app.wait(timeout=30)


def until_ready(url: str, *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if httpx.get(f"{url}readyz", timeout=60).status_code == 200:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > end:
            raise SystemExit(f"The service was not ready after {seconds:.0f} s; see its log.")
        time.sleep(0.2)


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def resident(pid: int) -> float:
    """Megabytes of memory in use, or 0 for a process that is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0.0
    lines = (line.split() for line in status.splitlines())
    return next((int(words[1]) / 1024 for words in lines if words[0] == "VmRSS:"), 0.0)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
