"""A path becomes timed, upright RGB frames."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from detector.errors import shown
from detector.findings import Origin
from detector.records import Frame, VideoInfo
from detector.video.container import read_facts
from detector.video.credentials import read_credentials, trust_anchors
from detector.video.decode import Shown, Source, Survey, nothing_decoded
from detector.video.opening import PICTURES, PRODUCT_LIMITS, Limits, check_file, check_length
from detector.video.packets import DecodeNotes, PacketIndex
from detector.video.pictures import frames_of, open_picture, turned_by
from detector.video.sampling import Indices, SamplingRange, Seconds, plan_sampling
from detector.video.sound import read_sound
from detector.video.streams import default_track

__all__ = ["opened", "probe", "read_all", "read_clips", "read_origin", "read_sound"]


Member = tuple[int, bool, Frame]
"""One frame of a clip: the clip's number, and whether it is the clip's last."""


@dataclass(frozen=True, slots=True)
class SurveyedFile:
    """A file that was surveyed: `info` is the result of `probe`. With `index` its clips are read
    without another pass over the packets; it is None for a picture."""

    source: Source
    info: VideoInfo
    index: PacketIndex | None

    def clips(
        self, ranges: Sequence[SamplingRange], notes: DecodeNotes
    ) -> Generator[list[Frame], None, None]:
        """As `read_clips`, of the stretches that `ranges` names; it may be called again."""
        return gathered(self.members(ranges, notes))

    def members(self, ranges: Sequence[SamplingRange], notes: DecodeNotes) -> Iterator[Member]:
        """As `clips`, one frame at a time."""
        notes.add(self.source.notes)
        return _members(replace(self.source, notes=notes), ranges, self.index)


@contextmanager
def opened(
    path: Path, limits: Limits = PRODUCT_LIMITS, *, track: int = 0, on_gpu: bool = False
) -> Iterator[SurveyedFile]:
    """The file, for its facts and its clips. Raises as `probe` does.

    `track` is the number of the video track to be read, from 1; with 0 it is the default one.
    `on_gpu` decodes the clips on a GPU, which must be able to (`hardware.gpu_decodes`).
    """
    file = survey_file(path, limits, track=track)
    file = replace(file, source=replace(file.source, on_gpu=on_gpu))
    yield replace(file, info=replace(file.info, sha256=sha256_of(path)))


def probe(path: Path, limits: Limits = PRODUCT_LIMITS) -> VideoInfo:
    """What is known of a file without decoding more than it takes to get one frame.

    `container` is a key of `opening.DEMUXERS` or one of `opening.PICTURES`; `rotation` the
    degrees, counter-clockwise, by which stored frames are turned to stand upright. `frames`
    and `seconds` are exact for MP4, MOV, WebM and MKV with the usual codecs and for GIF; for
    AVI, MPEG and the rest they are estimated from the packets.

    Raises VideoError for every file that cannot be scored; its `status` has the reason.
    """
    return replace(survey_file(path, limits).info, sha256=sha256_of(path))


def survey_file(path: Path, limits: Limits = PRODUCT_LIMITS, *, track: int = 0) -> SurveyedFile:
    """As `opened`, without the hash: `sha256` is empty."""
    source = source_of(path, limits, DecodeNotes(), track=track)
    if source.is_picture:
        return SurveyedFile(source, _probe_picture(source), None)
    survey = source.survey()
    return SurveyedFile(source, _info_of(source, survey), survey.index)


def read_clips(
    path: Path,
    frames: int,
    *,
    limits: Limits = PRODUCT_LIMITS,
    info: VideoInfo | None = None,
    notes: DecodeNotes | None = None,
) -> Generator[list[Frame], None, None]:
    """The clips that `plan_clips` chooses, one after the other, `frames` frames in all.

    Frames are exactly those of a full decode, pixels and times, though most of a file is not
    decoded if its packets show what refers to what (`video.packets`). The first shown frame is
    second 0, wherever the container starts it. A damaged stretch makes clips shorter or leaves them
    out, which `notes` records. Frames that change size in mid-stream are scaled to the first size;
    pixels are made square, HDR and wide colours brought to an ordinary screen's, and of interlaced
    pictures one moment is taken. Times are counted on where the file's clock restarts or jumps.
    Only one clip is in memory at a time. Where packets do not give the number of frames (AVI, MPEG,
    VP8, animated WebP), the file is decoded once to count.

    `info` is the result of `probe`, if known; the file's kind is then not determined again.
    Raises VideoError as `probe` does, and if not one frame can be decoded.
    """
    source = source_of(path, limits, notes or DecodeNotes(), info=info)
    yield from gathered(_members(source, [SamplingRange(frames)], None))


def source_of(
    path: Path,
    limits: Limits,
    notes: DecodeNotes,
    *,
    info: VideoInfo | None = None,
    track: int = 0,
) -> Source:
    """The file, checked unless `info` shows that it was."""
    kind = info.container if info else check_file(path, limits)
    track = info.track if info else track
    if not track and kind not in PICTURES:
        track = default_track(path, kind)
    return Source(path, kind, limits, notes, max(track, 1))


def _members(
    source: Source, ranges: Sequence[SamplingRange], index: PacketIndex | None
) -> Iterator[Member]:
    """The chosen frames of `source`."""
    # Frames are drawn one by one as the caller takes them, so only one is in memory.
    clips, shown = _choose(source, ranges, index)
    clip_of = {int(number): k for k, clip in enumerate(clips) for number in clip}
    missing = [len(clip) for clip in clips]
    found = 0
    for number, (second, draw) in shown:
        found += 1
        clip = clip_of[number]
        missing[clip] -= 1
        yield clip, missing[clip] == 0, Frame(second, draw())
    # Fewer frames than packets: some could not be decoded.
    source.notes.damaged |= found < len(clip_of)
    if clips and not found:
        raise nothing_decoded(source.path)


def gathered(members: Iterator[Member]) -> Generator[list[Frame], None, None]:
    """The clips whose frames come one after the other, each as soon as its last frame is there."""
    clip: list[Frame] = []
    number = 0
    for of, last, frame in members:
        if clip and of != number:  # the last frames of that clip could not be decoded
            yield clip
            clip = []
        number = of
        clip.append(frame)
        del frame  # the next one is made while this name would keep it in memory
        if last:
            yield clip
            clip = []
    if clip:
        yield clip


def read_all(
    path: Path,
    *,
    start: float = 0.0,
    limits: Limits = PRODUCT_LIMITS,
    info: VideoInfo | None = None,
    notes: DecodeNotes | None = None,
) -> Generator[Frame, None, None]:
    """Every frame shown at `start` seconds or later, one at a time, as `read_clips` gives them.

    `info` is the result of `probe`, if known.
    Raises VideoError as `probe` does, and if not one frame can be decoded.
    """
    yield from frames_from(source_of(path, limits, notes or DecodeNotes(), info=info), start)


def frames_from(source: Source, start: float) -> Generator[Frame, None, None]:
    """As `read_all`."""
    decoded = False
    for second, draw in source.in_order():
        decoded = True
        if second >= start:
            yield Frame(second, draw())
    if not decoded:
        raise nothing_decoded(source.path)


def read_origin(path: Path, limits: Limits = PRODUCT_LIMITS) -> Origin:
    """What a file contains about its making; raises VideoError as `check_file` does."""
    kind = check_file(path, limits)
    origin = read_credentials(path, kind, trust_anchors())
    return replace(origin, facts=read_facts(path, kind, limits))


def _choose(
    source: Source, ranges: Sequence[SamplingRange], index: PacketIndex | None
) -> tuple[list[Indices], Iterator[tuple[int, Shown]]]:
    """The clips, and their frames with their numbers, which are decoded as they are requested."""
    if not source.is_picture:
        # Without an exact index, frames are numbered by decoding all of them once.
        index = index or source.index()
        if index.exact:
            clips = plan_sampling(index.seconds, ranges)
            return clips, iter(()) if not clips else source.chosen(index, np.concatenate(clips))
    seconds: Seconds = np.array([second for second, _ in source.in_order()], np.float64)
    if not len(seconds):
        raise nothing_decoded(source.path)
    clips = plan_sampling(seconds, ranges)
    return clips, iter(()) if not clips else source.numbered(np.concatenate(clips))


def _info_of(source: Source, survey: Survey) -> VideoInfo:
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
        # Index 1 where it is turned by a quarter: width and height are exchanged.
        width=survey.size[survey.turn % 180 == 90],
        height=survey.size[survey.turn % 180 != 90],
        rotation=survey.turn,
        has_audio=survey.has_audio,
        track=source.track,
        tracks=survey.tracks,
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
