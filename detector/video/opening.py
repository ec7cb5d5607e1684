"""Opens a file only if it is what it should be: a local video or picture within the limits.

Files are untrusted, and FFmpeg reads hundreds of formats, some of which (playlists,
concat scripts, SDP) open further files or addresses. So the first bytes decide which one
demuxer reads the file, and that demuxer may open nothing but the file itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer

from detector.errors import VideoError
from detector.language import lazy
from detector.records import Status

PICTURES = ("jpeg", "png", "webp")  # read by Pillow; a WebP may be animated
DEMUXERS = {
    "mp4": "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska": "matroska,webm",
    "webm": "matroska,webm",
    "avi": "avi",
    "mpegts": "mpegts",
    "mpeg": "mpeg",
    "gif": "gif",
}
COMPLETE_HEADERS = ("mp4", "matroska", "webm")  # which give the tracks and their sizes
MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"moof", b"styp")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"hevc", b"mif1", b"msf1", b"avif", b"avis")
# A stream that was cut out of a longer one begins anywhere in a packet; a whole one follows soon.
# ISO/IEC 13818-1: 188 bytes that begin with 0x47; 192 with a time code (M2TS), 204 with parity.
TS_PACKETS, TS_SYNC, TS_IN_A_ROW = (188, 192, 204), 0x47, 5
# Pack header of an MPEG program stream (ISO/IEC 13818-1, 2.5.3).
PACK_START = b"\x00\x00\x01\xba"
MPEG_SUFFIXES = (".mpg", ".mpeg", ".vob")
HEAD, CUT_HEAD = 400, 64 * 1024  # bytes in which a kind, or a stream cut anywhere, is recognised
# First element of Matroska and WebM (RFC 8794); the DocType in it distinguishes them.
EBML = b"\x1a\x45\xdf\xa3"
PLAYLISTS = (b"#extm3u", b"ffconcat", b"v=0", b"<?xml", b"<mpd", b"<smoothstreaming", b"[playlist]")
# MP3 with a tag or without, FLAC, and AAC in ADTS.
SOUND = (b"ID3", b"fLaC", b"\xff\xfb", b"\xff\xf1", b"\xff\xf9")


@dataclass(frozen=True, slots=True)
class Limits:
    """What is accepted; stated to a visitor before the upload and at `/limits`.

    `max_pixels` is for one frame of a video, `max_still_pixels` for a picture (a phone's photo
    is larger than 4K). `max_frames` keeps a crafted file from claiming millions.
    """

    max_bytes: int = 500 * 2**20
    max_seconds: float = 1800.0
    max_pixels: int = 4096 * 2304  # covers both kinds of 4K
    max_still_pixels: int = 50_000_000
    max_frames: int = 450_000  # 30 minutes at 250 frames per second
    suffixes: tuple[str, ...] = (
        *(".mp4", ".m4v", ".mov", ".3gp", ".webm", ".mkv", ".avi", ".ts", ".mts", ".m2ts"),
        *(".mpg", ".mpeg", ".vob", ".gif", ".webp", ".jpg", ".jpeg", ".png"),
    )


PRODUCT_LIMITS = Limits()


def check_file(path: Path, limits: Limits) -> str:
    """What kind of file this is by its first bytes: one of `DEMUXERS` or `PICTURES`.

    Raises VideoError if it is missing, empty, too large, or none of these.
    """
    if not path.is_file():
        raise VideoError(lazy("There is no file at {path}.", path=path))
    size = path.stat().st_size
    if size == 0:
        raise VideoError(
            lazy("{file} is empty (0 bytes). Send it again.", file=path.name), Status.EMPTY
        )
    if size > limits.max_bytes:
        raise VideoError(
            lazy(
                "{file} has {size} MB; at most {most} MB are accepted. "
                "Cut out the part that matters, or save it smaller.",
                file=path.name,
                size=f"{size / 2**20:.0f}",
                most=f"{limits.max_bytes / 2**20:.0f}",
            ),
            Status.TOO_LARGE,
        )
    try:
        with path.open("rb") as file:
            return _kind(path, file, limits)
    except OSError as error:
        raise VideoError(
            lazy(
                "{file} cannot be read: {reason}. Check that it is there and that you may open it.",
                file=path.name,
                reason=error.strerror,
            )
        ) from error


def _kind(path: Path, file: BinaryIO, limits: Limits) -> str:
    head = file.read(HEAD)
    kind = _video_kind(head) or _picture_kind(head)
    if kind:
        return kind
    if head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS:
        raise VideoError(
            lazy(
                "{file} is a HEIC or AVIF picture, which is not accepted. Save it as JPEG.",
                file=path.name,
            ),
            Status.UNSUPPORTED,
        )
    if head.startswith(SOUND) or (head[:4] == b"RIFF" and head[8:12] == b"WAVE"):
        raise VideoError(
            lazy("{file} contains only sound. Send a file with a picture.", file=path.name),
            Status.NO_VIDEO,
        )
    kind = _cut_stream(head + file.read(CUT_HEAD - HEAD), path.suffix.lower())
    if kind:
        return kind
    # A byte order mark or blanks may come before it.
    playlist = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(PLAYLISTS)
    if playlist or path.suffix.lower() not in limits.suffixes:
        raise VideoError(
            lazy(
                "{file} is not a kind of file that is accepted. Send an MP4, MOV, WebM, MKV, AVI, "
                "MPEG or GIF video, or a JPEG, PNG or WebP picture.",
                file=path.name,
            ),
            Status.UNSUPPORTED,
        )
    raise VideoError(
        lazy(
            "{file} is not a video, whatever its name says, or its beginning is damaged. Send an "
            "MP4, MOV, WebM, MKV, AVI, MPEG or GIF video, or a JPEG, PNG or WebP picture.",
            file=path.name,
        )
    )


def _video_kind(head: bytes) -> str:
    """The key of `DEMUXERS`, or an empty string."""
    heif = head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS
    marks = {
        "mp4": head[4:8] in MP4_BOXES and not heif,
        "webm": head.startswith(EBML) and b"webm" in head[:64],
        "matroska": head.startswith(EBML),
        "avi": head[:4] == b"RIFF" and head[8:12] == b"AVI ",
        "gif": head.startswith((b"GIF87a", b"GIF89a")),
        # The sync byte 0x47 is "G"; two of them in the right distance are no chance in text.
        "mpegts": head[:189:188] == b"GG" or head[4:197:192] == b"GG",  # the latter: M2TS
        "mpeg": head.startswith(b"\x00\x00\x01\xba"),
    }
    return next((kind for kind, found in marks.items() if found), "")


def _cut_stream(start: bytes, suffix: str) -> str:
    """The kind of an MPEG stream that begins in mid-packet, or an empty string."""
    for size in TS_PACKETS:
        row = size * TS_IN_A_ROW
        # Every offset within a packet is tried, as the cut may be anywhere.
        if any(set(start[at : at + row : size]) == {TS_SYNC} for at in range(size)):
            return "mpegts" if len(start) > row else ""
    return "mpeg" if suffix in MPEG_SUFFIXES and PACK_START in start else ""


def _picture_kind(head: bytes) -> str:
    """One of `PICTURES`, or an empty string."""
    marks = {
        "jpeg": head.startswith(b"\xff\xd8\xff"),
        "png": head.startswith(b"\x89PNG\r\n\x1a\n"),
        "webp": head[:4] == b"RIFF" and head[8:12] == b"WEBP",
    }
    return next((kind for kind, found in marks.items() if found), "")


@contextmanager
def open_container(
    path: Path, kind: str, *, by_header: bool = False, hwaccel: HWAccel | None = None
) -> Iterator[InputContainer]:
    """The file, opened by the one demuxer of its kind and by no other protocol than `file`.

    `by_header`: the header of an MP4, MKV or WebM has enough about the tracks. Otherwise
    FFmpeg decodes first frames to find out more, which takes most of the time of opening.
    `hwaccel` decodes what it can, software the rest.
    Raises VideoError if that demuxer cannot parse it.
    """
    # Both lists are FFmpeg's: a demuxer may open no other format, and no other protocol, from
    # within.
    options = {"format_whitelist": DEMUXERS[kind], "protocol_whitelist": "file"}
    if by_header and kind in COMPLETE_HEADERS:
        # Of the analysis alone: frames that are decoded later are not skipped.
        options |= {"skip_frame": "all", "probesize": "32"}
    demuxer = DEMUXERS[kind].partition(",")[0]
    try:
        container = av.open(
            str(path.resolve()),
            format=demuxer,
            options=options,
            metadata_errors="replace",
            hwaccel=hwaccel,
        )
    except av.FFmpegError as error:
        raise VideoError(
            lazy(
                "{file} is damaged or incomplete and cannot be opened. Save or send it again.",
                file=path.name,
            )
        ) from error
    with container:
        yield container


def check_pixels(path: Path, size: tuple[int, int], most: int) -> None:
    """Raises VideoError if a picture of `size` (width, height) has more than `most` pixels."""
    if size[0] * size[1] > most:
        raise VideoError(
            lazy(
                "{file} is {width} x {height} pixels; at most {most} million pixels are accepted. "
                "Save it smaller, for instance at 1920 x 1080.",
                file=path.name,
                width=size[0],
                height=size[1],
                most=f"{most / 1e6:.1f}",
            ),
            Status.TOO_LARGE,
        )


def check_length(path: Path, seconds: float, limits: Limits) -> None:
    """Raises VideoError if `seconds` is more than `limits` allow."""
    if seconds > limits.max_seconds:
        raise VideoError(
            lazy(
                "{file} is {minutes} minutes long; at most {most} minutes are accepted. "
                "Cut out the part that matters.",
                file=path.name,
                minutes=f"{seconds / 60:.0f}",
                most=f"{limits.max_seconds / 60:.0f}",
            ),
            Status.TOO_LONG,
        )
