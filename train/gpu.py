"""Everything that needs a GPU, in one command of less than nine minutes.

    python -m train.pack --shards shards --out packed --total 90
    python -m train.gpu --packed packed --out gpu --init start.safetensors

Trains frames, then clips, evaluates, publishes, splits the weights into parts, runs the tests that
need CUDA and the speed benchmark, and prints a table. Each step is a command of its own with its
own limit; the results of one that fails or is stopped are kept, and the next begins. With
`--smoke-test` the same steps run on two CPU cores in a minute or two, at sizes too small to train.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from train.parts import split
from train.verbs import DataError, verb

ROOT = Path(__file__).parents[1]
PATIENCE = 8.0  # times the limits in a smoke test: cores may be slow, and shared
CHECKED = ("tests/test_cuda.py", "tests/test_gradcam.py", "tests/test_hardware.py")
GRACE = 20.0  # seconds in which a step may store its state after the signal to stop


@dataclass(frozen=True)
class Step:
    """`command` are Python's arguments; after `limit` seconds it gets the signal to stop."""

    name: str
    command: Sequence[str]
    limit: float


@dataclass(frozen=True)
class Outcome:
    """`end` is "done", "stopped" at its limit, "skipped", or "failed" with an exit code."""

    name: str
    end: str
    seconds: float
    note: str = ""


def steps_of(options: argparse.Namespace) -> list[Step]:
    """All steps but the first and the last, in order of what is worth most."""
    out, tiny = options.out, options.smoke_test
    shards, run, weights = (str(out / name) for name in ("shards", "run", "weights"))
    results = str(out / "results.json")
    # Loaders and the training process share the CPU's cores.
    workers, threads = ("0", "1") if tiny else ("6", "12")
    common = ["-m", "train.fit", "--shards", shards, "--out", run, "--workers", workers]
    common += ["--threads", threads, "--backbone", options.backbone, "--size", str(options.size)]
    common += ["--freeze", "0"]
    frames = [*common, "--stage", "frames", "--minutes", str(options.minutes), "--device-data"]
    frames += ["yes", "--pairs", str(options.pairs), "--rate", str(options.rate)]
    frames += ["--uploads", "0.4", "--real-uploads", "0.25", "--evaluate-every", "600"]
    for name in ("init", "teacher"):
        frames += [f"--{name}", getattr(options, name)] if getattr(options, name) else []
    count, steps, length = ("4", "5", "3") if tiny else ("400", "300", "12")
    clips = [*common, "--stage", "clips", "--mix", "video=1", "--altered", "0", "--clips", count]
    clips += ["--frames", length, "--steps", steps, "--pairs", "8", "--rate", "1e-3"]
    clips += ["--evaluate-every", steps, "--hidden", "48", "--dropout", "0.4", "--seed", "5"]
    clips += ["--precision", "float32"]  # an LSTM this small gains nothing by bf16
    evaluate = ["-m", "train.evaluate", "--run", run, "--shards", shards, "--out", results]
    evaluate += ["--threads", threads, "--frames", "20"]  # the default sampling takes twice as long
    publish = ["-m", "train.publish", "--run", run, "--shards", shards, "--results", results]
    publish += ["--id", options.id, "--trained-on", options.trained_on, "--out", weights]
    bench = ["-m", "tests.bench.device", "--frames", *(["8"] if tiny else ["10", "20", "100"])]
    bench += ["--weights", str(Path(weights) / f"{options.id}.safetensors"), "--seconds"]
    bench += ["1" if tiny else "5", "--out", str(out / "bench.json")]
    checks = ["-m", "pytest", "-m", "gpu", *CHECKED, "-rs"]
    wide = PATIENCE if tiny else 1.0
    return [
        Step("frames", frames, options.minutes * 60 + 60 * wide),
        Step("clips", clips, 75 * wide),
        Step("evaluate", evaluate, 75 * wide),
        Step("publish", publish, 30 * wide),
        Step("checks", checks, 60 * wide),
        Step("bench", bench, 60 * wide),
    ]


def follow(step: Step, folder: Path, end: float) -> Outcome:
    """Runs a step, its output in `folder`; `end` is when everything must be over, by the monotonic
    clock."""
    # No step runs past the end of everything.
    limit = min(step.limit, end - time.monotonic())
    if limit <= 0:
        return Outcome(step.name, "skipped", 0.0)
    began, log = time.monotonic(), folder / f"{step.name}.log"
    with log.open("w") as file:
        # A session of its own, so that its data loaders end with it.
        process = subprocess.Popen(
            [sys.executable, *step.command],
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A script in the background ignores Ctrl-C, and its children would.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        code: int | None = None
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            _stop(process)
    seconds = time.monotonic() - began
    ends = {0: "done", None: "stopped", 5: "done"}  # 5: pytest found nothing to run
    return Outcome(step.name, ends.get(code, f"failed ({code})"), seconds, last_line(log))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does, on which training stores its state; killed if that takes too long."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        # The session's leader gives the group its number.
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")[-160:].replace("|", "/")


def store_parts(options: argparse.Namespace) -> Outcome:
    """The published weights in parts, and the runs' best ones where nothing was published."""
    began = time.monotonic()
    published = sorted((options.out / "weights").glob("*.safetensors"))
    found = published or sorted((options.out / "run").glob("*.best.safetensors"))
    made = [part for path in found for part in split(path, options.out / "parts", 15)]
    text = f"{len(made)} parts of {', '.join(path.name for path in found) or 'nothing'}"
    return Outcome("parts", "done" if made else "failed", time.monotonic() - began, text)


def rows_of(out: Path) -> Iterator[tuple[str, str]]:
    """What the steps measured, as name and figure, of those that came to measure."""
    log = out / "run" / "log.jsonl"
    for line in log.read_text().splitlines() if log.exists() else []:
        entry = json.loads(line)
        speed = 2 * entry["pairs_per_second"]
        text = f"AUC {entry['auc']:.3f}, rate {entry['rate']:.1e}, {speed:.0f} pictures/s"
        yield f"{entry['stage']} at step {entry['step']}", text
    results = out / "results.json"
    if results.exists():
        yield "crops of val", f"AUC {json.loads(results.read_text())['crops']['auc']:.3f}"
    bench = out / "bench.json"
    for row in json.loads(bench.read_text()) if bench.exists() else []:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in row["shares"].items())
        text = f"{row['seconds']:.2f} s on {row['device']}, {row['memory_mb']:.0f} MB ({shares})"
        yield f"{row['frames']} frames, decoded by the {row['decoding']}", text


def as_table(outcomes: Sequence[Outcome], out: Path) -> str:
    lines = ["| step | end | seconds | last line |", "|---|---|---|---|"]
    lines += [f"| {o.name} | {o.end} | {o.seconds:.0f} | {o.note} |" for o in outcomes]
    figures = [f"| {name} | {text} |" for name, text in rows_of(out)]
    return "\n".join([*lines, "", "| figure | |", "|---|---|", *figures])


def read_options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.gpu", description=__doc__)
    parser.add_argument("--packed", type=Path, required=True, help="folder of train.pack")
    parser.add_argument("--out", type=Path, required=True, help="folder for all that is made")
    parser.add_argument("--backbone", default="resnext50_32x4d", help="timm name")
    parser.add_argument("--init", default="", help="weights to start from, as of train.fit")
    parser.add_argument("--teacher", default="", help=".safetensors, as of train.fit")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--pairs", type=int, default=96, help="pairs of pictures a step")
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--minutes", type=float, default=4.0, help="of training on frames")
    parser.add_argument("--total", type=float, default=8.7, help="minutes for everything")
    parser.add_argument("--id", default="accurate", help="name of the model")
    parser.add_argument("--trained-on", default="Labelled video, face crops and pseudo-fakes.")
    parser.add_argument("--smoke-test", action="store_true", help="tiny, on the CPU")
    options = parser.parse_args(argv)
    if options.smoke_test:
        options.backbone, options.size, options.pairs = "test_resnet", 32, 2
        options.minutes, options.init, options.teacher = 0.03, "", ""
        # The limit of everything grows with that of each step.
        options.total *= PATIENCE
    return options


@verb
def main(argv: Sequence[str] | None = None) -> int:
    options = read_options(argv)
    if not options.packed.is_dir():
        raise DataError(f"{options.packed} does not exist; make it by python -m train.pack.")
    end = time.monotonic() + 60 * options.total
    logs = options.out / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    unpack = ["-m", "train.pack", "--unpack", str(options.packed)]
    unpack += ["--out", str(options.out / "shards")]
    outcomes = []
    for step in (
        Step("unpack", unpack, 60 * (PATIENCE if options.smoke_test else 1)),
        *steps_of(options),
    ):
        outcomes.append(follow(step, logs, end))
        print(f"{step.name}: {outcomes[-1].end}, {outcomes[-1].seconds:.0f} s", flush=True)
        if step.name in ("frames", "publish"):  # early, so that something is there whatever follows
            outcomes.append(store_parts(options))
    table = as_table(outcomes, options.out)
    (options.out / "table.md").write_text(table)
    print(table)
    return 0 if all(outcome.end == "done" for outcome in outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
