"""Folders called `real` and `fake`, at any depth, with or without `train`, `val` and `test`; and,
where there are none, whatever is listed beside the files."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from train.frame_folders import PICTURE_SUFFIXES, VIDEO_SUFFIXES, files_below
from train.layouts import LISTINGS, Row, read_listing
from train.lists import label_named, read_entries, read_json, split_named
from train.people import clip_of, people_of, unlike
from train.verbs import DataError

log = logging.getLogger(__name__)

KNOWN = (
    "real/ and fake/, a metadata.json, or the layout of FaceForensics++, Celeb-DF, DFDC, "
    "DeeperForensics-1.0, FakeAVCeleb, WildDeepfake, Deepfake-Eval-2024 or DF40"
)


def read_folders(folder: Path, kind: str = "video") -> pd.DataFrame:
    """Every video or picture below, labelled by the nearest folder called real or fake; a folder of
    pictures inside one is a video if videos are requested. Names of known data sets identify who is
    in a file (`id0_id1_0000` of Celeb-DF), and so does `original` in a metadata.json.

    Raises DataError where nothing is labelled.
    """
    files = [path for path in files_below(folder) if _is_media(path)]
    rows = [row for path in files if (row := _row_of(path, folder, kind))]
    if rows:
        if len(rows) < len(files):
            out = len(files) - len(rows)
            log.warning(
                "%s: %d files lie in neither real/ nor fake/ and are left out.", folder, out
            )
        table = pd.DataFrame(rows).drop_duplicates("path").reset_index(drop=True)
        return _with_originals(_with_people(table), folder)
    lists = [path for path in files_below(folder) if path.name in LISTINGS]
    if lists:
        return pd.concat([read_listing(listing) for listing in lists], ignore_index=True)
    raise DataError(f"{folder} has no videos or pictures in real/ and fake/. A folder has {KNOWN}.")


def _is_media(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES | PICTURE_SUFFIXES


def _row_of(path: Path, folder: Path, kind: str) -> Row | None:
    inner = path.relative_to(folder).parts[:-1]
    # The nearest folder decides: real/ below a folder called fake/ is real.
    labelled = [index for index, name in enumerate(inner) if label_named(name)]
    if not labelled:
        return None
    below = inner[labelled[-1] + 1 :]
    within = [name for name in below if not split_named(name)]
    picture = path.suffix.lower() in PICTURE_SUFFIXES
    clip = path.parent if picture and within else path
    return {
        "path": str(clip if kind == "video" else path),
        "label": label_named(inner[labelled[-1]]),
        "split": next((split for name in inner if (split := split_named(name))), ""),
        "clip": clip_of(clip.stem) if picture else clip.stem,
        # Unique below the label's folder, where plain names may come twice.
        "within": "/".join([*within[: len(within) - (clip != path)], clip.stem]),
    }


def _with_people(table: pd.DataFrame) -> pd.DataFrame:
    """`identity` and `target` by the names. A name that several real clips share, each in a folder
    of its own, identifies nobody: there the folder is part of it."""
    known = [people_of(name) for name in table["clip"]]
    real = table[table["label"] == "REAL"].drop_duplicates("within")
    some = real if len(real) else table.drop_duplicates("within")
    alone = table["clip"] if unlike(list(some["clip"])) else table["within"]
    identity = [p.identity if p else name for p, name in zip(known, alone, strict=True)]
    target = [
        p.target if p and label == "FAKE" else ""
        for p, label in zip(known, table["label"], strict=True)
    ]
    return table.assign(identity=identity, target=target)


def _with_originals(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """People by the originals that lists beside the files name; a list that is none is left."""
    originals: dict[str, str] = {}
    for listing in files_below(folder):
        if listing.name in LISTINGS:
            try:
                entries = read_entries(listing, read_json(listing))
            except DataError as error:
                log.warning("%s Labels are those of the folders.", error)
                continue
            if "identity" in entries:
                # By stem, since lists and files may differ in suffix.
                pairs = zip(entries["file"], entries["identity"], strict=True)
                originals |= {Path(file).stem: name for file, name in pairs if name}
    people = table["clip"].map(originals)
    return table.assign(identity=people.where(people.notna(), table["identity"]))
