"""The names on the command line become files, each under a name of its own; what is skipped in a
folder is listed."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STDIN = Path("-")


@dataclass(frozen=True, slots=True)
class Input:
    """A file to analyse. `label` is its name, with as many folders before it as no other has."""

    path: Path
    label: str


@dataclass(frozen=True, slots=True)
class Skipped:
    path: Path
    reason: str


@dataclass
class Found:
    """`many`: several files or a folder were named, whatever is in it."""

    files: list[Input] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    many: bool = False


def gather(
    named: Sequence[Path],
    suffixes: tuple[str, ...],
    leave_out: Sequence[Path] = (),
    *,
    within: bool = False,
) -> Found:
    """Files as named; folders become the videos and pictures in them, in order, links followed.

    Skipped are files of other kinds, what systems leave behind (`._clip.mp4`), broken links, what
    may not be read, a file that was met before under another name, and, in folders, `leave_out`.
    With `within`, labels are paths within the folder, which no new file changes.
    """
    walk = _Walk(suffixes, {os.path.realpath(path) for path in leave_out})
    paths: list[Path] = []
    inner: list[str] = []
    folders = 0
    for path in _unfolded(named):
        if path.is_dir():
            folders += 1
            inside = list(walk.below(path))
            paths += inside
            inner += [f"{_folder_name(path, named)}/{_within(file, path)}" for file in inside]
        elif walk.is_new(path):
            paths.append(path)
    labels = inner if within else labels_of(paths)
    labels = [
        "stdin" if path == STDIN else label for path, label in zip(paths, labels, strict=True)
    ]
    files = [Input(path, label) for path, label in zip(paths, labels, strict=True)]
    return Found(files, walk.skipped, many=folders > 0 or len(files) > 1)


def _folder_name(folder: Path, named: Sequence[Path]) -> str:
    names = [path.resolve().name for path in named]
    name = folder.resolve().name
    return name if names.count(name) == 1 else folder.as_posix()


def _within(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


def _unfolded(named: Iterable[Path]) -> Iterator[Path]:
    """Patterns that no shell has replaced, as on Windows, become the files that they fit."""
    for path in named:
        pattern = str(path)
        fits = sorted(glob.glob(pattern)) if glob.has_magic(pattern) and not path.exists() else []
        yield from map(Path, fits or [pattern])


class _Walk:
    def __init__(self, suffixes: tuple[str, ...], leave_out: set[str]) -> None:
        self.suffixes = suffixes
        self.leave_out = leave_out
        self.seen: dict[str, Path] = {}
        self.skipped: list[Skipped] = []

    def below(self, folder: Path) -> Iterator[Path]:
        """The files of `folder` and of all folders in it, each once."""
        walked: set[str] = set()
        found: list[Path] = []
        for place, folders, names in os.walk(folder, followlinks=True, onerror=self._unreadable):
            real = os.path.realpath(place)
            if real in walked:  # a link leads back
                folders.clear()
                continue
            walked.add(real)
            # A copy, since the list is changed in the loop: os.walk skips what is removed.
            for name in [name for name in folders if name.startswith(".") or name == "__MACOSX"]:
                folders.remove(name)
                self._skip(Path(place, name), "hidden folder")
            found += [Path(place, name) for name in names]
        yield from (path for path in sorted(found) if self._is_accepted(path))

    def _is_accepted(self, path: Path) -> bool:
        reason = ""
        if os.path.realpath(path) in self.leave_out or self._in_left_out(path):
            reason = "written by this program"
        elif path.name.startswith("._"):
            reason = "left by macOS beside the file"
        elif path.name.startswith("."):
            reason = "hidden"
        elif path.suffix.lower() not in self.suffixes:
            reason = "no kind of video or picture that is read"
        elif not path.exists():
            reason = "a link to nothing"
        elif not path.is_file():
            reason = "no file"
        if reason:
            self._skip(path, reason)
        return not reason and self.is_new(path)

    def _in_left_out(self, path: Path) -> bool:
        parents = Path(os.path.realpath(path)).parents
        return bool(self.leave_out) and any(str(parent) in self.leave_out for parent in parents)

    def is_new(self, path: Path) -> bool:
        # normcase: on Windows, names that differ in case are one file.
        real = os.path.normcase(os.path.realpath(path))
        before = self.seen.setdefault(real, path)
        if before is not path:
            self._skip(path, f"the same file as {before}")
        return before is path

    def _skip(self, path: Path, reason: str) -> None:
        self.skipped.append(Skipped(path, reason))

    def _unreadable(self, error: OSError) -> None:
        self._skip(Path(str(error.filename)), f"cannot be read: {error.strerror}")


def labels_of(paths: Sequence[Path]) -> list[str]:
    """The shortest endings of the paths that differ from one another, whatever the case of their
    letters: `000.mp4`, or `Deepfakes/000.mp4` and `Face2Face/000.mp4`."""
    # Without the root or drive.
    parts = [Path(os.path.abspath(path)).parts[1:] for path in paths]
    depth = [1] * len(parts)
    while True:
        labels = ["/".join(names[-deep:]) for names, deep in zip(parts, depth, strict=True)]
        same: dict[str, list[int]] = {}
        for index, label in enumerate(labels):
            same.setdefault(label.lower(), []).append(index)
        torn = [index for many in same.values() if len(many) > 1 for index in many]
        # Of equal labels each gets one folder more, until they differ or are whole paths.
        deeper = [index for index in torn if depth[index] < len(parts[index])]
        if not deeper:
            return labels
        for index in deeper:
            depth[index] += 1
