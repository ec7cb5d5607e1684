"""What is known from the packets of a video before decoding: when frames are shown, and which
packets those frames need.

In H.264 (ITU-T H.264, 7.4.1) a picture with nal_ref_idc 0 is referred to by no other, and
nothing after an IDR picture refers to anything before it. So, without changing a pixel of
the requested frames, a decoder can skip every other picture of the first kind, every stretch
between two IDR pictures in which nothing is requested, and the rest of a stretch after its last
requested frame. A key frame alone is no such border: in an open GOP later packets
still refer back across it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import TypeVar, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from detector.video.clock import AnyPacket, Clock

# One packet is one shown frame with its own time. Not so in VP8 (packets that show nothing),
# MPEG-4 in AVI (two frames in one packet) or transport streams (fields, times left out).
ONE_FRAME_PER_PACKET = {"h264", "hevc", "vp9", "av1", "mjpeg", "prores", "gif"}
TIMED_CONTAINERS = {"mp4", "matroska", "webm", "gif"}
AnyStream = TypeVar("AnyStream", VideoStream, AudioStream)
DROPPABLE, BORDER, ORDINARY = 1, 2, 0  # kinds of packets, our own numbers
JOINT = 4  # so many packets before a jump of the clock may be called incomplete because of it


@dataclass(slots=True)
class DecodeNotes:
    """What happened while a file was read; the caller passes it in and reads it afterwards.

    `damaged`: some part did not decode, or its end is missing; what did decode was used.
    `retimed`: the clock of the file restarts or jumps, and times were counted on across that.
    `tone_mapped`: the pictures have a high dynamic range or wide colours, and were converted.
    `deinterlaced`: pictures consist of two moments, and one of them was taken.
    """

    damaged: bool = False
    retimed: bool = False
    tone_mapped: bool = False
    deinterlaced: bool = False

    def add(self, other: DecodeNotes) -> None:
        """Note what the other noted, too."""
        for field in fields(self):
            noted = getattr(self, field.name) or getattr(other, field.name)
            setattr(self, field.name, noted)


@dataclass(frozen=True, slots=True)
class PacketIndex:
    """One entry per packet, in the order of the file.

    pts       (P,) int64, presentation time in units of `time_base`
    shown     (P,) bool, False where an edit list cuts the frame away
    kind      (P,) uint8, `DROPPABLE`, `BORDER` (an IDR picture) or `ORDINARY`
    times     (N,) int64, `pts` of the shown packets, ascending
    exact     whether the shown packets are the shown frames, each with its own time; if not,
              the rest is only an estimate and frames must be counted by decoding
    """

    pts: NDArray[np.int64]
    shown: NDArray[np.bool_]
    kind: NDArray[np.uint8]
    times: NDArray[np.int64]
    time_base: Fraction
    exact: bool

    def in_seconds(self, ticks: int) -> float:
        return ticks * self.time_base.numerator / self.time_base.denominator

    def second(self, pts: int) -> float:
        """Presentation time, counted from the first shown frame."""
        return self.in_seconds(pts - int(self.times[0]))

    @property
    def seconds(self) -> NDArray[np.float64]:
        """(N,) presentation times of the shown frames, ascending from 0."""
        ticks = self.times - self.times[0]
        seconds: NDArray[np.float64] = ticks * self.time_base.numerator / self.time_base.denominator
        return seconds

    def needed(self, requested: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(P,) the packets to decode so that the frames at the times `requested` come out exact."""
        is_requested = np.isin(self.pts, requested) & self.shown
        # (P,) the number of the stretch between two IDR pictures that a packet is in.
        stretch = np.cumsum(self.kind == BORDER)
        position = np.arange(len(self.pts))
        last = np.full(int(stretch[-1]) + 1, -1)
        # Unbuffered, as several requested packets are in one stretch; -1 stays where none does.
        np.maximum.at(last, stretch[is_requested], position[is_requested])
        needed: NDArray[np.bool_] = (position <= last[stretch]) & (
            is_requested | (self.kind != DROPPABLE)
        )
        return needed


def packets_of(
    container: InputContainer, stream: AnyStream, notes: DecodeNotes, clock: Clock
) -> Iterator[Packet[AnyStream]]:
    """The stream's packets as far as they are in the file, their times moved by `clock`.

    A packet that the container calls incomplete is damage, unless the clock jumps right after it:
    the counters of two joined transport streams do not fit together, though nothing is missing.
    """
    since = JOINT  # packets since the last incomplete one
    for packet in cast("Iterator[Packet[AnyStream]]", demuxed(container, (stream,), notes)):
        jumps = clock.jumps
        clock.move(packet)
        notes.retimed |= clock.jumps > 0
        since = JOINT if clock.jumps > jumps else since + 1
        notes.damaged |= since == JOINT - 1
        since = 0 if packet.is_corrupt else since
        yield packet
    notes.damaged |= since < JOINT - 1


def demuxed(
    container: InputContainer, streams: Sequence[VideoStream | AudioStream], notes: DecodeNotes
) -> Iterator[AnyPacket]:
    """The packets of all the streams, in the order of the file."""
    packets = container.demux(*streams)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError:
            notes.damaged = True
            return
        except IndexError:  # a track that begins in mid-stream, which PyAV has after a new start
            packets = container.demux(*streams)
            continue
        if packet.size:  # an empty one would flush the decoder
            yield cast("AnyPacket", packet)


def read_index(
    packets: Iterable[Packet[VideoStream]], stream: VideoStream, kind: str
) -> PacketIndex:
    """Reads each packet once and decodes none. `kind` is a key of `opening.DEMUXERS`."""
    length_size = _nal_length_size(stream)
    pts: list[int] = []
    shown: list[bool] = []
    kinds: list[int] = []
    timed = kind in TIMED_CONTAINERS and codec_name(stream) in ONE_FRAME_PER_PACKET
    for packet in packets:
        timed &= packet.pts is not None
        # Without any time, one tick after the packet before: the order is kept, the rest is an
        # estimate.
        moment = packet.pts if packet.pts is not None else packet.dts
        pts.append(moment if moment is not None else (pts[-1] + 1 if pts else 0))
        shown.append(not packet.is_discard)
        kinds.append(_h264_kind(memoryview(packet), length_size) if length_size else ORDINARY)
    times = np.sort(np.array(pts, np.int64)[np.array(shown, np.bool_)])
    return PacketIndex(
        pts=np.array(pts, np.int64),
        kind=np.array(kinds, np.uint8),
        shown=np.array(shown, np.bool_),
        times=times,
        time_base=stream.time_base or Fraction(1, 90_000),
        # Two frames with equal times could not be distinguished.
        exact=timed and bool((np.diff(times) > 0).all()),
    )


def codec_name(stream: VideoStream) -> str:
    """The coding's own name (`av1`), not its decoder's (`libdav1d`)."""
    name: str = stream.codec_context.codec.canonical_name
    return name


def _nal_length_size(stream: VideoStream) -> int:
    """Bytes before each NAL unit that encode its length (ISO/IEC 14496-15, 5.3.3.1); 0 if this
    is not H.264 in that form."""
    head = stream.codec_context.extradata
    # Byte 0 of avcC is its version, 1; the lower two bits of byte 4 are the length's size minus 1.
    if codec_name(stream) != "h264" or not head or len(head) < 7 or head[0] != 1:
        return 0
    return (head[4] & 3) + 1


def _h264_kind(packet: memoryview, length_size: int) -> int:
    """Whether other pictures refer to the one in this packet, by the header of its first slice."""
    at = 0
    while at + length_size < len(packet):
        header = packet[at + length_size]
        # Bit layout of a NAL header: forbidden_zero_bit, nal_ref_idc (2), nal_unit_type (5).
        reference, unit = header >> 5 & 3, header & 31
        if unit == 5:
            return BORDER
        # A slice, or partition A of one; parameter sets, SEI and delimiters may precede it.
        if unit in (1, 2):
            return ORDINARY if reference else DROPPABLE
        at += length_size + int.from_bytes(packet[at : at + length_size], "big")
    return ORDINARY
