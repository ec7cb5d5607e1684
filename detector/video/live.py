"""A sliding window over a live picture: which frames are analysed, and which were dropped. Pure.

While the network computes, pictures of the stream are dropped. They are counted, not hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from detector.records import Frame, Report, Verdict, VideoInfo

EVERY_SECONDS = 0.25  # between two pictures of the camera; a score takes .16 s on two cores
TIME_LIMIT = 60  # seconds, after which the page stops the camera, for others to have a turn
# A window is two clips of neighbouring pictures; half of it is new at each score.
WINDOW, STEP = 8, 4
# After a pause this long the camera was off, and a new stream begins. On a busy machine, where
# scores take long, the browser is late as well: there a pause is so many times as long as they.
PAUSE_SECONDS = 4.0
PAUSE_SCORES = 3


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of a camera, coded as it was sent; `second` counts from the first."""

    second: float
    picture: bytes


@dataclass(frozen=True, slots=True)
class Score:
    """The score of one window. `took` is in seconds, from its last picture to the answer."""

    second: float
    fake: float | None
    verdict: Verdict | None
    took: float


@dataclass(frozen=True, slots=True)
class Stream:
    """One visitor's camera since it was turned on; every change gives a new stream.

    `start` and `latest` are a clock's seconds, as is `ended`, when the visitor was
    notified that its time is up; a shot's `second` counts from `start`.
    """

    start: float = 0.0
    latest: float = 0.0
    received: int = 0
    fresh: int = 0
    shots: tuple[Shot, ...] = ()
    scores: tuple[Score, ...] = ()
    ended: float | None = None

    def take(self, picture: bytes, now: float) -> Stream:
        """With one more picture, which came at `now`."""
        if not self.received or now - self.latest > self.pause:
            return Stream(now, now, 1, 1, (Shot(0.0, picture),))
        shots = (*self.shots, Shot(now - self.start, picture))[-WINDOW:]
        return replace(
            self, latest=now, received=self.received + 1, fresh=self.fresh + 1, shots=shots
        )

    @property
    def pause(self) -> float:
        """Seconds without a picture after which the camera was off."""
        if self.ended is not None or not self.scores:
            return PAUSE_SECONDS
        return max(PAUSE_SECONDS, PAUSE_SCORES * max(score.took for score in self.scores))

    @property
    def due(self) -> bool:
        """Whether the window is full, and half of it new since the last score."""
        return len(self.shots) == WINDOW and self.fresh >= STEP

    @property
    def missing(self) -> int:
        """How many more pictures the first window needs."""
        return WINDOW - len(self.shots)

    @property
    def elapsed(self) -> float:
        return self.latest - self.start

    @property
    def overdue(self) -> bool:
        """Whether pictures still come long after its visitor was notified that its time is up."""
        return self.ended is not None and self.latest - self.ended > PAUSE_SECONDS

    @property
    def dropped(self) -> int:
        """Pictures that the camera should have sent by now, and that were not analysed."""
        return max(round(self.elapsed / EVERY_SECONDS) + 1 - self.received, 0)

    def scored(self, report: Report, took: float, now: float) -> Stream:
        """With the score of its window, as of `now`: a slow score is no pause of the camera."""
        score = Score(self.shots[-1].second, report.fake, report.verdict, took)
        return replace(self, latest=now, fresh=0, scores=(*self.scores, score))


def notified(stream: Stream) -> Stream:
    """A stream whose visitor was notified that its time is up, now or before."""
    return stream if stream.ended is not None else replace(stream, ended=stream.latest)


def clips_of(shots: tuple[Shot, ...]) -> list[tuple[Shot, ...]]:
    """A window as clips of neighbours, as the detector samples a video."""
    return [shots[start : start + STEP] for start in range(0, len(shots), STEP)]


def stream_info(clips: Sequence[Sequence[Frame]]) -> VideoInfo:
    """The facts of pictures that are no file. Raises ValueError without two of them."""
    frames = [frame for clip in clips for frame in clip]
    if len(frames) < 2:
        raise ValueError("a stream needs at least two pictures")
    height, width = frames[0].image.shape[:2]
    seconds = frames[-1].second - frames[0].second
    return VideoInfo(
        name="",
        bytes=0,
        sha256="",
        container="",
        codec="",
        seconds=seconds,
        frames=len(frames),
        fps=(len(frames) - 1) / seconds if seconds else 0.0,
        width=width,
        height=height,
        rotation=0,
        has_audio=False,
    )
