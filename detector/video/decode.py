"""Decodes a file's frames in the order in which they are shown: all of them, or chosen ones
without decoding the rest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import compress, islice
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from detector.errors import VideoError
from detector.records import Image, Status
from detector.video.opening import PICTURES, Limits, check_length, open_container, video_stream
from detector.video.packets import DecodeNotes, PacketIndex, codec_name, packets_of, read_index
from detector.video.pictures import frames_of, open_picture, to_rgb
from detector.video.sampling import Indices

Matrix = tuple[tuple[int, int], tuple[int, int]]
VideoPackets = Iterator["Packet[VideoStream]"]
Shown = tuple[float, Callable[[], Image]]  # the second, and its pixels, made when called
# Colour matrices (ITU-T H.273, table 4) that FFmpeg converts; it refuses frames with others.
CONVERTIBLE = {0, 1, 2, 4, 5, 6, 7, 9}
UNSPECIFIED_MATRIX, UNSPECIFIED_RANGE, FULL_RANGE = 2, 0, 2
# The display matrix that turns a frame counter-clockwise by so many degrees.
TURNED: dict[int, Matrix] = {
    0: ((1, 0), (0, 1)),
    90: ((0, -1), (1, 0)),
    180: ((-1, 0), (0, -1)),
    270: ((0, 1), (-1, 0)),
}
# Each holds a frame of its own. One core is left to whoever looks at the frames meanwhile.
THREADS = max(1, min(4, (os.cpu_count() or 1) - 1))


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over a video tells. `size` is width, height as stored; `turn` the degrees
    (0, 90, 180, 270), counter-clockwise, by which it must be turned."""

    index: PacketIndex
    codec: str
    size: tuple[int, int]
    turn: int
    has_audio: bool


@dataclass(frozen=True, slots=True)
class Source:
    """One checked file; `kind` is what `opening.check_file` found it to be."""

    path: Path
    kind: str
    limits: Limits
    notes: DecodeNotes

    @property
    def is_picture(self) -> bool:
        return self.kind in PICTURES

    @contextmanager
    def opened(self, threads: int = THREADS) -> Iterator[tuple[InputContainer, VideoStream]]:
        with open_container(self.path, self.kind) as container:
            stream = video_stream(container, self.path, self.limits)
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = threads
            yield container, stream

    def index(self) -> PacketIndex:
        """Raises VideoError if the video holds no frame, or more than the limits allow."""
        with self.opened() as (container, stream):
            return self.indexed(packets_of(container, stream, self.notes), stream)

    def survey(self) -> Survey:
        """Reads the file once, like `index`, and decodes until one frame has come out."""
        with self.opened(threads=1) as (container, stream):
            size, codec = _size(stream), codec_name(stream)
            has_audio = bool(container.streams.audio)
            turns: list[int] = []
            packets = packets_of(container, stream, self.notes)
            index = self.indexed(_looked_at(packets, stream, turns), stream)
        if not turns:
            raise nothing_decoded(self.path)
        return Survey(index, codec, size, turns[0], has_audio)

    def indexed(self, packets: VideoPackets, stream: VideoStream) -> PacketIndex:
        """As `index`, of the file's `packets`."""
        most = self.limits.max_frames
        index = read_index(islice(packets, most + 1), stream, self.kind)
        if len(index.times) == 0:
            raise VideoError(f"{self.path.name} is damaged: it holds no frame. Send it again.")
        if len(index.pts) > most:
            raise VideoError(
                f"{self.path.name} has more than {most} frames. Cut out the part that matters.",
                Status.TOO_LONG,
            )
        check_length(self.path, float(index.seconds[-1]), self.limits)
        return index

    def in_order(self) -> Iterator[Shown]:
        """Every frame. Draw it before asking for the next one: it may not last longer."""
        if self.is_picture:
            with open_picture(self.path, self.kind, self.limits) as picture:
                for second, still in frames_of(picture, self.notes):
                    yield second, partial(to_rgb, still)
            return
        index = self.index()
        with self.opened() as (container, stream):
            draw = _Drawing(_size(stream))
            packets = packets_of(container, stream, self.notes)
            for second, frame in _timed(_decoded(packets, stream, self.notes), index):
                yield second, partial(draw, frame)

    def numbered(self, wanted: Indices) -> Iterator[tuple[int, Shown]]:
        """The frames whose numbers, counted from 0, are in `wanted` (ascending), by counting."""
        numbers = set(wanted.tolist())
        every = islice(enumerate(self.in_order()), int(wanted[-1]) + 1)
        return ((number, shown) for number, shown in every if number in numbers)

    def chosen(self, index: PacketIndex, wanted: Indices) -> Iterator[tuple[int, Shown]]:
        """The frames `wanted`, ascending numbers into `index.times`, each with its number.

        `index` must be exact. Frames that are damaged beyond decoding are left out.
        """
        numbers = {int(index.times[number]): int(number) for number in wanted}
        needed = index.needed(index.times[wanted])
        needed = needed[: needed.nonzero()[0][-1] + 1]
        with self.opened() as (container, stream):
            draw = _Drawing(_size(stream))
            packets = compress(packets_of(container, stream, self.notes), needed)
            for frame in _decoded(packets, stream, self.notes):
                if frame.pts in numbers:
                    second = index.second(frame.pts)
                    yield numbers[frame.pts], (second, partial(draw, frame))


def nothing_decoded(path: Path) -> VideoError:
    return VideoError(
        f"{path.name} is damaged: not one of its frames can be decoded. Save or send it again."
    )


def _size(stream: VideoStream) -> tuple[int, int]:
    return stream.codec_context.width, stream.codec_context.height


def _looked_at(packets: VideoPackets, stream: VideoStream, turns: list[int]) -> VideoPackets:
    """Passes `packets` on; decodes them, too, until the first frame says how it must be turned."""
    for packet in packets:
        if not turns:
            turns += [_turn(frame) for frame in _frames_in(packet, stream, DecodeNotes())]
        yield packet
    if not turns:
        turns += [_turn(frame) for frame in _frames_in(None, stream, DecodeNotes())]


def _decoded(
    packets: VideoPackets, stream: VideoStream, notes: DecodeNotes
) -> Iterator[VideoFrame]:
    for packet in packets:
        yield from _frames_in(packet, stream, notes)
    yield from _frames_in(None, stream, notes)


def _frames_in(
    packet: Packet[VideoStream] | None, stream: VideoStream, notes: DecodeNotes
) -> list[VideoFrame]:
    """What the decoder has ready after `packet`; None asks for all that it still holds back."""
    try:
        frames = stream.decode(packet)
    except av.FFmpegError:
        notes.damaged = True
        return []
    notes.damaged |= any(frame.is_corrupt for frame in frames)
    return frames


def _timed(frames: Iterable[VideoFrame], index: PacketIndex) -> Iterator[tuple[float, VideoFrame]]:
    """Adds the second; where the file gives none, a frame follows its predecessor evenly."""
    gap = float(index.seconds[-1]) / max(len(index.times) - 1, 1)
    origin = int(index.times[0]) if index.exact else None
    second = -gap
    for frame in frames:
        if frame.pts is None:
            second += gap
        else:
            origin = frame.pts if origin is None else origin
            second = max(second, index.in_seconds(frame.pts - origin), 0.0)
        yield second, frame


class _Drawing:
    """Frames become RGB uint8 (H, W, 3), all of one size: scaled to `size` (width, height as
    stored), and turned as the first one is."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self.reformatter = VideoReformatter()
        self.matrix: Matrix | None = None

    def __call__(self, frame: VideoFrame) -> Image:
        self.matrix = self.matrix or _display_matrix(frame)
        if frame.colorspace not in CONVERTIBLE or frame.color_range > FULL_RANGE:
            frame.colorspace, frame.color_range = UNSPECIFIED_MATRIX, UNSPECIFIED_RANGE
        rgb = self.reformatter.reformat(frame, *self.size, "rgb24", threads=1)
        image: Image = rgb.to_ndarray()  # type: ignore[assignment]  # rgb24 is uint8
        return np.ascontiguousarray(_upright(image, self.matrix))


def _turn(frame: VideoFrame) -> int:
    """Degrees (0, 90, 180, 270), counter-clockwise, by which the frame must be turned."""
    (a, b), (_, d) = _display_matrix(frame)
    if abs(b) > abs(a):
        return 90 if b < 0 else 270
    return 180 if d < 0 else 0


def _upright(image: Image, matrix: Matrix) -> Image:
    """Applies the display matrix, mirroring included, which FFmpeg leaves to the player.

    It maps stored x, y to a x + c y, b x + d y (ISO/IEC 14496-12, 6.2.2). Only the eight turns
    and flips by right angles occur; any other is taken as the nearest of them.
    """
    (a, b), (c, d) = matrix
    if abs(b) > abs(a):
        image, a, d = image.transpose(1, 0, 2), c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def _display_matrix(frame: VideoFrame) -> Matrix:
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV gives up on all side data where one kind is newer than itself
        return TURNED[round(frame.rotation / 90) % 4 * 90]
    if matrix is None:
        return TURNED[0]
    a, b, _, c, d = np.frombuffer(cast(bytes, matrix), np.int32)[:5].tolist()
    return (a, b), (c, d)
