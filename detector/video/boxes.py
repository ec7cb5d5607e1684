"""The boxes of an MP4 or MOV file that describe how it was written (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

MOST_BOXES = 2000  # more than a valid file has on the way to those below
MOST_BYTES = 4096  # of a box that is read whole
WITHIN = {b"moov", b"trak", b"edts", b"mdia", b"udta"}
# Times in "mvhd" are seconds since midnight of 1 January 1904, UTC (ISO/IEC 14496-12, 8.2.2).
EPOCH = datetime(1904, 1, 1, tzinfo=UTC)

Box = tuple[str, bytes]
"""A box by its path, such as "moov/trak/edts/elst", and its first bytes."""


def read_boxes(file: BinaryIO, size: int) -> Iterator[Box]:
    """Every box at the top and inside of those that are `WITHIN`, in the order of the file."""
    # A stack instead of recursion: the depth of a crafted file is not bounded by Python's.
    waiting = [("", 0, size)]
    for _ in range(MOST_BOXES):
        if not waiting:
            return
        path, start, end = waiting.pop()
        if start + 8 > end:
            continue
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8).ljust(8, b"\0"))
        head = 8
        if length == 1:  # the length follows in 64 bits
            length, head = struct.unpack(">Q", file.read(8).ljust(8, b"\0"))[0], 16
        # Length 0 means "to the end of the file"; a box that reaches beyond its parent is skipped.
        stop = end if length == 0 else start + length
        if not start + head <= stop <= end:
            continue
        name = f"{path}/{kind.decode('latin-1')}".lstrip("/")
        waiting.append((path, stop, end))
        if kind in WITHIN:
            waiting.append((name, start + head, stop))
        yield name, file.read(min(MOST_BYTES, stop - start - head))


def written_times(header: bytes) -> tuple[str, str]:
    """When a file was made and last changed, by its "moov/mvhd"; "" where that is not given."""
    wide = header[:1] == b"\1"
    try:
        # Version 1 stores 64 bits; both times follow the byte of the version and three of flags.
        made, changed = struct.unpack_from(">QQ" if wide else ">II", header, 4)
    except struct.error:
        return "", ""
    return _time(made), _time(changed)


def _time(seconds: int) -> str:
    try:
        return (EPOCH + timedelta(seconds=seconds)).isoformat(sep=" ")[:19] if seconds else ""
    except OverflowError:
        return ""


def edits(box: bytes) -> list[tuple[int, int]]:
    """The edit list of a track, "elst": how long each part lasts, and where in the media it
    begins, -1 for an empty one; in the file's own units."""
    wide = box[:1] == b"\1"
    # Duration, media time (-1: empty edit), and the rate as 16.16 fixed point (8.6.6).
    form = struct.Struct(">QqI" if wide else ">IiI")
    (count,) = struct.unpack_from(">I", box.ljust(8, b"\0"), 4)
    # The count may be forged, and only the first bytes of a box are read.
    room = (len(box) - 8) // form.size
    parts = [form.unpack_from(box, 8 + form.size * k) for k in range(min(count, max(room, 0)))]
    return [(length, begins) for length, begins, _ in parts]
