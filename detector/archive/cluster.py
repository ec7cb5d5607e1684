"""An archive on Ray Data: actors with a loaded detector pull one video after the other.

Only paths and rows travel between machines; a worker opens its video itself. Ray Data hands out a
video when a worker has room, so no queue grows, restarts a worker that has crashed, and sends its
video to another one. Ray itself is imported here and nowhere else.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any

import pyarrow as pa

from detector.archive.sources import Entry
from detector.archive.store import SCHEMA, Record, Store, record_of
from detector.archive.worker import Job, Worker
from detector.errors import VideoError
from detector.language import lazy
from detector.records import Status
from detector.render.rows import row_of
from detector.video.credentials import anchors_in_environment

RETRIES = 1  # of a video whose worker crashed, in each of two passes
# How many videos Ray Data gets at once: rounds that keep every worker busy for minutes, and lists
# of a few MB.
LEAST_ROUND, VIDEOS_PER_WORKER = 5000, 500
SUBMITTED_AHEAD = 2  # videos per worker: the current one and the next
PLACES = pa.schema([SCHEMA.field(name) for name in ("uri", "bytes", "modified")])
MakeWorker = Callable[[Job, pa.Table, str], Worker]


@dataclass(frozen=True, slots=True)
class Pools:
    """How many workers there are, and what Ray reserves for each.

    A GPU serves several workers, since most of a video's time is decoding on the CPU.
    """

    cpu_workers: int
    gpu_workers: int = 0
    cpus_per_worker: float = 1.0
    gpus_per_worker: float = 0.25

    @property
    def size(self) -> int:
        return self.cpu_workers + self.gpu_workers

    def demands(self) -> Callable[[], dict[str, Any]]:
        """The resources to request for the next worker: those with a GPU come first."""
        number = count()

        def next_demand() -> dict[str, Any]:
            gpus = self.gpus_per_worker if next(number) % self.size < self.gpu_workers else 0
            cpus = {"num_cpus": self.cpus_per_worker, "num_gpus": gpus}
            return cpus | {"max_restarts": -1, "max_task_retries": RETRIES}

        return next_demand


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """The workers and their job; `make` builds one from the job, the known records and a device."""

    job: Job
    pools: Pools
    make: MakeWorker = Worker


class _Actor:
    """One worker as a Ray actor."""

    def __init__(self, make: MakeWorker, job: Job, known: Any) -> None:
        import ray

        device = "cuda" if ray.get_gpu_ids() else "cpu"
        self.worker = make(job, ray.get(known), device)

    def __call__(self, batch: pa.Table) -> pa.Table:
        return self.worker(batch)


@contextmanager
def ray_running(address: str | None, *, cpus: int | None = None) -> Iterator[float]:
    """Ray at `address` ("auto" is the cluster this machine belongs to), or one of our own on
    this machine with `cpus`; gives the number of CPUs in it. Nothing is reported to anybody."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    import ray.data

    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    # Workers on other machines do not inherit this environment.
    variables = anchors_in_environment()
    if address is None:
        paths = os.pathsep.join(filter(None, [os.getcwd(), *sys.path]))
        # PASSIVE: idle threads of OpenMP block instead of spinning on cores that other workers use.
        variables |= {"PYTHONPATH": paths, "OMP_WAIT_POLICY": "PASSIVE"}
        environment = {"env_vars": variables}
        ray.init(num_cpus=cpus, include_dashboard=False, runtime_env=environment, **quiet)
    else:
        ray.init(address, runtime_env={"env_vars": variables}, **quiet)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield float(ray.cluster_resources().get("CPU", 1.0))
    finally:
        ray.shutdown()


def analyse_all(entries: Sequence[Entry], store: Store, setup: WorkerSetup) -> Iterator[Record]:
    """Every new record, as it is kept. Ray must be running.

    A video that ends its worker, or makes it fail, is tried again, at last with nothing beside
    it; if that does not help it is named in a record of its own, and costs no other video.
    """
    # Second pass with nothing queued behind: a video that crashes its worker takes no other with
    # it.
    for ahead in (SUBMITTED_AHEAD, 1):
        missing = [entry for entry in entries if entry not in store.finished]
        if missing:
            # Rounds bound the table of blocks that Ray Data keeps in the driver.
            round_size = max(LEAST_ROUND, VIDEOS_PER_WORKER * setup.pools.size)
            for at in range(0, len(missing), round_size):
                some = missing[at : at + round_size]
                for record in _analysed(some, store, setup, ahead=ahead):
                    store.add(record)
                    yield record
    for entry in [entry for entry in entries if entry not in store.finished]:
        record = given_up(entry)
        store.add(record)
        yield record


def given_up(entry: Entry) -> Record:
    """The record of a video that no worker survived."""
    error = VideoError(
        lazy(
            "{file} crashed every worker that analysed it, and was skipped. Analyse it on its "
            "own to see why.",
            file=entry.name,
        ),
        Status.UNSAFE,
    )
    return record_of(row_of(error, entry.name), entry)


def _analysed(
    entries: Sequence[Entry], store: Store, setup: WorkerSetup, *, ahead: int
) -> Iterator[Record]:
    import ray
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # a failed video is missing from the output, and stops nothing
    places = pa.Table.from_pylist([asdict(entry) for entry in entries], PLACES)
    # A block is what is given out, retried and lost as one. (Ray Data could cut up larger ones,
    # but the task that does it waits for the workers, and occupies a CPU for which they may wait.)
    blocks = [places.slice(at, 1) for at in range(len(places))]
    with warnings.catch_warnings():
        # The only way to reserve differently for different workers of one pool; Ray is pinned.
        warnings.filterwarnings("ignore", message=".*ray_remote_args_fn.*")
        dataset = ray.data.from_arrow(blocks).map_batches(
            _Actor,
            fn_constructor_args=(setup.make, setup.job, ray.put(store.known())),
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(
                size=setup.pools.size, max_tasks_in_flight_per_actor=ahead
            ),
            ray_remote_args_fn=setup.pools.demands(),
        )
    for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        yield from batch.to_pylist()
