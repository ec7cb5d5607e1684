"""From the network's logits to the scores and verdicts of people and of the video; pure functions.

A clip is a few consecutive frames of one person. Clips are pooled to the person, and the video
is as fake as its most suspicious person. Taking a maximum over people raises the false alarms
of a video with many faces; the rules are calibrated per person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from detector.findings import ClipScore
from detector.records import (
    Box,
    FaceScore,
    FloatArray,
    Image,
    Person,
    Quality,
    Segment,
    Status,
    UnscoredFace,
    Verdict,
    Warn,
)
from detector.scoring.calibration import (
    Floats,
    ScoringRules,
    calibrate,
    decide,
    pool_logits,
    pool_shares,
    quality_warnings,
    status_of,
)
from detector.scoring.heat_scale import weigh_heat
from detector.scoring.keyframes import choose_moments

RESAMPLES = 1000  # usual for 95 % percentile intervals (Efron & Tibshirani 1993, chapter 13)


@dataclass(frozen=True, slots=True, eq=False)
class ScoredClip:
    """The network's output for T consecutive frames of one person, and its input.

    `logit` is the clip's own; `frame_logits` and `still_logits` are (T,), `seconds` (T,) rises,
    `landmarks` is (T, 5, 2). `heats` is (T, h, w), a raw map of each frame's own logit, or of the
    clip's. `crops` are the network's inputs where they were kept: only those can become a
    `Moment`. `families` gives each kind of manipulation its probability. `features` is (T, C),
    the CNN's pooled output for each frame.
    """

    logit: float
    frame_logits: FloatArray
    still_logits: FloatArray
    seconds: Sequence[float]
    boxes: Sequence[Box]
    landmarks: FloatArray
    qualities: Sequence[Quality]
    heats: FloatArray | None = None
    crops: Sequence[Image | None] = ()
    families: Mapping[str, float] = field(default_factory=dict)
    features: FloatArray | None = None

    def __post_init__(self) -> None:
        parts = [self.frame_logits, self.still_logits, self.boxes, self.landmarks, self.qualities]
        more = (self.heats, self.crops, self.features)
        parts += [part for part in more if part is not None and len(part)]
        lengths = {len(self.seconds), *(len(part) for part in parts)}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(f"a clip's parts must have one length above 0, got {sorted(lengths)}")


@dataclass(frozen=True, slots=True)
class VideoVerdict:
    """The video's part of a `Report`; fields as there."""

    status: Status
    verdict: Verdict | None
    fake: float | None
    interval: tuple[float, float] | None
    band: str | None
    warnings: tuple[Warn, ...]


def interval_of(
    clips: Sequence[ScoredClip], weights: Floats, rules: ScoringRules
) -> tuple[float, float] | None:
    """A 95 % interval of the pooled probability, by a two-stage percentile bootstrap.

    Clips are drawn with replacement, kept in the order of time, and frames within each drawn
    clip; one clip alone still has its frames, one frame alone has no interval (None). The seed
    is fixed, so the same video gives the same interval. It covers which moments happened to be
    sampled. It does not cover the model's own errors: an unfamiliar manipulation, camera or
    compression. With few clips it is too narrow, as every bootstrap is.
    """
    if sum(len(clip.seconds) for clip in clips) < 2:
        return None
    # Clips, then frames in them: resampling of hierarchical data (Davison & Hinkley 1997, 3.8).
    random = np.random.default_rng(0)
    count = len(clips)
    # In the order of time, since pooling also uses runs of neighbours.
    drawn = np.sort(random.integers(count, size=(RESAMPLES, count)), axis=1)
    shifts = np.empty((RESAMPLES, count))
    for index, clip in enumerate(clips):
        frames = np.asarray(clip.frame_logits, np.float64)
        again = frames[random.integers(len(frames), size=(RESAMPLES, len(frames)))]
        # The clip's logit has a head of its own, so only the deviation of the frames' mean is
        # resampled.
        shifts[:, index] = again.mean(1) - frames.mean()
    # (clips,), broadcast to (RESAMPLES, clips) below.
    unmoved = np.array([clip.logit for clip in clips], np.float64)
    logits = np.take_along_axis(unmoved + shifts, drawn, axis=1)
    pooled = calibrate(pool_logits(logits, weights[drawn], rules), rules)
    own = calibrate(pool_logits(unmoved, weights, rules), rules)
    low, high = np.percentile(pooled, (2.5, 97.5))
    # The interval always contains the score itself, which a percentile interval need not.
    return float(min(low, own)), float(max(high, own))


def score_person(
    person: int,
    clips: Sequence[ScoredClip],
    rules: ScoringRules,
    *,
    still: bool = False,
    heat_of: str = "frame",
) -> Person:
    """One person's answer from its clips, in the order of time; `still` for a single picture.

    Where too little is visible, the faces are returned as `unscored`, without a score. Where the
    probabilities with and without time contradict each other the score is kept, yet the verdict is
    undecided. `rules.at` applies a threshold of the user's own. `heat_of` is what the clips'
    heat maps explain, as in `Settings`.
    """
    qualities = [quality for clip in clips for quality in clip.qualities]
    warnings = quality_warnings(qualities, rules, still=still)
    status = status_of(qualities, rules, still=still)
    if status is not Status.OK:
        return _unscored(person, clips, status, warnings)
    all_clips = clips
    clips, weights = weigh_clips(clips, rules)
    logits = np.array([clip.logit for clip in clips], np.float64)
    # What single frames give, pooled in the same way, so that only time makes the difference.
    stills = np.array([np.mean(clip.still_logits) for clip in clips], np.float64)
    fake = float(calibrate(pool_logits(logits, weights, rules), rules))
    frame = float(calibrate(pool_logits(stills, weights, rules), rules))
    strengths = {}
    if heat_of == "video":
        shares = pool_shares(logits, weights, rules)
        # By identity: a clip has arrays, which cannot be hashed.
        strengths = {id(clip): share * fake for clip, share in zip(clips, shares, strict=True)}
    scores = [score for clip in all_clips for score in _face_scores(clip, rules, strengths)]
    crops = [crop for clip in all_clips for crop in clip.crops or [None] * len(clip.seconds)]
    verdict, doubts = decide(fake, frame, rules)
    return Person(
        id=person,
        status=Status.OK,
        fake=fake,
        interval=interval_of(clips, weights, rules),
        verdict=verdict,
        scores=tuple(scores),
        segments=find_segments(person, clips, rules),
        moments=choose_moments(person, scores, crops),
        family=_family_of(clips, rules) if verdict is Verdict.FAKE else None,
        warnings=_in_order({*warnings, *doubts}),
        clips=tuple(_clip_score(clip, rules) for clip in all_clips),
    )


def _clip_score(clip: ScoredClip, rules: ScoringRules) -> ClipScore:
    start, end = float(clip.seconds[0]), float(clip.seconds[-1])
    return ClipScore(start, end, clip.logit, _weight_of(clip, rules))


def _weight_of(clip: ScoredClip, rules: ScoringRules) -> float:
    return float(np.mean([rules.weight(quality) for quality in clip.qualities]))


def weigh_clips(
    clips: Sequence[ScoredClip], rules: ScoringRules
) -> tuple[list[ScoredClip], Floats]:
    """The clips that count, and how much each does, by the quality of its faces."""
    weights = np.array([_weight_of(clip, rules) for clip in clips])
    kept = [clip for clip, weight in zip(clips, weights, strict=True) if weight > 0]
    return kept, weights[weights > 0]


def score_video(people: Sequence[Person], rules: ScoringRules) -> VideoVerdict:
    """The video's score is that of its most suspicious person, its verdict the severest of all.

    People who could not be scored do not enter the score, but their warnings are kept. Without
    a scored person there is no verdict, for the reason that most people share. The word follows the
    lower end of the interval, so that it is valid for all of it. Signals that are no face are kept
    apart, in `Report.signals`.
    """
    found = {warning for person in people for warning in person.warnings}
    scored = [(person.fake, person) for person in people if person.fake is not None]
    if not scored:
        reasons = Counter(person.status for person in people).most_common(1)
        status = reasons[0][0] if reasons else Status.NO_FACE
        return VideoVerdict(status, None, None, None, None, _in_order(found))
    if not rules.calibrated:
        found.add(Warn.NOT_CALIBRATED)
    # The most suspicious person, by the calibrated probability.
    fake, suspect = max(scored, key=lambda pair: pair[0])
    verdicts = {person.verdict for _, person in scored}
    severest = (Verdict.FAKE, Verdict.UNDECIDED, Verdict.NO_SIGN)
    return VideoVerdict(
        status=Status.OK,
        verdict=next(verdict for verdict in severest if verdict in verdicts),
        fake=fake,
        interval=suspect.interval,
        band=rules.band(suspect.interval[0] if suspect.interval else fake),
        warnings=_in_order(found),
    )


def find_segments(
    person: int, clips: Sequence[ScoredClip], rules: ScoringRules
) -> tuple[Segment, ...]:
    """Stretches in which clip after clip reaches the threshold.

    Clips are spread over the video, so a segment runs from the first suspicious frame of its
    first clip to the last one of its last, over the unsampled time between them. A pause of more
    than three times a wide step, as when the person left the picture, ends it. (The third
    quartile of the steps: beside what is suspicious they are short.)
    """
    starts = np.array([clip.seconds[0] for clip in clips])
    # Clips are spread evenly, so a normal step is the usual distance; later rounds make it
    # shorter. Three steps: clips lost at one or two places do not end a segment.
    pause = 3 * float(np.percentile(np.diff(starts), 75)) if len(clips) > 1 else 0.0
    suspicious = [bool(calibrate(clip.logit, rules) >= rules.threshold) for clip in clips]
    runs: list[list[ScoredClip]] = []
    for index in (index for index, hot in enumerate(suspicious) if hot):
        if index and suspicious[index - 1] and starts[index] - starts[index - 1] <= pause:
            runs[-1].append(clips[index])
        else:
            runs.append([clips[index]])
    return tuple(_segment(person, run, rules) for run in runs)


def _segment(person: int, run: Sequence[ScoredClip], rules: ScoringRules) -> Segment:
    seconds = np.concatenate([np.asarray(clip.seconds, np.float64) for clip in run])
    fake = np.concatenate([calibrate(clip.frame_logits, rules) for clip in run])
    # The clip's logit can reach the threshold though no frame of it does; then all of it is the
    # segment.
    hot = seconds[fake >= rules.threshold] if (fake >= rules.threshold).any() else seconds
    return Segment(person, start=float(hot[0]), end=float(hot[-1]), peak=float(fake.max()))


def _face_scores(
    clip: ScoredClip, rules: ScoringRules, strengths: Mapping[int, float]
) -> list[FaceScore]:
    """With `strengths`, heat is of the video: the share of the clip's logit that reaches it."""
    fakes, stills = calibrate(clip.frame_logits, rules), calibrate(clip.still_logits, rules)
    strength = [strengths.get(id(clip), 0.0)] * len(fakes) if strengths else fakes
    return [
        FaceScore(
            second=float(second),
            fake=float(fakes[index]),
            still=float(stills[index]),
            box=clip.boxes[index],
            landmarks=clip.landmarks[index],
            quality=clip.qualities[index],
            usable=rules.weight(clip.qualities[index]) > 0,
            heat=None if clip.heats is None else weigh_heat(clip.heats[index], strength[index]),
        )
        for index, second in enumerate(clip.seconds)
    ]


def _family_of(clips: Sequence[ScoredClip], rules: ScoringRules) -> tuple[str, float] | None:
    """The likeliest family over the clips that reach the threshold."""
    rows = [clip.families for clip in clips if calibrate(clip.logit, rules) >= rules.threshold]
    if not rows or not rows[0]:
        return None
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return max(means.items(), key=lambda pair: pair[1])


def _unscored(
    person: int, clips: Sequence[ScoredClip], status: Status, warnings: set[Warn]
) -> Person:
    unscored = tuple(
        UnscoredFace(float(second), box, quality)
        for clip in clips
        for second, box, quality in zip(clip.seconds, clip.boxes, clip.qualities, strict=True)
    )
    undecided = Person(person, status, None, None, None, scores=())
    return replace(undecided, warnings=_in_order(warnings), unscored=unscored)


def _in_order(warnings: set[Warn]) -> tuple[Warn, ...]:
    return tuple(warning for warning in Warn if warning in warnings)
