"""A video and its report become an annotated video; one frame is in memory at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from detector.errors import VideoError
from detector.language import lazy
from detector.progress import KEEPING, OnProgress, Progress, ShouldStop
from detector.records import Box, FaceScore, Frame, Image, Report, UnscoredFace, verdict_name
from detector.render.boxes import STEADY, BoxPath, ShownBox
from detector.render.overlay import colour_of, draw_face, draw_note, heat_on_frame, shrink
from detector.sandbox.reader import reader
from detector.text.figures import percent_sign
from detector.video import VideoWriter
from detector.video.turning import turned_all

# Pixels of the longer side: that of 720p.
LONG_SIDE = 1280
# A heat map belongs to its own frame; it is shown around it just long enough to be visible.
HEAT_NEAR = 0.25
# Signs instead of words: the typeface has Latin letters only, and a video is in no language. What
# they mean is in `ui/templates/drawn.html` and in the README.
NOT_SCORED, NO_FACE, NOT_SAMPLED = "?", "#0", "#?"
# A still picture becomes a video of two seconds, so that a player shows it at all.
STILL_FRAMES = 50


@dataclass(frozen=True, slots=True)
class Layers:
    """One frame three times, RGB uint8 and of one size."""

    plain: Image
    warm: Image
    drawn: Image


class Annotator:
    """Draws a report on the frames of its video.

    `margin` is the model's crop margin (`ModelConfig.margin`): where heat maps belong.
    """

    def __init__(self, report: Report, *, margin: float, heat: bool = True) -> None:
        self.report = report
        self.margin = margin
        self.heat = heat
        self.sampled = sorted(report.sampled_seconds)
        self.colours = {
            person.id: colour_of(verdict_name(person.verdict)) for person in report.people
        }
        self.paths = [BoxPath(person, self.sampled) for person in report.people]
        self.with_face = {round(second, 3) for path in self.paths for second in path.seconds}
        self.frame_length = 1 / report.video.fps if report.video.fps > 0 else 0.04

    def draw(self, frame: Frame) -> Image:
        """The frame with boxes, labels and heat; its long side at most 1280, both sides even."""
        return self.layers(frame).drawn

    def layers(self, frame: Frame) -> Layers:
        """The frame in the same size without anything, under its heat, and with all of it."""
        plain = warm = shrink(frame.image, LONG_SIDE)
        # Boxes are in pixels of the original frame.
        factor = max(plain.shape[:2]) / max(frame.image.shape[:2])
        shown = [
            (path.person, box_shown)
            for path in self.paths
            if (box_shown := path.at(frame.second, self.frame_length)) is not None
        ]
        if self.heat:
            for _, box_shown in shown:
                warm = self._warm(warm, box_shown, factor)
        drawn = warm
        for person, box_shown in shown:
            label = f"#{person} · {_score_text(box_shown.nearest)}"
            box = _scaled(box_shown.box, factor)
            drawn = draw_face(drawn, box, label, self.colours[person], dashed=not box_shown.found)
        if not shown:
            drawn = draw_note(drawn, self._why_nothing(frame.second))
        return Layers(plain, warm, drawn)

    def _warm(self, image: Image, box_shown: ShownBox, factor: float) -> Image:
        face = box_shown.nearest
        if not isinstance(face, FaceScore) or face.heat is None or not face.usable:
            return image
        if box_shown.away > HEAT_NEAR:
            return image
        box = _scaled(box_shown.box, factor)
        return heat_on_frame(image, box, self.margin, face.heat, self.report.heat_scale)

    def _why_nothing(self, second: float) -> str:
        """Whether the nearest sample has no face, or that no frame was sampled here."""
        near = min(self.sampled, key=lambda moment: abs(moment - second), default=None)
        if near is None or abs(near - second) > STEADY or round(near, 3) in self.with_face:
            return NOT_SAMPLED
        return NO_FACE


def _score_text(face: FaceScore | UnscoredFace) -> str:
    if isinstance(face, FaceScore) and face.usable:
        return percent_sign(face.fake)
    return NOT_SCORED


def _scaled(box: Box, factor: float) -> Box:
    return Box(*(edge * factor for edge in box))


def annotate_video(  # noqa: PLR0913 - five of the eight are switches with a default
    path: Path,
    report: Report,
    out: Path,
    *,
    margin: float,
    heat: bool = True,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
    isolate: bool = True,
) -> Path:
    """Writes the video with boxes, scores and heat maps, and its sound, to `out`.

    Every frame is read, drawn and written once. Where no frame was analysed for longer than
    four seconds no box is shown, but a note; dashed boxes are interpolated over more
    than half a second. `margin` as in `Annotator`; `on_progress(stage, done, total)`.

    Returns the file's real path: its suffix differs from `out`'s where only WebM can be written.
    Raises VideoError as `read_all` does, and CancelledError once `should_stop()` is true; either
    way no partial file stays behind.
    """
    progress = Progress(on_progress, should_stop)
    read = reader(progress.check, isolate=isolate)
    info = report.video
    sound = read.read_sound(path, info=info) if info.has_audio else None
    with ExitStack() as stack:
        frames = stack.enter_context(closing(read.read_all(path, info=info)))
        first, shown = timed_frames(as_analysed(frames, report), path)
        height, width = shrink(first[1].image, LONG_SIDE).shape[:2]
        annotator = Annotator(report, margin=margin, heat=heat)
        total = STILL_FRAMES if info.is_still else max(info.frames, 1)
        writer = stack.enter_context(VideoWriter(out, width, height, info.fps or 25.0, sound))
        for done, (second, frame) in enumerate(itertools.chain([first], shown), start=1):
            writer.write(annotator.draw(frame), second)
            progress.update(KEEPING, min(done, total), total)
    return writer.path


def as_analysed(frames: Iterator[Frame], report: Report) -> Iterator[Frame]:
    """The file's frames turned as they were analysed, all of one size."""
    return turned_all(frames, report.turns, (report.video.width, report.video.height))


def timed_frames(
    frames: Iterator[Frame], path: Path
) -> tuple[tuple[float, Frame], Iterator[tuple[float, Frame]]]:
    """The first frame, and those after it, each with the second from which to show it.

    Raises VideoError if there is none.
    """
    shown = _with_show_time(frames)
    first = next(shown, None)
    if first is None:
        raise VideoError(
            lazy("{file} shows no picture. Choose a file that contains video.", file=path.name)
        )
    return first, shown


def _with_show_time(frames: Iterator[Frame]) -> Iterator[tuple[float, Frame]]:
    """Every frame with the moment at which to show it; a lone one is shown for two seconds."""
    # Two frames decide whether this is a video or a single picture.
    first, second = next(frames, None), next(frames, None)
    if first is None:
        return
    if second is None:
        yield from ((first.second + k / 25, first) for k in range(STILL_FRAMES))
        return
    for frame in itertools.chain([first, second], frames):
        yield frame.second, frame
