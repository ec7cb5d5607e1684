"""Packets get times that run on, where the clock of a stream restarts or jumps.

Two recordings joined byte by byte, a broadcast taken up again or a clock that wraps around leave
times that run backwards, or forwards by hours, though the pictures follow each other. What is
decoded is then shown at once, so the next part begins where the last one ended.
"""

from __future__ import annotations

from typing import TypeAlias

from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.stream import VideoStream

AnyPacket: TypeAlias = "Packet[VideoStream] | Packet[AudioStream]"

# Seconds by which decoding times may run back by sloppy writing, and presentation times where
# nothing else is given: pictures are stored up to some frames ahead of being shown.
# Times of MPEG streams are 33 bits at 90 kHz, which wrap around after 26.5 hours.
SLOPPY, REORDERED = 0.1, 1.0
# Seconds that a picture may stand still. Broadcasts never pause (FFmpeg takes the same ten
# seconds); other files may, such as recordings of a screen.
LONGEST_PAUSE, BROADCAST_PAUSE = 600.0, 10.0
BROADCASTS = ("mpegts", "mpeg")
IN_STEP = 1.0  # seconds by which the sound of a part may begin before or after its picture


class Clock:
    """Moves the times of one stream's packets, in the order of the file. `kind` as in `opening`."""

    def __init__(self, kind: str) -> None:
        self.jumps = 0
        self.shift = 0.0  # seconds added to the times of the packets that follow
        self.before = 0.0  # the same before the last jump
        self._pause = BROADCAST_PAUSE if kind in BROADCASTS else LONGEST_PAUSE
        self._last: float | None = None
        self._coded = False  # whether `_last` is a decoding time
        self._step = 0.0
        self._end = 0.0  # when all packets so far have been shown

    def move(self, packet: AnyPacket) -> None:
        """Give `packet` its time."""
        moment, coded = _moment(packet)
        if moment is None:
            return
        shown = _shown_at(packet, moment)
        if self._jumped(moment, shown, coded):
            self.jumps += 1
            self.before, self.shift = self.shift, self._after_jump(packet)
        elif self._last is not None and moment > self._last:
            # The usual distance of packets, for those that do not state how long they last.
            self._step = min(moment - self._last, REORDERED)
        shift = self._shift_for(shown)
        self._last, self._coded = moment, coded
        lasts = float((packet.duration or 0) * packet.time_base) or self._step
        self._end = max(self._end, shown + shift + min(lasts, REORDERED))
        _move(packet, shift)

    def _jumped(self, moment: float, shown: float, coded: bool) -> bool:
        if self._last is None:
            return False
        # Decoding times never run back in a valid stream; presentation times do, by B frames.
        back = self._last - moment > (SLOPPY if coded and self._coded else REORDERED)
        return (back or shown - self._end + self.shift > self._pause) and not self._is_late(shown)

    def _is_late(self, shown: float) -> bool:
        """Whether a picture of the part before a jump comes after the first one of the next."""
        late = abs(shown + self.before - self._end) <= REORDERED
        return late and abs(shown + self.shift - self._end) > REORDERED

    def _shift_for(self, shown: float) -> float:
        return self.before if self._is_late(shown) else self.shift

    def _after_jump(self, packet: AnyPacket) -> float:
        return self._end - _shown_at(packet, 0.0)


class SoundClock(Clock):
    """As `Clock`, for sound beside the picture whose packets `picture` moves."""

    def __init__(self, kind: str, picture: Clock) -> None:
        super().__init__(kind)
        self._picture = picture

    def move(self, packet: AnyPacket) -> None:
        if abs(self._picture.shift - self.shift) < IN_STEP:
            self.shift = self._picture.shift
        super().move(packet)

    def _after_jump(self, packet: AnyPacket) -> float:
        """As the picture's, which may have jumped already; else the sound just continues."""
        # Candidates within the same `IN_STEP` are equally near; of those the first one is taken.
        continued = super()._after_jump(packet)
        return min(
            (self._picture.shift, self._picture.before, continued),
            key=lambda shift: abs(shift - continued) // IN_STEP,
        )


def _moment(packet: AnyPacket) -> tuple[float | None, bool]:
    """When the packet is decoded, or shown if only that is known; whether it is the former."""
    ticks = packet.pts if packet.dts is None else packet.dts
    # `time_base` is a Fraction: the product is exact, and is rounded once.
    return None if ticks is None else float(ticks * packet.time_base), packet.dts is not None


def _shown_at(packet: AnyPacket, otherwise: float) -> float:
    ticks = packet.dts if packet.pts is None else packet.pts
    return otherwise if ticks is None else float(ticks * packet.time_base)


def _move(packet: AnyPacket, shift: float) -> None:
    if not shift:
        return
    # Both by the same ticks, so that their difference, the reordering, is unchanged.
    ticks = round(shift / packet.time_base)
    packet.pts = None if packet.pts is None else packet.pts + ticks
    packet.dts = None if packet.dts is None else packet.dts + ticks
