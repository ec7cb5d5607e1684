"""RGB frames become a video that a browser plays, with the sound of the original."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream

from detector.records import Image
from detector.video.opening import DEMUXERS, Limits, check_file, open_container
from detector.video.packets import DecodeNotes, packets_of

TimedPackets = Iterator[tuple[float, "Packet[AudioStream]"]]
TICKS = 90_000  # a second; holds every usual frame rate without rounding
USUAL_FPS = 25.0
KEY_FRAME_EVERY = 2.0  # seconds; a player that seeks decodes at most this much
H264_OPTIONS: dict[str, object] = {"preset": "veryfast", "crf": "23"}
VP8_OPTIONS: dict[str, object] = {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "4M"}
MP4_SOUND, WEBM_SOUND = {"aac", "mp3", "mp3float"}, {"opus", "vorbis"}
SOUND_RATE = 48_000
BT709, LIMITED_RANGE = 1, 1  # ITU-T H.273


def h264_available() -> bool:
    """Whether this build of PyAV can write H.264."""
    try:
        av.codec.Codec("libx264", "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


class VideoWriter:
    """Writes H.264 MP4 (yuv420p, index first), or VP8 WebM where there is no H.264 encoder.

    Use it in a `with` block: the file appears at `path` when the block ends, and after an
    exception nothing is left behind. `path` is the real one: its suffix may become `.webm`.
    Frames keep their presentation times. Odd sizes are made even by repeating the last row or
    column. `fps` is what the file states as its rate, and how long the last frame lasts; 0 means
    unknown. The sound of `audio_from` is copied where the container can hold it, otherwise
    re-encoded, and ends with the picture.
    """

    def __init__(
        self, path: Path, width: int, height: int, fps: float, audio_from: Path | None = None
    ) -> None:
        self._h264 = h264_available()
        self.path = path if self._h264 else path.with_suffix(".webm")
        self._part = self.path.with_name(f".{self.path.stem}-{secrets.token_hex(4)}.part")
        self._size = width, height
        self._fps = fps if fps > 0 else USUAL_FPS
        self._audio_from = audio_from
        self._pts = -TICKS  # before any frame
        self._reformatter = VideoReformatter()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self._part.unlink, missing_ok=True)
            options = {"movflags": "+faststart"} if self._h264 else {}
            container_format = "mp4" if self._h264 else "webm"
            self._container = av.open(
                str(self._part.resolve()), "w", format=container_format, container_options=options
            )
            stack.callback(_close_quietly, self._container)
            self._video = self._add_video()
            self._sound = _Sound(self._container, self._audio_from, stack)
            self._open = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._open:
            if kind is None:
                self._finish()

    def write(self, image: Image, second: float) -> None:
        """Adds one frame, RGB uint8 (height, width, 3), shown from `second` on.

        A second that is not later than the one before is moved just behind it. Raises ValueError
        if the image is of another size.
        """
        width, height = self._size
        if image.shape != (height, width, 3):
            raise ValueError(f"expected an image of {(height, width, 3)}, got {image.shape}")
        if width % 2 or height % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = self._reformatter.reformat(
            rgb, format="yuv420p", dst_colorspace=Colorspace.ITU709, threads=1
        )
        step = 1 if self._h264 else TICKS // 1000  # WebM counts in milliseconds
        self._pts = max(self._pts + step, round(second * TICKS))
        frame.pts, frame.time_base = self._pts, Fraction(1, TICKS)
        self._container.mux(self._video.encode(frame))
        self._sound.write_until(self._pts / TICKS)

    def _add_video(self) -> VideoStream:
        rate = Fraction(self._fps).limit_denominator(1001)
        stream = self._container.add_stream("libx264" if self._h264 else "libvpx", rate=rate)
        stream.width, stream.height = (side + side % 2 for side in self._size)
        stream.pix_fmt = "yuv420p"
        stream.gop_size = max(1, round(self._fps * KEY_FRAME_EVERY))
        stream.options = H264_OPTIONS if self._h264 else VP8_OPTIONS
        codec = stream.codec_context
        codec.time_base = Fraction(1, TICKS)
        codec.colorspace = codec.color_primaries = codec.color_trc = BT709
        codec.color_range = LIMITED_RANGE
        return stream

    def _finish(self) -> None:
        if self._pts < 0:
            raise ValueError(f"no frame was written to {self.path}")
        self._container.mux(self._video.encode())
        self._sound.write_until(self._pts / TICKS + 1 / self._fps)
        self._container.close()
        os.replace(self._part, self.path)


class _Sound:
    """The original's sound, written as far as the picture has come, so that both lie side by
    side in the file; nothing if there is no original, or no sound in it."""

    def __init__(self, out: OutputContainer, original: Path | None, stack: ExitStack) -> None:
        self._out = out
        self._packets = _sound_packets(out, original, stack) if original else iter(())
        self._next = next(self._packets, None)

    def write_until(self, second: float) -> None:
        while self._next is not None and self._next[0] < second:
            self._out.mux(self._next[1])
            self._next = next(self._packets, None)


def _sound_packets(out: OutputContainer, original: Path, stack: ExitStack) -> TimedPackets:
    """Adds a stream to `out`; the packets for it come with their seconds, as the picture's."""
    kind = check_file(original, Limits(max_bytes=sys.maxsize))
    if kind not in DEMUXERS:
        return iter(())
    container = stack.enter_context(open_container(original, kind))
    if not container.streams.audio:
        return iter(())
    sound = container.streams.audio[0]
    start = Fraction(0)
    for picture in container.streams.video[:1]:
        start = Fraction((picture.start_time or 0) * (picture.time_base or 0))
    mp4 = out.format.name == "mp4"
    if (
        sound.codec_context.name in (MP4_SOUND if mp4 else WEBM_SOUND)
        and sound.codec_context.extradata
    ):
        return _copied(container, sound, out.add_stream_from_template(sound), start)
    layout = "mono" if sound.codec_context.layout.nb_channels == 1 else "stereo"
    codec: Literal["aac", "libopus"] = "aac" if mp4 else "libopus"
    target = out.add_stream(codec, rate=SOUND_RATE, layout=layout)
    return _encoded(container, sound, target, start)


def _copied(
    container: InputContainer, sound: AudioStream, target: AudioStream, start: Fraction
) -> TimedPackets:
    base = Fraction(sound.time_base or 0)
    shift = round(start / base)
    for packet in packets_of(container, sound, DecodeNotes()):
        if packet.pts is None or packet.is_discard or packet.pts < shift:
            continue
        packet.pts = packet.dts = packet.pts - shift
        packet.stream = target
        yield float(packet.pts * base), packet


def _encoded(
    container: InputContainer, sound: AudioStream, target: AudioStream, start: Fraction
) -> TimedPackets:
    for packet in packets_of(container, sound, DecodeNotes()):
        for frame in _heard(sound, packet):
            pts = (frame.pts or 0) - round(start / (frame.time_base or 1))
            if pts >= 0:
                frame.pts = pts
                yield from _timed(target.encode(frame))
    yield from _timed(target.encode())


def _heard(sound: AudioStream, packet: Packet[AudioStream]) -> list[AudioFrame]:
    """What can be decoded; a damaged packet leaves a gap."""
    with suppress(av.FFmpegError):
        return sound.decode(packet)
    return []


def _timed(packets: list[Packet[AudioStream]]) -> TimedPackets:
    for packet in packets:
        yield float((packet.pts or 0) * (packet.time_base or 0)), packet


def _close_quietly(container: OutputContainer) -> None:
    """An abandoned file need not be a good one."""
    with suppress(av.FFmpegError):
        container.close()
