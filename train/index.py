"""Data sets on disk become one table: a row per video or picture, its label, its split.

python -m train.index --crops dfdc_train-0.parquet:train --videos clips/labels.csv --out t.parquet
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from train.layouts import VIDEO_SUFFIXES, layout_of
from train.verbs import DataError, verb, whole

COLUMNS = [
    *("path", "row", "kind", "label", "method", "dataset", "compression"),
    *("identity", "target", "split"),
]
SPLITS = ("train", "val", "test")
LABELS = ("REAL", "FAKE")
PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


def read_source(path: Path, kind: str, split: str = "") -> pd.DataFrame:
    """One data set as a table with `COLUMNS`.

    `path` is a Parquet file with a column `image` (encoded bytes), a CSV `file,label[,method,
    identity,target,split,source]`, or a folder: one of `train.layouts`, or `real/` and `fake/`.
    `kind` says what a row is: a `video`, a `still` (a picture with a face somewhere), or a `crop`
    (the face fills it). `split` overrules what the file says.

    Raises ValueError for anything it cannot take.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist.")
    if path.suffix == ".parquet":
        table = _read_parquet(path)
    elif path.suffix == ".csv":
        table = _read_csv(path)
    elif path.is_dir():
        table = (layout_of(path) or _read_folders)(path)
    else:
        raise DataError(f"{path} is neither a Parquet file, a CSV nor a folder.")
    table["kind"] = kind
    _refuse_mixed(table, kind, path)
    table["dataset"] = table.get("dataset", path.stem)
    if split:
        table["split"] = split
    return _complete(table, path)


def _refuse_mixed(table: pd.DataFrame, kind: str, path: Path) -> None:
    wrong = PICTURE_SUFFIXES if kind == "video" else VIDEO_SUFFIXES
    odd = [name for name in table["path"] if Path(name).suffix.lower() in wrong]
    if odd:
        asked, other = ("videos", "pictures") if kind == "video" else ("pictures", "videos")
        raise DataError(
            f"{path} was given as {asked} and also names {len(odd)} {other}, as {odd[0]}. List "
            f"them apart: videos with --videos, pictures with --stills or --crops."
        )


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow.parquet as pq

    names = [name for name in pq.read_schema(path).names if name != "image"]
    table = pd.read_parquet(path, columns=names)
    table["path"], table["row"] = str(path), np.arange(len(table))
    return table


def _read_csv(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.columns = table.columns.str.strip().str.lower()
    if "file" not in table:
        raise DataError(f"{path} has no column 'file'; it has {', '.join(table.columns)}.")
    table["path"] = [str(path.parent / name) for name in table["file"]]
    if "dataset" not in table and "source" in table:
        table["dataset"] = table["source"]
    missing = [name for name in table["path"] if not Path(name).exists()]
    if missing:
        raise DataError(f"{path} names {len(missing)} files that do not exist, as {missing[0]}.")
    return table


def _read_folders(path: Path) -> pd.DataFrame:
    known = VIDEO_SUFFIXES | PICTURE_SUFFIXES
    rows = [
        {"path": str(file), "label": label, "identity": file.stem}
        for label in LABELS
        for file in sorted((path / label.lower()).rglob("*"))
        if file.suffix.lower() in known
    ]
    if not rows:
        raise DataError(f"{path} has no videos or pictures in real/ and fake/.")
    return pd.DataFrame(rows)


def _complete(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    if "label" not in table:
        raise DataError(f"{path} has no column 'label'.")
    table["label"] = table["label"].astype(str).str.strip().str.upper()
    unknown = sorted(set(table["label"]) - set(LABELS))
    if unknown:
        raise DataError(f"{path} has labels other than REAL and FAKE: {', '.join(unknown[:5])}.")
    if "row" not in table:
        table["row"] = -1
    if "identity" not in table:
        table["identity"] = [Path(name).stem for name in table["path"]]
    for column in ("method", "target", "split", "compression"):
        table[column] = table[column].fillna("").astype(str) if column in table else ""
    table["method"] = table["method"].where(table["method"] != "", table["dataset"])
    # Equal numbers in two data sets are two people.
    prefix = table["dataset"].str.replace(r"-\d+$", "", regex=True) + "/"
    table["identity"] = prefix + table["identity"].astype(str)
    table["target"] = (prefix + table["target"]).where(table["target"] != "", "")
    return table[COLUMNS].reset_index(drop=True)


def assign_splits(table: pd.DataFrame, shares: Sequence[float] = (0.8, 0.1, 0.1)) -> pd.DataFrame:
    """`table` with every empty `split` filled in by a hash of who is in the picture.

    People who meet in one fake (`identity` and `target`) go together, so that nobody stands on
    two sides; the hash of the group's first name does not drift when data is added elsewhere.
    A group in which the source names a split follows it. Raises ValueError where one group
    would have to be on two sides.
    """
    people = _groups(zip(table["identity"], table["target"], strict=True))
    group = table["identity"].map(people)
    given = table[table["split"] != ""].groupby(group)["split"].unique()
    torn = [name for name, splits in given.items() if len(splits) > 1]
    if torn:
        raise DataError(f"{len(torn)} people are in more than one split, as {torn[0]}.")
    fixed = {name: str(splits[0]) for name, splits in given.items()}
    split = [fixed.get(name) or _hashed_split(name, shares) for name in group]
    return table.assign(split=split)


def _groups(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for source, target in pairs:
        first, second = root(source), root(target or source)
        parent[max(first, second)] = min(first, second)
    return {name: root(name) for name in list(parent)}


def _hashed_split(name: str, shares: Sequence[float]) -> str:
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
    tables = []
    for kind in ("crop", "still", "video"):
        for source in getattr(options, f"{kind}s"):
            name, _, split = source.partition(":")
            if split not in ("", *SPLITS):
                parser.error(f"{source}: a split is one of {', '.join(SPLITS)}.")
            tables.append(read_source(Path(name), kind, split))
    if not tables:
        parser.error("Name at least one source with --crops, --stills or --videos.")
    table = assign_splits(pd.concat(tables, ignore_index=True), options.shares)
    write_table(table, options.out)
    if options.excel:
        table.to_excel(options.out.with_suffix(".xlsx"), index=False)
    print(report(table))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
