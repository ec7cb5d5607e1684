"""The evidence behind a score or against it, as plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from detector.language import Message


class Status(StrEnum):
    """Why there is, or is not, a score. Only `OK` has one."""

    OK = "ok"
    NO_FACE = "no_face"
    FACE_TOO_SMALL = "face_too_small"
    TOO_FEW_FACES = "too_few_faces"
    TOO_SHORT = "too_short"
    TOO_BLURRED = "too_blurred"
    UNTRAINED = "untrained"
    # A file that gave no report at all; see `VideoError.status`.
    UNREADABLE = "unreadable"
    UNSAFE = "unsafe"
    EMPTY = "empty"
    NO_VIDEO = "no_video"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    TOO_LONG = "too_long"
    CANCELLED = "cancelled"
    # What only a public service answers: it could not, or would not, finish the work.
    TIMED_OUT = "timed_out"
    INTERRUPTED = "interrupted"
    BUSY = "busy"
    QUOTA_USED = "quota_used"


class Verdict(StrEnum):
    """An answer about a score; without a score there is no verdict (None)."""

    FAKE = "fake"
    NO_SIGN = "no_sign"
    UNDECIDED = "undecided"


def verdict_name(verdict: Verdict | None) -> str | None:
    return verdict.value if verdict else None


class Warn(StrEnum):
    """What makes a result weaker than its number; each has its sentence in `text.summary`."""

    STILL_IMAGE = "still_image"
    FEW_FRAMES = "few_frames"
    SMALL_FACES = "small_faces"
    BLURRED_FACES = "blurred_faces"
    PROFILE_FACES = "profile_faces"
    MANY_FACES = "many_faces"
    TIME_AND_FRAME_DISAGREE = "time_and_frame_disagree"
    NEAR_THRESHOLD = "near_threshold"
    NOT_CALIBRATED = "not_calibrated"
    DAMAGED_FILE = "damaged_file"
    # What had to be done to the pictures before they could be scored.
    RETIMED = "retimed"
    OTHER_TRACKS = "other_tracks"
    TONE_MAPPED = "tone_mapped"
    DEINTERLACED = "deinterlaced"
    TURNED = "turned"
    LYING_FACES = "lying_faces"
    PARTLY_SEEN = "partly_seen"


@dataclass(frozen=True, slots=True)
class RegionShare:
    """How much of a frame's evidence is in one part of the face.

    `region` is one of `heatmaps.regions.REGIONS`. `evidence` is its share of the heat, `area` its
    share of the crop, and `expected` the share of the heat that it has on real faces, None where
    it is not in the weights' card. `drop` is how much the log-odds that the heat explains (the
    frame's, or its clip's) fall when the region is blurred, None where that was not tried;
    `confirmed`: they fell clearly.
    """

    region: str
    evidence: float
    area: float
    expected: float | None = None
    drop: float | None = None
    confirmed: bool = False

    @property
    def excess(self) -> float:
        """The share of the evidence beyond the expected one, in [-1, 1]."""
        return self.evidence - (self.area if self.expected is None else self.expected)


@dataclass(frozen=True, slots=True)
class ClipScore:
    """The score of a person in one run of neighbouring frames, from `start` to `end` in seconds.

    `logit` is uncalibrated; `weight`, in [0, 1], is how much the quality of its faces makes it
    count, 0 where it does not.
    """

    start: float
    end: float
    logit: float
    weight: float


@dataclass(frozen=True, slots=True)
class WorseCopy:
    """The answer to a copy of the same frames; `kind` is one of `degrade.COPIES`.

    `fake` is None where the copy got no score. `verdict` and `status` are as in `Report`.
    """

    kind: str
    fake: float | None
    verdict: str | None
    status: str


@dataclass(frozen=True, slots=True)
class Robustness:
    """The score of a video as given, of `frames` frames, and of worse copies of them."""

    fake: float | None
    verdict: str | None
    frames: int
    copies: tuple[WorseCopy, ...]

    @property
    def largest_change(self) -> float | None:
        """How far the score moves at most, in [0, 1]; None where nothing can be compared."""
        scores = [copy.fake for copy in self.copies if copy.fake is not None]
        if self.fake is None or not scores:
            return None
        return max(abs(score - self.fake) for score in scores)


@dataclass(frozen=True, slots=True)
class Retelling:
    """The findings as a language model phrases them, or why it did not.

    `text` is empty when `outcome` is not "ok"; the outcomes and their sentences are in
    `text.messages.RETELLING`. `model` names who wrote it.
    """

    outcome: str
    text: str
    model: str


class SignalStatus(StrEnum):
    """What a signal means. Only the first two point at manipulation, and none gives a number."""

    DECLARED = "declared"  # the file itself declares generation or editing
    BROKEN = "broken"  # the proof of origin was checked, and is not valid
    SOUND = "sound"  # it was checked, and is valid
    NOTED = "noted"  # a fact without weight for the verdict
    ABSENT = "absent"  # nothing of the kind is there, which means nothing


@dataclass(frozen=True, slots=True)
class Signal:
    """Evidence other than faces: provenance, facts of the container, or sound.

    `kind` is a short key, such as "content_credentials", and `title` its name for people.
    `statements` are whole sentences. `facts` are names and values for a table; values come from
    the file, so they are parameters and stay untranslated. `clause` continues a
    headline that has no score, such as "its content credentials declare that it was generated";
    None where it has no place there.
    """

    kind: str
    title: Message
    status: SignalStatus
    statements: tuple[Message, ...] = ()
    facts: tuple[tuple[Message, str], ...] = ()
    clause: Message | None = None

    @property
    def points_at_manipulation(self) -> bool:
        """Whether it points at generation, editing or a forged origin."""
        return self.status in (SignalStatus.DECLARED, SignalStatus.BROKEN)


class Credentials(StrEnum):
    """What became of a file's content credentials (C2PA)."""

    TRUSTED = "trusted"  # they are valid, and a trusted authority certified the signer
    VALID = "valid"  # they are valid, but no trusted authority certified the signer
    BROKEN = "broken"  # the file was changed since, or they are forged or damaged
    ABSENT = "absent"
    UNREAD = "unread"  # the process that reads them crashed, or they lie on a server


@dataclass(frozen=True, slots=True)
class Origin:
    """What a file contains about its making, as it was found and not yet verified.

    `signer` is a name and `issuer` the organisation in the certificate, `generator` the program
    that made the credentials. `sources` are IPTC's digital source types and `actions` C2PA's
    names of what was done, as their last words ("trainedAlgorithmicMedia", "c2pa.edited");
    `faults` the codes of failed checks. `facts` are keys of `video.container.FACTS` with their
    values.
    """

    credentials: Credentials = Credentials.ABSENT
    signer: str = ""
    issuer: str = ""
    generator: str = ""
    signed_utc: str = ""
    sources: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """From `start` on, pictures were turned counter-clockwise by `degrees` (0, 90, 180 or 270), so
    that the faces in them stand upright."""

    start: float
    degrees: int


@dataclass(frozen=True, slots=True)
class Track:
    """One of a file's video tracks; `number` counts from 1, `width` and `height` are as stored."""

    number: int
    codec: str
    width: int
    height: int
