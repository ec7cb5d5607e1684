"""The files that are mutated: small ones of every kind, and such as were made to do harm."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image as Pillow

from tests.clips import Image, barcode, moving_portrait, plain, write_clip

SMALL = (160, 120)
VIDEOS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"audio": True},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "turned.mov": {"rotation": 90},
    "vp8.webm": {"codec": "libvpx"},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}},
    "h264.mkv": {"audio": True},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "h264.ts": {"audio": True},
    "mpeg2.mpg": {"codec": "mpeg2video"},
}
PICTURES: dict[str, dict[str, Any]] = {
    "moving.gif": {"save_all": True, "duration": 40},
    "moving.webp": {"save_all": True, "duration": 40},
    "still.webp": {},
    "still.jpg": {},
    "progressive.jpg": {"progressive": True},
    "still.png": {},
}


def draw_seeds(folder: Path) -> dict[str, bytes]:
    """Name, whose suffix is the kind of file, and content."""
    images = moving_portrait(10, SMALL, face=110)
    seeds = {
        name: write_clip(folder / name, images, **options).read_bytes()
        for name, options in VIDEOS.items()
    }
    for name, options in PICTURES.items():
        seeds[name] = picture(Path(name).suffix, images, options)
    return seeds


def picture(suffix: str, images: list[Image], options: dict[str, Any]) -> bytes:
    first, *rest = (Pillow.fromarray(image) for image in images)
    exif = Pillow.Exif()
    exif[0x0112], exif[0x010E] = 6, "a face"
    out = io.BytesIO()
    if options.get("save_all"):
        options = options | {"append_images": rest}
    elif suffix == ".jpg":
        options = options | {"exif": exif}
    first.save(out, Pillow.registered_extensions()[suffix], **options)
    return out.getvalue()


def traps(folder: Path) -> dict[str, Callable[[], bytes]]:
    """Valid files that exceed a limit: name and how to make it."""
    return {
        "size-changes.ts": lambda: size_changes(folder, ".ts"),
        "size-changes.mpg": lambda: size_changes(folder, ".mpg"),
        "size-changes.avi": lambda: motion_jpeg_of_many_sizes(folder),
        "10k-frames.mp4": lambda: many_frames(folder, ".mp4", "libx264"),
        "10k-frames.avi": lambda: many_frames(folder, ".avi", "mpeg4"),
        "10k-frames.gif": lambda: many_pictures(".gif"),
        "10k-frames.webp": lambda: many_pictures(".webp"),
        "bomb-within-limits.png": lambda: png(7000, 7000),
        "bomb-beyond.png": lambda: png(60_000, 60_000, rows=50),
        "bomb-text.png": lambda: png(8, 8, text=64 * 2**20),
        "bomb.gif": lambda: b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + gif_frame(),
        "bomb.jpg": lambda: jpeg_that_claims(65_000, 65_000),
        "bomb.webp": lambda: webp_that_claims(16_383, 16_383),
        "flat.webp": lambda: flat_webp(6000),
        "playlist.mp4": lambda: b"ffconcat version 1.0\nfile h264.mp4\n",
        "hls.ts": lambda: b"#EXTM3U\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
        "empty.mp4": lambda: b"",
    }


def size_changes(folder: Path, suffix: str) -> bytes:
    """Two streams, of different sizes, one after the other."""
    codec = {".mpg": "mpeg2video"}.get(suffix, "libx264")
    parts = []
    for size in ((96, 64), (320, 240), (64, 480)):
        images = [barcode(k, size) for k in range(8)]
        parts.append(write_clip(folder / f"part{suffix}", images, codec=codec).read_bytes())
    return b"".join(parts)


def motion_jpeg_of_many_sizes(folder: Path) -> bytes:
    """An AVI whose pictures differ in size from those of its header, and from each other."""
    path = folder / "sizes.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        container.start_encoding()
        for k in range(12):
            still = picture(".jpg", [barcode(k, (96 + 32 * k, 64 + 16 * k))], {})
            packet = av.Packet(still)
            packet.stream, packet.pts, packet.dts = stream, k, k
            packet.is_keyframe = True
            container.mux(packet)
    return path.read_bytes()


def many_frames(folder: Path, suffix: str, codec: str) -> bytes:
    options = {"preset": "ultrafast"} if codec == "libx264" else {}
    images = (image for _ in range(100) for image in plain(100, (16, 16)))
    return write_clip(folder / f"many{suffix}", images, codec=codec, options=options).read_bytes()


def many_pictures(suffix: str) -> bytes:
    images = [Pillow.fromarray(np.full((8, 8), k % 256, np.uint8)) for k in range(10_000)]
    out = io.BytesIO()
    kind = Pillow.registered_extensions()[suffix]
    images[0].save(out, kind, save_all=True, append_images=images[1:], duration=20, lossless=True)
    return out.getvalue()


def png(width: int, height: int, *, rows: int | None = None, text: int = 0) -> bytes:
    """Black and grey, so that a few kilobytes unpack to `width` x `height`; `rows` are there."""
    packed = zlib.compress(bytes((width + 1) * (height if rows is None else rows)), 9)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))]
    if text:
        parts.append((b"zTXt", b"Comment\0\0" + zlib.compress(bytes(text), 9)))
    parts += [(b"IDAT", packed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, body) for kind, body in parts)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def gif_frame() -> bytes:
    return b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x4c\x01\x00;"


def jpeg_that_claims(width: int, height: int) -> bytes:
    content = bytearray(picture(".jpg", [barcode(1)], {}))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def webp_that_claims(width: int, height: int) -> bytes:
    content = bytearray(picture(".webp", [barcode(k) for k in range(3)], {"save_all": True}))
    at = content.index(b"VP8X") + 12
    content[at : at + 6] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(content)


def flat_webp(side: int) -> bytes:
    out = io.BytesIO()
    Pillow.new("RGB", (side, side)).save(out, "WEBP", lossless=True, method=0)
    return out.getvalue()
