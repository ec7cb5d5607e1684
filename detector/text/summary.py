"""A `Report` in plain sentences, including its limits; nothing here is invented.

Every sentence is a template filled with the report's own numbers, so that the same report
always reads the same. No sentence calls a video genuine: finding no sign is not proof.
"""

from __future__ import annotations

from dataclasses import dataclass

from detector.language import Message, _, joined
from detector.records import FaceScore, Moment, Person, Report, Segment, Status, Verdict
from detector.scoring.coverage import coverage_of, frame_length
from detector.text.coverage import coverage_texts
from detector.text.figures import clock as clock
from detector.text.figures import fps_text as fps_text
from detector.text.figures import length_text as length_text
from detector.text.figures import percent as percent
from detector.text.messages import (
    BANDS,
    LIMIT_HEAT,
    LIMIT_MODEL,
    LIMIT_PICTURE,
    LIMIT_SCORE,
    LIMIT_VIDEO,
    STATUS,
)
from detector.text.phrases import families_text, region_text, robustness_text, tracks_text
from detector.text.phrases import family_text as family_text
from detector.text.statements import (
    HEADLINES,
    OVERALL,
    REASONS,
    SEGMENTS,
    VERDICTS,
)
from detector.text.warnings import warning_text as warning_text
from detector.text.warnings import warnings_of

NEARLY_ALL = 0.9
"""The share of a video from which it is not stated that only a part is meant; set by hand."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One statement, and the moment and person it is about where there is one."""

    text: str
    second: float | None = None
    person: int | None = None


def band_text(band: str) -> str:
    """`Report.band` in words, from "weak" to "very_strong". Raises ValueError for any other."""
    if band not in BANDS:
        raise ValueError(f"band is one of {', '.join(BANDS)}, got {band!r}")
    return str(BANDS[band])


def status_text(status: Status) -> str:
    """What a status means and what to do next."""
    return str(STATUS[status])


def verdict_text(verdict: Verdict | None) -> str:
    """A verdict in two or three words, for a label or a table."""
    return str(VERDICTS[verdict]) if verdict else _("No answer")


def headline(report: Report, *, timed: bool = True) -> str:
    """The answer in one sentence, with its moment if `timed`. It never calls a video
    genuine."""
    suspect = report.suspect
    if report.status is not Status.OK or report.fake is None or suspect is None:
        return _("No answer: {reason}.", reason=_reason(report) + _beside(report))
    if report.verdict is Verdict.NO_SIGN:
        return _no_sign(report)
    if report.verdict is not Verdict.FAKE:
        return str(HEADLINES[report.verdict or Verdict.UNDECIDED, report.video.is_still])
    return _signs(report, suspect, timed=timed)


def _no_sign(report: Report) -> str:
    coverage = coverage_of(report)
    if coverage is None or coverage.share > NEARLY_ALL:
        return str(HEADLINES[Verdict.NO_SIGN, report.video.is_still])
    return _(
        "No sign of manipulation in the {seen} of {length} that were analysed; that is not proof "
        "that the video is genuine.",
        seen=length_text(coverage.seconds),
        length=length_text(report.video.seconds),
    )


def _signs(report: Report, suspect: Person, *, timed: bool) -> str:
    band = band_text(report.band) if report.band else _("Signs of manipulation")
    peak = peak_of(suspect)
    if peak is None or report.video.is_still or not timed:
        return _("{band}: Person {person}.", band=band, person=suspect.id)
    when, part = clock(peak.second), suspicious_seconds(suspect, report)
    if not 0 < part < NEARLY_ALL * report.video.seconds:
        return _(
            "{band}: Person {person}, most clearly at {time}.",
            band=band,
            person=suspect.id,
            time=when,
        )
    return _(
        "{band}: Person {person}, in {part} of {length}, most clearly at {time}.",
        band=band,
        person=suspect.id,
        part=length_text(part),
        length=length_text(report.video.seconds),
        time=when,
    )


def suspicious_seconds(person: Person, report: Report) -> float:
    """How long the suspicious stretches of a person are, together."""
    length = frame_length(report.video)
    return sum(segment.end - segment.start + length for segment in person.segments)


def _beside(report: Report) -> str:
    """The clauses of signals other than faces, for a headline without a score."""
    clauses = [
        signal.clause
        for signal in report.signals
        if signal.points_at_manipulation and signal.clause
    ]
    return "".join(f"; {clause}" for clause in clauses)


def _reason(report: Report) -> str:
    found = REASONS.get((report.status, report.video.is_still)) or REASONS.get(report.status)
    return str(found) if found else _("the file could not be analysed")


def peak_of(person: Person) -> FaceScore | None:
    """The most suspicious frame that counted, inside a suspicious stretch where there is one;
    None if no frame counted."""
    usable = [score for score in person.scores if score.usable]
    inside = [
        score
        for score in usable
        if any(part.start <= score.second <= part.end for part in person.segments)
    ]
    return max(inside or usable, key=lambda score: score.fake, default=None)


def sentences(report: Report) -> list[Sentence]:
    """What was found, for whom, when; then how much was sampled, warnings, and the limits.

    The order and the words follow from the report alone.
    """
    found = list(_overall(report))
    for person in report.people:
        found.extend(_about_person(person, report))
    if report.robustness is not None:
        found.append(Sentence(robustness_text(report.robustness)))
    found.extend(Sentence(str(text)) for signal in report.signals for text in signal.statements)
    if len(report.video.tracks) > 1:
        found.append(Sentence(tracks_text(report.video)))
    found.extend(Sentence(text, second) for text, second in coverage_texts(report))
    found.extend(_warnings(report))
    if report.status is Status.OK:
        found.extend(Sentence(limit) for limit in limits(report))
    return found


def _warnings(report: Report) -> list[Sentence]:
    """Each is about the person whom it names, where there are several."""
    several = len(report.people) > 1
    return [
        Sentence(
            _("Person {person}: {statement}", person=person, statement=text)
            if several and person
            else text,
            None,
            person,
        )
        for text, person in warnings_of(report)
    ]


def limits(report: Report) -> tuple[str, ...]:
    """The limits of every result of this detector; with heat maps, how to read them."""
    chosen = [LIMIT_SCORE]
    if report.settings.heat:
        chosen.append(LIMIT_HEAT)
    chosen.append(LIMIT_PICTURE if report.video.is_still else LIMIT_VIDEO)
    return tuple(map(str, (*chosen, LIMIT_MODEL)))


def _overall(report: Report) -> list[Sentence]:
    suspect = report.suspect
    if report.status is not Status.OK or report.fake is None or suspect is None:
        return [Sentence(status_text(report.status))]
    kind = (report.model.calibrated, report.interval is not None)
    low, high = report.interval or (report.fake, report.fake)
    sentence = Message(
        OVERALL[kind].text,
        {
            "person": suspect.id,
            "fake": percent(report.fake),
            "low": percent(low),
            "high": percent(high),
            "threshold": percent(report.threshold),
        },
    )
    peak = peak_of(suspect)
    return [Sentence(str(sentence), peak.second if peak else None, suspect.id)]


def _about_person(person: Person, report: Report) -> list[Sentence]:
    if person.status is not Status.OK:
        # The sentence about the whole file is the same one.
        if person.status is report.status:
            return []
        seconds = [score.second for score in person.scores] + [
            face.second for face in person.unscored
        ]
        start = min(seconds, default=None)
        text = _("Person {person} has no score.", person=person.id)
        return [Sentence(joined(text, status_text(person.status)), start, person.id)]
    found = [_about_segment(person, segment) for segment in person.segments]
    peak = peak_of(person)
    if not found and peak is not None and not report.video.is_still:
        text = _(
            "Person {person} shows no suspicious stretch; "
            "the highest frame score is {fake} at {time}.",
            person=person.id,
            fake=percent(peak.fake),
            time=clock(peak.second),
        )
        found.append(Sentence(text, peak.second, person.id))
    if person.family is not None and person.verdict is Verdict.FAKE:
        found.append(_about_family(person, *person.family, report))
    for moment in person.moments[:1]:
        found.extend(_about_moment(moment, person, report))
    return found


def _about_family(person: Person, name: str, share: float, report: Report) -> Sentence:
    text = _(
        "For Person {person} the most likely kind is {family} ({share}).",
        person=person.id,
        family=family_text(name),
        share=percent(share),
    )
    return Sentence(joined(text, families_text(report.model)), None, person.id)


def _about_moment(moment: Moment, person: Person, report: Report) -> list[Sentence]:
    """Where the evidence of one frame is, and what the frame adds to the video."""
    where = region_text(moment)
    if where is None:
        return []
    at = "" if report.video.is_still else clock(moment.second)
    about = (
        _("Person {person} at {time}", person=person.id, time=at)
        if at
        else _("Person {person}", person=person.id)
    )
    parts = [where]
    without, fake = percent(moment.without or 0.0), percent(person.fake or 0.0)
    # Compared as printed: what rounding removes is not stated.
    if moment.without is not None and person.fake is not None and without != fake:
        parts.append(
            _(
                "without this frame the score of Person {person} would be {without} "
                "instead of {fake}.",
                person=person.id,
                without=without,
                fake=fake,
            )
        )
    return [
        Sentence(_("{about}: {statement}", about=about, statement=part), moment.second, person.id)
        for part in parts
    ]


def _about_segment(person: Person, segment: Segment) -> Sentence:
    inside = [s for s in person.scores if s.usable and segment.start <= s.second <= segment.end]
    peak = max(inside, key=lambda score: score.fake, default=None)
    moment = segment.start if peak is None else peak.second
    brief = clock(segment.start) == clock(segment.end)
    template = SEGMENTS[person.verdict is Verdict.FAKE, brief]
    sentence = Message(
        template.text,
        {
            "person": person.id,
            "start": clock(segment.start),
            "end": clock(segment.end),
            "peak": percent(segment.peak),
            "time": clock(moment),
        },
    )
    return Sentence(str(sentence), moment, person.id)
