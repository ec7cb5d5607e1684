"""Decoding by a GPU (NVDEC), pixel for pixel as in software: the standards of H.264, HEVC, VP9 and
AV1 leave a decoder no choice.

It needs the GPU's device files, which the confined process can open none of, so it is for files
that are trusted. What the GPU cannot decode, FFmpeg decodes in software.
"""

from __future__ import annotations

import logging
import tempfile
from functools import cache
from pathlib import Path

import av
import numpy as np
from av.codec.hwaccel import HWAccel
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from detector.video.writer import VideoWriter

# The CUDA context that PyTorch uses, too, instead of one more per file.
OPTIONS: dict[str, object] = {"primary_ctx": "1"}
# From the formats of NVDEC to those of software decoders: the same values in another order. FFmpeg
# converts them to RGB differently, by up to 22 of 255 where colours change.
PLANAR = {"nv12": "yuv420p", "p010le": "yuv420p10le"}
TRIAL_SIZE, TRIAL_FRAMES = 256, 8  # more than the least of every NVDEC
log = logging.getLogger(__name__)


def accelerator() -> HWAccel:
    """For `av.open`, which raises FFmpegError on a machine without such a GPU."""
    return HWAccel("cuda", options=OPTIONS)


@cache
def gpu_decodes() -> bool:
    """Whether a GPU decodes video here, which is tried; if not, the reason is logged."""
    # Frames stay on the GPU, so that those of software can be recognised.
    on_gpu = HWAccel("cuda", options=OPTIONS, is_hw_owned=True)
    with tempfile.TemporaryDirectory(prefix="trial-") as folder:
        side = TRIAL_SIZE
        with VideoWriter(Path(folder, "trial.mp4"), side, side, TRIAL_FRAMES) as video:
            for k in range(TRIAL_FRAMES):
                video.write(np.zeros((side, side, 3), np.uint8), k / TRIAL_FRAMES)
        try:
            with av.open(str(video.path), "r", hwaccel=on_gpu) as container:
                formats = {frame.format.name for frame in container.decode(video=0)}
        except av.FFmpegError as error:
            log.warning("No GPU decodes video here, so the CPU does: %s", error)
            return False
    if formats != {"cuda"}:
        log.warning("No GPU decodes video here, so the CPU does: FFmpeg chose %s.", formats)
    return formats == {"cuda"}


def as_in_software(frame: VideoFrame, reformatter: VideoReformatter) -> VideoFrame:
    """A frame of NVDEC in the format of software decoding; any other as it is."""
    planar = PLANAR.get(frame.format.name)
    return reformatter.reformat(frame, format=planar) if planar else frame
