"""DeepfakeBench's JSON, in which it and DF40 list every data set: `{SET: {LABEL: {SPLIT:
[{COMPRESSION:] {VIDEO: {label, frames}}}}}`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from train.layouts import COMPRESSIONS, Row, keep_test_apart
from train.lists import SPLITS, read_json, split_named
from train.people import people_of
from train.verbs import DataError

ROOTS = (".", "datasets", "datasets/rgb", "rgb", "data")
"""Where beside a JSON, or beside a folder above it, its paths may begin."""
ABOVE = 4
"""Folders above the JSON that are searched; set by hand."""
SHORTEST = 3
"""Parts of a path that must be found: fewer do not identify a frame."""


def read_rearranged(path: Path, kind: str = "video") -> pd.DataFrame:
    """A row per video, which is the folder of its frames, or per frame if pictures are requested.

    Its paths are searched beside the JSON and above it. A video that is listed in several splits is
    in the last of train, val and test; one that is listed in all of
    them, as those of sets without an official split are, in none. Raises DataError where the
    frames are not found.
    """
    content = read_json(path)
    found = list(_videos(content, ())) if isinstance(content, dict) else []
    if not found:
        raise DataError(
            f"{path} is not a list of DeepfakeBench: no entry has the key 'frames'. Give a CSV "
            "file,label or a folder instead."
        )
    splits = _official(found)
    places = _Places(path)
    rows: list[Row] = []
    for keys, entry in found:
        row = _row_of(keys, entry, path)
        row["split"] = splits[_video_key(keys)]
        rows += [row | {"path": str(place)} for place in places.of(entry["frames"], keys[-1], kind)]
    table = pd.DataFrame(rows).drop_duplicates("path").reset_index(drop=True)
    return keep_test_apart(table, path)


def _videos(node: dict[str, Any], keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Row]]:
    if isinstance(node.get("frames"), list):
        if node["frames"]:
            yield keys, node
        return
    for key, below in node.items():
        if isinstance(below, dict):
            yield from _videos(below, (*keys, str(key)))


def _video_key(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(key for key in keys if not split_named(key))


def _official(found: list[tuple[tuple[str, ...], Row]]) -> dict[tuple[str, ...], str]:
    members: dict[tuple[str, ...], dict[str, set[tuple[str, ...]]]] = {}
    for keys, _ in found:
        split = next((name for key in keys if (name := split_named(key))), "")
        part = members.setdefault(_video_key(keys)[:2], {})
        part.setdefault(split, set()).add(_video_key(keys))
    official: dict[tuple[str, ...], str] = {}
    for part in members.values():
        lists = [part.get(split) for split in SPLITS]
        # Sets without an official split list all of their videos in each part.
        shared = lists[0] is not None and lists[0] == lists[1] == lists[2]
        for split in ("", *SPLITS):  # what comes later overrules
            if split == "val" and part.get("val") in (part.get("train"), part.get("test")):
                continue
            official |= {key: "" if shared else split for key in part.get(split, ())}
    return official


def _row_of(keys: tuple[str, ...], entry: Row, path: Path) -> Row:
    method, video = keys[min(1, len(keys) - 1)], keys[-1]
    label = _label(str(entry.get("label") or method), path)
    people = people_of(video)
    identity = people.identity if people else video
    # Celeb-DF's YouTube videos are named by plain numbers.
    youtube = people is None and "youtube" in str(entry["frames"][0]).lower()
    return {
        "label": label,
        "method": "original" if label == "REAL" else method,
        "dataset": keys[0],
        "people": "celeb_df" if youtube else people.dataset if people else keys[0],
        "compression": next((key for key in keys if key in COMPRESSIONS), ""),
        "identity": f"youtube{identity}" if youtube else identity,
        "target": people.target if people and label == "FAKE" else "",
    }


def _label(word: str, path: Path) -> str:
    if re.search(r"real|original|youtube|actors", word, re.IGNORECASE):
        return "REAL"
    if re.search(r"fake|^FF-", word, re.IGNORECASE):
        return "FAKE"
    raise DataError(f"{path} has a label that is neither real nor fake: {word}.")


class _Places:
    """Where the paths of one JSON are on this machine; what fitted last is tried first."""

    def __init__(self, path: Path) -> None:
        above = [path.resolve().parent, *path.resolve().parents[1 : ABOVE + 1]]
        self.path = path
        self.roots = [folder / root for folder in above for root in ROOTS]
        self.fit: tuple[Path, int] | None = None

    def of(self, frames: list[str], video: str, kind: str) -> list[Path]:
        """The folder of the frames for a video, each frame for pictures."""
        # Lists made on Windows have backslashes.
        written = [PurePosixPath(str(frame).replace("\\", "/")) for frame in frames]
        if kind != "video":
            return [self._find(frame) for frame in written]
        folder = written[0].parent
        if folder.name != video or any(frame.parent != folder for frame in written):
            raise DataError(
                f"{self.path} lists pictures that are of no video, as {written[0]}. Give it with "
                "--stills or --crops."
            )
        return [self._find(folder)]

    def _find(self, written: PurePosixPath) -> Path:
        if self.fit is not None:
            place = self.fit[0].joinpath(*written.parts[self.fit[1] :])
            if place.exists():
                return place
        # Paths begin with folders of the authors' machine, which are dropped one by one.
        for drop in range(max(len(written.parts) - SHORTEST, 0) + 1):
            for root in self.roots:
                place = root.joinpath(*written.parts[drop:])
                if place.exists():
                    self.fit = (root, drop)
                    return place
        raise DataError(
            f"{self.path} names {written}, which is not found. Put the JSON beside the folders "
            "that its paths begin with, or below them."
        )
