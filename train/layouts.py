"""Public deepfake data sets as their authors lay them out, read into rows of the table.

FaceForensics++ (arXiv 1901.08971), Celeb-DF v1, v2 and ++ (1909.12962, 2507.18015), DFDC
(2006.07397), DeeperForensics-1.0 (2001.03024), FakeAVCeleb (2108.05080), WildDeepfake
(2101.01456), Deepfake-Eval-2024 (2503.02857) and DF40 (2406.13495), and the same as
SelfBlendedImages and DeepfakeBench store them: videos in `videos/`, or as pictures in
`frames/VIDEO/`. Official splits are kept where there are any.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from train.frame_folders import (
    PICTURE_SUFFIXES,
    VIDEO_SUFFIXES,
    files_below,
    frame_folders_below,
    pictures_below,
    videos_below,
)
from train.lists import (
    labels_of,
    read_entries,
    read_json,
    read_rows,
    read_text,
    split_named,
    splits_of,
    without_labels,
)
from train.people import people_of
from train.verbs import DataError

log = logging.getLogger(__name__)

Row = dict[str, Any]
Reader = Callable[[Path, str], pd.DataFrame]

COMPRESSIONS = ("raw", "c0", "c23", "c40")
_DF40 = (
    "fsgan faceswap simswap inswap inswapper blendface uniface mobileswap e4s facedancer "
    "deepfacelab fomm facevid2vid fs_vid2vid wav2lip mraa one_shot_free oneshot pirender tpsm "
    "tpsmm lia dagan danet sadtalker mcnet hyperreenact heygen vqgan stylegan2 stylegan3 "
    "stylegan-xl styleganxl sd2.1 sd-2.1 ddpm ddim rddm pixart dit sit midjourney midjourney6 "
    "whichfaceisreal whichisreal collabdiff e4e stargan starganv2 styleclip"
)
DF40_METHODS = frozenset(_DF40.split())


def layout_of(folder: Path) -> Reader | None:
    """The reader for `folder`, by what is in it; None if there is none."""
    inside = {path.name.lower() for path in folder.iterdir()}
    # Names of folders that only these data sets use.
    if inside & {"original_sequences", "manipulated_sequences"}:
        return read_faceforensics
    if inside & {"celeb-real", "celeb-synthesis", "youtube-real"}:
        return read_celeb_df
    if "manipulated_videos" in inside:
        return read_deeperforensics
    if any(re.fullmatch(r"(real|fake)video-(real|fake)audio", name) for name in inside):
        return read_fakeavceleb
    if inside & {f"{label}_{split}" for label in ("real", "fake") for split in ("train", "test")}:
        return read_wilddeepfake
    if any(_EVAL_2024.match(name) for name in inside):
        return read_deepfake_eval
    if folder.name.lower().startswith("df40") or len(inside & DF40_METHODS) > 1:
        return read_df40
    return None


def clips_in(folder: Path, kind: str) -> list[Path]:
    """The videos of one part of a data set: in it or in its `videos/`, or as folders of pictures in
    its `frames/`, which are used where there are no videos or pictures are requested."""
    frames = [path for path in _listed(folder / "frames") if path.is_dir()]
    if frames and kind != "video":
        return frames
    for place in (folder / "videos", folder):
        found = [path for path in _listed(place) if path.suffix.lower() in VIDEO_SUFFIXES]
        if found:
            return found
    return frames


def _listed(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def rows_for(clips: Iterable[Path], kind: str, known: Row) -> list[Row]:
    """A row for each clip that is a video; for each of its pictures if pictures are requested."""
    rows = []
    for clip in clips:
        paths = pictures_below(clip) if clip.is_dir() and kind != "video" else [clip]
        rows += [{"path": str(path), **known} for path in paths]
    return rows


def read_faceforensics(folder: Path, kind: str = "video") -> pd.DataFrame:
    """`*_sequences/METHOD/COMPRESSION/videos/*.mp4`; train.json, val.json and test.json, pairs of
    names, may lie in `folder` or in its `splits/`. What is in `masks/` is not a video.

    A fake `071_054` shows the person of video 071 with the face of 054. The clips of actors
    (DeepFakeDetection) are named by two actors; they have no official split.
    """
    official = _faceforensics_splits(folder)
    rows: list[Row] = []
    for part in sorted(folder.glob("*_sequences/*/*")):
        method, compression = part.parts[-2:]
        if compression not in COMPRESSIONS:
            continue
        fake = part.parts[-3] == "manipulated_sequences"
        for clip in clips_in(part, kind):
            people = people_of(clip.stem)
            identity = people.identity if people else clip.stem
            known = {
                "label": "FAKE" if fake else "REAL",
                "method": method if fake else "original",
                "dataset": "faceforensics",
                "compression": compression,
                "identity": identity,
                "target": people.target if people and fake else "",
                # A fake has the split of the person in it; the lists pair people within a split.
                "split": official.get(identity, ""),
            }
            rows += rows_for([clip], kind, known)
    return table_of(rows, folder)


def _faceforensics_splits(folder: Path) -> dict[str, str]:
    splits: dict[str, str] = {}
    for split in ("train", "val", "test"):
        for path in (folder / f"{split}.json", folder / "splits" / f"{split}.json"):
            if path.exists():
                pairs = read_json(path)
                if not isinstance(pairs, list) or not all(isinstance(pair, list) for pair in pairs):
                    raise DataError(
                        f"{path} is not a list of pairs of names, as the authors publish it. "
                        "Fetch it anew or take it away; people are then split here."
                    )
                splits |= {str(name): split for pair in pairs for name in pair}
    return splits


def read_celeb_df(folder: Path, kind: str = "video") -> pd.DataFrame:
    """`Celeb-real/id0_0000.mp4`, `YouTube-real/00000.mp4`, `Celeb-synthesis/id0_id1_0000.mp4`, or
    in `videos/` of each, or, in Celeb-DF++, in a folder for each method;
    what List_of_testing_videos.txt names is `test`, and so is everyone in it: the official list
    shares its people with the rest, which then cannot be trained on under this project's rule.
    """
    listed = folder / "List_of_testing_videos.txt"
    lines = read_text(listed).replace("\\", "/").splitlines() if listed.exists() else []
    # A line is "1 Celeb-real/id0_0000.mp4": a label, then the path.
    tested = {line.split()[-1].lower() for line in lines if line.strip()}
    rows: list[Row] = []
    for part in _listed(folder):
        if part.name.lower() not in ("celeb-real", "youtube-real", "celeb-synthesis"):
            continue
        fake, youtube = "synthesis" in part.name.lower(), "youtube" in part.name.lower()
        for clip in clips_in(part, kind) or videos_below(part):
            people = people_of(clip.stem)
            named = people.identity if people else clip.stem
            inner = clip.parent.name
            known = {
                "label": "FAKE" if fake else "REAL",
                "method": part.name if inner in ("videos", "frames") else inner,
                "dataset": "celeb_df",
                # Their numbers alone would be those of other people.
                "identity": f"youtube{clip.stem}" if youtube else named,
                "target": people.target if people and fake else "",
                "split": "test" if f"{part.name}/{clip.stem}.mp4".lower() in tested else "",
            }
            rows += rows_for([clip], kind, known)
    if tested and not any(row["split"] for row in rows):
        log.warning("%s names no video that is here; nothing is kept for testing.", listed)
    return keep_test_apart(table_of(rows, folder), folder)


def keep_test_apart(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """`table` without the files outside `test` of people who are in it, which is logged."""
    inside = table["split"] == "test"
    people = set(table["identity"][inside]) | set(table["target"][inside]) - {""}
    # A fake shows two people, so both columns count.
    meets = table["identity"].isin(people) | table["target"].isin(people)
    out = meets & ~inside
    if out.any():
        log.warning(
            "%s: %d files are left out, because the people in them are tested.", path, out.sum()
        )
    return table[~out].reset_index(drop=True)


def read_deeperforensics(folder: Path, kind: str = "video") -> pd.DataFrame:
    """`manipulated_videos/KIND/000_M101.mp4` (person 000, driven by actor M101) and
    `source_videos/ACTOR/**`; lists/splits/{train,val,test}.txt name the fakes of each split."""
    official = {
        Path(line.strip()).stem: split
        for split in ("train", "val", "test")
        for path in folder.glob(f"**/{split}.txt")
        for line in read_text(path).splitlines()
        if line.strip()
    }
    rows: list[Row] = []
    for part in _listed(folder / "manipulated_videos"):
        for clip in clips_in(part, kind):
            person, _, actor = clip.stem.partition("_")
            known = {"label": "FAKE", "method": part.name, "identity": person, "target": actor}
            rows += rows_for([clip], kind, known | {"split": official.get(clip.stem, "")})
    for actor_folder in _listed(folder / "source_videos"):
        known = {"label": "REAL", "method": "original", "identity": actor_folder.name, "split": ""}
        clips = videos_below(actor_folder) or frame_folders_below(actor_folder)
        rows += rows_for(clips, kind, known)
    return table_of(rows, folder).assign(dataset="deeperforensics")


def read_fakeavceleb(folder: Path, kind: str = "video") -> pd.DataFrame:
    """`FakeVideo-RealAudio/RACE/GENDER/id00076/*.mp4` and its three siblings. A fake names whose
    face it took (`00109_10_id00476_wavtolip`), and meta_data.csv the method.

    `RealVideo-FakeAudio` is REAL: only its sound was altered, and this project analyses pictures.
    """
    methods = _fakeavceleb_methods(folder)
    rows: list[Row] = []
    for part in _listed(folder):
        if not re.fullmatch(r"(real|fake)video-(real|fake)audio", part.name.lower()):
            continue
        fake = part.name.lower().startswith("fake")
        for clip in videos_below(part) or frame_folders_below(part):
            # The folder of the person is the last such name above the file.
            above = [name for name in clip.parts if re.fullmatch(r"id\d{5}", name)]
            taken = re.findall(r"id\d{5}", clip.stem)
            known = {
                "label": "FAKE" if fake else "REAL",
                "method": methods.get((above[-1] if above else "", clip.name), part.name),
                "identity": above[-1] if above else clip.stem,
                "target": taken[-1] if fake and taken else "",
                "split": "",
            }
            rows += rows_for([clip], kind, known)
    return table_of(rows, folder).assign(dataset="fakeavceleb")


def _fakeavceleb_methods(folder: Path) -> dict[tuple[str, str], str]:
    """By person and file. The list's first line has one name fewer than its rows have cells."""
    listed = folder / "meta_data.csv"
    lines = read_text(listed).splitlines()[1:] if listed.exists() else []
    cells = [line.split(",") for line in lines if line.count(",") >= 8]
    # Columns: 0 the person, 3 the method, 8 the file.
    return {(row[0].strip(), row[8].strip()): row[3].strip() for row in cells}


def read_wilddeepfake(folder: Path, kind: str = "video") -> pd.DataFrame:
    """`{real,fake}_{train,test}/NUMBER/**/*.png`: each folder of pictures is one run of one face,
    each number one video of the internet. Its people are not known; the test part is kept."""
    rows: list[Row] = []
    for part in _listed(folder):
        label, _, split = part.name.lower().partition("_")
        if label not in ("real", "fake") or not split_named(split):
            continue
        clips = videos_below(part) or frame_folders_below(part)
        if not clips and any(path.suffix in (".gz", ".tar") for path in files_below(part)):
            raise DataError(f"{part} is still packed. Unpack its archives where they lie first.")
        for clip in clips:
            number = clip.relative_to(part).parts[0]
            known = {"label": label.upper(), "identity": f"{part.name}/{number}", "target": ""}
            known |= {"method": "original" if label == "real" else "wilddeepfake"}
            rows += rows_for([clip], kind, known | {"split": split_named(split)})
    return table_of(rows, folder).assign(dataset="wilddeepfake")


_EVAL_2024 = re.compile(r"(video|image)-metadata-publish.*\.csv")


def read_deepfake_eval(folder: Path, kind: str = "video") -> pd.DataFrame:
    """`video-metadata-publish.csv` or, for pictures, `image-metadata-publish.csv`, and the files in
    `video-data/` and `image-data/`. Files whose label is unknown are left out."""
    medium = "video" if kind == "video" else "image"
    lists = [path for path in _listed(folder) if _EVAL_2024.fullmatch(path.name.lower())]
    chosen = [path for path in lists if path.name.lower().startswith(medium)]
    if not chosen:
        raise DataError(
            f"{folder} has no {medium}-metadata-publish.csv, which names its {medium}s."
        )
    table = without_labels(read_rows(chosen[0]), chosen[0])
    places = [folder / f"{medium}-data", folder / f"{medium}_data", folder]
    # The last of the three is the folder itself, which exists.
    base = next(place for place in places if place.is_dir())
    table["path"] = [str(base / name) for name in table["file"]]
    here = pd.Series([Path(path).is_file() for path in table["path"]], index=table.index)
    if not here.all():
        log.warning("%s: %d of its files are not here.", chosen[0], int((~here).sum()))
    rows = table[here].reset_index(drop=True)
    if not len(rows):
        raise DataError(f"{base} contains none of the files that {chosen[0].name} names.")
    labels = labels_of(rows["label"], chosen[0])
    splits = splits_of(rows["split"], chosen[0]) if "split" in rows else ""
    return pd.DataFrame({"path": rows["path"], "label": labels}).assign(
        split=splits, dataset="deepfake_eval_2024", method="in_the_wild"
    )


_DF40_FOLDERS = ("ff", "cdf", "frames", "videos", "inversions", "real", "fake", "original", "reals")


def read_df40(folder: Path, kind: str = "video") -> pd.DataFrame:
    """`METHOD/{ff,cdf}/frames/001_870/*.png`, `METHOD/frames/...` of the training part, and
    videos in their place; real pictures lie in `real/` where a method has its own. Pictures that
    are of no video (whole faces drawn by a network) are only read as pictures.

    Names are those of FaceForensics++ and Celeb-DF, so their people are the same as there.
    """
    rows: list[Row] = []
    for method in _listed(folder):
        if not method.is_dir():
            continue
        videos = videos_below(method) if kind == "video" else []
        for path in videos or pictures_below(method):
            # A picture directly in one of these folders belongs to no video.
            clip = path if videos or path.parent.name.lower() in _DF40_FOLDERS else path.parent
            inner = {name.lower() for name in clip.relative_to(method).parts[:-1]}
            real = bool((inner | {method.name.lower()}) & {"real", "original", "reals"})
            people = people_of(clip.stem)
            rows.append(
                {
                    "path": str(clip if kind == "video" else path),
                    "label": "REAL" if real else "FAKE",
                    "method": "original" if real else method.name,
                    "people": people.dataset if people else f"df40_{method.name}",
                    "identity": people.identity if people else clip.stem,
                    "target": people.target if people and not real else "",
                }
            )
    if kind == "video":
        rows = [row for row in rows if Path(row["path"]).suffix.lower() not in PICTURE_SUFFIXES]
    return table_of(rows, folder).drop_duplicates("path").assign(dataset="df40", split="")


LISTINGS = ("metadata.json", "dataset.json")


def read_listing(listing: Path) -> pd.DataFrame:
    """DFDC's metadata.json of `{file: {label, original}}`, or a list of such, and the dataset.json
    of its preview, which names splits too. A fake's person is that of its original; originals of
    one actor are not known to be so. Files that are not here are left out."""
    table = read_entries(listing, read_json(listing))
    here = [listed_file(listing, name) for name in table["file"]]
    table = table.assign(path=[str(path) for path in here])[[path is not None for path in here]]
    if not len(table):
        raise DataError(f"{listing} names no file that is beside it.")
    labels = labels_of(table["label"], listing)
    own = pd.Series([Path(path).stem for path in table["path"]], index=table.index)
    original = table.get("identity", own)
    return pd.DataFrame(
        {
            "path": table["path"],
            "label": labels,
            "method": ["original" if label == "REAL" else "DFDC" for label in labels],
            "dataset": "dfdc",
            "identity": original.where(original != "", own),
            "split": _listed_splits(table, listing),
        }
    ).reset_index(drop=True)


def _listed_splits(table: pd.DataFrame, listing: Path) -> list[str]:
    """The split of each file. DFDC's parts put all their files in "train", which divides nothing:
    only a `split` of several values counts, or the preview's `set`."""
    cells = table.get("set", table.get("split"))
    if cells is None or ("set" not in table and cells.nunique() < 2):
        return [""] * len(table)
    return splits_of(cells, listing)


def listed_file(listing: Path, name: str) -> Path | None:
    """Where the file `name` of a list is: beside it, or in a `videos/` on the way; None if it is
    nowhere."""
    places = [listing.parent / name]
    path = Path(name.replace("\\", "/"))
    places += [listing.parent / path, listing.parent / "videos" / path]
    if len(path.parts) > 1:
        places.append(Path(listing.parent, path.parts[0], "videos", *path.parts[1:]))
    return next((place for place in places if name and place.exists()), None)


def table_of(rows: list[Row], folder: Path) -> pd.DataFrame:
    if not rows:
        raise DataError(
            f"{folder} has the layout of a known data set, but no videos or pictures of the "
            "requested kind (--videos, --stills, --crops)."
        )
    return pd.DataFrame(rows)
