"""A file's sound as plain samples."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from detector.records import VideoInfo
from detector.video.clock import Clock, SoundClock
from detector.video.opening import DEMUXERS, Limits, check_file, open_container
from detector.video.packets import DecodeNotes, demuxed
from detector.video.streams import moving_pictures

SOUND_RATE = 48_000  # samples a second of everything that `read_sound` gives
LONGEST = 8192  # samples in one block
Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Block:
    """`samples` (N, channels) int16 at `SOUND_RATE`, played from `second` on, where second 0 is
    the first picture of the video."""

    second: float
    samples: Samples


def read_sound(
    path: Path, *, info: VideoInfo | None = None, track: int = 1
) -> Generator[Block, None, None]:
    """The sound of a video, mono or stereo, block by block; nothing if there is none.

    What is before the first picture is left out; damaged stretches are gaps.
    `info` is the result of `probe`, if known; else `track` is the number of the video track.
    Raises VideoError if the file cannot be opened.
    """
    kind = info.container if info else check_file(path, Limits(max_bytes=sys.maxsize))
    if kind not in DEMUXERS:
        return
    with open_container(path, kind) as container:
        streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
        if streams:
            picture = moving_pictures(container)[(info.track if info else track) - 1 :][:1]
            yield from _blocks(container, _default(streams), picture, kind)


def _blocks(
    container: InputContainer, sound: AudioStream, picture: list[VideoStream], kind: str
) -> Generator[Block, None, None]:
    # Second 0 is the first picture, so sound that begins earlier has negative times, and is cut.
    start = _start(picture)
    mono = sound.codec_context.layout.nb_channels == 1
    channels = 1 if mono else 2
    resampler = AudioResampler("s16", "mono" if mono else "stereo", SOUND_RATE)
    for packet in _packets(container, sound, picture, kind):
        for frame in _decoded(sound, packet, resampler):
            # The resampler buffers, and numbers what it returns by the first packet's time.
            if frame.pts is None:
                continue
            second = float(frame.pts * Fraction(frame.time_base or 0) - start)
            samples: Samples = frame.to_ndarray().reshape(-1, channels)  # type: ignore[assignment]  # s16
            for at in range(0, len(samples), LONGEST):
                moment = second + at / SOUND_RATE
                if moment >= 0:
                    yield Block(moment, samples[at : at + LONGEST])


def _default(streams: list[AudioStream]) -> AudioStream:
    return next((s for s in streams if s.disposition & Disposition.default), streams[0])


def _packets(
    container: InputContainer, sound: AudioStream, picture: list[VideoStream], kind: str
) -> Iterator[Packet[AudioStream]]:
    """Those of the sound, on one clock with the picture."""
    picture_clock = Clock(kind)
    sound_clock = SoundClock(kind, picture_clock)
    for packet in demuxed(container, (*picture, sound), DecodeNotes()):
        if packet.stream_index == sound.index:
            sound_clock.move(packet)
            yield cast("Packet[AudioStream]", packet)
        else:
            picture_clock.move(packet)


def _start(picture: list[VideoStream]) -> Fraction:
    """When the first picture is shown, by the clock of the file."""
    for stream in picture:
        return Fraction((stream.start_time or 0) * (stream.time_base or 0))
    return Fraction(0)


def _decoded(
    sound: AudioStream, packet: Packet[AudioStream], resampler: AudioResampler
) -> list[AudioFrame]:
    """What can be decoded; a damaged packet leaves a gap."""
    with suppress(av.FFmpegError, ValueError):
        return [part for frame in sound.decode(packet) for part in resampler.resample(frame)]
    return []
