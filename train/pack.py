"""Packs shards into a few small files for another machine, and unpacks them there.

    python -m train.pack --shards shards --out packed --total 90
    python -m train.pack --unpack packed --out shards

A part is a Parquet file of at most `--part` MiB: a row per face as in the table of its shard, with
its picture as WebP in the column `image`, and for faces redrawn by `train.neural` the `original`.
What does not fit into `--total` stays behind: of videos the later frames, of crops and stills
further pictures of the same people. A share of the training clips is packed as H.264 leaves it
after an upload, since a GPU only imitates that codec (`train.pixels`).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from detector.records import Image
from train.augment import degrade, draw_upload
from train.prepare import decode_picture, read_shards
from train.verbs import DataError, verb, whole

MEBI = 1 << 20  # bytes
SHARES = {
    ("video", "train"): 0.42,
    ("video", "val"): 0.14,
    ("neural", "train"): 0.06,
    ("still", "train"): 0.16,
    ("crop", "val"): 0.04,
    ("crop", "train"): 1.0,
}
"""How much of the total each kind and split may take, in this order; what one leaves over goes to
the last. Labelled video is worth most (train/LOG.md, fifth recipe), more of the same DFDC people
least."""

# What makes up one group; of each, the first picture is packed before anybody's second.
GROUPS = {
    "video": ["shard", "clip"],
    "neural": ["shard", "clip"],
    "still": ["label"],
    "crop": ["label", "identity"],
}
Pixels = dict[str, NDArray[np.uint8]]
Uploaded = dict[tuple[str, int], Image]
"""Pictures after an upload by shard and place."""


@dataclass(frozen=True)
class PackConfig:
    """`total` and `part` are MiB; at most `frames` consecutive frames of a clip; WebP `quality`
    is 1 to 100; `uploaded` is the share of training clips, real and fake alike, after an upload."""

    total: float = 90.0
    part: float = 25.0
    frames: int = 12
    quality: int = 88
    uploaded: float = 0.25
    seed: int = 0


def chosen_rows(table: pd.DataFrame, kind: str, split: str, config: PackConfig) -> pd.DataFrame:
    """The rows of a kind and split, the most valuable first."""
    part = table[(table["kind"] == kind) & (table["split"] == split)]
    if kind in ("still", "crop"):
        # Shuffled once, with a fixed seed: of equal rank, any may come first.
        part = part.sample(frac=1.0, random_state=config.seed)
    # The k-th picture of each group has rank k: one of each before a second of any.
    rank = part.groupby(GROUPS[kind], sort=False).cumcount()
    if kind in ("video", "neural"):
        rank = rank[rank < config.frames]
    return part.loc[rank.sort_values(kind="stable").index]


def upload(rows: pd.DataFrame, pixels: Pixels, config: PackConfig) -> Uploaded:
    """The pictures of a share of the clips in `rows`, each clip after an upload of its own."""
    rng = np.random.default_rng(config.seed)
    found: Uploaded = {}
    for (shard, _), clip in rows.sort_values("place").groupby(["shard", "clip"]):
        if rng.random() >= config.uploaded:
            continue
        places = clip["place"].tolist()
        faces = degrade(pixels[shard][places], draw_upload(rng), rng)
        found |= {(shard, place): face for place, face in zip(places, faces, strict=True)}
    return found


def encoded(
    table: pd.DataFrame, pixels: Pixels, quality: int, uploaded: Uploaded
) -> Iterator[dict[str, Any]]:
    """The rows as plain records, in order, each with its picture encoded when it is requested."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(table), 64):
            # In small steps, since the caller stops once the total is reached.
            some = table.iloc[start : start + 64].to_dict("records")
            yield from pool.map(lambda row: _encode_row(row, pixels, quality, uploaded), some)


def _encode_row(
    row: dict[str, Any], pixels: Pixels, quality: int, uploaded: Uploaded
) -> dict[str, Any]:
    place = row["shard"], row["place"]
    image = _encode(uploaded[place] if place in uploaded else pixels[place[0]][place[1]], quality)
    original = b""
    if row["kind"] == "neural":
        original = _encode(pixels[row["of_shard"]][int(row["of_place"])], quality)
    return row | {"path": Path(row["path"]).name, "image": image, "original": original}


def _encode(image: NDArray[np.uint8], quality: int) -> bytes:
    # RGB is reversed to BGR, which OpenCV encodes.
    options = [cv2.IMWRITE_WEBP_QUALITY, quality]
    return bytes(cv2.imencode(".webp", image[..., ::-1], options)[1])


def size_of(row: dict[str, Any]) -> int:
    """Bytes of a packed row, the rest of the table included by a rule of thumb."""
    return len(row["image"]) + len(row["original"]) + 300


def choose(table: pd.DataFrame, pixels: Pixels, config: PackConfig) -> list[dict[str, Any]]:
    """The encoded rows that fit into the total."""
    left, kept = config.total * MEBI, []
    for (kind, split), share in SHARES.items():
        rows = chosen_rows(table, kind, split, config)
        allowed = left if share == 1.0 else min(share * config.total * MEBI, left)
        uploaded = upload(rows, pixels, config) if (kind, split) == ("video", "train") else {}
        taken = 0
        for row in encoded(rows, pixels, config.quality, uploaded):
            if taken + size_of(row) > allowed:
                break
            taken += size_of(row)
            kept.append(row)
        left -= taken
        print(f"{kind} of {split}: {taken / MEBI:.1f} MiB", flush=True)
    return kept


def parts_of(rows: list[dict[str, Any]], limit: float) -> Iterator[pd.DataFrame]:
    """`rows` in parts of at most `limit` bytes; a clip is never divided."""
    table = pd.DataFrame(rows)
    if table.empty:
        raise DataError("not one picture fits; give --total more MiB.")
    table["clip"] = table.groupby(["shard", "clip"], sort=False).ngroup()
    table = table.sort_values(["clip", "place"], kind="stable").drop(columns=["shard", "place"])
    # Bytes per row; 300 as in `size_of`.
    sizes = table["image"].str.len() + table["original"].str.len() + 300
    filled, number, numbers = 0, 0, {}
    for clip, size in sizes.groupby(table["clip"], sort=False).sum().items():
        if filled and filled + size > limit:
            filled, number = 0, number + 1
        filled += size
        numbers[clip] = number
    for _, part in table.groupby(table["clip"].map(numbers), sort=True):
        yield part.reset_index(drop=True)


def pack(shards: Path, out: Path, config: PackConfig) -> list[Path]:
    """Writes the parts of `shards` into `out`, and returns them."""
    rows = choose(*read_shards(shards), config)
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("part-*.parquet"):
        old.unlink()
    written = []
    # A part is a little larger than its pictures; its file size is known only afterwards.
    for number, part in enumerate(parts_of(rows, 0.97 * config.part * MEBI)):
        path = out / f"part-{number:02d}.parquet"
        with whole(path) as place:
            part.to_parquet(place, compression="zstd")
        written.append(path)
        print(f"{path.name}: {len(part)} pictures, {path.stat().st_size / MEBI:.1f} MiB")
    return written


def unpack(folder: Path, out: Path) -> int:
    """The parts in `folder` as shards in `out`; returns how many pictures those have. Shards that
    exist are kept. Raises DataError where there are no parts."""
    paths = sorted(folder.glob("part-*.parquet"))
    if not paths:
        raise DataError(f"{folder} contains no parts; make them by python -m train.pack.")
    out.mkdir(parents=True, exist_ok=True)
    count = 0
    cv2.setNumThreads(1)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path in tqdm(paths, unit="part"):
            table = pd.read_parquet(path)
            count += len(table)
            for kind, rows in table.groupby("kind", sort=True):
                stem = out / f"{kind}-{path.stem}"
                if not stem.with_suffix(".parquet").exists():
                    _write_shard(rows.reset_index(drop=True), stem, pool)
    return count


def _write_shard(rows: pd.DataFrame, stem: Path, pool: ThreadPoolExecutor) -> None:
    """Originals follow the pictures that were drawn of them, without rows of their own."""
    images = list(pool.map(decode_picture, rows["image"]))
    images += pool.map(decode_picture, [data for data in rows["original"] if data])
    rows = rows.drop(columns=["image", "original"]).assign(place=np.arange(len(rows)))
    if (rows["kind"] == "neural").all():
        rows["of_shard"], rows["of_place"] = stem.name, len(rows) + np.arange(len(rows))
    with whole(stem.with_suffix(".npy")) as place:
        np.save(place, np.stack(images))
    # Written last: a shard without it was cut short, and is made again.
    with whole(stem.with_suffix(".parquet")) as place:
        rows.to_parquet(place)


@verb
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.pack", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--shards", type=Path, help="folder of train.prepare, to be packed")
    source.add_argument("--unpack", type=Path, metavar="PACKED", help="folder of parts")
    parser.add_argument("--out", type=Path, required=True, help="folder for the parts, or shards")
    parser.add_argument("--total", type=float, default=PackConfig.total, metavar="MIB")
    parser.add_argument("--part", type=float, default=PackConfig.part, metavar="MIB")
    parser.add_argument("--frames", type=int, default=PackConfig.frames, help="of each clip")
    parser.add_argument("--quality", type=int, default=PackConfig.quality, help="of WebP")
    parser.add_argument(
        "--uploaded", type=float, default=PackConfig.uploaded, help="share of training clips"
    )
    options = parser.parse_args(argv)
    if options.unpack:
        print(f"{unpack(options.unpack, options.out)} pictures unpacked.")
        return 0
    config = PackConfig(
        options.total, options.part, options.frames, options.quality, options.uploaded
    )
    pack(options.shards, options.out, config)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
