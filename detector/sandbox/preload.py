"""Reads small generated files, so that all modules that Python loads late are loaded."""

from __future__ import annotations

import importlib
import io
import pkgutil
import tempfile
from pathlib import Path

import av
import numpy as np
from PIL import Image as Pillow

from detector.video import reading
from detector.video.sound import read_sound

# What NumPy imports when it is first used, some of it only for certain lengths of arrays.
LATE_NUMPY = ("char", "exceptions", "fft", "linalg", "ma", "polynomial", "random", "rec")


def preload() -> None:
    """After this a process that can open no module can still read every kind of file."""
    modules = [module.name for module in pkgutil.walk_packages(av.__path__, "av.")]
    modules += [f"numpy.{name}" for name in LATE_NUMPY]
    for name in modules:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    # Registers all of Pillow's plugins, which it otherwise loads by the first file of a kind.
    Pillow.init()
    for content in (_movie(), _picture("PNG"), _picture("JPEG"), _picture("WEBP"), _picture("GIF")):
        with tempfile.NamedTemporaryFile(prefix="preload-") as file:
            file.write(content)
            file.flush()
            path = Path(file.name)
            info = reading.probe(path)
            list(reading.read_clips(path, 2, info=info))
            list(reading.read_all(path))
            list(read_sound(path))
            reading.read_origin(path)


def _movie() -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        video = container.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = 32, 32, "yuvj420p"
        sound = container.add_stream("aac", rate=44_100, layout="stereo")
        for _ in range(3):
            picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            container.mux(video.encode(picture))
        zeros = av.AudioFrame.from_ndarray(np.zeros((2, 2048), np.float32), "fltp", "stereo")
        zeros.rate = 44_100
        for frame in (zeros, None):
            container.mux(sound.encode(frame))
        container.mux(video.encode(None))
    return out.getvalue()


def _picture(kind: str) -> bytes:
    """With transparency, an orientation, and, where the format has them, two frames."""
    out = io.BytesIO()
    exif = Pillow.Exif()
    # Orientation 6, a turn by 90 degrees.
    exif[0x0112] = 6
    first, second = (Pillow.new("RGB" if kind == "JPEG" else "RGBA", (8, 8), c) for c in ("red", 0))
    many = {} if kind in ("JPEG", "PNG") else {"save_all": True, "append_images": [second]}
    first.save(out, kind, exif=exif, **many)
    return out.getvalue()
