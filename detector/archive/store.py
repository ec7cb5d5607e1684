"""Where an archive's answers are kept: a folder of Parquet files, and a journal of the newest.

Each answer is appended to the journal at once, so a killed run loses none that it had received.
From time to time the journal becomes Parquet files, one per verdict (`verdict=fake/...`), named
after it: should the run be killed in between, the next one writes the same files again.
An object store cannot append, so there the Parquet files are written every few seconds instead.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq
from pyarrow.fs import FileInfo, FileSelector, FileSystem, FileType, LocalFileSystem

from detector.archive.sources import Entry, place_of
from detector.records import Status, Verdict
from detector.render.rows import Row

Record = dict[str, Any]
ABOUT, JOURNAL, ROWS = "archive.json", "journal-", "rows"
MOST_ROWS = 5000  # in the journal: about 5 MB
# With a journal, which loses nothing, and without one, where a crash loses what was not flushed.
FLUSH_SECONDS = {True: 300.0, False: 5.0}
_TYPES = {str: pa.string(), float: pa.float64(), int: pa.int64()}


def _schema() -> pa.Schema:
    """The columns of `Row`, and the place of each file."""
    hints = get_type_hints(Row)
    columns = [(f.name, _TYPES[_plain(hints[f.name])]) for f in fields(Row)]
    return pa.schema([*columns, *((name, _TYPES[kind]) for name, kind in PLACE.items())])


def _plain(hint: Any) -> type:
    """`float` for `float | None`."""
    named = [kind for kind in getattr(hint, "__args__", (hint,)) if kind is not type(None)]
    return named[0]  # type: ignore[no-any-return]


PLACE = {"uri": str, "bytes": int, "modified": str}
"""What a record has beside its row; together it identifies a file that has not changed."""
SCHEMA = _schema()


def record_of(row: Row, entry: Entry) -> Record:
    return asdict(row) | asdict(entry)


@dataclass
class Store:
    """The answers in the folder `root` of `files`; `finished` are the entries that have one."""

    files: FileSystem
    root: str
    finished: set[Entry] = field(default_factory=set)
    waiting: list[Record] = field(default_factory=list)
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    flushed: float = field(default_factory=time.monotonic)

    @classmethod
    def open(cls, out: str, about: Record) -> Store:
        """The folder or URI `out`, with what earlier runs left there.

        `about` is how the answers are made. Raises ValueError, for a person, if those that are
        there were made in another way.
        """
        files, root = place_of(out)
        files.create_dir(root, recursive=True)
        store = cls(files, root.rstrip("/"))
        store._check_settings(about, out)
        store._recover()
        for batch in store._dataset().to_batches(columns=list(PLACE)):
            store.finished.update(Entry(**place) for place in batch.to_pylist())
        return store

    @property
    def is_local(self) -> bool:
        return isinstance(self.files, LocalFileSystem)

    def add(self, record: Record) -> None:
        """Keep one answer; on return a local archive has it on disk."""
        if self.is_local:
            with self._journal(self.name).open("a", encoding="utf-8") as journal:
                journal.write(json.dumps(record) + "\n")
                journal.flush()
                # On disk, not in the system's cache: an answer may have taken minutes.
                os.fsync(journal.fileno())
        self.waiting.append(record)
        self.finished.add(_entry_of(record))
        late = time.monotonic() - self.flushed > FLUSH_SECONDS[self.is_local]
        if late or len(self.waiting) >= MOST_ROWS:
            self.flush()

    def flush(self) -> None:
        """What waits becomes Parquet files, and the journal begins anew."""
        self._write(self.waiting, self.name)
        if self.is_local:
            self._journal(self.name).unlink(missing_ok=True)
        self.waiting, self.name, self.flushed = [], uuid.uuid4().hex, time.monotonic()

    def remove(self, status: Status) -> None:
        """Remove every record with that `status`, so that it is made again."""
        for path in [info.path for info in self._files() if info.path.endswith(".parquet")]:
            with self.files.open_input_file(path) as file:
                table = pq.read_table(file, partitioning=None)
            # Only files that contain such records are written anew.
            again = pc.equal(table["status"], status.value)
            if not pc.any(again).as_py():
                continue
            self.finished -= {_entry_of(row) for row in table.filter(again).to_pylist()}
            self._replace(path, table.filter(pc.invert(again)))

    def known(self) -> pa.Table:
        """All records that name their content, as a table in the order of nothing."""
        hashed = pads.field("sha256").is_valid()
        return self._dataset().to_table(filter=hashed)

    def _check_settings(self, about: Record, out: str) -> None:
        path = f"{self.root}/{ABOUT}"
        text = json.dumps(about, indent=2, sort_keys=True)
        if self.files.get_file_info(path).type is FileType.File:
            with self.files.open_input_stream(path) as file:
                there = json.loads(file.read())
            differ = sorted(key for key in about if about[key] != there.get(key))
            if differ:
                raise ValueError(
                    f"{out} contains answers made with another {', '.join(differ)}. "
                    "Choose another folder, or repeat the settings of that run."
                )
            return
        with self.files.open_output_stream(path) as file:
            file.write(text.encode())

    def _files(self) -> list[FileInfo]:
        under = FileSelector(f"{self.root}/{ROWS}", recursive=True)
        return list(self.files.get_file_info(under))

    def _recover(self) -> None:
        """The journals of runs that were killed become Parquet files."""
        if not self.is_local:
            return
        for path in sorted(Path(self.root).glob(f"{JOURNAL}*.jsonl")):
            lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # the last may be cut short
            self._write([json.loads(line) for line in lines], path.stem.removeprefix(JOURNAL))
            path.unlink()

    def _journal(self, name: str) -> Path:
        return Path(self.root) / f"{JOURNAL}{name}.jsonl"

    def _write(self, records: Iterable[Record], name: str) -> None:
        by_verdict: dict[str, list[Record]] = {}
        for record in records:
            by_verdict.setdefault(record["verdict"] or "none", []).append(record)
        for verdict, some in by_verdict.items():
            known = verdict if verdict in set(Verdict) else "none"
            folder = f"{self.root}/{ROWS}/verdict={known}"
            self.files.create_dir(folder, recursive=True)
            table = pa.Table.from_pylist(some, SCHEMA).drop_columns(["verdict"])
            self._replace(f"{folder}/{name}.parquet", table)

    def _replace(self, path: str, table: pa.Table) -> None:
        """Write a whole file or none: readers leave out what begins with a dot."""
        folder, _, name = path.rpartition("/")
        # A move within one folder is atomic on local disks.
        hidden = f"{folder}/.{name}"
        pq.write_table(table, hidden, filesystem=self.files, compression="zstd")
        self.files.move(hidden, path)

    def _dataset(self) -> pads.Dataset:
        self.files.create_dir(f"{self.root}/{ROWS}", recursive=True)
        by_verdict = pads.partitioning(pa.schema([("verdict", pa.string())]), flavor="hive")
        return pads.dataset(
            f"{self.root}/{ROWS}",
            SCHEMA,
            format="parquet",
            filesystem=self.files,
            partitioning=by_verdict,
        )


def _entry_of(record: Record) -> Entry:
    return Entry(**{name: record[name] for name in PLACE})
