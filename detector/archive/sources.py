"""Which videos an archive contains: folders, lists, Parquet tables, and object stores by URI."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import quote, unquote

import pyarrow.parquet as pq
from pyarrow.fs import FileInfo, FileSelector, FileSystem, FileType, LocalFileSystem

from detector.errors import shown
from detector.video import Limits

log = logging.getLogger(__name__)

LISTS = (".txt", ".list")
STATS_AT_ONCE = 1000  # files per query: one round trip for many, and little memory
# Two characters at least, so that a Windows drive is no scheme.
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One video: `uri` is an absolute path or an object's URI. `bytes` and `modified` (ISO 8601)
    show whether it has changed since; they are None where the file is not there."""

    uri: str
    bytes: int | None
    modified: str | None

    @property
    def name(self) -> str:
        plain = self.uri.partition("?")[0]
        return (unquote(plain) if is_uri(self.uri) else self.uri).rpartition("/")[2]


def is_uri(text: str) -> bool:
    return _SCHEME.match(text) is not None


def place_of(source: str) -> tuple[FileSystem, str]:
    """The store of `source` and its path in there. Raises ValueError for an unknown store."""
    if not is_uri(source):
        return LocalFileSystem(), str(Path(source).absolute())
    try:
        store, path = FileSystem.from_uri(source)
    except OSError as error:  # pyarrow's own errors derive from ValueError or OSError
        raise ValueError(f"{source} cannot be reached: {error}") from error
    return store, path


def list_videos(sources: Iterable[str], *, column: str = "path") -> Iterator[Entry]:
    """Every video of the `sources`, each once, folders in the order of their names.

    A source is a folder (with all below it), a video, a text file with one path or URI per line,
    a Parquet file with them in `column`, or the URI of any of these. Paths in a list are relative
    to the list. Hidden files are left out, also those that macOS writes beside each video.

    Raises ValueError, for a person, if a source is not there or cannot be read.
    """
    seen: set[str] = set()
    for source in sources:
        for entry in _entries(source, column):
            if entry.uri not in seen:
                seen.add(entry.uri)
                yield entry


def _entries(source: str, column: str) -> Iterator[Entry]:
    store, path = place_of(source)
    info = store.get_file_info(path)
    if info.type is FileType.NotFound:
        raise ValueError(f"{source} is not there.")
    if info.type is FileType.Directory:
        yield from _in_folder(source, store, path)
    elif path.lower().endswith(".parquet"):
        yield from _listed(_column(source, store, path, column), source)
    elif path.lower().endswith(LISTS):
        with store.open_input_stream(path) as file:
            # A byte order mark, as some editors write it, is dropped.
            lines = file.read().decode("utf-8-sig", "surrogateescape").splitlines()
        yield from _listed(_in_utf8(line for line in lines if line.strip()), source)
    else:
        yield _entry(source if is_uri(source) else path, info)


def _in_folder(source: str, store: FileSystem, root: str) -> Iterator[Entry]:
    base, mark, query = source.partition("?")
    suffixes = Limits().suffixes
    for info in _below(store, root):
        inside = info.path[len(root) :].lstrip("/")
        hidden = any(part.startswith(".") for part in inside.split("/"))
        if info.type is FileType.File and not hidden and inside.lower().endswith(suffixes):
            uri = f"{base.rstrip('/')}/{quote(inside)}{mark}{query}"
            yield _entry(uri if is_uri(source) else info.path, info)


def _below(store: FileSystem, root: str) -> list[FileInfo]:
    """All that is in a folder and in those inside it, in the order of their names."""
    try:
        infos = store.get_file_info(FileSelector(root, recursive=True))
        return sorted(infos, key=lambda info: str(info.path))
    except UnicodeDecodeError:  # of a local folder, since objects have names in UTF-8
        paths = (os.path.join(at, name) for at, _, names in os.walk(root) for name in names)
        return list(store.get_file_info(sorted(_in_utf8(paths))))


def _in_utf8(paths: Iterable[str]) -> Iterator[str]:
    """Those whose names are UTF-8, as the table of answers needs; the others are logged."""
    for path in paths:
        # Lone surrogates are how Python decodes bytes that are not UTF-8 (PEP 383).
        if any("\udc80" <= letter <= "\udcff" for letter in path):
            log.warning("%s is left out: its name is not UTF-8. Rename it.", shown(path))
        else:
            yield path


def _column(source: str, store: FileSystem, path: str, column: str) -> Iterator[str]:
    with store.open_input_file(path) as file:
        table = pq.ParquetFile(file)
        if column not in table.schema_arrow.names:
            known = ", ".join(table.schema_arrow.names)
            raise ValueError(f"{source} has no column {column}; it has {known}. Name one of them.")
        for batch in table.iter_batches(columns=[column]):
            yield from (str(value) for value in batch.column(0).to_pylist() if value)


def _listed(paths: Iterable[str], source: str) -> Iterator[Entry]:
    """The files that a list names; each store is queried for many at once."""
    remaining = iter(paths)
    while some := list(islice(remaining, STATS_AT_ONCE)):
        uris = [_resolved(path.strip(), source) for path in some]
        local = [uri for uri in uris if not is_uri(uri)]
        found = dict(zip(local, LocalFileSystem().get_file_info(local), strict=True))
        for uri in uris:
            if uri not in found:
                store, path = place_of(uri)
                found[uri] = store.get_file_info(path)
            yield _entry(uri, found[uri])


def _resolved(path: str, source: str) -> str:
    if is_uri(path):
        return path
    if not is_uri(source):
        return str(Path(source).absolute().parent / path)
    base, mark, query = source.partition("?")
    return f"{base.rpartition('/')[0]}/{quote(path)}{mark}{query}"


def _entry(uri: str, info: FileInfo) -> Entry:
    there = info.type is FileType.File
    modified = info.mtime.isoformat() if there and info.mtime else None
    return Entry(uri, info.size if there else None, modified)
