"""Data sets on disk become one table: a row per video or picture, its label, its split.

python -m train.index --crops dfdc_train-0.parquet:train --videos clips/labels.csv --out t.parquet
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from train.folders import read_folders
from train.frame_folders import PICTURE_SUFFIXES, VIDEO_SUFFIXES, frames_in
from train.layouts import LISTINGS, Reader, layout_of, listed_file, read_listing
from train.lists import SPLITS, labels_of, read_rows, split_named, splits_of
from train.rearranged import read_rearranged
from train.verbs import DataError, verb, whole

# All of the table; what a source does not give is empty, and never missing.
COLUMNS = [
    *("path", "row", "kind", "label", "method", "dataset", "compression"),
    *("identity", "target", "split", "history"),
]
log = logging.getLogger(__name__)


def read_source(path: Path, kind: str, split: str = "") -> pd.DataFrame:
    """One data set as a table with `COLUMNS`.

    `path` is a Parquet file with a column `image` (encoded bytes), a CSV `file,label[,method,
    identity,target,split,source]`, a JSON of DeepfakeBench or a metadata.json, or a folder: one of
    `train.layouts`, or `real/` and `fake/`.
    `kind` is what a row is: a `video` (also a folder of its frames), a `still` (a picture with a
    face somewhere), or a `crop` (the face fills it). `split` overrides the file's own.

    Raises ValueError for anything it cannot take.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist.")
    table = _reader_of(path)(path, kind)
    table["kind"] = kind
    _refuse_mixed(table, kind, path)
    table["dataset"] = table.get("dataset", path.stem)
    if split:
        table["split"] = split
    return without_doubles(_complete(table, path), path)


def read_videos(paths: Sequence[Path], split: str | None) -> pd.DataFrame:
    """The labelled videos of all `paths`, or those of one split."""
    table = pd.concat([read_source(path, "video") for path in paths])
    return table[table["split"] == split] if split else table


def _reader_of(path: Path) -> Reader:
    if path.is_dir():
        return layout_of(path) or read_folders
    readers = {".parquet": _read_parquet, ".csv": _read_csv, ".tsv": _read_csv, ".json": _read_json}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path} is neither a Parquet file, a CSV, a JSON nor a folder.")
    return reader


def _refuse_mixed(table: pd.DataFrame, kind: str, path: Path) -> None:
    wrong = PICTURE_SUFFIXES if kind == "video" else VIDEO_SUFFIXES
    odd = [name for name in table["path"] if Path(name).suffix.lower() in wrong]
    if odd:
        expected, other = ("videos", "pictures") if kind == "video" else ("pictures", "videos")
        raise DataError(
            f"{path} was given as {expected} and also names {len(odd)} {other}, as {odd[0]}. List "
            f"them apart: videos with --videos, pictures with --stills or --crops."
        )


def _read_parquet(path: Path, kind: str) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
        table = pd.read_parquet(path, columns=[name for name in names if name != "image"])
    except pa.ArrowException as error:
        raise DataError(f"{path} is not a Parquet file, or it is damaged: {error}.") from error
    if "image" not in names:
        raise DataError(f"{path} has no column 'image'; it has {', '.join(names)}.")
    # The picture is found again by file and row; it is read only when it is needed.
    table["path"], table["row"] = str(path), np.arange(len(table))
    return table


def _read_csv(path: Path, kind: str) -> pd.DataFrame:
    table = read_rows(path)
    places = [listed_file(path, name) for name in table["file"]]
    missing = [name for name, place in zip(table["file"], places, strict=True) if place is None]
    if missing:
        raise DataError(
            f"{path} names {len(missing)} files that do not exist, as {path.parent / missing[0]}. "
            "Names are searched beside the list."
        )
    empty = [place for place in places if place and place.is_dir() and not frames_in(place)]
    if empty:
        raise DataError(f"{path} names {empty[0]}, a folder without pictures.")
    table["path"] = [str(place) for place in places]
    if "dataset" not in table and "source" in table:
        table["dataset"] = table["source"]
    return table


def _read_json(path: Path, kind: str) -> pd.DataFrame:
    if path.name in LISTINGS:
        return read_listing(path)
    return read_rearranged(path, kind)


def _complete(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    if "label" not in table:
        raise DataError(f"{path} has no column 'label'.")
    table["label"] = labels_of(table["label"], path)
    if "row" not in table:
        table["row"] = -1
    for column in ("method", "identity", "target", "split", "compression", "history"):
        filled = table[column].fillna("").astype(str).str.strip() if column in table else ""
        table[column] = filled
    table["split"] = splits_of(table["split"], path)
    table["method"] = table["method"].where(table["method"] != "", table["dataset"])
    # An unknown identity is not shared: each row without one gets a name of its own.
    names = pd.Series([own_name(row) for row in table.to_dict("records")], index=table.index)
    table["identity"] = table["identity"].where(table["identity"] != "", names)
    # Equal numbers in two data sets are two people.
    people = table["people"] if "people" in table else table["dataset"]
    prefix = people.str.replace(r"-\d+$", "", regex=True) + "/"
    table["identity"] = prefix + table["identity"]
    table["target"] = (prefix + table["target"]).where(table["target"] != "", "")
    return table[COLUMNS].reset_index(drop=True)


def own_name(row: dict[str, Any]) -> str:
    """A name for the unknown person of one row."""
    stem = Path(row["path"]).stem
    return stem if row["row"] < 0 else f"{stem}-{row['row']}"


def without_doubles(table: pd.DataFrame, path: Path | str) -> pd.DataFrame:
    """`table` with each file once. Raises DataError for one that is both REAL and FAKE."""
    # Links to one file are one file; rows of one Parquet file differ by number.
    place = table["path"].map(os.path.realpath) + table["row"].astype(str)
    both = table["label"].groupby(place).transform("nunique") > 1
    if both.any():
        raise DataError(
            f"{path} gives {table['path'][both].nunique()} files as both REAL and FAKE, as "
            f"{table['path'][both].iloc[0]}. Keep the line that is right."
        )
    splits = table["split"].where(table["split"] != "").groupby(place).transform("nunique") > 1
    if splits.any():
        raise DataError(
            f"{path} puts {table['path'][splits].nunique()} files in more than one split, as "
            f"{table['path'][splits].iloc[0]}. Keep the line that is right."
        )
    double = place.duplicated()
    if double.any():
        log.warning("%s: %d files are named twice; each is kept once.", path, int(double.sum()))
    return table[~double].reset_index(drop=True)


def assign_splits(table: pd.DataFrame, shares: Sequence[float] = (0.8, 0.1, 0.1)) -> pd.DataFrame:
    """`table` with every empty `split` filled in by a hash of who is in the picture.

    People who are in one fake (`identity` and `target`) go together, so that nobody is in
    two splits; the hash of the group's first name does not change when data is added elsewhere.
    A group in which the source names a split follows it. Raises ValueError where one group
    would have to be on two sides.
    """
    people = _groups(zip(table["identity"], table["target"], strict=True))
    group = table["identity"].map(people)
    given = table[table["split"] != ""].groupby(group)["split"].unique()
    torn = [name for name, splits in given.items() if len(splits) > 1]
    if torn:
        raise DataError(
            f"{len(torn)} people are in more than one split, as {torn[0]}. Nobody may be on two "
            "sides: give one of the sources one split (SOURCE:train), or leave one out."
        )
    fixed = {name: str(splits[0]) for name, splits in given.items()}
    split = [fixed.get(name) or _hashed_split(name, shares) for name in group]
    return table.assign(split=split)


def _groups(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            # Path halving (Tarjan & van Leeuwen 1984): the walk to the root shortens the path.
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for source, target in pairs:
        first, second = root(source), root(target or source)
        # The smaller name is the root, so that the group's name does not depend on the order of
        # rows.
        parent[max(first, second)] = min(first, second)
    return {name: root(name) for name in list(parent)}


def _hashed_split(name: str, shares: Sequence[float]) -> str:
    # 64 bits of the hash as a number in [0, 1): uniform, and the same on every machine.
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64
    edges = np.cumsum(shares) / np.sum(shares)
    return SPLITS[int(np.searchsorted(edges, place, side="right"))]


def write_table(table: pd.DataFrame, path: Path) -> None:
    """As Parquet and, beside it, as CSV; an old file is replaced only by a complete new one."""
    with whole(path) as part:
        table.to_parquet(part)
    with whole(path.with_suffix(".csv")) as part:
        table.to_csv(part, index=False)


def report(table: pd.DataFrame) -> str:
    """How many videos and people of each label each split has, as text."""
    counts = table.groupby(["split", "kind", "dataset", "label"]).agg(
        files=("path", "size"), people=("identity", "nunique")
    )
    return str(counts.to_string())


def split_of_source(source: str, kind: str) -> tuple[Path, str, str]:
    """`PATH` or `PATH:SPLIT`, as `read_source` takes them; a path may have colons of its own."""
    # From the right, since C:\ and URIs have colons at the left.
    path, colon, word = source.rpartition(":")
    if not colon or Path(source).exists():
        return Path(source), kind, ""
    if split_named(word):
        return Path(path), kind, split_named(word)
    if Path(path).exists():
        raise DataError(f"{source}: a split is one of {', '.join(SPLITS)}, got {word!r}.")
    return Path(source), kind, ""


@verb
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.index", description=__doc__)
    for kind in ("crops", "stills", "videos"):
        parser.add_argument(
            f"--{kind}", nargs="+", default=[], metavar="SOURCE[:SPLIT]", help=f"{kind} to add"
        )
    parser.add_argument(
        "--shares", nargs=3, type=float, default=(0.8, 0.1, 0.1), help="people in train, val, test"
    )
    parser.add_argument("--out", type=Path, required=True, help="table to write (.parquet)")
    parser.add_argument("--excel", action="store_true", help="write an .xlsx too")
    options = parser.parse_args(argv)
    if min(options.shares) < 0 or not 0 < sum(options.shares) < float("inf"):
        parser.error("--shares are three numbers, none below 0, and not all 0.")
    if options.out.suffix in (".csv", ".xlsx"):
        parser.error(
            f"--out names the .parquet file; a CSV is written beside it. Got {options.out}"
        )
    tables = [
        read_source(*split_of_source(source, kind))
        for kind in ("crop", "still", "video")
        for source in getattr(options, f"{kind}s")
    ]
    if not tables:
        parser.error("Name at least one source with --crops, --stills or --videos.")
    table = without_doubles(pd.concat(tables, ignore_index=True), "What was given")
    table = assign_splits(table, options.shares)
    write_table(table, options.out)
    if options.excel:
        table.to_excel(options.out.with_suffix(".xlsx"), index=False)
    print(report(table))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
