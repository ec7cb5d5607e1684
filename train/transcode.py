"""A video, altered and written again, so that the product can be tried on worse material."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np

from train.augment import Clip

AT_ONCE = 120
"""Frames altered together: bounds memory; H.264 starts anew so often."""


def write_altered(source: Path, target: Path, alter: Callable[[Clip], Clip]) -> Path:
    """`source` with `alter` applied to its frames, as nearly lossless H.264 at `target`.

    Rotation and audio are not kept; the frame rate is.
    """
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        stream: Any = writer.add_stream("libx264", rate=reader.streams.video[0].average_rate)
        # CRF 10 is hardly visible: what is tested is the alteration, not this copy.
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "10", "preset": "veryfast"}
        frames: list[Any] = []
        for frame in reader.decode(video=0):
            frames.append(frame.to_ndarray(format="rgb24"))
            if len(frames) == AT_ONCE:
                _write(writer, stream, alter(np.stack(frames)))
                frames = []
        if frames:
            _write(writer, stream, alter(np.stack(frames)))
        writer.mux(stream.encode())
    return target


def _write(writer: Any, stream: Any, clip: Clip) -> None:
    # 4:2:0 needs even sides; an odd last row or column is dropped.
    height, width = (side // 2 * 2 for side in clip.shape[1:3])
    if not stream.codec_context.is_open:
        stream.height, stream.width = height, width
    for image in clip[:, :height, :width]:
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        writer.mux(stream.encode(picture))
