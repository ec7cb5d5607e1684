"""Reports as the pipeline returns them; no model is involved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from detector.findings import RegionShare, Robustness, Signal, SignalStatus, WorseCopy
from detector.language import lazy
from detector.records import (
    Box,
    FaceScore,
    FloatArray,
    Image,
    ModelInfo,
    Moment,
    Person,
    Quality,
    Report,
    Segment,
    Status,
    UnscoredFace,
    Verdict,
    VideoInfo,
    Warn,
)
from detector.settings import Settings
from tests.clips import portrait

MODEL = ModelInfo(
    id="stand-in/cnn-lstm",
    architecture="efficientnet_b0 + LSTM(128)",
    revision="0f1e2d3c4b5a69788796a5b4c3d2e1f001122334",
    sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    trained=True,
    calibrated=True,
    threshold=0.5,
    trained_on="stand-in data",
)
VIDEO = VideoInfo(
    name="clip.mp4",
    bytes=1_843_200,
    sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    container="mp4",
    codec="h264",
    seconds=12.0,
    frames=300,
    fps=25.0,
    width=1280,
    height=720,
    rotation=0,
    has_audio=True,
)
GOOD = Quality(size=180.0, sharpness=240.0, frontal=0.9, detection=0.99)
BLURRED = Quality(size=180.0, sharpness=4.0, frontal=0.9, detection=0.97)


def mouth_heat(strength: float) -> FloatArray:
    """A 7 x 7 heat map, warm around the mouth; `strength` is its highest value."""
    y, x = np.mgrid[0:7, 0:7]
    hill = np.exp(-((x - 3.1) ** 2 / 3.0 + (y - 4.6) ** 2 / 2.0))
    heat: FloatArray = (strength * hill / hill.max()).astype(np.float32)
    return heat


def face_crop(*, tint: tuple[float, float, float] = (1.0, 1.0, 1.0), size: int = 224) -> Image:
    """The portrait's face as the network would see it, with its colours multiplied by `tint`."""
    crop = portrait()[52:207, 147:302].astype(np.float32) * np.array(tint, np.float32)
    crop = cv2.resize(np.clip(crop, 0, 255), (size, size), interpolation=cv2.INTER_CUBIC)
    image: Image = np.clip(crop, 0, 255).astype(np.uint8)
    return image


def score_at(second: float, fake: float, *, left: float = 400.0, usable: bool = True) -> FaceScore:
    box = Box(left, 180.0, left + 200.0, 400.0)
    marks = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    landmarks = marks * (box.width, box.height) + (box.x0, box.y0)
    return FaceScore(
        second=second,
        fake=fake,
        still=min(1.0, max(0.0, fake * 0.9 + 0.03)),
        box=box,
        landmarks=landmarks.astype(np.float32),
        quality=GOOD if usable else BLURRED,
        usable=usable,
        heat=mouth_heat(0.1 + 0.9 * fake),
    )


def person(
    number: int,
    seconds: list[float],
    fake_at: Callable[[float], float],
    *,
    left: float = 400.0,
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Person:
    """A scored person; the period above 0.5 becomes a segment, the top frames moments."""
    scores = tuple(score_at(s, fake_at(s), left=left + 8 * s) for s in seconds)
    high = [score for score in scores if score.fake >= 0.5]
    top = sorted(scores, key=lambda score: -score.fake)[:3]
    fake = float(np.mean([score.fake for score in top]))
    moments = tuple(
        Moment(number, s.second, s.fake, face_crop(tint=tint), s.heat)
        for s in sorted(top, key=lambda score: score.second)
    )
    segments = ()
    if high:
        peak = max(score.fake for score in high)
        segments = (Segment(number, high[0].second, high[-1].second, peak),)
    return Person(
        id=number,
        status=Status.OK,
        fake=fake,
        interval=(max(0.0, fake - 0.12), min(1.0, fake + 0.06)),
        verdict=Verdict.FAKE if fake >= 0.5 else Verdict.NO_SIGN,
        scores=scores,
        segments=segments,
        moments=moments,
        family=("face_swap", 0.72) if fake >= 0.5 else None,
    )


def report(people: tuple[Person, ...], sampled: list[float], *, video: VideoInfo = VIDEO) -> Report:
    """The report that goes with these people; verdict and score are the worst person's."""
    scored = [one for one in people if one.fake is not None]
    worst = max(scored, key=lambda one: one.fake or 0.0, default=None)
    with_face = {score.second for one in people for score in one.scores}
    return Report(
        status=Status.OK if worst else Status.NO_FACE,
        verdict=worst.verdict if worst else None,
        fake=worst.fake if worst else None,
        interval=worst.interval if worst else None,
        band=_band(worst.fake) if worst and worst.fake is not None else None,
        video=video,
        people=people,
        model=MODEL,
        settings=Settings(frames=max(8, len(sampled))),
        frames_sampled=len(sampled),
        frames_with_face=len(with_face),
        heat_scale=0.9,
        sampled_seconds=tuple(sampled),
        timing_ms={"decode": 512.3456, "faces": 944.0, "score": 2367.0, "heat": 24.0},
        created_utc="2026-01-02T03:04:05Z",
    )


def _band(fake: float) -> str:
    return ("weak", "moderate", "strong", "very_strong")[int(np.digitize(fake, [0.5, 0.7, 0.9]))]


def swapped_between(start: float, end: float, *, top: float = 0.94) -> Callable[[float], float]:
    """A score over time that rises to `top` between two moments and is low elsewhere."""

    def fake_at(second: float) -> float:
        rise = 1 / (1 + np.exp(-6 * (second - start))) - 1 / (1 + np.exp(-6 * (second - end)))
        ripple = 0.04 * np.sin(second * 7.3) + 0.02 * np.sin(second * 19.7)
        return float(np.clip(0.1 + (top - 0.1) * rise + ripple, 0.01, 0.99))

    return fake_at


def two_people() -> Report:
    """Twelve seconds; Person 1 looks manipulated in the middle, Person 2 leaves for a while."""
    sampled = [round(0.25 * k, 3) for k in range(48)]
    away = [s for s in sampled if not 8.0 <= s < 9.5]
    return report(
        (
            person(1, away, swapped_between(3.0, 5.8), left=700.0),
            person(
                2,
                [s for s in away if not 1.5 <= s < 3.0],
                swapped_between(99.0, 99.0),
                left=180.0,
                tint=(0.78, 0.86, 1.0),
            ),
        ),
        sampled,
    )


def calm() -> Report:
    """One person, nothing suspicious."""
    sampled = [round(0.4 * k, 3) for k in range(30)]
    return report((person(1, sampled, swapped_between(99.0, 99.0)),), sampled)


def sparse() -> Report:
    """Two minutes, of which three clips of eight consecutive frames were sampled."""
    sampled = [round(start + k / 25, 3) for start in (5.0, 60.0, 110.0) for k in range(8)]
    one = person(1, sampled, lambda s: 0.9 if 59 < s < 62 else 0.2)
    video = replace(VIDEO, seconds=120.0, frames=3000)
    return report((one,), sampled, video=video)


def many_people() -> Report:
    """Eight people, one of them suspicious."""
    sampled = [round(0.5 * k, 3) for k in range(24)]
    people = tuple(
        person(k, sampled, swapped_between(4.0 if k == 5 else 99.0, 7.0 if k == 5 else 99.0))
        for k in range(1, 9)
    )
    return replace(report(people, sampled), warnings=(Warn.MANY_FACES,))


def no_face() -> Report:
    """Frames were sampled, nobody was in them."""
    return report((), [round(0.5 * k, 3) for k in range(20)])


def still_image() -> Report:
    """One picture with two people in it."""
    video = replace(
        VIDEO, name="still.jpg", container="jpeg", codec="mjpeg", seconds=0.0, frames=1, fps=0.0
    )
    people = (person(1, [0.0], lambda _: 0.81), person(2, [0.0], lambda _: 0.2, left=700.0))
    people = tuple(replace(one, segments=()) for one in people)
    return replace(report(people, [0.0], video=video), warnings=(Warn.STILL_IMAGE,))


def declared() -> Report:
    """Nobody is in it, yet its content credentials declare that it was generated."""
    signal = Signal(
        kind="content_credentials",
        title=lazy("Content credentials"),
        status=SignalStatus.DECLARED,
        statements=(lazy("Signed by {name}.", name="<b>No score</b>"),),
        facts=((lazy("Signed by"), "<b>No score</b>"),),
        clause=lazy("its content credentials say that it was generated"),
    )
    return replace(no_face(), signals=(signal,))


def explained() -> Report:
    """As `two_people`, with parts of the face tested, worse copies tried and findings retold."""
    regions = (
        RegionShare("mouth", 0.4, 0.1, 0.2, drop=1.2, confirmed=True),
        RegionShare("eyes", 0.3, 0.2, 0.25, drop=0.4),
        RegionShare("nose", 0.1, 0.1, None),
    )
    plain = two_people()
    people = tuple(
        replace(
            one,
            moments=tuple(
                replace(moment, regions=regions, localised=True, without=0.5)
                for moment in one.moments
            ),
        )
        for one in plain.people
    )
    copies = (
        WorseCopy("reencoded", 0.8, "fake", "ok"),
        WorseCopy("downscaled", None, "undecided", "no_face"),
        WorseCopy("blurred", 0.3, "no_sign", "ok"),
    )
    return replace(plain, people=people, robustness=Robustness(0.9, "fake", 20, copies))


def untrained() -> Report:
    """A face was found, and there are no weights to score it."""
    sampled = [round(0.5 * k, 3) for k in range(20)]
    unscored = tuple(UnscoredFace(s, Box(400, 180, 600, 400), GOOD) for s in sampled)
    nobody = Person(1, Status.UNTRAINED, None, None, None, (), unscored=unscored)
    return replace(
        report((nobody,), sampled),
        status=Status.UNTRAINED,
        model=replace(MODEL, sha256="", trained=False, calibrated=False),
        frames_with_face=len(sampled),
    )


def too_blurred() -> Report:
    """Faces were scored, and none of the frames was clear enough to count."""
    sampled = [round(0.5 * k, 3) for k in range(20)]
    scores = tuple(score_at(s, 0.4, usable=False) for s in sampled)
    blurred = Person(1, Status.TOO_BLURRED, None, None, None, scores)
    return replace(report((blurred,), sampled), status=Status.TOO_BLURRED)


def undecided() -> Report:
    """A score so close to the threshold that it decides nothing."""
    sampled = [round(0.4 * k, 3) for k in range(30)]
    one = replace(person(1, sampled, lambda s: 0.48 + 0.05 * np.sin(s)), verdict=Verdict.UNDECIDED)
    warnings = (Warn.NEAR_THRESHOLD, Warn.TIME_AND_FRAME_DISAGREE, Warn.NOT_CALIBRATED)
    return replace(
        report((one,), sampled),
        warnings=warnings,
        model=replace(MODEL, calibrated=False),
    )


EVERY_KIND: dict[str, Callable[[], Report]] = {
    "two people": two_people,
    "calm": calm,
    "sparse": sparse,
    "crowd": many_people,
    "no face": no_face,
    "still image": still_image,
    "untrained": untrained,
    "too blurred": too_blurred,
    "undecided": undecided,
    "explained": explained,
}
