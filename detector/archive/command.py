"""`python -m detector archive`: the command line of an archive. Needs the extra `[scale]`.

Answers go to the Parquet folder, progress to standard error, a summary to standard output.
Exit codes: 0 every video has its row (also those that could not be scored), 2 mistyped or nothing
found, 3 at least one video was given up, 5 no trained weights, 130 interrupted; then the same
command resumes where it was.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from tqdm import tqdm

from detector.archive.cluster import MakeWorker, Pools, WorkerSetup, analyse_all, ray_running
from detector.archive.sources import Entry, list_videos
from detector.archive.store import Record, Store
from detector.archive.worker import Job, Worker
from detector.errors import WeightsError, shown
from detector.model.weights import find_weights
from detector.records import APP_VERSION, Status
from detector.settings import PRESETS, Settings

# Exit codes as of `detector.cli`.
DONE, GIVEN_UP, NO_WEIGHTS, INTERRUPTED = 0, 3, 5, 130


def main(argv: Sequence[str] | None = None, *, make: MakeWorker = Worker) -> int:
    """Returns the exit code; see the top of this file."""
    parser = build_parser()
    options = parser.parse_args(argv)
    try:
        job, about = read_job(options)
        with ray_running(options.address, cpus=local_cpus(options)) as cpus:
            pools = read_pools(options, cpus)
            store = Store.open(options.out, about)
            if options.retry:
                store.remove(Status.UNSAFE)
            entries = list(list_videos(options.sources, column=options.column))
            if not entries:
                parser.error("found no video or picture in what was given")
            return run(entries, store, WorkerSetup(job, pools, make))
    except WeightsError as error:
        print(error, file=sys.stderr)
        return NO_WEIGHTS
    except ValueError as error:
        parser.error(str(error))


def run(entries: Sequence[Entry], store: Store, setup: WorkerSetup) -> int:
    """Analyse what has no row yet, and print a summary."""
    done = len([entry for entry in entries if entry in store.finished])
    verdicts: Counter[str] = Counter()
    failed: list[str] = []
    try:
        with progress(len(entries), done) as bar:
            for record in analyse_all(entries, store, setup):
                verdicts[record["verdict"] or "none"] += 1
                failed += [record["uri"]] if record["status"] == Status.UNSAFE else []
                show(bar, record, verdicts)
    except KeyboardInterrupt:
        print("Interrupted; what is done is kept, and the same command resumes.", file=sys.stderr)
        return INTERRUPTED
    finally:
        store.flush()
    counted = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    print(f"{sum(verdicts.values())} videos analysed ({counted or 'none'}); {done} had a row.")
    for uri in failed:
        print(f"Could not be read safely: {shown(uri, 300)}")
    return GIVEN_UP if failed else DONE


@contextmanager
def progress(total: int, done: int) -> Iterator[tqdm[None]]:
    """A bar in a terminal, a line every half minute in a log."""
    # A log keeps every line, a terminal overwrites one.
    interval = 0.5 if sys.stderr.isatty() else 30.0
    with tqdm(
        total=total, initial=done, unit="video", file=sys.stderr, mininterval=interval
    ) as bar:
        yield bar


def show(bar: tqdm[None], record: Record, verdicts: Counter[str]) -> None:
    bar.set_postfix(dict(sorted(verdicts.items())), refresh=False)
    bar.update()
    if record["status"] == Status.UNSAFE:
        bar.write(f"{shown(record['uri'], 300)}: {record['headline']}", file=sys.stderr)


def read_job(options: argparse.Namespace) -> tuple[Job, Record]:
    """The job of every worker, and what makes rows comparable.

    Raises WeightsError without trained weights, ValueError for impossible settings.
    """
    settings = Settings(
        frames=options.frames or 0,
        preset=options.preset,
        threshold=options.threshold,
        max_faces=options.max_faces,
        heat=False,
    )
    if options.decode_on_gpu and not options.gpu_workers:
        raise ValueError("--decode-on-gpu needs workers with a GPU: --gpu-workers N.")
    device = "cuda" if options.gpu_workers else "cpu"
    found = find_weights(options.weights, device=device)
    if found is None:
        raise WeightsError("There are no trained weights, so an archive would have no answers.")
    # By id where the weights folder or the Hub has them: other machines have other paths.
    weights = str(found.path) if found.source in ("path", "environment") else found.card.id
    about = {
        "model": found.card.id,
        "model_sha256": found.card.sha256,
        "settings": asdict(settings),
        "app_version": APP_VERSION,
    }
    return Job(settings, weights, found.card.sha256, options.decode_on_gpu), about


def local_cpus(options: argparse.Namespace) -> int | None:
    """The number of CPUs of a local Ray: one more than its workers use, for Ray
    Data's own tasks, which take next to nothing."""
    if options.address:
        return None
    workers = options.workers if options.workers is not None else os.cpu_count() or 1
    needed = (workers + options.gpu_workers) * options.cpus_per_worker
    return 1 + max(1, math.ceil(float(needed)))


def read_pools(options: argparse.Namespace, cpus: float) -> Pools:
    """As requested; without a number, as many CPU workers as there is room for."""
    reserved = options.gpu_workers * options.cpus_per_worker
    room = int((cpus - 1 - reserved) / options.cpus_per_worker)
    # One CPU is left to Ray Data's own tasks.
    workers = options.workers if options.workers is not None else room
    pools = Pools(
        cpu_workers=max(workers, 0 if options.gpu_workers else 1),
        gpu_workers=options.gpu_workers,
        cpus_per_worker=options.cpus_per_worker,
        gpus_per_worker=options.gpus_per_worker,
    )
    if pools.size * pools.cpus_per_worker > cpus - 1:
        raise ValueError(
            f"{pools.size} workers with {pools.cpus_per_worker:g} CPUs each, and one CPU for Ray, "
            f"are more than the {cpus:g} CPUs there are. Request fewer."
        )
    return pools


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m detector archive",
        description="Analyse an archive of videos, on this machine or on a Ray cluster; one row "
        "per video, in Parquet. The same command again resumes.",
    )
    add = parser.add_argument
    add("sources", nargs="+", help="folders, videos, .txt or .parquet lists, or URIs (s3://...)")
    add("--out", required=True, metavar="FOLDER|URI", help="where the rows go")
    add("--column", default="path", help="of a Parquet list: the column with paths or URIs")
    add("--address", metavar="HOST:PORT", help='of a Ray cluster; "auto" on one of its machines')
    add("--workers", type=_count, metavar="N", help="workers on CPUs; default: as many as fit")
    add("--cpus-per-worker", type=_amount, default=1.0, metavar="N")
    add("--gpu-workers", type=_count, default=0, metavar="N", help="workers with a GPU as well")
    add("--gpus-per-worker", type=_amount, default=0.25, metavar="SHARE")
    add(
        "--decode-on-gpu",
        action="store_true",
        help="workers with a GPU decode on it (NVDEC), unconfined: only for videos that you trust",
    )
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--frames", type=int, metavar="N", help="frames per video, 8 to 300")
    amount.add_argument("--preset", choices=PRESETS, default="standard", help="or by name")
    add("--threshold", type=float, metavar="P", help="verdict fake above P (0 to 1)")
    add("--max-faces", type=int, default=8, metavar="K", help="people to follow")
    add("--weights", metavar="NAME|FILE", help="model name, or a file that every machine has")
    add("--retry", action="store_true", help="also those that could not be read safely before")
    return parser


def _count(text: str) -> int:
    if int(text) < 0:
        raise argparse.ArgumentTypeError("a number of workers is 0 or more")
    return int(text)


def _amount(text: str) -> float:
    if not float(text) > 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return float(text)
