"""What is known from the packets of a video before decoding: when frames are shown, and which
packets those frames need.

No other picture refers to one with nal_ref_idc 0 in H.264 (ITU-T H.264, 7.4.1), to a sub-layer
non-reference picture of the highest sub-layer in HEVC (ITU-T H.265, 7.4.2.2), to any in Motion
JPEG and ProRes. Nothing after an IDR picture refers to anything before it, nor after a shown key
frame of VP9 and AV1, which replaces all reference frames. So, without changing a pixel of the
requested frames, a decoder can skip every other picture of the first kind, every stretch between
two of the second kind in which nothing is requested, and the rest of a stretch after its last
requested frame. Other key frames of H.264 and HEVC are no such border: in an open GOP later
packets still refer back across them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
INDEPENDENT = {"mjpeg", "prores"}  # each packet is a picture of its own
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
    kind      (P,) uint8, `DROPPABLE`, `BORDER` (starts a stretch) or `ORDINARY`
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
        # (P,) the number of the stretch between two borders that a packet is in.
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
    kind_of = _kind_reader(stream)
    pts: list[int] = []
    shown: list[bool] = []
    kinds: list[int] = []
    layers: list[int] = []
    timed = kind in TIMED_CONTAINERS and codec_name(stream) in ONE_FRAME_PER_PACKET
    for packet in packets:
        timed &= packet.pts is not None
        # Without any time, one tick after the packet before: the order is kept, the rest is an
        # estimate.
        moment = packet.pts if packet.pts is not None else packet.dts
        pts.append(moment if moment is not None else (pts[-1] + 1 if pts else 0))
        shown.append(not packet.is_discard)
        packet_kind, layer = kind_of(memoryview(packet))
        kinds.append(packet_kind)
        layers.append(layer)
    # Pictures of a higher sub-layer may refer to the non-reference pictures of a lower one.
    below = np.array(layers) < max(layers, default=0)
    times = np.sort(np.array(pts, np.int64)[np.array(shown, np.bool_)])
    return PacketIndex(
        pts=np.array(pts, np.int64),
        kind=np.where((np.array(kinds) == DROPPABLE) & below, ORDINARY, kinds).astype(np.uint8),
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


def _kind_reader(stream: VideoStream) -> Callable[[memoryview], tuple[int, int]]:
    """What gives a packet's kind and its sub-layer, which is 0 but in HEVC."""
    codec = codec_name(stream)
    if codec in INDEPENDENT:
        return lambda packet: (DROPPABLE, 0)
    if codec in ("vp9", "av1"):
        starts = _starts_vp9 if codec == "vp9" else _starts_av1
        return lambda packet: (BORDER if starts(packet) else ORDINARY, 0)
    length_size = _nal_length_size(stream)
    if length_size:
        kind = _h264_kind if codec == "h264" else _hevc_kind
        return lambda packet: kind(_nal_headers(packet, length_size))
    return lambda packet: (ORDINARY, 0)


def _nal_length_size(stream: VideoStream) -> int:
    """Bytes before each NAL unit that encode its length (ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1); 0
    if this is not H.264 or HEVC in that form."""
    head = stream.codec_context.extradata
    # The byte whose lower two bits are the length's size minus 1, in avcC and hvcC.
    place = {"h264": 4, "hevc": 21}.get(codec_name(stream))
    # Byte 0 of both is their version, 1.
    if place is None or not head or len(head) <= place + 1 or head[0] != 1:
        return 0
    return (head[place] & 3) + 1


def _nal_headers(packet: memoryview, length_size: int) -> Iterator[tuple[int, int]]:
    """The first two bytes of each NAL unit in a packet."""
    at = 0
    while at + length_size + 1 < len(packet):
        yield packet[at + length_size], packet[at + length_size + 1]
        at += length_size + int.from_bytes(packet[at : at + length_size], "big")


def _h264_kind(units: Iterator[tuple[int, int]]) -> tuple[int, int]:
    """Whether other pictures refer to the one in a packet, by the header of its first slice; the
    sub-layer is always 0."""
    for header, _ in units:
        # Bit layout of a NAL header: forbidden_zero_bit, nal_ref_idc (2), nal_unit_type (5).
        reference, unit = header >> 5 & 3, header & 31
        if unit == 5:
            return BORDER, 0
        # A slice, or partition A of one; parameter sets, SEI and delimiters may precede it.
        if unit in (1, 2):
            return (ORDINARY if reference else DROPPABLE), 0
    return ORDINARY, 0


def _hevc_kind(units: Iterator[tuple[int, int]]) -> tuple[int, int]:
    """As `_h264_kind`, and the sub-layer; `DROPPABLE` is true within that sub-layer alone."""
    for high, low in units:
        # Bit layout: forbidden_zero_bit, nal_unit_type (6), nuh_layer_id (6),
        # nuh_temporal_id_plus1 (3).
        unit, layer = high >> 1 & 63, (low & 7) - 1
        if unit in (19, 20):  # IDR_W_RADL, IDR_N_LP
            return BORDER, layer
        # Slices: 0 to 15 of pictures that no decoding can begin with, the even ones of
        # sub-layer non-reference pictures; 16 to 21 of those it can.
        if unit < 22:
            return (DROPPABLE if unit < 16 and unit % 2 == 0 else ORDINARY), layer
    return ORDINARY, 0


def _starts_vp9(packet: memoryview) -> bool:
    """Whether a packet begins with a key frame (VP9 bitstream specification, 6.2)."""
    # Bits: frame_marker (2), profile_low_bit, profile_high_bit, in profile 3 reserved_zero, then
    # show_existing_frame and frame_type, both 0 for a key frame.
    bits = packet[0] << 1 if packet[0] & 0x30 == 0x30 else packet[0]
    return bits & 0x0C == 0


def _starts_av1(packet: memoryview) -> bool:
    """Whether a packet begins with a shown key frame (AV1 bitstream specification, 5.3 and 5.9)."""
    at = 0
    while at + 1 < len(packet):
        # Bits: obu_forbidden_bit, obu_type (4), obu_extension_flag, obu_has_size_field, reserved.
        header = packet[at]
        at += 2 if header & 4 else 1
        size, used = _leb128(packet[at:]) if header & 2 else (len(packet) - at, 0)
        at += used
        if header >> 3 & 15 in (3, 6) and at < len(packet):  # OBU_FRAME_HEADER, OBU_FRAME
            # Bits: show_existing_frame, frame_type (2, 0 for a key frame), show_frame.
            return packet[at] >> 4 == 1
        at += size
    return False


def _leb128(data: memoryview) -> tuple[int, int]:
    """A number in seven bits a byte (AV1 bitstream specification, 4.10.5), and its bytes."""
    value = 0
    for k, byte in enumerate(data[:8]):
        value |= (byte & 127) << 7 * k
        if byte < 128:
            return value, k + 1
    return value, min(len(data), 8)
