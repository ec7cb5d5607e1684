"""What a viewer shows: a video plain and under its heat maps, made in one pass.

Both have the same size and show the same frames at the same times, so that a page can lay one
over the other. Beside them is a storyboard: a small picture of every sampled frame.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detector.progress import DRAWING, Progress
from detector.records import Frame, Image
from detector.render.movie import Annotator, Layers, as_analysed, timed_frames
from detector.render.overlay import shrink, to_jpeg
from detector.sandbox.reader import Reader
from detector.video import VideoWriter
from detector.video.sound import Block
from detector.video.writer import FOR_PREVIEW

TILE = 192  # pixels of a tile's longer side; set by eye
COLUMNS = 10  # tiles per row of the storyboard
LAID_OVER = ("plain", "heat")
# JPEG quality of a whole picture, where an artefact could be mistaken for a manipulation, and of
# small tiles.
PICTURE_QUALITY, SHEET_QUALITY = 92, 70

TimedFrames = Iterable[tuple[float, Frame]]
Sounds = Mapping[str, Iterator[Block]]


@dataclass(frozen=True, slots=True)
class Views:
    """The files: videos, or JPEG pictures where a still picture was analysed.

    `heat` is None when the report has no heat maps, `annotated` of a video, which takes longer to
    draw than what is shown first (`annotate_video`). The tiles of `storyboard`, each `tile`
    pixels (width, height), follow `Report.sampled_seconds` in rows of `COLUMNS`. `margin` is the
    model's crop margin, where the heat is.
    """

    plain: Path
    heat: Path | None
    annotated: Path | None
    storyboard: Path
    tile: tuple[int, int]
    margin: float


def render_views(
    read: Reader, path: Path, annotator: Annotator, stem: Path, progress: Progress
) -> Views:
    """Writes the files of `Views`, whose paths begin with `stem`; every frame is read once.

    Raises VideoError as `read_all` does, and CancelledError when `progress` is cancelled.
    """
    report = annotator.report
    artist = _Artist(annotator, Storyboard(report.sampled_seconds), stem)
    with closing(read.read_all(path, info=report.video)) as frames:
        first, rest = timed_frames(as_analysed(frames, report), path)
        if report.video.is_still:
            made = artist.pictures(first[1])
        else:
            sounds = {}
            if report.video.has_audio:
                sounds["plain"] = read.read_sound(path, info=report.video)
            made = artist.videos(itertools.chain([first], rest), sounds, progress)
    sheet = artist.place("storyboard", ".jpg")
    sheet.write_bytes(to_jpeg(artist.board.sheet(), SHEET_QUALITY))
    tile, margin = artist.board.tile, annotator.margin
    return Views(made["plain"], made.get("heat"), made.get("annotated"), sheet, tile, margin)


class Storyboard:
    """Collects a small picture of each sampled frame."""

    def __init__(self, seconds: Sequence[float]) -> None:
        # Rounded as in the report, since frames are found again by their time.
        self.places = {round(second, 3): index for index, second in enumerate(seconds)}
        self.tiles: dict[int, Image] = {}

    @property
    def tile(self) -> tuple[int, int]:
        """Width and height of one tile; all are as large as the first."""
        height, width = next(iter(self.tiles.values())).shape[:2] if self.tiles else (TILE, TILE)
        return width, height

    def add(self, second: float, image: Image) -> None:
        """Keeps the frame if it was sampled."""
        place = self.places.get(round(second, 3))
        if place is not None:
            self.tiles[place] = shrink(image, TILE)

    def sheet(self) -> Image:
        """All tiles in rows of `COLUMNS`; what was never added stays grey."""
        width, height = self.tile
        count = max(len(self.places), 1)
        # Rounded up.
        rows, columns = -(-count // COLUMNS), min(count, COLUMNS)
        sheet: Image = np.full((rows * height, columns * width, 3), 40, np.uint8)
        for place, tile in self.tiles.items():
            row, column = divmod(place, COLUMNS)
            sheet[row * height :, column * width :][:height, :width] = tile
        return sheet


class _Artist:
    """Draws the layers of frames into files."""

    def __init__(self, annotator: Annotator, board: Storyboard, stem: Path) -> None:
        self.annotator = annotator
        self.board = board
        self.stem = stem

    def place(self, kind: str, suffix: str) -> Path:
        return self.stem.with_name(f"{self.stem.name}-{kind}{suffix}")

    def pictures(self, frame: Frame) -> dict[str, Path]:
        made = {}
        for kind, image in self._images(frame):
            made[kind] = self.place(kind, ".jpg")
            made[kind].write_bytes(to_jpeg(image, PICTURE_QUALITY))
        return made

    def videos(self, frames: TimedFrames, sounds: Sounds, progress: Progress) -> dict[str, Path]:
        """Encoders take most of the time, so each has a thread of its own."""
        video = self.annotator.report.video
        total = max(video.frames, 1)
        writers: dict[str, VideoWriter] = {}
        with ExitStack() as stack:
            pool = ThreadPoolExecutor(2, "encode")
            for done, (second, frame) in enumerate(frames, start=1):
                images = {kind: image for kind, image in self._images(frame) if kind in LAID_OVER}
                for kind in images.keys() - writers.keys():
                    height, width = images[kind].shape[:2]
                    place, sound = self.place(kind, ".mp4"), sounds.get(kind)
                    writer = VideoWriter(place, width, height, video.fps, sound, preset=FOR_PREVIEW)
                    writers[kind] = stack.enter_context(writer)
                    stack.callback(pool.shutdown)  # before any writer is closed
                written = [
                    pool.submit(writers[kind].write, image, second)
                    for kind, image in images.items()
                ]
                for each in written:
                    each.result()
                progress.update(DRAWING, min(done, total), total)
        return {kind: writer.path for kind, writer in writers.items()}

    def _images(self, frame: Frame) -> Iterator[tuple[str, Image]]:
        layers: Layers = self.annotator.layers(frame)
        self.board.add(frame.second, layers.plain)
        yield "plain", layers.plain
        if self.annotator.report.heat_scale > 0:
            yield "heat", layers.warm
        yield "annotated", layers.drawn
