"""RGB frames become a video that a browser plays, with the sound of the original."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream

from detector.errors import VideoError
from detector.records import Image
from detector.video.sound import SOUND_RATE, Block

TICKS = 90_000  # a second; represents every usual frame rate without rounding
USUAL_FPS = 25.0  # PAL's, where a file states none
KEY_FRAME_EVERY = 2.0  # seconds; a player that seeks decodes at most this much
# "ultrafast" takes less than half the time of "veryfast", for two to three times the size.
FOR_STORAGE, FOR_PREVIEW = "veryfast", "ultrafast"
QUALITY = "23"
VP8_OPTIONS: dict[str, object] = {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "4M"}
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
    unknown. `sound` is what `read_sound` gives; it is encoded anew and ends with the picture.
    `preset` is one of x264's: how much time is spent to make the file small.
    """

    def __init__(  # noqa: PLR0913 - the last two are options
        self,
        path: Path,
        width: int,
        height: int,
        fps: float,
        sound: Iterator[Block] | None = None,
        *,
        preset: str = FOR_STORAGE,
    ) -> None:
        self._h264 = h264_available()
        self.path = path if self._h264 else path.with_suffix(".webm")
        self._part = self.path.with_name(f".{self.path.stem}-{secrets.token_hex(4)}.part")
        self._size = width, height
        self._fps = fps if fps > 0 else USUAL_FPS
        self._options: dict[str, object] = {"preset": preset, "crf": QUALITY}
        self._blocks = iter(()) if sound is None else sound
        # Any time before 0, so that the first frame may be shown at 0.
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
            self._sound = _Sound(self._container, self._blocks)
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
        # Explicit BT.709, as the file is tagged: the default of FFmpeg's scaler is BT.601.
        frame = self._reformatter.reformat(
            rgb, format="yuv420p", dst_colorspace=Colorspace.ITU709, threads=1
        )
        step = 1 if self._h264 else TICKS // 1000  # WebM counts in milliseconds
        self._pts = max(self._pts + step, round(second * TICKS))
        frame.pts, frame.time_base = self._pts, Fraction(1, TICKS)
        self._container.mux(self._video.encode(frame))
        self._sound.write_until(self._pts / TICKS)

    def _add_video(self) -> VideoStream:
        # 1001 is the denominator of 29.97 and 23.976 frames a second.
        rate = Fraction(self._fps).limit_denominator(1001)
        stream = self._container.add_stream("libx264" if self._h264 else "libvpx", rate=rate)
        stream.width, stream.height = (side + side % 2 for side in self._size)
        stream.pix_fmt = "yuv420p"
        # Key frames in frames, as the encoder counts them.
        stream.gop_size = max(1, round(self._fps * KEY_FRAME_EVERY))
        stream.options = self._options if self._h264 else VP8_OPTIONS
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
        self._sound.finish()
        self._container.close()
        # Atomic within one folder: a reader finds the whole file or none.
        os.replace(self._part, self.path)


class _Sound:
    """The original's sound, written as far as the picture has come, so that both lie side by
    side in the file; no stream is added if there is none."""

    def __init__(self, out: OutputContainer, blocks: Iterator[Block]) -> None:
        self._out = out
        self._blocks = blocks
        self._end = 0  # of what was written, in samples: time never runs backwards
        self._next = self._following()
        if self._next is not None:
            self._layout = "mono" if self._next.samples.shape[1] == 1 else "stereo"
            codec = "aac" if out.format.name == "mp4" else "libopus"
            stream = out.add_stream(codec, rate=SOUND_RATE, layout=self._layout)
            assert isinstance(stream, AudioStream)  # not derivable from the codec by mypy
            self._stream = stream

    def write_until(self, second: float) -> None:
        while self._next is not None and self._next.second < second:
            frame = AudioFrame.from_ndarray(
                np.ascontiguousarray(self._next.samples).reshape(1, -1), "s16", self._layout
            )
            frame.rate, frame.time_base = SOUND_RATE, Fraction(1, SOUND_RATE)
            # In samples; blocks whose times overlap are put one behind the other.
            frame.pts = max(round(self._next.second * SOUND_RATE), self._end)
            self._end = frame.pts + frame.samples
            self._out.mux(self._stream.encode(frame))
            self._next = self._following()

    def _following(self) -> Block | None:
        """A sound that cannot be read on ends there; the picture continues."""
        with suppress(VideoError):
            return next(self._blocks, None)
        return None

    def finish(self) -> None:
        if hasattr(self, "_stream"):
            self._out.mux(self._stream.encode(None))


def _close_quietly(container: OutputContainer) -> None:
    """An abandoned file need not be a good one."""
    with suppress(av.FFmpegError):
        container.close()
