"""Training reads files as the product does, so that both get the same inputs."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from detector.faces.mtcnn import FaceFinder
from detector.records import Image
from tests.clips import moving_portrait, plain, write_clip
from train.prepare import PrepareConfig, StoredFace, prepare_row

CLEAN = {"crf": "10"}
COUNT = 24
PQ, BT2020, LIMITED = 16, 9, 1  # ITU-T H.273
TO_2020 = [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]


def rotated(path: Path) -> Path:
    stored = [np.ascontiguousarray(np.rot90(image, -1)) for image in moving_portrait(COUNT)]
    return write_clip(path.with_suffix(".mp4"), stored, rotation=90, options=CLEAN)


def two_tracks(path: Path) -> Path:
    """The first track is a thumbnail without a face, the second the video."""
    path = path.with_suffix(".mkv")
    tracks = plain(1, (480, 360)), moving_portrait(COUNT)
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=25) for _ in tracks]
        for k, stream in enumerate(streams):
            stream.width, stream.height, stream.pix_fmt = 480, 360, "yuv420p"
            stream.options = CLEAN
            stream.disposition = Disposition(0) if k == 0 else Disposition.default
        for stream, images in zip(streams, tracks, strict=True):
            for number, image in enumerate(images):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def joined(path: Path) -> Path:
    """Two parts, the clock restarting at the second."""
    path = write_clip(path.with_suffix(".ts"), moving_portrait(COUNT), options=CLEAN)
    path.write_bytes(2 * path.read_bytes())
    return path


def high_range(path: Path) -> Path:
    """SMPTE ST 2084, white at 203 cd/m2 (ITU-R BT.2408), colours of BT.2020."""
    path = path.with_suffix(".mp4")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=25)
        stream.width, stream.height, stream.pix_fmt = 480, 360, "yuv444p10le"
        stream.options = {"crf": "8", "x265-params": "log-level=none"}
        codec = stream.codec_context
        codec.color_trc, codec.color_primaries, codec.colorspace = PQ, BT2020, BT2020
        codec.color_range = LIMITED
        for number, image in enumerate(moving_portrait(COUNT)):
            frame = coded(image)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def coded(image: Image) -> av.VideoFrame:
    power = ((image / 255) ** 2.4 @ np.array(TO_2020).T * 203 / 10_000) ** 0.1593017578125
    red, green, blue = np.moveaxis(
        ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375, -1, 0
    )
    luma = 0.2627 * red + 0.678 * green + 0.0593 * blue
    planes = 64 + 876 * luma, 512 + 896 * (blue - luma) / 1.8814, 512 + 896 * (red - luma) / 1.4746
    frame = av.VideoFrame(image.shape[1], image.shape[0], "yuv444p10le")
    for plane, codes in zip(frame.planes, planes, strict=True):
        padded = np.zeros((image.shape[0], plane.line_size // 2), "<u2")
        padded[:, : image.shape[1]] = np.rint(codes)
        plane.update(padded.tobytes())
    frame.color_trc, frame.color_primaries, frame.colorspace = PQ, BT2020, BT2020
    frame.color_range = LIMITED
    return frame


def faces_of(path: Path, finder: FaceFinder) -> list[StoredFace]:
    config = PrepareConfig(frames=2 * COUNT, pick="even")
    return prepare_row({"kind": "video", "path": str(path)}, finder, config)


@pytest.mark.parametrize("make", [rotated, two_tracks, joined, high_range])
def test_an_unusual_file_yields_the_faces_of_the_plain_one(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    finder = FaceFinder()
    usual = write_clip(tmp_path / "plain.mp4", moving_portrait(COUNT), options=CLEAN)
    expected, found = faces_of(usual, finder), faces_of(make(tmp_path / "odd"), finder)
    assert len(found) == (2 * COUNT if make is joined else COUNT)
    begin = found[-COUNT].second
    assert begin == pytest.approx(COUNT / 25 if make is joined else 0, abs=0.1)
    for here, there in zip(found[-COUNT:], expected, strict=True):
        assert here.second - begin == pytest.approx(there.second, abs=0.05)
        assert here.landmarks == pytest.approx(there.landmarks, abs=12)
        # Their boxes differ by some pixels, so that their pixels cannot be compared one by one.
        means = (face.image.mean(axis=(0, 1)) for face in (here, there))
        assert np.abs(np.subtract(*means)).max() < 10
