"""Throws broken and hostile files at the product: python -m tests.fuzz

Every file goes through `Detector.analyze`, the annotated video and all documents, as a visitor's
would. A file may be answered or refused; it must not make anything else happen. File k of a seed
is always the same. Results go to LOG, a line of JSON per file: a run that is broken off goes on
where it was (a file that ended the run is the last one, without a result), and files with
bad results are kept beside it. The last line is one JSON object.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is loaded

import argparse
import json
import logging
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detector import Detector, Report, VideoError
from detector.render.document import answer_json, to_csv, to_html
from detector.render.movie import annotate_video
from detector.sandbox.server import server
from detector.settings import Settings
from tests.bench.process import own_peak
from tests.fuzz.mutate import MUTATIONS
from tests.fuzz.odd import draw_odd
from tests.fuzz.seeds import draw_seeds, traps

SEED = 2026
EVERY_TRAP = 20  # one file in so many is a trap
LONGEST = 150.0  # seconds; a file that takes longer counts as a hang
Row = dict[str, Any]


class Files:
    """File number `k` of the run: its name, how it was made, and its content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seeds = draw_seeds(folder) | draw_odd(folder)
        self.traps = traps(folder)
        self.made: dict[str, bytes] = {}

    def number(self, k: int) -> tuple[str, str, bytes]:
        random = np.random.default_rng([SEED, k])
        if k < len(self.traps) or k % EVERY_TRAP == 0:
            return self.trap(k, random)
        name = list(self.seeds)[k % len(self.seeds)]
        way = list(MUTATIONS)[int(random.integers(len(MUTATIONS)))]
        content = MUTATIONS[way](self.seeds[name], random)
        if random.random() < 0.15:
            content = MUTATIONS["bits flipped"](content, random)
        return name, way, content

    def trap(self, k: int, random: np.random.Generator) -> tuple[str, str, bytes]:
        """Each as it is to begin with, and damaged later on."""
        name = list(self.traps)[(k if k < len(self.traps) else k // EVERY_TRAP) % len(self.traps)]
        if name not in self.made:
            self.made[name] = self.traps[name]()
        if k < len(self.traps) or len(self.made[name]) < 100:
            return name, "trap", self.made[name]
        return name, "bits flipped", MUTATIONS["bits flipped"](self.made[name], random)


class Memory(threading.Thread):
    """The highest memory of any decoding process, in MB, by polling them."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.highest = 0.0
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.wait(0.01):
            pid = server().process.pid
            try:
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                for child in children:
                    status = Path(f"/proc/{child}/status").read_text()
                    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
                    self.highest = max(self.highest, int(peak.split()[1]) / 1024)
            except (OSError, StopIteration):  # it has just ended
                continue


def outcome(detector: Detector, path: Path) -> str:
    """ "answered: STATUS", "refused: STATUS", or "CRASH: ..." for what must not happen."""
    try:
        report = detector.analyze(path, Settings(frames=8))
        answer_json(report, path.name), to_html(report), to_csv(report)
        movie(path, report)
    except VideoError as error:
        answer_json(error, path.name)
        return f"refused: {error.status.value}"
    except Exception as error:  # noqa: BLE001 - finding these is what the run is for
        return f"CRASH: {type(error).__name__}: {error}"
    return f"answered: {report.status.value}"


def movie(path: Path, report: Report) -> None:
    if report.video.is_still or report.video.frames > 200:
        return
    try:
        annotate_video(path, report, path.with_name("annotated.mp4"), margin=0.3)
    except VideoError:  # read once, and not a second time: the report exists without the video
        return


def run(count: int, log: Path, keep: Path) -> list[Row]:
    """All rows, those of an earlier run included."""
    rows = earlier(log)[:count]
    memory = Memory()
    with tempfile.TemporaryDirectory() as name, log.open("a") as out:
        files, detector = Files(Path(name)), Detector(None, "cpu")
        memory.start()
        for k in range(len(rows), count):
            row = try_one(detector, files, k, keep)
            row |= {"child_mb": round(memory.highest), "service_mb": round(own_peak())}
            rows.append(row)
            print(json.dumps(row), file=out, flush=True)
            if k % 50 == 0:
                print(f"{len(rows)} of {count}: {dict(tally(rows))}", file=sys.stderr)
        memory.stop.set()
        memory.join()
    return rows


def earlier(log: Path) -> list[Row]:
    """What a run that was broken off has found; a last line that was cut short is left out."""
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    whole = [line for line in lines if line.endswith("\n")]
    if len(whole) < len(lines):
        log.write_text("".join(whole))
    return [json.loads(line) for line in whole]


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / "sent" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def try_one(detector: Detector, files: Files, k: int, keep: Path) -> Row:
    name, way, content = files.number(k)
    path = write(files.folder, name, content)
    start = time.monotonic()
    found = outcome(detector, path)
    spent = time.monotonic() - start
    if found.startswith("CRASH") or spent > LONGEST:
        keep.mkdir(exist_ok=True)
        (keep / f"{k}-{name}").write_bytes(content)
    path.unlink()
    return {"file": k, "name": name, "way": way, "outcome": found, "seconds": round(spent, 3)}


def tally(rows: Sequence[Row]) -> Counter[str]:
    return Counter(row["outcome"].split(": ")[0] for row in rows)


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    by_outcome = Counter(row["outcome"] for row in rows)
    counts = tally(rows)
    return {
        "files": len(rows),
        "answered": counts["answered"],
        "refused": counts["refused"],
        "by_status": dict(sorted(by_outcome.items())),
        "crashes_of_the_service": counts["CRASH"],
        "hangs": sum(row["seconds"] > LONGEST for row in rows),
        "decoding_processes_that_died_or_were_killed": by_outcome["refused: unsafe"],
        "longest_seconds": max(row["seconds"] for row in rows),
        "highest_mb_of_a_decoding_process": max(row["child_mb"] for row in rows),
        "highest_mb_of_the_service": max(row["service_mb"] for row in rows),
    }


def show(found: dict[str, Any]) -> Iterator[str]:
    for name, value in found.items():
        if isinstance(value, dict):
            yield from (f"  {key:44}{number:>8}" for key, number in value.items())
        else:
            yield f"{name.replace('_', ' '):46}{value:>8}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--files", type=int, default=2000, help="how many (default 2000)")
    parser.add_argument("--log", type=Path, default=Path("fuzz.jsonl"))
    given = parser.parse_args(arguments)
    logging.getLogger("detector").setLevel(logging.ERROR)
    found = figures(run(given.files, given.log, given.log.with_suffix(".kept")))
    print("\n".join(show(found)))
    print(json.dumps(found))
    return 1 if found["crashes_of_the_service"] or found["hangs"] else 0


if __name__ == "__main__":
    sys.exit(main())
