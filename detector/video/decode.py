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

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from detector.errors import VideoError
from detector.language import lazy
from detector.records import Image, Status, Track
from detector.video.clock import Clock
from detector.video.drawing import Drawing, turn_of
from detector.video.hardware import accelerator
from detector.video.opening import PICTURES, Limits, check_length, open_container
from detector.video.packets import DecodeNotes, PacketIndex, codec_name, packets_of, read_index
from detector.video.pictures import frames_of, open_picture, to_rgb
from detector.video.sampling import Indices
from detector.video.streams import square_size, tracks_of, video_stream

VideoPackets = Iterator["Packet[VideoStream]"]
Shown = tuple[float, Callable[[], Image]]  # the second, and its pixels, made when called
# Each thread has a frame of its own. One core is left to face detection, which runs meanwhile.
THREADS = max(1, min(4, (os.cpu_count() or 1) - 1))


@dataclass(frozen=True, slots=True)
class Survey:
    """The result of one pass over a video. `size` is width, height before it is turned; `turn` the
    degrees (0, 90, 180, 270), counter-clockwise, by which it must be."""

    index: PacketIndex
    codec: str
    size: tuple[int, int]
    turn: int
    has_audio: bool
    tracks: tuple[Track, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One checked file; `kind` is what `opening.check_file` found it to be, `track` the number
    of the video track that is read, from 1; `on_gpu`, whether a GPU decodes it, which must be able
    to (`hardware.gpu_decodes`)."""

    path: Path
    kind: str
    limits: Limits
    notes: DecodeNotes
    track: int = 1
    on_gpu: bool = False

    @property
    def is_picture(self) -> bool:
        return self.kind in PICTURES

    @contextmanager
    def opened(self, threads: int = THREADS) -> Iterator[tuple[InputContainer, VideoStream]]:
        hwaccel = accelerator() if self.on_gpu else None
        with open_container(self.path, self.kind, hwaccel=hwaccel) as container:
            stream = video_stream(container, self.path, self.limits, track=self.track)
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = threads
            yield container, stream

    def index(self) -> PacketIndex:
        """Raises VideoError if the video has no frame, or more than the limits allow."""
        with self.opened() as (container, stream):
            return self.indexed(packets_of(container, stream, self.notes, Clock(self.kind)), stream)

    def survey(self) -> Survey:
        """Reads the file once, like `index`, and decodes until one frame has come out."""
        with self.opened(threads=1) as (container, stream):
            size, codec = square_size(stream, self.limits), codec_name(stream)
            has_audio, tracks = bool(container.streams.audio), tracks_of(container)
            turns: list[int] = []
            packets = packets_of(container, stream, self.notes, Clock(self.kind))
            index = self.indexed(_until_turn(packets, stream, turns), stream)
        if not turns:
            raise nothing_decoded(self.path)
        return Survey(index, codec, size, turns[0], has_audio, tracks)

    def indexed(self, packets: VideoPackets, stream: VideoStream) -> PacketIndex:
        """As `index`, of the file's `packets`."""
        most = self.limits.max_frames
        # One more than is allowed, so that too many are noticed without reading all of them.
        index = read_index(islice(packets, most + 1), stream, self.kind)
        if len(index.times) == 0:
            raise VideoError(
                lazy("{file} is damaged: it contains no frame. Send it again.", file=self.path.name)
            )
        # Packets, not shown frames: those hidden by an edit list cost as much to read.
        if len(index.pts) > most:
            raise VideoError(
                lazy(
                    "{file} has more than {most} frames. Cut out the part that matters.",
                    file=self.path.name,
                    most=most,
                ),
                Status.TOO_LONG,
            )
        check_length(self.path, float(index.seconds[-1]), self.limits)
        return index

    def in_order(self) -> Iterator[Shown]:
        """Every frame. Draw it before the next one is requested: it may not last longer."""
        if self.is_picture:
            with open_picture(self.path, self.kind, self.limits) as picture:
                for second, still in frames_of(picture, self.notes):
                    yield second, partial(to_rgb, still)
            return
        index = self.index()
        with self.opened() as (container, stream):
            draw = Drawing(square_size(stream, self.limits), self.notes)
            packets = packets_of(container, stream, self.notes, Clock(self.kind))
            for second, frame in _timed(_decoded(packets, stream, self.notes), index):
                yield second, partial(draw, frame)

    def numbered(self, requested: Indices) -> Iterator[tuple[int, Shown]]:
        """The frames whose numbers, counted from 0, are in `requested` (ascending), by counting."""
        numbers = set(requested.tolist())
        # Ends with the last requested frame: nothing after it is decoded.
        every = islice(enumerate(self.in_order()), int(requested[-1]) + 1)
        return ((number, shown) for number, shown in every if number in numbers)

    def chosen(self, index: PacketIndex, requested: Indices) -> Iterator[tuple[int, Shown]]:
        """The frames `requested`, ascending numbers into `index.times`, each with its number.

        `index` must be exact. Frames that are damaged beyond decoding are left out.
        """
        numbers = {int(index.times[number]): int(number) for number in requested}
        needed = index.needed(index.times[requested])
        # Nothing after the last needed packet is read from disk.
        needed = needed[: needed.nonzero()[0][-1] + 1]
        with self.opened() as (container, stream):
            draw = Drawing(square_size(stream, self.limits), self.notes)
            packets = compress(packets_of(container, stream, self.notes, Clock(self.kind)), needed)
            for frame in _decoded(packets, stream, self.notes):
                # Reference frames are decoded as well, but were not requested.
                if frame.pts in numbers:
                    second = index.second(frame.pts)
                    yield numbers[frame.pts], (second, partial(draw, frame))


def nothing_decoded(path: Path) -> VideoError:
    return VideoError(
        lazy(
            "{file} is damaged: not one of its frames can be decoded. Save or send it again.",
            file=path.name,
        )
    )


def _until_turn(packets: VideoPackets, stream: VideoStream, turns: list[int]) -> VideoPackets:
    """Passes `packets` on; decodes them, too, until a frame with its display matrix came out."""
    for packet in packets:
        if not turns:
            turns += [turn_of(frame) for frame in _frames_in(packet, stream, DecodeNotes())]
        yield packet
    if not turns:
        turns += [turn_of(frame) for frame in _frames_in(None, stream, DecodeNotes())]


def _decoded(
    packets: VideoPackets, stream: VideoStream, notes: DecodeNotes
) -> Iterator[VideoFrame]:
    for packet in packets:
        yield from _frames_in(packet, stream, notes)
    yield from _frames_in(None, stream, notes)


def _frames_in(
    packet: Packet[VideoStream] | None, stream: VideoStream, notes: DecodeNotes
) -> list[VideoFrame]:
    """The frames that the decoder has ready after `packet`; None flushes those it still buffers."""
    try:
        frames = stream.decode(packet)
    except av.FFmpegError:
        notes.damaged = True
        return []
    notes.damaged |= any(frame.is_corrupt for frame in frames)
    return frames


def _timed(frames: Iterable[VideoFrame], index: PacketIndex) -> Iterator[tuple[float, VideoFrame]]:
    """Adds the second; where the file gives none, a frame follows its predecessor evenly."""
    # The mean distance of frames, of which one begins at 0.
    gap = float(index.seconds[-1]) / max(len(index.times) - 1, 1)
    origin = int(index.times[0]) if index.exact else None
    second = -gap
    for frame in frames:
        if frame.pts is None:
            second += gap
        else:
            origin = frame.pts if origin is None else origin
            # Never backwards, and never before the start: packets of a damaged file may claim
            # otherwise.
            second = max(second, index.in_seconds(frame.pts - origin), 0.0)
        yield second, frame
