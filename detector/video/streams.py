"""Which of a file's video tracks is analysed: the one that a player would show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from detector.errors import VideoError
from detector.language import lazy
from detector.records import Status, Track
from detector.settings import MOST_TRACKS
from detector.video.opening import Limits, check_pixels, open_container

# A cover, a thumbnail, a layer of another track: no moving picture of its own.
NO_VIDEO = (
    Disposition.attached_pic
    | Disposition.still_image
    | Disposition.timed_thumbnails
    | Disposition.dependent
)
READ_FOR_MOTION = 500  # packets, by which it is decided which tracks move
WIDEST = 4.0  # a pixel further from square than this is a mistake, not a shape


def video_stream(
    container: InputContainer, path: Path, limits: Limits, *, track: int = 0
) -> VideoStream:
    """The video track of that number, counted from 1, or the first, ready to be decoded.

    Raises VideoError if there is none, it is of an unknown kind, or its frames are too large.
    """
    streams = moving_pictures(container)
    if not streams:
        raise VideoError(
            lazy("{file} has no picture, only sound. Send a file with a picture.", file=path.name),
            Status.NO_VIDEO,
        )
    if track > len(streams):
        raise VideoError(
            lazy(
                "{file} has no video track {track}; its last one is {last}. Choose another one.",
                file=path.name,
                track=track,
                last=len(streams),
            ),
            Status.NO_VIDEO,
        )
    stream = streams[max(track, 1) - 1]
    if stream.codec_context is None:
        raise VideoError(
            lazy(
                "{file} uses a codec that is not supported here. Convert it to H.264 MP4.",
                file=path.name,
            ),
            Status.UNSUPPORTED,
        )
    width, height = stream.codec_context.width, stream.codec_context.height
    if not width or not height:
        raise VideoError(lazy("{file} is damaged: not even its size can be read.", file=path.name))
    check_pixels(path, (width, height), limits.max_pixels)
    # A stream may announce a small picture and turn into a huge one; the decoder then refuses.
    stream.codec_context.options = {"max_pixels": str(2 * limits.max_pixels)}
    return stream


def moving_pictures(container: InputContainer) -> list[VideoStream]:
    """The video tracks, of which each has a number from 1; covers of albums are none."""
    pictures = container.streams.video
    moving = [stream for stream in pictures if not stream.disposition & Disposition.attached_pic]
    return moving[:MOST_TRACKS]


def tracks_of(container: InputContainer) -> tuple[Track, ...]:
    """What is known of each video track, by number."""
    return tuple(
        Track(
            number=number,
            codec=stream.codec_context.codec.canonical_name if stream.codec_context else "unknown",
            width=stream.codec_context.width if stream.codec_context else 0,
            height=stream.codec_context.height if stream.codec_context else 0,
        )
        for number, stream in enumerate(moving_pictures(container), start=1)
    )


def default_track(path: Path, kind: str) -> int:
    """The number of the track to analyse: one that moves, that the file marks as its default, and
    of those the largest. A file with one track is not read for it."""
    with open_container(path, kind, by_header=True) as container:
        streams = moving_pictures(container)
        if len(streams) < 2:
            return 1
        moves = _moving(container, streams)
        best = max(streams, key=lambda stream: _rank(stream, stream.index in moves))
        return streams.index(best) + 1


def _moving(container: InputContainer, streams: Sequence[VideoStream]) -> set[int]:
    """The indices of the streams of which several packets come early in the file."""
    seen: Counter[int] = Counter()
    try:
        for packet in islice(container.demux(*streams), READ_FOR_MOTION):
            seen[packet.stream_index] += packet.size > 0
    except (av.FFmpegError, IndexError):  # the latter: a track that begins in mid-stream
        pass  # the packets so far decide
    several = {index for index, count in seen.items() if count > 1}
    # `frames` is the container's own count, 0 where it has none.
    return several | {stream.index for stream in streams if stream.frames > 1}


def _rank(stream: VideoStream, moves: bool) -> tuple[bool, bool, bool, int]:
    codec = stream.codec_context
    plays = codec is not None and bool(codec.width and codec.height)
    is_video = moves and not stream.disposition & NO_VIDEO
    is_default = bool(stream.disposition & Disposition.default)
    # Tuples compare in this order: the size decides only between equals.
    return plays, is_video, is_default, codec.width * codec.height if plays else 0


def square_size(stream: VideoStream, limits: Limits) -> tuple[int, int]:
    """Width and height of the stored picture with square pixels, none lost; as stored where the
    file gives pixels no shape, an absurd one, or one that would make the picture too large."""
    width, height = stream.codec_context.width, stream.codec_context.height
    shape = float(stream.sample_aspect_ratio or 1)
    if not 1 / WIDEST <= shape <= WIDEST:
        return width, height
    size = (round(width * max(shape, 1)), round(height * max(1 / shape, 1)))
    return size if size[0] * size[1] <= limits.max_pixels else (width, height)
