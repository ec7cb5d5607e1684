"""What was asked to be written, and where: refused before the work or made ready for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from detector.terminal.inputs import Input

STDOUT = Path("-")
LONGEST_STEM = 180  # bytes; with its endings a name of ours stays below the 255 of a file system
SUFFIXES = {
    "json": (".json",),
    "csv": (".csv",),
    "clips": (".csv",),
    "html": (".html", ".htm"),
    "video": (".mp4",),
}
ENDINGS = {"html": ".html", "video": ".annotated.mp4", "json": ".json"}
PER_FILE = ("html", "video")


class OutputError(Exception):
    """What was asked to be written cannot be; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where each kind goes: `json`, `csv` and `clips` speak of all files, `html` and `video` of one
    each. `out` is a folder for all of them."""

    json: Path | None = None
    csv: Path | None = None
    clips: Path | None = None
    html: Path | None = None
    video: Path | None = None
    out: Path | None = None

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
        places = [os.path.realpath(path) for path in self.written()]
        if len(set(places)) < len(places):
            raise OutputError("two outputs have the same name; the second would replace the first")
        for kind, path in kinds.items():
            self._check_one(kind, path, many=many and kind in PER_FILE)
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
        device = path.exists() and not path.is_file() and not path.is_dir()
        folder = path.is_dir() and kind in PER_FILE
        if not (device or folder) and path.suffix.lower() not in endings:
            raise OutputError(f"--{kind} must end with {' or '.join(endings)}, got {path}")
        if path.is_dir() and not folder:
            raise OutputError(f"--{kind} names a file, and {path} is a folder")

    def spare(self, files: Sequence[Input]) -> None:
        """Raises OutputError if a file that is looked at would be written over."""
        inputs = {os.path.realpath(file.path) for file in files}
        for path in self.named().values():
            if os.path.realpath(path) in inputs:
                raise OutputError(f"{path} is one of the files to look at; name another for output")

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
    """A name for each file's outputs that no other file has, by its label: `a/clip` becomes
    `a/clip.html`, and where clip.mp4 and clip.mov lie together `clip.mp4.html`."""

    def __init__(self, files: Sequence[Input]) -> None:
        counts: dict[str, int] = {}
        stems = [_stem(file.label).lower() for file in files]
        for stem in stems:
            counts[stem] = counts.get(stem, 0) + 1
        self._stems = {
            file.label: _stem(file.label) if counts[stem] == 1 else file.label
            for file, stem in zip(files, stems, strict=True)
        }

    def place(self, folder: Path, label: str, kind: str) -> Path:
        """Where an output of `kind` for the file `label` goes; its folder is there afterwards."""
        stem = PurePosixPath(self._stems.get(label, label))
        name = _shortened(stem.name, ENDINGS[kind])
        path = folder.joinpath(*stem.parts[:-1], name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def _stem(label: str) -> str:
    path = PurePosixPath(label)
    return str(path.with_name(path.stem))


def _shortened(stem: str, ending: str) -> str:
    return os.fsdecode(os.fsencode(stem)[:LONGEST_STEM]) + ending
