"""Ways to damage a file; each takes its bytes and a generator, and returns other bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np

Random = np.random.Generator
Mutation = Callable[[bytes, Random], bytes]
# Where sizes, counts, rates and durations stand: 4 letters of MP4, RIFF, PNG, WebP; IDs of EBML;
# markers of JPEG; GIF's head.
PLACES = (
    *(b"mvhd", b"tkhd", b"mdhd", b"stsd", b"stts", b"stsz", b"stsc", b"stco", b"ctts", b"elst"),
    *(b"avcC", b"hvcC", b"moov", b"mdat", b"trak", b"avih", b"strh", b"strf", b"movi", b"idx1"),
    *(b"LIST", b"IHDR", b"IDAT", b"eXIf", b"VP8X", b"ANMF", b"VP8 ", b"VP8L", b"Exif", b"RIFF"),
    *(b"\x44\x89", b"\x2a\xd7\xb1", b"\xe0", b"\xb0", b"\xba", b"\x1f\x43\xb6\x75", b"\xa3"),
    *(b"\xff\xc0", b"\xff\xc2", b"\xff\xc4", b"\xff\xda", b"\xff\xdb", b"GIF8", b"\x21\xf9", b","),
)
EXTREMES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE)


def truncated(content: bytes, random: Random) -> bytes:
    return content[: int(random.integers(1, len(content)))]


def flipped(content: bytes, random: Random) -> bytes:
    changed = np.frombuffer(content, np.uint8).copy()
    places = random.integers(0, len(changed), int(random.integers(1, 64)))
    changed[places] ^= (1 << random.integers(0, 8, len(places))).astype(np.uint8)
    return changed.tobytes()


def scrambled_head(content: bytes, random: Random) -> bytes:
    """The magic bytes stay, so that the file is opened at all."""
    changed = bytearray(content)
    for _ in range(int(random.integers(1, 24))):
        changed[int(random.integers(12, min(len(changed), 800)))] = int(random.integers(256))
    return bytes(changed)


def lying(content: bytes, random: Random) -> bytes:
    """Extreme numbers where the format keeps its numbers; PNG's checksums are made right."""
    changed = bytearray(content)
    found = [place for place in PLACES if place in content]
    for _ in range(int(random.integers(1, 4))):
        place = found[int(random.integers(len(found)))]
        starts = [at for at in range(len(content)) if content.startswith(place, at)][:50]
        at = starts[int(random.integers(len(starts)))] + len(place) + int(random.integers(-8, 40))
        value = EXTREMES[int(random.integers(len(EXTREMES)))]
        form = ("<I", ">I", ">H", "<H", "B")[int(random.integers(5))]
        number = struct.pack(form, value % 256 ** struct.calcsize(form))
        at = max(at, 4)
        changed[at : at + len(number)] = number
    return with_checksums(bytes(changed[: len(content)]))


def with_checksums(content: bytes) -> bytes:
    if not content.startswith(b"\x89PNG"):
        return content
    changed, at = bytearray(content), 8
    while at + 12 <= len(changed):
        end = at + 8 + int.from_bytes(changed[at : at + 4], "big")
        if end + 4 > len(changed):
            break
        changed[end : end + 4] = struct.pack(">I", zlib.crc32(bytes(changed[at + 4 : end])))
        at = end + 4
    return bytes(changed)


def holed(content: bytes, random: Random) -> bytes:
    """A stretch is noise, zeros, missing, or there twice."""
    start = int(random.integers(8, len(content)))
    length = int(random.integers(1, max(len(content) // 4, 2)))
    stretch = content[start : start + length]
    filling = (random.bytes(len(stretch)), bytes(len(stretch)), b"", stretch * 2)
    return content[:start] + filling[int(random.integers(4))] + content[start + length :]


def shuffled(content: bytes, random: Random) -> bytes:
    """Pieces in another order, after the first one."""
    cuts = np.sort(random.integers(12, len(content), 4))
    first, *rest = (bytes(part) for part in np.split(np.frombuffer(content, np.uint8), cuts))
    return first + b"".join(rest[k] for k in random.permutation(len(rest)))


MUTATIONS: dict[str, Mutation] = {
    "truncated": truncated,
    "bits flipped": flipped,
    "head scrambled": scrambled_head,
    "header lies": lying,
    "holed": holed,
    "shuffled": shuffled,
}
