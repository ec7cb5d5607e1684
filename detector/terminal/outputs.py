"""The outputs and their places: refused before the work, or prepared for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from detector.terminal.inputs import Input

STDOUT = Path("-")
LONGEST_STEM = 180  # bytes; with its endings a name of ours stays below the 255 of a file system
SUFFIXES = {
    "json": (".json",),
    "csv": (".csv",),
    "clips": (".csv",),
    "evaluation": (".json",),
    "html": (".html", ".htm"),
    "video": (".mp4",),
}
ENDINGS = {"html": ".html", "video": ".annotated.mp4", "json": ".json"}
PER_FILE = ("html", "video")


class OutputError(Exception):
    """A requested file cannot be written; the text states what to change."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where each kind goes: `html` and `video` are of one file each, the others of all files. `out`
    is a folder for all of them; `out_video` puts the annotated videos there, too."""

    KINDS: ClassVar = tuple(SUFFIXES)

    json: Path | None = None
    csv: Path | None = None
    clips: Path | None = None
    evaluation: Path | None = None
    html: Path | None = None
    video: Path | None = None
    out: Path | None = None
    out_video: bool = False

    def named(self) -> dict[str, Path]:
        kinds = {kind: getattr(self, kind) for kind in SUFFIXES}
        return {kind: path for kind, path in kinds.items() if path is not None}

    @property
    def to_stdout(self) -> str:
        """The kind that goes to standard output; empty if none does."""
        return next((kind for kind, path in self.named().items() if path == STDOUT), "")

    def written(self) -> list[Path]:
        """Every file and folder that this run writes to."""
        folders = [self.out] if self.out else []
        return [path for path in [*self.named().values(), *folders] if path != STDOUT]

    def check(self, *, many: bool) -> None:
        """Raises OutputError for a name that cannot be meant, before anything is done."""
        kinds = self.named()
        if list(kinds.values()).count(STDOUT) > 1:
            raise OutputError("only one of the outputs can go to standard output (-)")
        # Pages and videos of many files may share a folder: their suffixes differ.
        written = self.written()
        if many and self.html is not None and self.html == self.video:
            written.remove(self.html)
        # Links and relative names of one place count as equal.
        places = [os.path.realpath(path) for path in written]
        if len(set(places)) < len(places):
            raise OutputError("two outputs have the same name; the second would replace the first")
        for kind, path in kinds.items():
            self._check_one(kind, path, many=many and kind in PER_FILE)
        if self.out_video and self.out is None:
            raise OutputError("--with-video needs --out")
        if self.out is not None and (self.out == STDOUT or self.out.is_file()):
            raise OutputError(f"--out names a folder, and {self.out} is a file")

    def _check_one(self, kind: str, path: Path, *, many: bool) -> None:
        endings = SUFFIXES[kind]
        if path == STDOUT:
            if many:
                raise OutputError(f"--{kind} - is for one file; name a folder for several")
            return
        if many:
            if path.suffix.lower() in endings or path.is_file():
                raise OutputError(f"--{kind} names a folder when there are several files")
            return
        # Such as /dev/null or a named pipe, whose name has no ending.
        device = path.exists() and not path.is_file() and not path.is_dir()
        folder = path.is_dir() and kind in PER_FILE
        if not (device or folder) and path.suffix.lower() not in endings:
            raise OutputError(f"--{kind} must end with {' or '.join(endings)}, got {path}")
        if path.is_dir() and not folder:
            raise OutputError(f"--{kind} names a file, and {path} is a folder")

    def spare(self, files: Sequence[Input]) -> None:
        """Raises OutputError if an input would be written over."""
        inputs = {os.path.realpath(file.path) for file in files}
        for path in self.named().values():
            if path != STDOUT and os.path.realpath(path) in inputs:
                raise OutputError(f"{path} is one of the input files; name another for output")

    def make_folders(self, *, many: bool) -> None:
        """Raises OutputError where they cannot be made or written to."""
        for path in self.written():
            own = path == self.out or (many and path in (self.html, self.video))
            folder = path if own or path.is_dir() else path.parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{folder} cannot be made: {error.strerror}") from error
            if not os.access(folder, os.W_OK):
                raise OutputError(f"{folder} may not be written to; name another place")
            if path.is_file() and not os.access(path, os.W_OK):
                raise OutputError(f"{path} may not be written over; name another file")


class Names:
    """A name for each file's outputs that no other file has, by its label: `a/clip.mp4` becomes
    `a/clip.html`, and where clip.mp4 and clip.mov lie together `clip.mp4.html`."""

    def __init__(self, files: Sequence[Input]) -> None:
        self._stems: dict[str, str] = {}
        self._taken: set[str] = set()
        counts: dict[str, int] = {}
        for file in files:
            stem = _stem(file.label).lower()
            counts[stem] = counts.get(stem, 0) + 1
        for file in files:
            alone = counts[_stem(file.label).lower()] == 1
            self._add(file.label, _stem(file.label) if alone else file.label)

    def _add(self, label: str, name: str) -> None:
        stem, number = _shortened(name), 1
        while stem.lower() in self._taken:
            number += 1
            stem = f"{_shortened(name)}-{number}"
        self._taken.add(stem.lower())
        self._stems[label] = stem

    def place(self, folder: Path, label: str, kind: str) -> Path:
        """Where an output of `kind` for the file `label` goes; its folder is there afterwards."""
        if label not in self._stems:
            self._add(label, label)
        path = folder / (self._stems[label] + ENDINGS[kind])
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def _stem(label: str) -> str:
    path = PurePosixPath(label)
    return str(path.with_name(path.stem))


def _shortened(stem: str) -> str:
    """`stem` with its last part short enough for a file system."""
    path = PurePosixPath(stem)
    # Cut in bytes, as file systems count; a cut letter becomes an escape, which is allowed.
    return str(path.with_name(os.fsdecode(os.fsencode(path.name)[:LONGEST_STEM])))


def write_whole(path: Path, data: bytes) -> None:
    """A file appears whole or not at all; what is no file, as /dev/stdout, is written to."""
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    part = path.with_name(f".{path.name[:LONGEST_STEM]}.part")
    try:
        part.write_bytes(data)
        # Atomic, since both are in one folder.
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
