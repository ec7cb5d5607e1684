"""What is measured from outside: a child's peak memory, and how soon the page answers.

    python -m tests.bench.process VIDEO WEIGHTS FRAMES

analyses the video and prints its own peak memory in MB.
"""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from detector import Detector
from detector.settings import Settings

ROOT = Path(__file__).parents[2]
STATUS = Path("/proc/self/status")
PATIENCE = 120  # seconds for the page to answer


def peaks(videos: list[Path], weights: Path, frames: int) -> list[float]:
    """The peak memory of an analysis in MB, of one child process for each video.

    The children run side by side: sharing the machine costs them time, not memory.
    """
    command = [sys.executable, "-m", "tests.bench.process"]
    children = [
        subprocess.Popen(
            [*command, str(video), str(weights), str(frames)], cwd=ROOT, stdout=subprocess.PIPE
        )
        for video in videos
    ]
    answers = [child.communicate()[0] for child in children]
    for child in children:
        if child.returncode:
            raise subprocess.CalledProcessError(child.returncode, child.args)
    return [float(answer) for answer in answers]


def own_peak() -> float:
    """MB. Linux counts the parent's memory into a child's ru_maxrss, so VmHWM goes first."""
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def start_of_app(weights: Path) -> dict[str, float]:
    """From `python app.py` to its first answered request: seconds, and CPU seconds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {
        "DEEPFAKE_WEIGHTS": str(weights),
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        app = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=ROOT,
            env=os.environ | variables,
            stdout=output,
            stderr=output,
        )
        try:
            while not answers(f"http://127.0.0.1:{port}/"):
                if app.poll() is not None or time.perf_counter() - start > PATIENCE:
                    output.seek(0)
                    raise RuntimeError(f"app.py did not serve:\n{output.read().decode()}")
                time.sleep(0.05)
            seconds = time.perf_counter() - start
        finally:
            app.terminate()
            app.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu_seconds": cpu}


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE) as reply:
            return bool(reply.status == 200)
    except urllib.error.URLError:  # the port is not open yet
        return False


def main(video: str, weights: str, frames: str) -> None:
    Detector.load(weights, device="cpu").analyze(video, Settings(int(frames)))
    print(own_peak())


if __name__ == "__main__":
    main(*sys.argv[1:])
