"""A load test in one command: python -m tests.load

Starts the app with a tiny network, and real clients use it over loopback: first so many
that 1, 4 and 16 wait, then many with good and bad files, of whom some cancel or disconnect;
then the worker is killed in mid-job. Prints tables, and one JSON object as its last line. Exits
with 1 if an accepted job was lost, answered twice or to another client, or if memory grew.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.load.concurrency import Files, Sample, concurrent, killed, latencies
from tests.load.service import running

# Of memory: from a fifth of the way to the end, and over the second half alone, when the server
# has as many sessions in memory as it ever will.
GROWTH, LATE_GROWTH = 0.10, 0.03
WEIGHTS = "import sys, pathlib, tests.tiny; tests.tiny.tiny_weights(pathlib.Path(sys.argv[1]))"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--jobs", type=int, default=500, help="of the concurrent (default 500)")
    parser.add_argument("--visitors", type=int, default=32, help="at once (default 32)")
    parser.add_argument("--rounds", type=int, default=4, help="per visitor when 1, 4, 16 wait")
    parser.add_argument("--waiting", type=int, nargs="+", default=[1, 4, 16])
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        results = run(Path(name), options)
    results["faults"] = faults(results)
    print(tables(results))
    print(json.dumps(results))
    return 1 if results["faults"] else 0


def run(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    weights = folder / "weights"
    subprocess.run([sys.executable, "-c", WEIGHTS, str(weights)], check=True)
    files = Files(folder / "files")
    with running(weights / "tiny.safetensors", folder / "service") as service:
        waits = [latencies(service, files, count, options.rounds) for count in options.waiting]
        result = concurrent(service, files, options.visitors, options.jobs)
        death = killed(service, files)
    return {
        "waits": waits,
        "concurrent": result,
        "killed": death,
        "load_average": os.getloadavg()[1],
    }


def faults(results: dict[str, Any]) -> list[str]:
    """What must not happen, and did."""
    concurrent, death = results["concurrent"], results["killed"]
    found = [
        (death.get("interrupted") != 1, "not just one visitor noticed the worker's death"),
        (death["jobs"] != death.get("ok", 0) + 1, "jobs were lost when the worker died"),
    ]
    samples = concurrent["samples"]
    if concurrent["jobs"] >= 500:
        for since, most in ((1, GROWTH), (len(samples) // 2 - 1, LATE_GROWTH)):
            for process in ("server", "worker"):
                grown = getattr(samples[-1], process) / getattr(samples[since], process) - 1
                what = (
                    f"the {process}'s memory grew by {grown:.1%} after {samples[since].jobs} jobs"
                )
                found.append((grown > most, what))
    return concurrent["counts"]["faults"] + [
        f"{what} ({number})" for number, what in found if number
    ]


def tables(results: dict[str, Any]) -> str:
    concurrent, lines = results["concurrent"], []
    lines += [
        "| waiting | jobs | median, s | 95th percentile, s | jobs per second |",
        "|---" * 5 + "|",
    ]
    for row in results["waits"]:
        lines.append("| " + " | ".join(str(value or "too few") for value in row.values()) + " |")
    lines += ["", "| jobs done | server, MB | worker, MB | open files |", "|---" * 4 + "|"]
    samples: list[Sample] = concurrent["samples"]
    for each in samples:
        lines.append("| " + " | ".join(str(value) for value in asdict(each).values()) + " |")
    lines += ["", *(f"{name}: {concurrent[name]}" for name in concurrent if name != "samples")]
    lines += [f"load average, 5 minutes: {results['load_average']:.1f} on {os.cpu_count()} cores"]
    lines += [f"killed worker: {results['killed']}", f"faults: {results['faults'] or 'none'}"]
    concurrent["samples"] = [asdict(each) for each in samples]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
