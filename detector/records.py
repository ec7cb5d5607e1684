"""The detector's inputs and results, as plain frozen data; no torch, no OpenCV.

One meaning each, everywhere in this project:

* `fake` is a probability, 0.0 = real, 1.0 = fake; a *logit* is its uncalibrated log-odds.
* `second` is presentation time in seconds from the start of the video.
* An image is RGB uint8, shape (H, W, 3).
* A box is x0, y0, x1, y1 in pixels of the original, upright frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.findings import ClipScore, Origin, RegionShare, Retelling, Robustness, Signal
from detector.findings import Status as Status
from detector.findings import Track as Track
from detector.findings import Turn as Turn
from detector.findings import Verdict as Verdict
from detector.findings import Warn as Warn
from detector.findings import verdict_name as verdict_name
from detector.settings import Settings

APP_VERSION = "0.1.0"
SCHEMA_VERSION = "1.2"

Image = NDArray[np.uint8]
FloatArray = NDArray[np.float32]


class Box(NamedTuple):
    """Pixels of the original frame; x1 and y1 lie just outside."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture, upright, with the moment at which it is shown."""

    second: float
    image: Image


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one frame.

    `landmarks` is (5, 2) float32, x then y: the eye on the left of the picture, the eye on
    the right, the nose tip, the mouth corner on the left, the one on the right.
    `detection` is the finder's own confidence in [0, 1].
    """

    box: Box
    landmarks: FloatArray
    detection: float


@dataclass(frozen=True, slots=True)
class Quality:
    """How well one face can be scored.

    `size` is the shorter side of its box in original pixels, `sharpness` the variance of the
    Laplacian of the grey face at a fixed size (so that it does not depend on resolution),
    `frontal` runs from 0 (profile) to 1 (facing the camera), `detection` as in `Face`.
    """

    size: float
    sharpness: float
    frontal: float
    detection: float


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """The facts of a file before its pictures are decoded.

    `name` is fit to be `shown`. `seconds` is 0.0 for a still image; `width` and `height` are those
    of the upright picture with square pixels. `track` is the number of the video track that all
    else is about; `tracks` are those that the file has. `origin` is what the file contains
    about its making, where that was read.
    """

    name: str
    bytes: int
    sha256: str
    container: str
    codec: str
    seconds: float
    frames: int
    fps: float
    width: int
    height: int
    rotation: int
    has_audio: bool
    track: int = 1
    tracks: tuple[Track, ...] = ()
    origin: Origin | None = None

    @property
    def is_still(self) -> bool:
        return self.frames == 1


@dataclass(frozen=True, slots=True)
class FaceScore:
    """The network's scores of one face in one frame.

    `fake` is calibrated and comes from the LSTM's logit at this frame; `still` is the same
    from the frame alone, without time. `heat` is a raw map (h, w) >= 0, made as the report's
    settings select: of this frame's own logit times `fake`, or of the video's logit times the
    person's. So the map of a low score is faint beside that of a high one. Divided by
    the report's `heat_scale` it is what is drawn. `usable`: whether the frame counted (large, sharp
    and frontal enough).
    """

    second: float
    fake: float
    still: float
    box: Box
    landmarks: FloatArray
    quality: Quality
    usable: bool
    heat: FloatArray | None = None

    def __post_init__(self) -> None:
        if not (0.0 <= self.fake <= 1.0 and 0.0 <= self.still <= 1.0):
            raise ValueError(f"fake is a probability, got {self.fake} and {self.still}")


@dataclass(frozen=True, slots=True)
class UnscoredFace:
    """A face that was found but not scored (no trained weights, or too little visible)."""

    second: float
    box: Box
    quality: Quality


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time in which one person looks manipulated; `peak` is its highest `fake`."""

    person: int
    start: float
    end: float
    peak: float


@dataclass(frozen=True, slots=True)
class Moment:
    """One picture worth showing: the network's input, beside its heat.

    `crop` is exactly the network's input (S, S, 3); `heat` as in `FaceScore`. `regions` are those
    of the heat, the most conspicuous first. `localised`: whether blurring any of the first ones
    confirmed the heat; None where it was not tried. `without` is the person's `fake`
    without this frame: the difference is what the frame adds to the video.
    """

    person: int
    second: float
    fake: float
    crop: Image
    heat: FloatArray | None
    regions: tuple[RegionShare, ...] = ()
    localised: bool | None = None
    without: float | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """One face followed through the video; a cut ends it.

    `fake` and `verdict` are None whenever `status` is not `OK`. `interval` is a 95 % interval of
    `fake` under resampling of the clips, its upper end raised by what was not sampled. `family` is
    the likeliest kind of manipulation, where the model was trained to classify them. `clips` are
    the scores of every run of frames, in the order of time.
    """

    id: int
    status: Status
    fake: float | None
    interval: tuple[float, float] | None
    verdict: Verdict | None
    scores: tuple[FaceScore, ...]
    segments: tuple[Segment, ...] = ()
    moments: tuple[Moment, ...] = ()
    family: tuple[str, float] | None = None
    warnings: tuple[Warn, ...] = ()
    unscored: tuple[UnscoredFace, ...] = ()
    clips: tuple[ClipScore, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model produced the scores. `sha256` is of the weights file; empty while `trained` is
    False.

    `families` are the kinds of manipulation it was trained to classify, often none. `undecided`
    is the range of probabilities around `threshold` in which the answer is undecided.
    """

    id: str
    architecture: str
    revision: str
    sha256: str
    trained: bool
    calibrated: bool
    threshold: float
    trained_on: str = ""
    families: tuple[str, ...] = ()
    undecided: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The whole answer about one video; page, command line, API and documents show only this.

    `fake` is that of the most suspicious person; it and `verdict` are None unless `status` is `OK`.
    `band` is the word for the lower end of the interval.
    `heat_scale` is the one number by which every heat map of this video is divided when drawn;
    with it the hottest spot is drawn about as hot as the video's highest frame is fake, so the
    maps of a real face are faint. 0.0 means that there are no maps. `robustness` and `retelling`
    are there only if they were requested. `signals` are evidence other than faces; they never
    change `fake`. `turns` are the turns of the pictures to which all boxes refer; empty if none.
    """

    status: Status
    verdict: Verdict | None
    fake: float | None
    interval: tuple[float, float] | None
    band: str | None
    video: VideoInfo
    people: tuple[Person, ...]
    model: ModelInfo
    settings: Settings
    frames_sampled: int
    frames_with_face: int
    heat_scale: float = 0.0
    warnings: tuple[Warn, ...] = ()
    sampled_seconds: tuple[float, ...] = ()
    timing_ms: dict[str, float] = field(default_factory=dict)
    created_utc: str = ""
    robustness: Robustness | None = None
    retelling: Retelling | None = None
    signals: tuple[Signal, ...] = ()
    turns: tuple[Turn, ...] = ()

    @property
    def score(self) -> float | None:
        """`fake`, where the status is `OK`."""
        return self.fake if self.status is Status.OK else None

    @property
    def end(self) -> float:
        """The second at which a time axis ends: a stated length may be shorter than the samples."""
        return max([self.video.seconds, *self.sampled_seconds])

    @property
    def threshold(self) -> float:
        """The decision threshold that was in force: the requested one, else the model's."""
        threshold = self.settings.threshold
        return self.model.threshold if threshold is None else threshold

    @property
    def undecided(self) -> tuple[float, float]:
        """The range in which the answer is undecided, moved along with a requested threshold."""
        low, high = self.model.undecided or (self.model.threshold,) * 2
        moved = self.threshold - self.model.threshold
        return max(low + moved, 0.0), min(high + moved, 1.0)

    @property
    def suspect(self) -> Person | None:
        """The most suspicious person that has a score; None if nobody has."""
        scored = [person for person in self.people if person.fake is not None]
        return max(scored, key=lambda person: person.fake or 0.0, default=None)
