"""The state of one analysis, and how it becomes a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from detector.explain.occlusion import explain_people, explainer_for
from detector.faces.candidates import SURE
from detector.faces.crops import CropSettings, cut_face
from detector.faces.quality import quality_of
from detector.faces.tracking import MAX_GAP, ClipTrack, PeopleTracker
from detector.faces.upright import Upright
from detector.inference import BATCH, Cut, LoadedDetector
from detector.progress import Stopwatch
from detector.records import Frame, ModelInfo, Person, Report, Status, UnscoredFace, VideoInfo, Warn
from detector.scoring.calibration import ScoringRules, reliably_detected
from detector.scoring.coverage import (
    ROUNDS,
    Run,
    chance_missed,
    first_range,
    frame_length,
    frames_again,
    further_ranges,
    runs_of,
    stretch_of,
    widened,
    with_suspicion,
)
from detector.scoring.heat_scale import heat_floor, heat_scale
from detector.scoring.verdict import ScoredClip, score_person, score_video
from detector.settings import Settings
from detector.video import DecodeNotes
from detector.video.sampling import SamplingRange
from detector.video.turning import size_of, turns_of

MUCH_MISSED = 0.25
"""The chance of missing a short insert from which the answer has the warning `PARTLY_SEEN`: one in
four, set by hand."""


@dataclass
class Analysis:
    """The state of one run: people, scored clips, and the seconds of all analysed frames."""

    detector: LoadedDetector
    settings: Settings
    info: VideoInfo
    spent: Stopwatch
    tracker: PeopleTracker = field(default_factory=PeopleTracker)
    upright: Upright = field(init=False)
    turns: list[tuple[float, int]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    with_face: int = 0
    too_many: bool = False
    followed: set[int] = field(default_factory=set)
    waiting: list[Cut] = field(default_factory=list)
    scored: dict[int, list[ScoredClip]] = field(default_factory=dict)
    unscored: dict[int, list[UnscoredFace]] = field(default_factory=dict)
    rounds: int = 0
    again: int = 0

    @property
    def rules(self) -> ScoringRules:
        """Those of the network for such a file, before the user's own threshold."""
        return self.detector.rules.of_file(still=self.info.is_still)

    def next_ranges(self) -> list[SamplingRange]:
        """The next stretches to sample: first all of the video, then again where doubt is left."""
        self.rounds += 1
        if self.rounds == 1:
            whole = first_range(self.settings, self.info)
            self.again = frames_again(self.settings, whole.frames)
            return [whole]
        if self.rounds > 1 + ROUNDS or self.again <= 0 or self.info.is_still:
            return []
        # Also the crops that fill no batch yet: where to sample next depends on all scores.
        self._score()
        rules = self.rules.at(self.settings.threshold)
        people = self._people(rules, explained=False)
        runs = with_suspicion(self._runs(people), people, rules)
        part = stretch_of(self.settings, self.info)
        # Beside faces without a score in one round only; the rest is for suspicious clips.
        ranges = further_ranges(runs, self.info, self.again, gaps_too=self.rounds == 2, part=part)
        self.again -= sum(stretch.frames for stretch in ranges)  # frames left for later rounds
        return ranges

    def _runs(self, people: Sequence[Person]) -> list[Run]:
        scored = {score.second for person in people for score in person.scores if score.usable}
        return runs_of(self.seconds, frame_length(self.info), scored)

    def __post_init__(self) -> None:
        self.upright = Upright(self.detector.finder)

    def add_clip(self, clip: Sequence[Frame]) -> bool:
        """Find the people in one clip, and score once a batch is full; whether that was now."""
        with self.spent("detect"):
            # Turned before detection: MTCNN and the network expect upright faces.
            clip, turns = self.upright.turn_upright(clip)
            tracks = [
                track
                for track in self.tracker.follow(clip, self.upright.find)
                if not self.upright.is_rotated(clip[track.indices[0]].image, track.faces[0])
            ]
        self.turns += zip((frame.second for frame in clip), turns, strict=True)
        self.seconds += [frame.second for frame in clip]
        # Frames, not faces: two people in one frame count once.
        self.with_face += len({index for track in tracks for index in track.indices})
        if len(tracks) > self.settings.max_faces:
            self.too_many = True
            tracks = sorted(tracks, key=self._rank, reverse=True)[: self.settings.max_faces]
        self.followed.update(track.id for track in tracks)
        with self.spent("crop"):
            self.waiting += [self._cut(clip, track) for track in tracks]
        # A batch of crops uses the processor best, and none waits in memory beyond it.
        full = sum(len(cut.crops) for cut in self.waiting) >= BATCH[self.detector.device]
        if full:
            self._score()
        return full

    def _rank(self, track: ClipTrack) -> tuple[bool, float]:
        """Priority of tracks where not all can be kept: those followed before, then the largest."""
        return track.id in self.followed, sum(face.box.area for face in track.faces)

    def _cut(self, clip: Sequence[Frame], track: ClipTrack) -> Cut:
        config = self.detector.config
        crop = CropSettings(size=config.size, margin=config.margin)
        frames = [clip[index] for index in track.indices]
        pairs = list(zip(frames, track.faces, strict=True))
        return Cut(
            person=track.id,
            seconds=tuple(frame.second for frame in frames),
            faces=track.faces,
            crops=tuple(cut_face(frame.image, face.box, crop) for frame, face in pairs),
            qualities=tuple(quality_of(frame.image, face) for frame, face in pairs),
        )

    def _score(self) -> None:
        """Run the network on all waiting crops; without one, only record the faces."""
        cuts, self.waiting = self.waiting, []
        network = self.detector.network
        if network is None:
            for cut in cuts:
                rows = zip(cut.seconds, (f.box for f in cut.faces), cut.qualities, strict=True)
                self.unscored.setdefault(cut.person, []).extend(UnscoredFace(*row) for row in rows)
        elif cuts:
            for person, clip in network.score(cuts, settings=self.settings, spent=self.spent):
                self.scored.setdefault(person, []).append(clip)

    def report(self, notes: DecodeNotes, *, partial: bool = False) -> Report:
        """Score the remaining crops, people and the video; a `partial` one is not explained."""
        self._score()
        rules = self.rules.at(self.settings.threshold)
        with self.spent("verdict"):
            people = self._people(rules, explained=self.settings.heat and not partial)
            if self._too_short(rules):
                people = tuple(_short(person) for person in people)
            begin, end = stretch_of(self.settings, self.info)
            # Before the video's score: its interval is that of a person, widened.
            missed = chance_missed(self._runs(people), end, begin=begin)
            people = tuple(_widened(person, missed) for person in people)
            answer = score_video(people, rules)
        more = {
            Warn.MANY_FACES: self.too_many,
            Warn.PARTLY_SEEN: answer.status is Status.OK and missed >= MUCH_MISSED,
            **self._about_file(notes),
        }
        turns = turns_of(sorted(self.turns))
        width, height = size_of((self.info.width, self.info.height), turns)
        warnings = {*answer.warnings, *(warning for warning, met in more.items() if met)}
        return Report(
            status=answer.status,
            verdict=answer.verdict,
            fake=answer.fake,
            interval=answer.interval,
            band=answer.band,
            video=replace(self.info, width=width, height=height),
            people=people,
            model=self._model(),
            settings=self.settings,
            frames_sampled=len(self.seconds),
            frames_with_face=self.with_face,
            heat_scale=self._heat_scale(people),
            # In the order of `Warn`, so that the same video gives the same report.
            warnings=tuple(warning for warning in Warn if warning in warnings),
            # Further rounds sample between the clips of the first one.
            sampled_seconds=tuple(sorted(self.seconds)),
            turns=turns,
            timing_ms=self.spent.rounded(),
            created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _model(self) -> ModelInfo:
        """The network, with the threshold that it has for such a file."""
        info, rules = self.detector.info, self.rules
        if rules is self.detector.rules:
            return info
        return replace(info, threshold=rules.threshold, undecided=rules.undecided)

    def _about_file(self, notes: DecodeNotes) -> dict[Warn, bool]:
        """What was done to the file's pictures before they were analysed."""
        return {
            Warn.DAMAGED_FILE: notes.damaged,
            Warn.RETIMED: notes.retimed,
            Warn.OTHER_TRACKS: len(self.info.tracks) > 1,
            Warn.TONE_MAPPED: notes.tone_mapped,
            Warn.DEINTERLACED: notes.deinterlaced,
            Warn.TURNED: any(degrees for _, degrees in self.turns),
            Warn.LYING_FACES: self.upright.rotated,
        }

    def _too_short(self, rules: ScoringRules) -> bool:
        """Whether no face in so few frames could have been enough."""
        return not self.info.is_still and len(self.seconds) < rules.min_faces

    def _alone(self, second: float) -> bool:
        """Whether no other analysed frame is so close that it should show the same face."""
        return all(not 0 < abs(other - second) <= MAX_GAP for other in self.seconds)

    def _heat_scale(self, people: Sequence[Person]) -> float:
        scores = [score for person in people for score in person.scores]
        return heat_scale(scores, heat_floor(self.settings, len(self.seconds)))

    def _people(self, rules: ScoringRules, *, explained: bool) -> tuple[Person, ...]:
        """Everyone who was followed, numbered from 1 by first appearance, then left to right.

        A face in one frame of several that are close together in time is a false detection, not a
        person; see also `reliably_detected`.
        """
        still = self.info.is_still
        if self.detector.network is None:
            detected = [
                _in_time(faces)
                for faces in self.unscored.values()
                if len(faces) > 1 or self._alone(faces[0].second)
            ]
            qualities = [[face.quality for face in faces] for faces in detected]
            detected = reliably_detected(detected, qualities, rules, sure=SURE, still=still)
            detected.sort(key=lambda faces: (faces[0].second, faces[0].box.x0))
            return tuple(_unscored(k, faces) for k, faces in enumerate(detected, start=1))
        people = [
            sorted(clips, key=lambda clip: clip.seconds[0])
            for clips in self.scored.values()
            if _frames(clips) > 1 or self._alone(clips[0].seconds[0])
        ]
        qualities = [[quality for clip in clips for quality in clip.qualities] for clips in people]
        people = reliably_detected(people, qualities, rules, sure=SURE, still=still)
        # Numbers are given after false detections are removed, so that none is missing.
        people.sort(key=lambda clips: (clips[0].seconds[0], clips[0].boxes[0].x0))
        of = self.settings.heat_of
        scored = [
            score_person(k, clips, rules, still=still, heat_of=of)
            for k, clips in enumerate(people, start=1)
        ]
        if not explained:
            return tuple(scored)
        return explain_people(
            scored, people, explainer_for(self.detector.network, rules, self.settings)
        )


def _unscored(person: int, faces: Sequence[UnscoredFace]) -> Person:
    return Person(
        id=person,
        status=Status.UNTRAINED,
        fake=None,
        interval=None,
        verdict=None,
        scores=(),
        unscored=tuple(faces),
    )


def _short(person: Person) -> Person:
    """The same, if what was missing is the video's length."""
    few = person.status is Status.TOO_FEW_FACES
    return replace(person, status=Status.TOO_SHORT) if few else person


def _widened(person: Person, missed: float) -> Person:
    """The same, its interval widened by what may lie between the sampled stretches."""
    if person.interval is None:
        return person
    return replace(person, interval=widened(person.interval, missed))


def _in_time(faces: list[UnscoredFace]) -> list[UnscoredFace]:
    return sorted(faces, key=lambda face: face.second)


def _frames(clips: Sequence[ScoredClip]) -> int:
    return sum(len(clip.seconds) for clip in clips)
