"""Seeds as cameras, messengers and joined recordings make them: every path of the decoder that an
ordinary clip does not take."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from tests.clips import Image, moving_portrait, write_clip
from tests.signing import sign
from tests.test_world_files import FIELDS, HLG, SMPTE2084, hlg, pq, two_tracks, woven, write_wide

SMALL = (160, 120)
VIDEOS: dict[str, dict[str, Any]] = {
    "interlaced.mp4": {"options": FIELDS},
    "interlaced.mpg": {"codec": "mpeg2video", "options": {"flags": "+ildct+ilme"}},
    "wide-pixels.mkv": {"options": {"x264-params": "sar=16/11"}},
    "mirrored.mov": {"rotation": 270, "mirrored": True},
    "late.ts": {"seconds": (40_000 + np.arange(10) / 25).tolist()},
    "one-a-second.mp4": {"fps": 1.0},
}


def draw_odd(folder: Path) -> dict[str, bytes]:
    """Name, whose suffix is the kind of file, and content."""
    images = moving_portrait(10, SMALL, face=110)
    seeds = {
        name: write_clip(folder / name, images, **options).read_bytes()
        for name, options in VIDEOS.items()
    }
    seeds["combed.mp4"] = write_clip(folder / "combed.mp4", woven(images)).read_bytes()
    seeds["joined.ts"] = joined(folder, images)
    seeds["lying.mp4"] = write_clip(folder / "lying.mp4", turned(images)).read_bytes()
    seeds["pq.mp4"] = write_wide(folder / "pq.mp4", pq, SMPTE2084).read_bytes()
    seeds["hlg.mp4"] = write_wide(folder / "hlg.mp4", hlg, HLG).read_bytes()
    for name in ("tracks.mp4", "tracks.mkv"):
        seeds[name] = two_tracks(folder / name, default=1).read_bytes()
    plain = write_clip(folder / "plain.mp4", images)
    seeds["signed.mp4"] = sign(plain, folder / "signed.mp4").read_bytes()
    seeds["several.jpg"] = several_pictures(images)
    return seeds


def turned(images: list[Image]) -> list[Image]:
    """Rotated pixels without a flag."""
    return [np.ascontiguousarray(np.rot90(image)) for image in images]


def joined(folder: Path, images: list[Image]) -> bytes:
    """Two recordings end to end; the clock of the second begins anew."""
    return 2 * write_clip(folder / "part.ts", images, audio=True).read_bytes()


def several_pictures(images: list[Image]) -> bytes:
    """A JPEG with further pictures behind the first, as phones write it."""
    first, *rest = (Pillow.fromarray(image) for image in images[:3])
    out = io.BytesIO()
    first.save(out, "MPO", save_all=True, append_images=rest)
    return out.getvalue()
