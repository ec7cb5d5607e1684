"""The table of `train.index` becomes faces in shards that training maps into memory.

    python -m train.prepare --table table.parquet --out shards
    python -m train.prepare --table table.parquet --out shards --frames 32 --pick even --clips ffv1

A shard is `00000.npy`, (N, S, S, 3) uint8, beside `00000.parquet`, a row per face with its box,
landmarks and quality. Shards that exist are kept, so a restart continues where the last run
stopped. `--clips` also writes each video's faces as a small video, to inspect or for other tools.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from detector.errors import VideoError
from detector.faces.crops import CropSettings, cut_face
from detector.faces.geometry import between, square_around
from detector.faces.mtcnn import FaceFinder
from detector.faces.quality import quality_of
from detector.faces.upright import Upright
from detector.records import Face, FloatArray, Frame, Image, Quality
from detector.video import DecodeNotes, reading
from detector.video.opening import PRODUCT_LIMITS
from train.frame_folders import FRAME_RATE, frames_in
from train.verbs import DataError, verb, whole

SIZE = 288
"""Side of a stored face in pixels: at `MARGIN`, a face box of 206 px is stored as it is."""
MARGIN = 0.4
"""Stored faces are cut wider than the network's input, so that training can shift and zoom."""
CROP_SIZE = 224
"""Side of a stored picture that came as a crop; DFDC's are no larger."""

PICKS = ("first", "consecutive", "even")
CODECS = {"mjpeg": ("mjpeg", "yuvj420p", {"qscale": "2"}), "ffv1": ("ffv1", "bgr0", {})}
"""Codecs for `--clips`: Motion JPEG at high quality, and FFV1, which loses nothing."""

# A face crop of unknown origin is taken to lie as DFDC's do. Medians over 60 of its crops,
# widened by replication and given to MTCNN: the box's side and centre, then five landmarks,
# all as shares of the crop's side.
_CROP_BOX = (1.21, 0.49, 0.42)
_CROP_LANDMARKS = ((0.31, 0.29), (0.67, 0.29), (0.49, 0.52), (0.34, 0.735), (0.64, 0.735))


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """`frames` frames are kept of each video: the "first" ones, a run of "consecutive" ones around
    its middle, or "even" ones from all over it. Of neighbours, faces are searched in every
    `every`-th, in between their boxes are interpolated. `clips` names a codec of `CODECS` in
    which each video's faces are written as well; empty for none."""

    frames: int = 96
    every: int = 4
    pick: str = "first"
    clips: str = ""


@dataclass(frozen=True, slots=True)
class StoredFace:
    """One stored picture; `box` (3,) is side, centre x and centre y in its pixels. `quality` is
    None for a crop, whose surroundings are not known."""

    image: Image
    second: float
    box: FloatArray
    landmarks: FloatArray
    quality: Quality | None = None


def prepare_row(row: dict[str, Any], finder: FaceFinder, config: PrepareConfig) -> list[StoredFace]:
    """The faces of one row of the table, in order of time. Raises ValueError with the reason
    if there are none."""
    if row["kind"] == "video":
        return _faces_of_video(Path(row["path"]), finder, config)
    picture = decode_picture(read_bytes(row["path"], int(row["row"])))
    if row["kind"] == "crop":
        return [_as_crop(picture)]
    faces = finder.find([picture])[0]
    if not faces:
        raise ValueError("no face found")
    return [_store(picture, 0.0, faces[0])]


def read_bytes(path: str, row: int) -> bytes:
    """An encoded picture: a file, or row `row` of the column `image` of a Parquet file."""
    if row < 0:
        return Path(path).read_bytes()
    value = _pictures_of(path)[row]
    return bytes(value["bytes"] if isinstance(value, dict) else value)


_open_files: dict[str, Any] = {}


def _pictures_of(path: str) -> Any:
    if path not in _open_files:
        # One file at a time: rows come file by file, and a file may take gigabytes.
        _open_files.clear()
        _open_files[path] = pd.read_parquet(path, columns=["image"])["image"].to_list()
    return _open_files[path]


def decode_picture(data: bytes) -> Image:
    """An encoded picture as RGB. Raises ValueError if it cannot be decoded."""
    # OpenCV decodes to BGR; everything else here is RGB.
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("picture cannot be decoded")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _as_crop(picture: Image) -> StoredFace:
    side = CROP_SIZE
    image = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    box = np.array(_CROP_BOX, np.float32) * side
    return StoredFace(
        image.astype(np.uint8), 0.0, box, np.array(_CROP_LANDMARKS, np.float32) * side
    )


def _store(picture: Image, second: float, face: Face) -> StoredFace:
    square = square_around(face.box, MARGIN)
    # From the frame's pixels to those of the stored picture.
    scale = SIZE / square.width
    landmarks = (face.landmarks - np.array([square.x0, square.y0])) * scale
    side = SIZE / (1 + MARGIN)
    image = cut_face(picture, face.box, CropSettings(size=SIZE, margin=MARGIN))
    box = np.array([side, SIZE / 2, SIZE / 2], np.float32)
    quality = quality_of(picture, face)
    return StoredFace(image, second, box, landmarks.astype(np.float32), quality)


def _faces_of_video(path: Path, finder: FaceFinder, config: PrepareConfig) -> list[StoredFace]:
    seconds, pictures = _frames_of_video(path, config)
    frames, _ = Upright(finder).turn_upright(
        [Frame(*pair) for pair in zip(seconds, pictures, strict=True)]
    )
    pictures = [frame.image for frame in frames]
    # Spread frames are too far apart to interpolate between.
    searched = list(range(0, len(pictures), 1 if config.pick == "even" else config.every))
    # The largest face of each frame, by the order of `find`.
    found = [faces[0] if faces else None for faces in finder.find([pictures[k] for k in searched])]
    detected = {k: face for k, face in zip(searched, found, strict=True) if face is not None}
    if not detected:
        raise ValueError("no face found")
    return [
        _store(picture, second, _face_at(detected, k))
        for k, (picture, second) in enumerate(zip(pictures, seconds, strict=True))
    ]


def _frames_of_video(path: Path, config: PrepareConfig) -> tuple[list[float], list[Image]]:
    """The chosen frames' seconds and pictures; only those are in memory."""
    if path.is_dir():
        return _frames_of_folder(path, config)
    # The first ones need no count, and no pass over the file.
    indices = _chosen_indices(
        config.frames if config.pick == "first" else _count_frames(path), config
    )
    source = reading.source_of(path, PRODUCT_LIMITS, DecodeNotes())
    chosen = islice(enumerate(source.in_order()), indices[-1] + 1)
    frames = [(second, draw()) for index, (second, draw) in chosen if index in indices]
    return [second for second, _ in frames], [picture for _, picture in frames]


def _frames_of_folder(path: Path, config: PrepareConfig) -> tuple[list[float], list[Image]]:
    """The same of a folder of pictures that is a video."""
    pictures = dict(enumerate(frames_in(path)))
    indices = [index for index in _chosen_indices(len(pictures), config) if index in pictures]
    shown = [decode_picture(pictures[index].read_bytes()) for index in indices]
    return [index / FRAME_RATE for index in indices], shown


def _chosen_indices(count: int, config: PrepareConfig) -> range:
    """Which of `count` frames are kept; the range may end beyond them."""
    if config.pick == "even":
        return range(0, count, max(count // config.frames, 1))[: config.frames]
    # Centred on the middle of the video.
    first = max((count - config.frames) // 2, 0) if config.pick == "consecutive" else 0
    return range(first, first + config.frames)


def _count_frames(path: Path) -> int:
    return max(reading.survey_file(path).info.frames, 1)


def write_video(path: Path, faces: Sequence[StoredFace], codec: str) -> None:
    """The faces of one video, (S, S) at 25 frames a second, as `path`: .avi or .mkv."""
    name, pixels, options = CODECS[codec]
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(name, rate=25)
        stream.height, stream.width = faces[0].image.shape[:2]
        stream.pix_fmt, stream.options = pixels, options
        for face in faces:
            picture = av.VideoFrame.from_ndarray(face.image, format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def _face_at(detected: dict[int, Face], index: int) -> Face:
    # The nearest frames with a face; before the first and after the last it stays where it is.
    before = max((k for k in detected if k <= index), default=min(detected))
    after = min((k for k in detected if k >= index), default=max(detected))
    share = 0.0 if after == before else (index - before) / (after - before)
    first, second = detected[before], detected[after]
    landmarks = first.landmarks + (second.landmarks - first.landmarks) * share
    return Face(between(first.box, second.box, share), landmarks, first.detection)


def write_shard(rows: pd.DataFrame, stem: Path, config: PrepareConfig) -> tuple[int, int]:
    """Prepare `rows` into `stem`.npy and .parquet; returns how many rows succeeded and failed.

    Failures are rows too: `status` has the reason, and they have no face.
    """
    # One thread per worker process, of which there are as many as cores.
    torch.set_num_threads(1)
    finder = FaceFinder()
    images: list[Image] = []
    entries: list[dict[str, Any]] = []
    failed = 0
    for index, row in rows.iterrows():
        record = {**row.to_dict(), "clip": int(str(index))}
        try:
            faces = prepare_row(record, finder, config)
        except (ValueError, OSError, VideoError, av.FFmpegError) as error:
            failed += 1
            entries.append({**record, "status": str(error), "place": -1})
            continue
        if config.clips and row["kind"] == "video":
            suffix = ".avi" if config.clips == "mjpeg" else ".mkv"
            write_video(stem.parent / f"clip-{record['clip']:06d}{suffix}", faces, config.clips)
        for face in faces:
            entries.append({**record, "status": "ok", "place": len(images)} | _numbers_of(face))
            images.append(face.image)
    pixels = np.stack(images) if images else np.zeros((0, SIZE, SIZE, 3), np.uint8)
    with whole(stem.with_suffix(".npy")) as part:
        np.save(part, pixels)
    # Written last: a shard without it was cut short, and is made again.
    with whole(stem.with_suffix(".parquet")) as part:
        pd.DataFrame(entries).to_parquet(part)
    return len(rows) - failed, failed


QUALITIES = ("size", "sharpness", "frontal", "detection")


def _numbers_of(face: StoredFace) -> dict[str, Any]:
    return {
        "second": face.second,
        "box": face.box.tolist(),
        "landmarks": face.landmarks.ravel().tolist(),
        **{name: getattr(face.quality, name, np.nan) for name in QUALITIES},
    }


def _write_shard(job: tuple[pd.DataFrame, Path, PrepareConfig]) -> tuple[int, int]:
    return write_shard(*job)


def prepare(
    table: pd.DataFrame, out: Path, config: PrepareConfig, *, workers: int = 1, rows: int = 500
) -> tuple[int, int]:
    """Prepare the whole table; returns how many rows succeeded and how many failed in this run."""
    out.mkdir(parents=True, exist_ok=True)
    jobs = []
    for kind, part in table.groupby("kind", sort=True):
        # A video has up to 96 faces, so eight fill a shard.
        step = 8 if kind == "video" else rows
        for start in range(0, len(part), step):
            stem = out / f"{kind}-{start:06d}"
            if not stem.with_suffix(".parquet").exists():
                jobs.append((part.iloc[start : start + step], stem, config))
    succeeded = failed = 0
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) as pool:
        for good, bad in tqdm(
            pool.imap_unordered(_write_shard, jobs), total=len(jobs), unit="shard"
        ):
            succeeded, failed = succeeded + good, failed + bad
    return succeeded, failed


def read_shards(folder: Path) -> tuple[pd.DataFrame, dict[str, NDArray[np.uint8]]]:
    """All faces of `folder`: a table with `shard` and `place`, and each shard's pixels, mapped."""
    tables, pixels = [], {}
    for path in sorted(folder.glob("*.parquet")):
        tables.append(pd.read_parquet(path).assign(shard=path.stem))
        # Mapped: workers share the pages, and only what is read comes from disk.
        pixels[path.stem] = np.load(path.with_suffix(".npy"), mmap_mode="r")
    if not tables:
        raise DataError(f"{folder} contains no shards; run python -m train.prepare first.")
    table = pd.concat(tables, ignore_index=True)
    return table[table["status"] == "ok"].reset_index(drop=True), pixels


@verb
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.prepare", description=__doc__)
    parser.add_argument("--table", type=Path, required=True, help="table of train.index")
    parser.add_argument("--out", type=Path, required=True, help="folder for the shards")
    parser.add_argument("--frames", type=int, default=96, help="frames per video")
    parser.add_argument("--pick", choices=PICKS, default="first", help="which frames of a video")
    parser.add_argument("--clips", choices=sorted(CODECS), default="", help="write videos, too")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(argv)
    config = PrepareConfig(frames=options.frames, pick=options.pick, clips=options.clips)
    table = pd.read_parquet(options.table)
    if "status" in table:  # what train.hygiene marked stays out
        table = table[table["status"] == "ok"]
    succeeded, failed = prepare(table, options.out, config, workers=options.workers)
    print(f"{succeeded} rows prepared, {failed} failed; reasons are in the column 'status'.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
