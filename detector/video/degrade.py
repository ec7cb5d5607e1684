"""The changes that a re-upload makes to a video, for the robustness test and for training.

Every function takes and returns consecutive pictures of one size: (T, H, W, 3) RGB uint8.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from detector.records import Frame

Clip = NDArray[np.uint8]
Alter = Callable[[Clip], Clip]

KERNELS = {
    "area": cv2.INTER_AREA,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "nearest": cv2.INTER_NEAREST,
    "lanczos": cv2.INTER_LANCZOS4,
}


def h264(clip: Clip, crf: int, preset: str = "veryfast") -> Clip:
    """The clip through H.264 (x264) at constant rate factor `crf`, 0 best to 51 worst."""
    height, width = clip.shape[1:3]
    # 4:2:0 needs even sides: each colour sample covers 2 x 2 pixels.
    even = np.pad(clip, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    file = io.BytesIO()
    container: Any
    with av.open(file, "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = even.shape[1:3]
        # One thread: x264's result depends on the number of threads.
        stream.pix_fmt, stream.thread_count = "yuv420p", 1
        stream.options = {"crf": str(crf), "preset": preset}
        for image in even:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file, format="h264") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames)[:, :height, :width]


def blur(clip: Clip, sigma: float) -> Clip:
    """Gaussian, `sigma` in pixels."""
    return np.stack([cv2.GaussianBlur(image, (0, 0), sigma) for image in clip]).astype(np.uint8)


def rescale(clip: Clip, share: float, down: str = "area", up: str = "linear") -> Clip:
    """Each image shrunk to `share` of its side and back; `down` and `up` name `KERNELS`."""
    height, width = clip.shape[1:3]
    # (width, height), the order of OpenCV.
    small = (max(round(width * share), 2), max(round(height * share), 2))
    return np.stack(
        [
            cv2.resize(
                cv2.resize(image, small, interpolation=KERNELS[down]),
                (width, height),
                interpolation=KERNELS[up],
            )
            for image in clip
        ]
    ).astype(np.uint8)


COPIES: dict[str, Alter] = {
    "reencoded": lambda clip: h264(clip, 32),
    "downscaled": lambda clip: rescale(clip, 0.5),
    "blurred": lambda clip: blur(clip, max(1.0, max(clip.shape[1:3]) / 500)),
}
"""The worse copies of a video: H.264 at CRF 32, half the size, and blurred by a 500th of it."""


def altered(clip: Sequence[Frame], alter: Alter) -> list[Frame]:
    """The same moments, their pictures altered together."""
    images = alter(np.stack([frame.image for frame in clip]))
    return [Frame(frame.second, image) for frame, image in zip(clip, images, strict=True)]
