"""One frame of a video or a picture in its own size: to be kept, not to be played."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path

from detector.errors import VideoError
from detector.language import lazy
from detector.records import Frame, Report
from detector.render.overlay import to_png
from detector.sandbox.reader import OpenFile, Reader
from detector.scoring.coverage import frame_length
from detector.video import DecodeNotes, Limits
from detector.video.sampling import SamplingRange
from detector.video.turning import turned_all

LATE = 0.002  # seconds: a player's clock is rounded, also upwards
ALL = 1_000_000  # frames, more than any stretch has


def original_png(
    read: Reader, path: Path, report: Report, second: float, *, limits: Limits
) -> bytes:
    """The frame that is shown at `second`, turned as it was analysed, as a PNG file.

    Raises VideoError if `path` is another file than the report is about, or cannot be read there.
    """
    video = report.video
    with read.opened(path, limits, track=video.track) as file:
        if file.info.sha256 != video.sha256:
            raise VideoError(lazy("This is another file than the one that was analysed."))
        frame = _shown_at(file, second)
    (turned,) = turned_all(iter([frame]), report.turns, (video.width, video.height))
    return to_png(turned.image)


def _shown_at(file: OpenFile, second: float) -> Frame:
    """The last frame that begins at or before `second`."""
    # A frame is shown until the next one: where the rate varies, it may have begun long ago.
    for before in (4 * frame_length(file.info), 10.0, math.inf):
        # Clips of one frame each, so that only one is in memory.
        stretch = SamplingRange(ALL, second - before, second + LATE, clip=1)
        last = None
        with closing(file.clips([stretch], DecodeNotes())) as clips:
            for clip in clips:
                last = clip[-1]
        if last is not None:
            return last
    raise VideoError(lazy("The file could not be read a second time."))
