"""Lists of files: text in any usual encoding, labels and splits in any usual words."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from detector.labels import COLUMNS, LABEL_OF, YES_NO, decoded, separator_of
from train.verbs import DataError

log = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")
LABELS = ("REAL", "FAKE")
NO_LABEL = ("", "UNKNOWN", "NAN", "NONE", "NULL", "N/A")

_SPLIT_WORDS = {
    "train": ("train", "training", "trn", "fit"),
    "val": ("val", "valid", "validation", "validate", "dev", "development"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),
}
_SPLIT_OF = {word: split for split, words in _SPLIT_WORDS.items() for word in words}


def read_text(path: Path) -> str:
    """The text of a file, as `decoded`. Raises DataError if it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    return decoded(data)


def read_json(path: Path) -> Any:
    """Raises DataError where it is not JSON."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON ({error}). Mend it or take it away.") from error


def read_rows(path: Path) -> pd.DataFrame:
    """A CSV of files, all text, with its columns named as here: `file` and, where they are known,
    `label`, `split`, `identity` and the rest. Commas, semicolons and tabs separate.

    Raises DataError where it has no rows, or no column `file` or `label`.
    """
    text = read_text(path)
    separator = separator_of(text)
    try:
        # As text: pandas would turn "001" into 1, and "NA" into a missing value.
        table = pd.read_csv(io.StringIO(text), sep=separator, dtype=str, keep_default_na=False)
    except ValueError as error:  # pandas' errors of parsing are ValueErrors
        raise DataError(f"{path} is not a CSV table ({str(error).strip()}).") from error
    # pandas takes surplus cells for an index, which then is text.
    if isinstance(table.index[0] if len(table) else 0, str):
        raise DataError(f"{path} has rows with more cells than its first line; quote commas.")
    table.columns = table.columns.str.strip().str.lower()
    # pandas renames the second of two equal columns to "label.1".
    twice = [name for name in ("file", "label", "split") if f"{name}.1" in table]
    if twice:
        raise DataError(f"{path} has the column '{twice[0]}' twice. Keep the one that is right.")
    if not len(table):
        raise DataError(f"{path} names no files: it has only a first line.")
    return _with_known_names(table.fillna("").apply(lambda cells: cells.str.strip()), path)


def read_entries(path: Path, entries: Any) -> pd.DataFrame:
    """`entries` of a JSON list of files as such a table: `{file: {label, ...}}` or
    `[{file, label, ...}]`. Raises DataError where they are something else."""
    if isinstance(entries, dict):
        rows: list[Any] = [
            {"file": name, **entry} if isinstance(entry, dict) else {"file": name, "label": entry}
            for name, entry in entries.items()
        ]
    else:
        rows = entries if isinstance(entries, list) else []
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise DataError(
            f"{path} is not a list of files: write {{file: {{label: REAL or FAKE}}}}, or a list of "
            "objects with file and label."
        )
    plain = [{str(key).lower(): _cell(value) for key, value in row.items()} for row in rows]
    table = _with_known_names(pd.DataFrame(plain).fillna(""), path)
    nameless = int((table["file"] == "").sum())
    if nameless:
        raise DataError(f"{path} has {nameless} entries without a file. Name it in each as 'file'.")
    return table


def _cell(value: Any) -> str:
    """One value of a JSON entry as text; of a list its first one, such as the first original."""
    if isinstance(value, list):
        value = value[0] if value else None
    return "" if value is None else str(value)


def _with_known_names(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    for column, names in COLUMNS.items():
        known = next((name for name in names if name in table), None)
        if known is not None and column not in table:
            table = table.rename(columns={known: column})
    if "file" not in table:
        raise DataError(f"{path} has no column 'file'; it has {', '.join(table.columns)}.")
    if "label" not in table and "is_fake" in table:
        table["label"] = [YES_NO.get(cell.lower(), cell) for cell in table["is_fake"]]
    if "label" not in table:
        raise DataError(f"{path} has no column 'label'; give each file REAL or FAKE.")
    if "original" in table and "identity" not in table:
        table["identity"] = [Path(name).stem for name in table["original"]]
    return table


def labels_of(cells: Iterable[object], path: Path) -> list[str]:
    """REAL or FAKE for each cell. Raises DataError for anything else."""
    read = [str(cell).strip().upper() for cell in cells]
    found = [LABEL_OF.get(word, word) for word in read]
    wrong = sorted(set(found) - set(LABELS))
    if not wrong:
        return found
    # Some sets use 1 for fake, others for real: a wrong guess would swap all labels.
    if set(wrong) <= {"0", "1", "0.0", "1.0", "TRUE", "FALSE"}:
        raise DataError(
            f"{path} labels files with {' and '.join(wrong)}, which data sets use either way. "
            "Write REAL and FAKE, or name the column is_fake."
        )
    empty = sum(word in NO_LABEL for word in found)
    if empty:
        raise DataError(f"{path} gives {empty} files no label. Write REAL or FAKE for each.")
    raise DataError(f"{path} has labels other than REAL and FAKE: {', '.join(wrong[:5])}.")


def splits_of(cells: Iterable[object], path: Path) -> list[str]:
    """train, val, test or nothing for each cell. Raises DataError for anything else."""
    read = [str(cell).strip().lower() for cell in cells]
    wrong = sorted({word for word in read if word and word not in _SPLIT_OF})
    if wrong:
        raise DataError(
            f"{path} has splits other than {', '.join(SPLITS)}: {', '.join(wrong[:5])}."
        )
    return [_SPLIT_OF.get(word, "") for word in read]


def split_named(word: str) -> str:
    """The split that `word` names; empty if none."""
    return _SPLIT_OF.get(word.strip().lower(), "")


def label_named(word: str) -> str:
    """The label that a folder's name gives, as `real`, `fakes` or `0_real`; empty if none."""
    # "0_real", as folders are named to be sorted.
    plain = re.sub(r"^\d+[_-]", "", word.strip().upper())
    return LABEL_OF.get(plain, "") or LABEL_OF.get(plain.removesuffix("S"), "")


def without_labels(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """`table` without the files that its authors could not label, which is logged."""
    known = ~table["label"].str.strip().str.upper().isin(NO_LABEL)
    if not known.all():
        log.warning("%s: %d files without a label are left out.", path, int((~known).sum()))
    return table[known].reset_index(drop=True)
