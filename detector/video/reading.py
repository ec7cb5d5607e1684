"""A path becomes timed, upright RGB frames."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from detector.errors import shown
from detector.records import Frame, VideoInfo
from detector.video.decode import Shown, Source, nothing_decoded
from detector.video.opening import PRODUCT_LIMITS, Limits, check_file, check_length
from detector.video.packets import DecodeNotes
from detector.video.pictures import frames_of, open_picture, turned_by
from detector.video.sampling import Indices, Seconds, plan_clips
from detector.video.sound import read_sound

__all__ = ["probe", "read_all", "read_clips", "read_sound", "sha256_of", "survey"]


def probe(path: Path, limits: Limits = PRODUCT_LIMITS) -> VideoInfo:
    """What is known of a file without decoding more than it takes to get one frame.

    `container` is a key of `opening.DEMUXERS` or one of `opening.PICTURES`; `rotation` the
    degrees, counter-clockwise, by which stored frames are turned to stand upright. `frames`
    and `seconds` are exact for MP4, MOV, WebM and MKV with the usual codecs and for GIF; for
    AVI, MPEG and the rest they are what the packets say.

    Raises VideoError for every file that cannot be judged; its `status` says why.
    """
    return replace(survey(path, limits), sha256=sha256_of(path))


def survey(path: Path, limits: Limits = PRODUCT_LIMITS) -> VideoInfo:
    """As `probe`, without the hash: `sha256` is empty."""
    source = Source(path, check_file(path, limits), limits, DecodeNotes())
    return _probe_picture(source) if source.is_picture else _probe_video(source)


def read_clips(
    path: Path,
    frames: int,
    *,
    limits: Limits = PRODUCT_LIMITS,
    info: VideoInfo | None = None,
    notes: DecodeNotes | None = None,
) -> Generator[list[Frame], None, None]:
    """The clips that `plan_clips` chooses, one after the other, `frames` frames in all.

    Frames are exactly those of a full decode, pixels and times, though most of an H.264 file
    is not decoded. The first shown frame is second 0, wherever the container lets it start.
    A damaged stretch makes clips shorter or leaves them out, and `notes` says so. Frames that
    change size in mid-stream are scaled to the first size. Non-square pixels are taken as
    square; HDR is not tone-mapped. Holds one clip at a time. Where packets do not tell how
    many frames there are (AVI, MPEG, VP8, animated WebP), the file is decoded once to count.

    `info` is what `probe` said, if it was asked; it spares another look at the first bytes.
    Raises VideoError as `probe` does, and if not one frame can be decoded.
    """
    yield from gathered(read_members(path, frames, limits=limits, info=info, notes=notes))


def read_members(
    path: Path,
    frames: int,
    *,
    limits: Limits = PRODUCT_LIMITS,
    info: VideoInfo | None = None,
    notes: DecodeNotes | None = None,
) -> Iterator[tuple[int, Frame]]:
    """As `read_clips`, but one frame at a time, each with the number of its clip."""
    notes = notes or DecodeNotes()
    kind = info.container if info else check_file(path, limits)
    clips, shown = _choose(Source(path, kind, limits, notes), frames)
    clip_of = {int(number): k for k, clip in enumerate(clips) for number in clip}
    found = 0
    for number, (second, draw) in shown:
        found += 1
        yield clip_of[number], Frame(second, draw())
    notes.damaged |= found < len(clip_of)
    if not found:
        raise nothing_decoded(path)


def gathered(members: Iterator[tuple[int, Frame]]) -> Generator[list[Frame], None, None]:
    """The clips whose frames come one after the other."""
    for _, same in groupby(members, key=lambda member: member[0]):
        clip = [frame for _, frame in same]
        yield clip
        del clip  # the next one is made while this name would still hold it


def read_all(
    path: Path,
    *,
    start: float = 0.0,
    limits: Limits = PRODUCT_LIMITS,
    info: VideoInfo | None = None,
    notes: DecodeNotes | None = None,
) -> Generator[Frame, None, None]:
    """Every frame shown at `start` seconds or later, one at a time, as `read_clips` gives them.

    `info` is what `probe` said, if it was asked.
    Raises VideoError as `probe` does, and if not one frame can be decoded.
    """
    kind = info.container if info else check_file(path, limits)
    source = Source(path, kind, limits, notes or DecodeNotes())
    decoded = False
    for second, draw in source.in_order():
        decoded = True
        if second >= start:
            yield Frame(second, draw())
    if not decoded:
        raise nothing_decoded(path)


def _choose(source: Source, frames: int) -> tuple[list[Indices], Iterator[tuple[int, Shown]]]:
    """The clips, and their frames with their numbers, which are decoded as they are asked for."""
    if not source.is_picture:
        index = source.index()
        if index.exact:
            clips = plan_clips(index.seconds, frames)
            return clips, source.chosen(index, np.concatenate(clips))
    seconds: Seconds = np.array([second for second, _ in source.in_order()], np.float64)
    if not len(seconds):
        raise nothing_decoded(source.path)
    clips = plan_clips(seconds, frames)
    return clips, source.numbered(np.concatenate(clips))


def _probe_video(source: Source) -> VideoInfo:
    survey = source.survey()
    seconds, fps = _length(survey.index.seconds)
    return VideoInfo(
        name=shown(source.path.name),
        bytes=source.path.stat().st_size,
        sha256="",
        container=source.kind,
        codec=survey.codec,
        seconds=seconds,
        frames=len(survey.index.times),
        fps=fps,
        width=survey.size[survey.turn % 180 == 90],
        height=survey.size[survey.turn % 180 != 90],
        rotation=survey.turn,
        has_audio=survey.has_audio,
    )


def _probe_picture(source: Source) -> VideoInfo:
    with open_picture(source.path, source.kind, source.limits) as picture:
        moments: Seconds = np.array(
            [second for second, _ in frames_of(picture, source.notes)], np.float64
        )
        if not len(moments):
            raise nothing_decoded(source.path)
        turn, size = turned_by(picture), picture.size
    check_length(source.path, float(moments[-1]), source.limits)
    seconds, fps = _length(moments)
    return VideoInfo(
        name=shown(source.path.name),
        bytes=source.path.stat().st_size,
        sha256="",
        container=source.kind,
        codec=source.kind,
        seconds=seconds,
        frames=len(moments),
        fps=fps,
        width=size[turn % 180 == 90],
        height=size[turn % 180 != 90],
        rotation=turn,
        has_audio=False,
    )


def _length(moments: Seconds) -> tuple[float, float]:
    """Seconds and average frames per second; the last frame counts as long as the average."""
    last = float(moments[-1])
    if last <= 0:
        return 0.0, 0.0
    return last * len(moments) / (len(moments) - 1), (len(moments) - 1) / last


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
