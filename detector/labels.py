"""Labels of files that are known beforehand: lists of `file,label`, as people write them.

`train.lists` reads data sets with the same words.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

from detector.language import _

LABEL_WORDS = {
    "REAL": ("REAL", "ORIGINAL", "GENUINE", "AUTHENTIC", "PRISTINE"),
    "FAKE": ("FAKE", "DEEPFAKE", "MANIPULATED", "FORGED", "SYNTHETIC", "SYNTHESIS"),
}
LABEL_OF = {word: label for label, words in LABEL_WORDS.items() for word in words}
YES_NO = {
    **dict.fromkeys(("1", "1.0", "true", "yes"), "FAKE"),
    **dict.fromkeys(("0", "0.0", "false", "no"), "REAL"),
}
COLUMNS = {
    "file": ("file", "filename", "file_name", "filepath", "file_path", "path", "video"),
    "label": ("label", "video ground truth", "ground truth", "ground_truth", "class"),
    "is_fake": ("is_fake", "isfake", "fake"),
    "split": ("split", "subset", "finetuning set"),
    "identity": ("identity", "person", "subject", "actor"),
    "original": ("original",),
}


class LabelsError(Exception):
    """A list of labels cannot be used; the text has the reason and the remedy."""


@dataclass(frozen=True, slots=True)
class Label:
    """`fake` is a file's label in the list; `identity` who is in it, or the file's own name."""

    fake: bool
    identity: str


class Labels:
    """By the ends of paths: `Deepfakes/000.mp4` is the label of `/data/c23/Deepfakes/000.mp4`."""

    def __init__(self, entries: dict[tuple[str, ...], Label], files: list[Path]) -> None:
        self._entries = entries
        self.files = files
        self.longest = max(map(len, entries), default=0)

    def of(self, path: Path) -> Label | None:
        """The label of the entry that agrees with most of `path`; None where none does."""
        parts = path.absolute().parts
        for deep in range(min(self.longest, len(parts)), 0, -1):
            found = self._entries.get(parts[-deep:])
            if found is not None:
                return found
        return None

    def by_name(self, clean: Callable[[str], str] = str) -> dict[str, Label]:
        """The labels by the last part of each path, cleaned, for files that come without their
        folders; not those of a name that has two labels."""
        found: dict[str, Label] = {}
        disputed = set()
        for parts, label in self._entries.items():
            name = clean(parts[-1])
            if found.setdefault(name, label).fake != label.fake:
                disputed.add(name)
        return {name: label for name, label in found.items() if name not in disputed}


def decoded(data: bytes) -> str:
    """The text of a file that a spreadsheet or an editor wrote: UTF-8 or UTF-16 with or without a
    mark at its beginning, or else Latin-1 as Windows extends it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        # Excel on Windows saves so; five bytes are undefined in it, but none in Latin-1.
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def separator_of(text: str) -> str:
    """What divides the cells of the first line: a comma, a semicolon or a tab."""
    head = text.lstrip().partition("\n")[0]
    # The most frequent of the three in the header; of equals the comma.
    return max(",;\t", key=head.count)


def read_labels(path: Path) -> Labels:
    """A CSV with the columns file and label (REAL or FAKE), or is_fake, and, if known, identity.

    Raises LabelsError where it is none, or gives one file two labels.
    """
    try:
        text = decoded(path.read_bytes())
    except OSError as error:
        raise LabelsError(
            _("{file} cannot be read: {why}.", file=path.name, why=error.strerror)
        ) from error
    try:
        return _labels(text, path)
    except csv.Error as error:  # such as a cell without an end
        raise LabelsError(
            _("{file} is no table of comma-separated values.", file=path.name)
        ) from error


def _labels(text: str, path: Path) -> Labels:
    rows = csv.DictReader(io.StringIO(text), delimiter=separator_of(text))
    names = [(name or "").strip().lower() for name in rows.fieldnames or ()]
    columns = _columns(names, path)
    entries: dict[tuple[str, ...], Label] = {}
    files = []
    for cells in rows:
        row = dict(zip(names, ((cell or "").strip() for cell in cells.values()), strict=False))
        file = row[columns["file"]].replace("\\", "/")
        if not file:
            continue
        label = Label(
            _is_fake(row, columns, path), row.get(columns.get("identity", ""), "") or file
        )
        parts = tuple(part for part in PurePath(file).parts if part != ".")
        if entries.setdefault(parts, label).fake != label.fake:
            raise LabelsError(
                _(
                    "{list} labels {file} as both REAL and FAKE. Keep the correct line.",
                    list=path.name,
                    file=file,
                )
            )
        files.append(path.parent / file)
    if not entries:
        raise LabelsError(_("{file} names no files.", file=path.name))
    return Labels(entries, files)


def _columns(names: list[str], path: Path) -> dict[str, str]:
    known = {
        column: next(word for word in words if word in names)
        for column, words in COLUMNS.items()
        if set(words) & set(names)
    }
    if "file" not in known or not {"label", "is_fake"} & set(known):
        raise LabelsError(
            _("{file} needs a column file, and a column label of REAL and FAKE.", file=path.name)
        )
    return known


def _is_fake(row: dict[str, str], columns: dict[str, str], path: Path) -> bool:
    if "label" in columns:
        cell = row[columns["label"]]
        label = LABEL_OF.get(cell.upper())
    else:
        cell = row[columns["is_fake"]]
        label = YES_NO.get(cell.lower())
    if label is None:
        file = row[columns["file"]]
        raise LabelsError(
            _(
                "{list} labels {file} with {word}. Write REAL or FAKE.",
                list=path.name,
                file=file,
                word=repr(cell),
            )
        )
    return label == "FAKE"
