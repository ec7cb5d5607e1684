"""One scored frame, explained once more: where its evidence is, by any method, and a test of it.

The report contains the face's box and the logits of all clips. So only the frames of one clip are
read again and scored; no faces are searched for, and no score changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from detector.errors import VideoError
from detector.explain.occlusion import explain_moment, explainer_for
from detector.faces.crops import CropSettings, cut_face
from detector.inference import Cut, LoadedDetector
from detector.language import lazy, mark
from detector.model.cnn_lstm import ModelConfig
from detector.progress import Progress, Stopwatch
from detector.records import Face, FaceScore, Frame, Moment, Person, Report
from detector.sandbox.reader import reader
from detector.scoring.calibration import ScoringRules, pool_shares
from detector.scoring.heat_scale import heat_floor, heat_scale, weigh_heat
from detector.settings import FrameQuestion
from detector.video import DecodeNotes
from detector.video.sampling import SamplingRange
from detector.video.turning import turned


def explain_frame(
    detector: LoadedDetector,
    path: Path,
    report: Report,
    question: FrameQuestion,
    progress: Progress,
) -> Report:
    """`report` with one moment in it, the requested frame, and with what explains it.

    Its `settings` and `heat_scale` are those of this explanation: the scale of the video where
    the video was explained in the same way, else such that the map is drawn as hot as the frame
    is fake. Raises ValueError if the person has no score, VideoError if `path` is another file
    than the report is about or cannot be read again, CancelledError if stopped.
    """
    person, score = _place(report, question)
    if detector.network is None:
        raise ValueError("there is no network that could explain it")
    settings = replace(report.settings, heat=True, heat_method=question.method, heat_of=question.of)
    progress.update(mark("Explaining this frame"), 0, 1)
    frames = _read_clip(
        detector, path, report, _range_around(report, person, score.second), progress
    )
    cut = _cut(person, frames, detector.network.card.model)
    ((_, clip),) = detector.network.score([cut], settings=settings, spent=Stopwatch())
    assert clip.heats is not None  # `settings` has heat
    rules = detector.rules.of_file(still=report.video.is_still).at(settings.threshold)
    # Times come from the same file and decoder, so they are equal to the last bit.
    at = cut.seconds.index(score.second)
    heat = weigh_heat(clip.heats[at], _strength(person, score, rules, question.of))
    moment = Moment(person.id, score.second, score.fake, cut.crops[at], heat)
    explainer = explainer_for(detector.network, rules, settings)
    moment = explain_moment(moment, clip, person, explainer, tested=True)
    people = [replace(one, moments=(moment,) * (one is person)) for one in report.people]
    scale = report.heat_scale if settings == report.settings else 0.0
    if scale == 0.0:
        scale = heat_scale([moment], heat_floor(settings, report.frames_sampled))
    return replace(report, people=tuple(people), settings=settings, heat_scale=scale)


def _place(report: Report, question: FrameQuestion) -> tuple[Person, FaceScore]:
    """The person, and their scored frame nearest to the requested second."""
    person = next((one for one in report.people if one.id == question.person and one.clips), None)
    if person is None:
        raise ValueError(f"Person {question.person} has no score that could be explained")
    return person, min(person.scores, key=lambda score: abs(score.second - question.second))


def _read_clip(
    detector: LoadedDetector, path: Path, report: Report, stretch: SamplingRange, progress: Progress
) -> list[Frame]:
    """The first clip of `stretch`."""
    read = reader(progress.check, isolate=detector.isolate)
    with read.opened(path, detector.limits, track=report.video.track) as file:
        # The hash, not the name: explaining another file's pixels by this report's boxes would
        # mislead.
        if file.info.sha256 != report.video.sha256:
            raise VideoError(lazy("This is another file than the one that was analysed."))
        with closing(file.clips([stretch], DecodeNotes())) as clips:
            for clip in clips:
                progress.check()
                return [turned(frame, report.turns) for frame in clip]
    raise VideoError(lazy("The file could not be read a second time."))


def _range_around(report: Report, person: Person, second: float) -> SamplingRange:
    """The run of frames around a second in which the person was scored."""
    clip = next(clip for clip in person.clips if clip.start <= second <= clip.end)
    frames = sum(clip.start <= at <= clip.end for at in report.sampled_seconds)
    # One clip of exactly as many frames, so the same frames are decoded.
    return SamplingRange(frames, clip.start, clip.end, clip=frames)


def _cut(person: Person, frames: Sequence[Frame], model: ModelConfig) -> Cut:
    """The person's faces in these frames, cut where they were found the first time."""
    scores = {score.second: score for score in person.scores}
    pairs = [(frame, scores[frame.second]) for frame in frames if frame.second in scores]
    crop = CropSettings(size=model.size, margin=model.margin)
    return Cut(
        person=person.id,
        seconds=tuple(frame.second for frame, _ in pairs),
        faces=tuple(
            Face(score.box, score.landmarks, score.quality.detection) for _, score in pairs
        ),
        crops=tuple(cut_face(frame.image, score.box, crop) for frame, score in pairs),
        qualities=tuple(score.quality for _, score in pairs),
    )


def _strength(person: Person, score: FaceScore, rules: ScoringRules, of: str) -> float:
    """The probability by which the map is scaled; of the video, by the share of this clip in it."""
    if of == "frame":
        return score.fake
    kept = [clip for clip in person.clips if clip.weight > 0]
    logits, weights = (np.array([getattr(c, name) for c in kept]) for name in ("logit", "weight"))
    shares = pool_shares(logits, weights, rules)
    here = [clip.start <= score.second <= clip.end for clip in kept]
    return float(shares[here].sum()) * (person.fake or 0.0)
