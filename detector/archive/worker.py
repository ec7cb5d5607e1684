"""What runs on every worker of an archive: a loaded detector, and one video after the other."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from detector.archive.sources import Entry, is_uri, place_of
from detector.archive.store import SCHEMA, Record, record_of
from detector.errors import VideoError, WeightsError
from detector.language import lazy
from detector.pipeline import Detector
from detector.render.rows import row_of
from detector.settings import Settings
from detector.video import Limits
from detector.video.reading import sha256_of

BLOCK = 2**20  # bytes per read; bounds memory


@dataclass(frozen=True, slots=True)
class Job:
    """The job of every worker. `weights` is a model's name, or a file that every machine
    has; `sha256` of the weights verifies that it is the same one. `decode_on_gpu`: where there is
    one, in the worker itself."""

    settings: Settings
    weights: str | None
    sha256: str
    decode_on_gpu: bool = False


class Worker:
    """Loaded once, called with one video at a time.

    `known` are the records of earlier runs: content that is among them is not analysed again.
    """

    def __init__(self, job: Job, known: pa.Table, device: str) -> None:
        self.job = job
        self.known = known
        on_gpu = job.decode_on_gpu and device == "cuda"
        self.detector = Detector.load(job.weights, device, decode_on_gpu=on_gpu)
        if self.detector.info.sha256 != job.sha256:
            raise WeightsError(
                f"A worker found other weights ({self.detector.info.id}) than the run was begun "
                "with. Install the same version and weights on every machine."
            )

    def __call__(self, batch: pa.Table) -> pa.Table:
        records = [self.answer(Entry(**row)) for row in batch.to_pylist()]
        return pa.Table.from_pylist(records, SCHEMA)

    def answer(self, entry: Entry) -> Record:
        """The record of one video; what cannot be scored is a record too."""
        try:
            with local_copy(entry) as path:
                # Hashing costs a pass over the file, which is spared where nothing is known yet.
                sha256 = sha256_of(path) if self.known.num_rows else ""
                before = pc.index(self.known["sha256"], sha256).as_py()
                if before >= 0:
                    found: Record = self.known.slice(before, 1).to_pylist()[0]
                    return found | {"file": entry.name} | asdict(entry)
                report = self.detector.analyze(path, self.job.settings)
        except VideoError as error:
            return record_of(row_of(error, entry.name), entry)
        return record_of(row_of(report, entry.name), entry)


@contextmanager
def local_copy(entry: Entry) -> Iterator[Path]:
    """The file itself, or a copy of what is elsewhere, for as long as it is needed.

    Raises VideoError if it cannot be read, which includes that it is not there.
    """
    if not is_uri(entry.uri):
        yield Path(entry.uri)
        return
    with tempfile.TemporaryDirectory(prefix="archive-") as folder:
        path = Path(folder) / (os.path.basename(entry.name) or "video")
        try:
            store, inside = place_of(entry.uri)
            with store.open_input_stream(inside) as source, path.open("wb") as copy:
                remaining = Limits().max_bytes + 1  # one more, so that `check_file` refuses it
                while remaining and (block := source.read(min(BLOCK, remaining))):
                    copy.write(block)
                    remaining -= len(block)
        except (OSError, ValueError) as error:
            raise VideoError(
                lazy("{file} cannot be fetched: {reason}", file=entry.name, reason=str(error))
            ) from error
        yield path
