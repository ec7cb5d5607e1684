"""Check a table before training on it: measure, clean, balance.

    python -m train.hygiene measure --table t.parquet --workers 2
    python -m train.hygiene clean --table t.parquet --min-frames 150 --duplicates 2 --audio-only
    python -m train.hygiene balance --table t.parquet --out report --weights
    python -m train.hygiene augment --table t.parquet --out altered

`measure` fills the columns frames, seconds, width, height, faces, hash and status; what was
measured is kept for a restart. `clean` marks rows in `status`; nothing is deleted,
and `train.prepare` leaves marked rows out. `balance` counts, and evens out by sampling weights;
`augment` evens out by altered copies of real training videos, until there are as many as fakes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import imagehash
import numpy as np
import pandas as pd
from PIL import Image as Pillow
from tqdm import tqdm

from detector.errors import VideoError
from detector.faces.mtcnn import FaceFinder
from detector.records import Image
from detector.video import probe, read_clips
from train.augment import Clip, Colour, blur, noise, recolour
from train.frame_folders import FRAME_RATE, frames_in
from train.index import write_table
from train.plots import draw_balance
from train.prepare import decode_picture, read_bytes
from train.transcode import write_altered
from train.verbs import verb, whole

GOOD = "ok"
SAMPLED = 8
"""Frames of a video in which faces are counted, and which are compared with its original's; few,
as a data set has tens of thousands of videos."""
SAME_PICTURE = 2.0
"""Mean difference, of 255, up to which two videos of 64 px show the same: a second encoding."""
CHUNK = 100
"""Rows per stored part; a restart loses at most one part."""


def measure(table: pd.DataFrame, parts: Path, *, workers: int = 1) -> pd.DataFrame:
    """`table` with what its files are; parts that lie in the folder `parts` are not done again."""
    parts.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(table), CHUNK)
    jobs = [(table.iloc[start : start + CHUNK], parts / f"{start:07d}.parquet") for start in starts]
    left = [job for job in jobs if not job[1].exists()]
    # spawn: a fork of a process with torch's threads may hang.
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for _ in tqdm(pool.imap_unordered(_measure_part, left), total=len(left), unit="part"):
            pass
    measured = pd.concat([pd.read_parquet(path) for _, path in jobs])
    return table.drop(columns=measured.columns, errors="ignore").join(measured)


def _measure_part(job: tuple[pd.DataFrame, Path]) -> None:
    rows, path = job
    finder = FaceFinder()
    found = pd.DataFrame([measure_row(row, finder) for row in rows.to_dict("records")], rows.index)
    with whole(path) as part:
        found.to_parquet(part)


def measure_row(row: dict[str, Any], finder: FaceFinder) -> dict[str, Any]:
    """One file: frames, seconds, width, height, faces (the most in one frame; -1 for a picture,
    in which none are searched for), a perceptual hash of its middle, and `status`."""
    unknown = {"frames": 0, "seconds": 0.0, "width": 0, "height": 0, "faces": -1, "hash": ""}
    try:
        if row["kind"] != "video":
            picture = decode_picture(read_bytes(row["path"], int(row["row"])))
            height, width = picture.shape[:2]
            known = {"frames": 1, "width": width, "height": height, "hash": hash_of(picture)}
            return unknown | known | {"status": GOOD}
        if Path(row["path"]).is_dir():
            return unknown | _measure_folder(Path(row["path"]), finder)
        info = probe(Path(row["path"]))
        frames = some_frames(Path(row["path"]))
    except (VideoError, ValueError, OSError) as error:
        return unknown | {"status": str(error)}
    return {
        "frames": info.frames,
        "seconds": info.seconds,
        "width": info.width,
        "height": info.height,
        "faces": max(len(faces) for faces in finder.find(frames)),
        "hash": hash_of(frames[len(frames) // 2]),
        "status": GOOD,
    }


def _measure_folder(path: Path, finder: FaceFinder) -> dict[str, Any]:
    """The same of a folder of pictures that is a video."""
    pictures = frames_in(path)
    frames = some_frames(path)
    height, width = frames[0].shape[:2]
    return {
        "frames": len(pictures),
        "seconds": len(pictures) / FRAME_RATE,
        "width": width,
        "height": height,
        "faces": max(len(faces) for faces in finder.find(frames)),
        "hash": hash_of(frames[len(frames) // 2]),
        "status": GOOD,
    }


def some_frames(path: Path) -> list[Image]:
    """Frames spread over a video, as the product samples it."""
    if path.is_dir():
        pictures = frames_in(path)
        chosen = pictures[:: max(len(pictures) // SAMPLED, 1)][:SAMPLED]
        return [decode_picture(picture.read_bytes()) for picture in chosen]
    return [frame.image for clip in read_clips(path, SAMPLED) for frame in clip]


def hash_of(picture: Image) -> str:
    """64 bits that change little when a picture is resized or compressed (a DCT hash)."""
    # Signs of the low frequencies of the DCT against their median.
    return str(imagehash.phash(Pillow.fromarray(picture)))


def mark_short(table: pd.DataFrame, least: int) -> pd.DataFrame:
    """Videos of fewer than `least` frames are marked."""
    short = _good(table) & (table["kind"] == "video") & (table["frames"] < least)
    reasons = [f"only {frames} frames" for frames in table["frames"]]
    return table.assign(status=table["status"].where(~short, reasons))


def mark_duplicates(table: pd.DataFrame, distance: int) -> pd.DataFrame:
    """Files of one label and method whose hashes differ by at most `distance` bits: all but the
    first are marked. Fakes always resemble their original, so labels are not mixed."""
    status = table["status"].copy()
    for _, group in table[_good(table)].groupby(["label", "method"]):
        bits = np.array([[int(b) for b in f"{int(h, 16):064b}"] for h in group["hash"]], np.float32)
        # In {-1, 1}: the product of two hashes is 64 - 2 * (bits that differ).
        signs = bits * 2 - 1
        for place in range(len(group)):
            if place == 0 or status[group.index[place]] != GOOD:
                continue
            apart = (64 - signs[:place] @ signs[place]) / 2
            near = np.nonzero(apart <= distance)[0]
            if len(near):
                status[group.index[place]] = f"duplicate of {group['path'].iloc[near[0]]}"
    return table.assign(status=status)


def mark_audio_only(table: pd.DataFrame) -> pd.DataFrame:
    """Fakes of DFDC whose pictures are those of their original: only the sound was altered."""
    status = table["status"].copy()
    fakes = table[_good(table) & (table["label"] == "FAKE") & (table["kind"] == "video")]
    for index, row in tqdm(fakes.iterrows(), total=len(fakes), unit="fake"):
        path = Path(row["path"])
        original = path.with_name(row["identity"].split("/")[-1] + path.suffix)
        if original != path and original.exists() and same_pictures(path, original):
            status[index] = "only the sound is altered"
    return table.assign(status=status)


def same_pictures(first: Path, second: Path) -> bool:
    """Whether two videos show the same, but for their encoding."""
    pairs = zip(some_frames(first), some_frames(second), strict=False)
    # Small, so that coding noise averages out and differences of content remain.
    small = [[cv2.resize(each, (64, 64)).astype(float) for each in pair] for pair in pairs]
    return max(float(np.abs(a - b).mean()) for a, b in small) <= SAME_PICTURE


def _good(table: pd.DataFrame) -> pd.Series:
    return table["status"] == GOOD


def with_weights(table: pd.DataFrame) -> pd.DataFrame:
    """A column `weight`: drawn by it, both labels of a split come equally often, and so do the
    methods of a label, however many files each has."""
    # Each label weighs 0.5, shared evenly by its methods, and by the files of a method.
    methods = table.groupby(["split", "label"])["method"].transform("nunique")
    files = table.groupby(["split", "label", "method"])["path"].transform("size")
    return table.assign(weight=0.5 / (methods * files))


def balance(table: pd.DataFrame) -> pd.DataFrame:
    """How many good files, people, frames and seconds each label and method of a split has."""
    good = table[_good(table)] if "status" in table else table
    columns = {"files": ("path", "size"), "people": ("identity", "nunique")}
    if "frames" in table:
        columns |= {"frames": ("frames", "sum"), "seconds": ("seconds", "sum")}
    return good.groupby(["split", "label", "method"]).agg(**columns).reset_index()


@dataclass(frozen=True, slots=True)
class Change:
    """How a copy of a real video differs from it; None and 0 leave a step out."""

    mirror: bool
    angle: float
    colour: Colour
    noise: float
    blur: float

    def __call__(self, clip: Clip) -> Clip:
        height, width = clip.shape[1:3]
        if self.angle:
            # The same for all frames: a rotation that flickers would be a cue.
            matrix = cv2.getRotationMatrix2D((width / 2, height / 2), self.angle, 1.0)
            turned = [
                cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
                for image in clip
            ]
            clip = np.stack(turned).astype(np.uint8)
        clip = recolour(clip, self.colour)
        clip = blur(clip, self.blur) if self.blur else clip
        clip = noise(clip, self.noise, np.random.default_rng(0)) if self.noise else clip
        return np.ascontiguousarray(clip[:, :, ::-1]) if self.mirror else clip


def draw_change(rng: np.random.Generator) -> Change:
    """A flip, a rotation, brightness and contrast, Gaussian noise and blur, each sometimes."""
    return Change(
        mirror=bool(rng.random() < 0.5),
        angle=float(rng.uniform(-10, 10)) if rng.random() < 0.5 else 0.0,
        colour=Colour(
            brightness=float(rng.uniform(-0.15, 0.15)), contrast=float(rng.uniform(0.8, 1.2))
        ),
        noise=float(rng.uniform(0.005, 0.03)) if rng.random() < 0.4 else 0.0,
        blur=float(rng.uniform(0.5, 1.5)) if rng.random() < 0.4 else 0.0,
    )


def augment(table: pd.DataFrame, out: Path, seed: int = 0) -> pd.DataFrame:
    """`table` with altered copies, in `out`, of the real training videos, round and round, until
    there are as many as fakes. A copy keeps its person, so no split leaks; what exists in `out`
    is not made again."""
    out.mkdir(parents=True, exist_ok=True)
    good = _good(table) if "status" in table else pd.Series(True, table.index)
    good &= ~table["path"].map(os.path.isdir)  # a folder of frames is no file to write anew
    videos = table[good & (table["split"] == "train") & (table["kind"] == "video")]
    real = videos[videos["label"] == "REAL"]
    lacking = max((videos["label"] == "FAKE").sum() - len(real), 0) if len(real) else 0
    copies = []
    for place in tqdm(range(lacking), unit="video"):
        row = real.iloc[place % len(real)]
        path = out / f"{Path(row['path']).stem}-{place:06d}.mp4"
        if not path.exists():
            # By its number, so that a restart makes the same copies.
            change = draw_change(np.random.default_rng((seed, place)))
            with whole(path) as part:
                write_altered(Path(row["path"]), part, change)
        copies.append({**row.to_dict(), "path": str(path)})
    return pd.concat([table, pd.DataFrame(copies)], ignore_index=True) if copies else table


@verb
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.hygiene", description=__doc__)
    parser.add_argument("step", choices=("measure", "clean", "balance", "augment"))
    parser.add_argument("--table", type=Path, required=True, help="table of train.index")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--min-frames", type=int, default=150, help="clean: shorter is marked")
    parser.add_argument("--duplicates", type=int, default=2, help="clean: bits that may differ")
    parser.add_argument("--audio-only", action="store_true", help="clean: compare with originals")
    parser.add_argument("--weights", action="store_true", help="balance: add sampling weights")
    parser.add_argument("--out", type=Path, help="folder for the plot, or for altered copies")
    options = parser.parse_args(argv)
    table = pd.read_parquet(options.table)
    if options.step == "clean" and "hash" not in table:
        parser.error(f"{options.table} was not measured; run python -m train.hygiene measure.")
    if options.step == "measure":
        table = measure(table, options.table.with_suffix(".measured"), workers=options.workers)
    elif options.step == "clean":
        table = mark_duplicates(mark_short(table, options.min_frames), options.duplicates)
        table = mark_audio_only(table) if options.audio_only else table
    elif options.step == "augment":
        table = augment(table, options.out or options.table.with_suffix(".altered"))
    else:
        counted = balance(table)
        print(counted.to_string(index=False))
        if options.out:
            draw_balance(counted, options.out)
        table = with_weights(table) if options.weights else table
    write_table(table, options.table)
    if "status" in table:
        print(table["status"].where(~table["status"].str.startswith("duplicate"), "duplicate")
              .value_counts().to_string())  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
