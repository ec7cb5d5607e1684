"""Public deepfake data sets as their authors lay them out, read into rows of the table.

FaceForensics++ (arXiv 1901.08971), Celeb-DF v1 and v2 (arXiv 1909.12962), DFDC (arXiv
2006.07397), DeeperForensics-1.0 (arXiv 2001.03024). Official splits are kept where there are any.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from train.verbs import DataError

VIDEO_SUFFIXES = {".mp4", ".mov", ".avi", ".mkv", ".webm"}
Reader = Callable[[Path], pd.DataFrame]


def layout_of(folder: Path) -> Reader | None:
    """Who can read `folder`, told by what lies in it; None if nobody."""
    if (folder / "original_sequences").is_dir() or (folder / "manipulated_sequences").is_dir():
        return read_faceforensics
    if (folder / "Celeb-real").is_dir():
        return read_celeb_df
    if (folder / "manipulated_videos").is_dir():
        return read_deeperforensics
    if next(folder.glob("**/metadata.json"), None):
        return read_dfdc
    return None


def read_faceforensics(folder: Path) -> pd.DataFrame:
    """`*_sequences/METHOD/COMPRESSION/videos/*.mp4`; train.json, val.json and test.json, pairs of
    names, may lie in `folder` or in its `splits/`.

    A fake `071_054` shows the person of video 071 with the face of 054. The clips of actors
    (DeepFakeDetection) are named by two actors; they have no official split.
    """
    official = _faceforensics_splits(folder)
    rows = []
    for path in _videos(folder.glob("*_sequences/*/*/videos/*")):
        method, compression = path.parts[-4], path.parts[-3]
        fake = "manipulated_sequences" in path.parts
        actors = method in ("actors", "DeepFakeDetection")
        names = path.stem.split("__")[0].split("_")
        identity, target = names[0], names[1] if fake and len(names) > 1 else ""
        prefix = "actor" if actors else ""
        rows.append(
            {
                "path": str(path),
                "label": "FAKE" if fake else "REAL",
                "method": method if fake else "original",
                "dataset": "faceforensics",
                "compression": compression,
                "identity": prefix + identity,
                "target": prefix + target if target else "",
                "split": "" if actors else official.get(identity, ""),
            }
        )
    return _table(rows, folder)


def _faceforensics_splits(folder: Path) -> dict[str, str]:
    splits: dict[str, str] = {}
    for split in ("train", "val", "test"):
        for path in (folder / f"{split}.json", folder / "splits" / f"{split}.json"):
            if path.exists():
                pairs: list[list[str]] = json.loads(path.read_text())
                splits |= {name: split for pair in pairs for name in pair}
    return splits


def read_celeb_df(folder: Path) -> pd.DataFrame:
    """`Celeb-real/id0_0000.mp4`, `YouTube-real/00000.mp4`, `Celeb-synthesis/id0_id1_0000.mp4`;
    what List_of_testing_videos.txt names is `test`, and so is everyone in it: the official list
    shares its people with the rest, which then cannot be trained on under this project's rule.
    """
    rows = []
    for part in ("Celeb-real", "YouTube-real", "Celeb-synthesis"):
        for path in _videos((folder / part).glob("*")):
            names = path.stem.split("_")
            fake = part == "Celeb-synthesis"
            youtube = part == "YouTube-real"
            rows.append(
                {
                    "path": str(path),
                    "label": "FAKE" if fake else "REAL",
                    "method": part,
                    "dataset": "celeb_df",
                    "identity": f"youtube{path.stem}" if youtube else names[0],
                    "target": names[1] if fake else "",
                    "split": "",
                }
            )
    table = _table(rows, folder)
    listed = folder / "List_of_testing_videos.txt"
    if listed.exists():
        tested = {line.split()[-1] for line in listed.read_text().splitlines() if line.strip()}
        inside = ["/".join(Path(path).parts[-2:]) in tested for path in table["path"]]
        people = set(table["identity"][inside]) | set(table["target"][inside]) - {""}
        meets = table["identity"].isin(people) | table["target"].isin(people)
        table["split"] = table["split"].where(~meets, "test")
        table = table[~meets | pd.Series(inside)]
    return table


def read_dfdc(folder: Path) -> pd.DataFrame:
    """Any number of parts, each with its metadata.json of `{file: {label, original}}`. A fake's
    person is that of its original; originals of one actor are not known to be so."""
    rows = []
    for listing in sorted(folder.glob("**/metadata.json")):
        entries: dict[str, dict[str, Any]] = json.loads(listing.read_text())
        for name, entry in entries.items():
            if not (listing.parent / name).exists():
                continue
            original = entry.get("original") or name
            rows.append(
                {
                    "path": str(listing.parent / name),
                    "label": entry["label"],
                    "method": "DFDC" if entry["label"].upper() == "FAKE" else "original",
                    "dataset": "dfdc",
                    "identity": Path(original).stem,
                }
            )
    return _table(rows, folder)


def read_deeperforensics(folder: Path) -> pd.DataFrame:
    """`manipulated_videos/KIND/000_M101.mp4` (person 000, driven by actor M101) and
    `source_videos/ACTOR/**`; lists/splits/{train,val,test}.txt name the fakes of each split."""
    official = {
        line.strip(): split
        for split in ("train", "val", "test")
        for path in folder.glob(f"**/{split}.txt")
        for line in path.read_text().splitlines()
    }
    rows = []
    for path in _videos(folder.glob("manipulated_videos/*/*")):
        person, _, actor = path.stem.partition("_")
        rows.append(
            {
                "path": str(path),
                "label": "FAKE",
                "method": path.parent.name,
                "identity": person,
                "target": actor,
                "split": official.get(path.name, ""),
            }
        )
    for path in _videos(folder.glob("source_videos/*/**/*")):
        actor = path.relative_to(folder / "source_videos").parts[0]
        rows.append({"path": str(path), "label": "REAL", "method": "original", "identity": actor})
    return _table(rows, folder).assign(dataset="deeperforensics")


def _videos(paths: Any) -> list[Path]:
    return sorted(path for path in paths if path.suffix.lower() in VIDEO_SUFFIXES)


def _table(rows: list[dict[str, Any]], folder: Path) -> pd.DataFrame:
    if not rows:
        raise DataError(f"{folder} looks like a known data set, but has no videos.")
    return pd.DataFrame(rows)
