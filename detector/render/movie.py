"""A video and its report become an annotated video; one frame is held at a time."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from detector.errors import VideoError
from detector.explain.words import percent
from detector.geometry import between
from detector.records import Box, FaceScore, Frame, Image, Person, Report, SeenFace
from detector.render.draw import colour_of, draw_face, draw_note, heat_on_frame, shrink
from detector.video import VideoWriter
from detector.video.isolated import reader
from detector.watch import OnProgress, ShouldStop, Watch

LONG_SIDE = 1280
# Boxes interpolated over half a second agree with found ones as well as two neighbouring
# frames do. Over longer gaps they are a guess, drawn dashed so that a viewer can follow the
# person from sample to sample; over more than four seconds they would be invented.
STEADY = 0.5
LONGEST_GAP = 4.0
# A heat map belongs to its own frame; it is shown around it just long enough to be seen.
HEAT_NEAR = 0.25
# A still picture becomes a video of two seconds, so that a player shows it at all.
STILL_FRAMES = 50


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is drawn of one person at one moment."""

    box: Box
    nearest: FaceScore | SeenFace
    away: float
    found: bool


class _Path:
    """One person's boxes over time; `sampled` are all moments that were looked at, in order."""

    def __init__(self, person: Person, sampled: Sequence[float]) -> None:
        faces: list[FaceScore | SeenFace] = [*person.scores, *person.seen]
        self.person = person.id
        self.faces = sorted(faces, key=lambda face: face.second)
        self.seconds = [face.second for face in self.faces]
        self.sampled = sampled

    def at(self, second: float, frame_length: float) -> _Shown | None:
        """The box at `second`, None where it is not known."""
        after = bisect.bisect_left(self.seconds, second - 1e-6)
        around = self.faces[max(0, after - 1) : after + 1]
        nearest = min(around, key=lambda face: abs(face.second - second), default=None)
        if nearest is None:
            return None
        away = abs(nearest.second - second)
        if away <= frame_length / 2 + 1e-6:
            return _Shown(nearest.box, nearest, away, True)
        if len(around) == 2 and 0 < after < len(self.faces):
            return self._between(around[0], around[1], second, nearest)
        if away > LONGEST_GAP / 2 or self._looked(nearest.second, second):
            return None
        return _Shown(nearest.box, nearest, away, False)

    def _between(
        self,
        a: FaceScore | SeenFace,
        b: FaceScore | SeenFace,
        second: float,
        nearest: FaceScore | SeenFace,
    ) -> _Shown | None:
        gap = b.second - a.second
        if gap > LONGEST_GAP or self._missed(a.second, b.second):
            return None
        box = between(a.box, b.box, (second - a.second) / gap)
        return _Shown(box, nearest, abs(nearest.second - second), gap <= STEADY)

    def _missed(self, start: float, end: float) -> bool:
        """Whether someone looked between two sightings, and did not see this person."""
        first = bisect.bisect_right(self.sampled, start + 1e-3)
        return first < len(self.sampled) and self.sampled[first] < end - 1e-3

    def _looked(self, last: float, second: float) -> bool:
        """Whether anyone looked further out, on the side of `last` on which `second` lies."""
        if not self.sampled:
            return False
        return self.sampled[-1] > last + 1e-3 if second > last else self.sampled[0] < last - 1e-3


class Annotator:
    """Draws a report on the frames of its video.

    `margin` is the model's crop margin (`ModelConfig.margin`): where heat maps belong.
    """

    def __init__(self, report: Report, *, margin: float, heat: bool = True) -> None:
        self.report = report
        self.margin = margin
        self.heat = heat
        self.sampled = sorted(report.sampled_seconds)
        self.paths = [_Path(person, self.sampled) for person in report.people]
        self.with_face = {round(second, 3) for path in self.paths for second in path.seconds}
        self.frame_length = 1 / report.video.fps if report.video.fps > 0 else 0.04

    def draw(self, frame: Frame) -> Image:
        """The frame with boxes, labels and heat; its long side at most 1280, both sides even."""
        image = shrink(frame.image, LONG_SIDE)
        factor = max(image.shape[:2]) / max(frame.image.shape[:2])
        shown = [
            (path.person, seen)
            for path in self.paths
            if (seen := path.at(frame.second, self.frame_length)) is not None
        ]
        if self.heat:
            for _, seen in shown:
                image = self._warm(image, seen, factor)
        for person, seen in shown:
            label = f"Person {person} · {_score_text(seen.nearest)}"
            box = _scaled(seen.box, factor)
            image = draw_face(image, box, label, colour_of(person), dashed=not seen.found)
        return image if shown else draw_note(image, self._why_nothing(frame.second))

    def _warm(self, image: Image, seen: _Shown, factor: float) -> Image:
        face = seen.nearest
        if not isinstance(face, FaceScore) or face.heat is None or not face.usable:
            return image
        if seen.away > HEAT_NEAR:
            return image
        box = _scaled(seen.box, factor)
        return heat_on_frame(image, box, self.margin, face.heat, self.report.heat_scale)

    def _why_nothing(self, second: float) -> str:
        """Whether the nearest sample showed nobody, or nobody looked here at all."""
        near = min(self.sampled, key=lambda moment: abs(moment - second), default=None)
        if near is None or abs(near - second) > STEADY or round(near, 3) in self.with_face:
            return "Not sampled here"
        return "No face found"


def _score_text(face: FaceScore | SeenFace) -> str:
    if isinstance(face, FaceScore) and face.usable:
        return percent(face.fake)
    return "not judged"


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

    Every frame is read, drawn and written once. Where a face was not looked at for longer than
    four seconds no box is shown, and a note says so; dashed boxes are interpolated over more
    than half a second. `margin` as in `Annotator`; `on_progress(stage, done, total)`.

    Returns the file's real path: its suffix differs from `out`'s where only WebM can be written.
    Raises VideoError as `read_all` does, and CancelledError once `should_stop()` is true; either
    way no partial file stays behind.
    """
    watch = Watch(on_progress, should_stop)
    read = reader(watch.check, isolate=isolate)
    info = report.video
    sound = read.read_sound(path, info=info) if info.has_audio else None
    with ExitStack() as stack:
        frames = stack.enter_context(closing(read.read_all(path, info=info)))
        shown = _with_show_time(frames)
        first = next(shown, None)
        if first is None:
            raise VideoError(f"{path.name} shows no picture. Choose a file that contains video.")
        height, width = shrink(first[1].image, LONG_SIDE).shape[:2]
        annotator = Annotator(report, margin=margin, heat=heat)
        total = STILL_FRAMES if info.is_still else max(info.frames, 1)
        writer = stack.enter_context(VideoWriter(out, width, height, info.fps or 25.0, sound))
        for done, (second, frame) in enumerate(itertools.chain([first], shown), start=1):
            writer.write(annotator.draw(frame), second)
            watch.tell("Drawing the video", min(done, total), total)
    return writer.path


def _with_show_time(frames: Iterator[Frame]) -> Iterator[tuple[float, Frame]]:
    """Every frame with the moment at which to show it; a lone one is shown for two seconds."""
    first, second = next(frames, None), next(frames, None)
    if first is None:
        return
    if second is None:
        yield from ((first.second + k / 25, first) for k in range(STILL_FRAMES))
        return
    for frame in itertools.chain([first, second], frames):
        yield frame.second, frame
