"""A `Report` in plain sentences, including what it cannot know; nothing here is invented.

Every sentence is a template filled with the report's own numbers, so that the same report
always reads the same. No sentence calls a video genuine: finding no sign is not proof.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from detector.records import FaceScore, Moment, Person, Report, Segment, Status, Verdict, Warn
from detector.text.messages import (
    BANDS,
    LIMIT_HEAT,
    LIMIT_MODEL,
    LIMIT_PICTURE,
    LIMIT_SCORE,
    LIMIT_VIDEO,
    STATUS,
    WARNINGS,
)
from detector.text.phrases import families_text, region_text, robustness_text
from detector.text.phrases import family_text as family_text


@dataclass(frozen=True, slots=True)
class Sentence:
    """One statement, and the moment and person it speaks about where there is one."""

    text: str
    second: float | None = None
    person: int | None = None


def clock(second: float) -> str:
    """A moment as a player shows it, with tenths: 0:03.4, 12:05.0, 1:02:03.4."""
    tenths = round(max(second, 0.0) * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def percent(fake: float) -> str:
    """A probability for a person; never 0 % or 100 %, for the model is never that sure."""
    if fake > 0.99:
        return "over 99 %"
    if fake < 0.01:
        return "under 1 %"
    return f"{fake * 100:.0f} %"


def band_text(band: str) -> str:
    """`Report.band` in words, from "weak" to "very_strong". Raises ValueError for any other."""
    if band not in BANDS:
        raise ValueError(f"band is one of {', '.join(BANDS)}, got {band!r}")
    return BANDS[band]


def status_text(status: Status) -> str:
    """What a status means and what to do next."""
    return STATUS[status]


def warning_text(warning: Warn) -> str:
    """What a warning means for the result and what to do about it."""
    return WARNINGS[warning]


def verdict_text(verdict: Verdict) -> str:
    """A verdict in two or three words, for a label or a table."""
    return {
        Verdict.FAKE: "Looks manipulated",
        Verdict.NO_SIGN: "No sign found",
        Verdict.UNDECIDED: "Undecided",
    }[verdict]


def headline(report: Report) -> str:
    """The answer in one sentence. It never says that a video is genuine."""
    thing = "picture" if report.video.is_still else "video"
    suspect = report.suspect
    if report.status is not Status.OK or report.fake is None or suspect is None:
        return f"No answer: {_reason(report.status, thing)}{_beside(report)}."
    if report.verdict is Verdict.NO_SIGN:
        return f"No sign of manipulation was found; that is not proof that the {thing} is genuine."
    if report.verdict is Verdict.UNDECIDED:
        return f"Undecided: this {thing} does not show enough to tell either way."
    band = band_text(report.band) if report.band else "Signs of manipulation"
    peak = peak_of(suspect)
    when = f", most clearly at {clock(peak.second)}" if peak and not report.video.is_still else ""
    return f"{band}: Person {suspect.id}{when}."


def _beside(report: Report) -> str:
    """What signals that are no face add to a headline without a score."""
    clauses = [signal.clause for signal in report.signals if signal.speaks and signal.clause]
    return "".join(f"; {clause}" for clause in clauses)


def _reason(status: Status, thing: str) -> str:
    reasons = {
        Status.NO_FACE: f"no face was found in this {thing}",
        Status.FACE_TOO_SMALL: f"the faces in this {thing} are too small to judge",
        Status.TOO_FEW_FACES: f"this {thing} shows too few clear pictures of a face",
        Status.TOO_SHORT: f"this {thing} is too short to judge",
        Status.TOO_BLURRED: f"the faces in this {thing} are too blurred to judge",
        Status.UNTRAINED: "the model has no trained weights",
        Status.CANCELLED: "the analysis was cancelled",
        Status.TIMED_OUT: "the analysis took too long",
        Status.INTERRUPTED: "the analysis broke off on our side",
        Status.BUSY: "too many people are waiting",
        Status.QUOTA_USED: "your share of this machine is used up for now",
        Status.OK: "no person could be judged",
    }
    return reasons.get(status, "the file could not be analysed")


def peak_of(person: Person) -> FaceScore | None:
    """The most suspicious frame that counted; None if no frame did."""
    usable = [score for score in person.scores if score.usable]
    return max(usable, key=lambda score: score.fake, default=None)


def sentences(report: Report) -> list[Sentence]:
    """What was found, for whom, when; then how much was seen, warnings, and the limits.

    The order and the words follow from the report alone.
    """
    found = list(_overall(report))
    for person in report.people:
        found.extend(_about_person(person, report))
    if report.robustness is not None:
        found.append(Sentence(robustness_text(report.robustness)))
    found.extend(Sentence(str(said)) for signal in report.signals for said in signal.said)
    found.extend(_coverage(report))
    warnings = itertools.chain(report.warnings, *(person.warnings for person in report.people))
    found.extend(Sentence(warning_text(warning)) for warning in dict.fromkeys(warnings))
    if report.status is Status.OK:
        found.extend(Sentence(limit) for limit in limits(report))
    return found


def limits(report: Report) -> tuple[str, ...]:
    """What no result of this detector can tell; with heat maps, how to read them."""
    chosen = [LIMIT_SCORE]
    if report.settings.heat:
        chosen.append(LIMIT_HEAT)
    chosen.append(LIMIT_PICTURE if report.video.is_still else LIMIT_VIDEO)
    return (*chosen, LIMIT_MODEL)


def _overall(report: Report) -> list[Sentence]:
    suspect = report.suspect
    if report.status is not Status.OK or report.fake is None or suspect is None:
        return [Sentence(status_text(report.status))]
    text = f"The probability that Person {suspect.id} is manipulated is {percent(report.fake)}"
    if not report.model.calibrated:
        text = f"The uncalibrated score of Person {suspect.id} is {percent(report.fake)}"
    if report.interval is not None:
        low, high = report.interval
        text += f" (95 % interval {percent(low)} to {percent(high)})"
    peak = peak_of(suspect)
    text += f"; the decision threshold is {percent(report.threshold)}."
    return [Sentence(text, peak.second if peak else None, suspect.id)]


def _about_person(person: Person, report: Report) -> list[Sentence]:
    if person.status is not Status.OK:
        if person.status is report.status:
            return []
        seconds = [score.second for score in person.scores] + [face.second for face in person.seen]
        start = min(seconds, default=None)
        text = f"Person {person.id} has no score. {status_text(person.status)}"
        return [Sentence(text, start, person.id)]
    found = [_about_segment(person, segment) for segment in person.segments]
    peak = peak_of(person)
    if not found and peak is not None and not report.video.is_still:
        text = (
            f"Person {person.id} shows no suspicious stretch; "
            f"the highest frame score is {percent(peak.fake)} at {clock(peak.second)}."
        )
        found.append(Sentence(text, peak.second, person.id))
    if person.family is not None and person.verdict is Verdict.FAKE:
        name, share = person.family
        text = f"For Person {person.id} the most likely kind is {family_text(name)}"
        found.append(
            Sentence(f"{text} ({percent(share)}). {families_text(report.model)}", None, person.id)
        )
    for moment in person.moments[:1]:
        found.extend(_about_moment(moment, person, report))
    return found


def _about_moment(moment: Moment, person: Person, report: Report) -> list[Sentence]:
    """Where the evidence of one frame lies, and what the frame adds to the video."""
    about = f"Person {person.id}"
    if not report.video.is_still:
        about += f" at {clock(moment.second)}"
    found = []
    where = region_text(moment)
    if where is not None:
        found.append(Sentence(f"{about}: {where}", moment.second, person.id))
    if moment.without is not None and person.fake is not None and where is not None:
        text = (
            f"{about}: without this frame the score of Person {person.id} would be "
            f"{percent(moment.without)} instead of {percent(person.fake)}."
        )
        found.append(Sentence(text, moment.second, person.id))
    return found


def _about_segment(person: Person, segment: Segment) -> Sentence:
    inside = [s for s in person.scores if s.usable and segment.start <= s.second <= segment.end]
    peak = max(inside, key=lambda score: score.fake, default=None)
    moment = segment.start if peak is None else peak.second
    when = f"from {clock(segment.start)} to {clock(segment.end)}"
    peak_text = f"with a peak of {percent(segment.peak)} at {clock(moment)}"
    text = f"Person {person.id} looks manipulated {when}, {peak_text}."
    if person.verdict is not Verdict.FAKE:
        text = f"Person {person.id} reaches the threshold {when}, {peak_text}; "
        text += "that alone decides nothing."
    return Sentence(text, moment, person.id)


def _coverage(report: Report) -> list[Sentence]:
    if report.status is Status.NO_FACE or not report.frames_sampled:
        return []
    if report.video.is_still:
        return []
    found = [
        Sentence(
            f"A face was found in {report.frames_with_face} of {report.frames_sampled} "
            "sampled frames."
        )
    ]
    gap = longest_gap(report)
    if gap is not None and report.status is Status.OK:
        start, end = gap
        text = f"No face could be judged from {clock(start)} to {clock(end)}; nothing is known"
        found.append(Sentence(f"{text} about that stretch.", start))
    return found


def longest_gap(report: Report) -> tuple[float, float] | None:
    """The longest run of sampled moments at which nobody was judged, first to last second."""
    return max(gaps(report), key=lambda gap: gap[1] - gap[0], default=None)


def gaps(report: Report) -> list[tuple[float, float]]:
    """Runs of sampled moments at which nobody could be judged, each as first and last second."""
    judged = {round(s.second, 3) for p in report.people for s in p.scores if s.usable}
    seconds = sorted(round(second, 3) for second in report.sampled_seconds)
    runs = itertools.groupby(seconds, key=lambda second: second in judged)
    blind = [list(run) for known, run in runs if not known]
    return [(run[0], run[-1]) for run in blind]
