"""The story: a path in, a report out - read, find, follow, cut, score, explain, judge.

Streaming: a frame is let go when its faces are cut, a crop when it is scored (but for one per
clip and person, to be shown), so memory depends on how many frames are looked at and on how
many people are followed, and not on how long the video is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from detector.crops import CropSettings, cut_face
from detector.degrade import Alter, altered
from detector.errors import VideoError
from detector.faces import FaceFinder
from detector.model import ModelConfig
from detector.network import BATCH, Cut, Network
from detector.quality import quality_of
from detector.reasons import explain_people, judge_of
from detector.records import Frame, Person, Report, SeenFace, Status, Verdict, VideoInfo, Warn
from detector.render.movie import annotate_video
from detector.rules import ScoringRules
from detector.scoring import ScoredClip, judge_person, judge_video
from detector.settings import Settings
from detector.shading import heat_floor, heat_scale
from detector.tracks import ClipTrack, PeopleTracker
from detector.video import DecodeNotes, Limits
from detector.video.isolated import prepare, reader
from detector.watch import OnProgress, ShouldStop, Stopwatch, Watch
from detector.weights import (
    UNTRAINED,
    Loaded,
    find_weights,
    list_models,
    load_model,
    pick_device,
)


class Detector:
    """Loaded networks, and nothing of any one analysis: it may be shared between visitors.

    Without trained weights it still finds people, and answers `untrained` instead of a score.
    Files are decoded in a confined process of their own; `isolate=False` decodes them here, for
    files that are trusted.
    """

    def __init__(
        self,
        loaded: Loaded | None,
        device: str,
        limits: Limits | None = None,
        *,
        isolate: bool = True,
    ) -> None:
        self.device = device
        self.isolate = isolate
        if isolate:
            prepare()
        self.limits = limits or Limits()
        self.finder = FaceFinder(device)
        self.network = Network(loaded, device) if loaded else None
        self.loaded = loaded
        self.info = loaded.info if loaded else UNTRAINED
        self.config = loaded.card.model if loaded else ModelConfig()
        self.rules = loaded.card.rules if loaded else ScoringRules()

    @classmethod
    def load(cls, weights: str | Path | None = None, device: str = "auto") -> Detector:
        """The detector behind `weights`: a model's name, a .safetensors file, or the default.

        Raises WeightsError if what was asked for is missing or damaged. When nothing was asked
        for and nothing is there, the detector answers `untrained`.
        """
        device = pick_device(device)
        found = find_weights(weights, device=device)
        return cls(load_model(found, device) if found else None, device)

    def analyze(
        self,
        path: str | Path,
        settings: Settings | None = None,
        *,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Report:
        """Look at one video or picture.

        `on_progress(stage, done, total)` is called as frames are done; `should_stop()` is asked
        just as often. Raises VideoError if the file cannot be used, CancelledError if stopped.
        """
        return self.look(path, settings or Settings(), Watch(on_progress, should_stop))

    def look(
        self, path: str | Path, settings: Settings, watch: Watch, alter: Alter | None = None
    ) -> Report:
        """As `analyze`; with `alter`, every run of consecutive frames is altered first."""
        spent = Stopwatch()
        watch.tell("Checking the file", 0, 1)
        read = reader(watch.check, isolate=self.isolate)
        with spent("probe"):
            info = read.probe(Path(path), self.limits)
        notes = DecodeNotes()
        analysis = _Analysis(self, settings, info, spent)
        total = min(settings.frames, info.frames or settings.frames)
        with closing(
            read.read_clips(Path(path), settings.frames, limits=self.limits, info=info, notes=notes)
        ) as clips:
            for clip in spent.each("decode", clips):
                watch.tell("Looking at faces", len(analysis.seconds), total)
                analysis.look_at(clip if alter is None else altered(clip, alter))
        watch.tell("Looking at faces", total, total)
        watch.tell("Explaining", 0, 1)
        return analysis.report(damaged=notes.damaged)

    def annotate(
        self,
        path: Path,
        report: Report,
        out: Path,
        *,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Path:
        """Writes the video of `report` with boxes, scores and heat maps; see `annotate_video`."""
        margin = self.config.margin
        return annotate_video(
            path, report, out, margin=margin, on_progress=on_progress, should_stop=should_stop
        )

    def describe(self) -> dict[str, Any]:
        """The model in plain types: its card as published, and where it was found."""
        if self.loaded is None:
            return {"id": self.info.id, "trained": False, "device": self.device}
        card = json.loads(self.loaded.card.to_json())
        return {**card, "source": self.loaded.source, "device": self.device}

    def analyze_many(
        self, paths: Iterable[str | Path], settings: Settings | None = None
    ) -> Iterator[tuple[Path, Report | VideoError]]:
        """One answer per path, in order; a bad file is its own answer and stops nothing."""
        for path in map(Path, paths):
            try:
                yield path, self.analyze(path, settings)
            except VideoError as error:
                yield path, error


def load_all(device: str = "auto") -> dict[str, Detector]:
    """A detector for every trained model at hand, by id, the default first.

    Never empty: without trained weights it holds the one that answers `untrained`.
    """
    default = Detector.load(device=device)
    detectors = {default.info.id: default}
    if default.loaded is not None and default.loaded.source == "weights folder":
        for card in list_models():
            if card.trained and card.id not in detectors:
                detectors[card.id] = Detector.load(card.id, device)
    return detectors


@dataclass
class _Analysis:
    """What one run has seen so far."""

    detector: Detector
    settings: Settings
    info: VideoInfo
    spent: Stopwatch
    tracker: PeopleTracker = field(default_factory=PeopleTracker)
    seconds: list[float] = field(default_factory=list)
    with_face: int = 0
    too_many: bool = False
    followed: set[int] = field(default_factory=set)
    waiting: list[Cut] = field(default_factory=list)
    scored: dict[int, list[ScoredClip]] = field(default_factory=dict)
    seen: dict[int, list[SeenFace]] = field(default_factory=dict)

    def look_at(self, clip: Sequence[Frame]) -> None:
        """Find who is in one clip, and score when enough faces wait."""
        with self.spent("detect"):
            tracks = self.tracker.follow(clip, self.detector.finder.find)
        self.seconds += [frame.second for frame in clip]
        self.with_face += len({index for track in tracks for index in track.indices})
        if len(tracks) > self.settings.max_faces:
            self.too_many = True
            tracks = sorted(tracks, key=self._rank, reverse=True)[: self.settings.max_faces]
        self.followed.update(track.id for track in tracks)
        with self.spent("crop"):
            self.waiting += [self._cut(clip, track) for track in tracks]
        if sum(len(cut.crops) for cut in self.waiting) >= BATCH[self.detector.device]:
            self._score()

    def _rank(self, track: ClipTrack) -> tuple[bool, float]:
        """Whom to follow where not all can be: who already is, then the largest."""
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
        """Run the network on all that waits; without one, only note who was seen."""
        cuts, self.waiting = self.waiting, []
        network = self.detector.network
        if network is None:
            for cut in cuts:
                rows = zip(cut.seconds, (f.box for f in cut.faces), cut.qualities, strict=True)
                self.seen.setdefault(cut.person, []).extend(SeenFace(*row) for row in rows)
        elif cuts:
            for person, clip in network.score(cuts, settings=self.settings, spent=self.spent):
                self.scored.setdefault(person, []).append(clip)

    def report(self, *, damaged: bool) -> Report:
        """Score what still waits, and judge."""
        self._score()
        rules = self.detector.rules.at(self.settings.threshold)
        with self.spent("judge"):
            people = self._people(rules)
            answer = judge_video(people, rules)
        more = {Warn.MANY_FACES: self.too_many, Warn.DAMAGED_FILE: damaged}
        warnings = {*answer.warnings, *(warning for warning, met in more.items() if met)}
        return Report(
            status=answer.status,
            verdict=answer.verdict,
            fake=answer.fake,
            interval=answer.interval,
            band=answer.band,
            video=self.info,
            people=people,
            model=self.detector.info,
            settings=self.settings,
            frames_sampled=len(self.seconds),
            frames_with_face=self.with_face,
            heat_scale=self._heat_scale(people),
            warnings=tuple(warning for warning in Warn if warning in warnings),
            sampled_seconds=tuple(self.seconds),
            timing_ms=self.spent.rounded(),
            created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _heat_scale(self, people: Sequence[Person]) -> float:
        scores = [score for person in people for score in person.scores]
        return heat_scale(scores, heat_floor(self.settings, len(self.seconds)))

    def _people(self, rules: ScoringRules) -> tuple[Person, ...]:
        """Everyone who was followed, numbered from 1 by first appearance, then left to right.

        What was seen in a single frame of a video is a flicker of the finder, not a person.
        """
        still = self.info.is_still
        if self.detector.network is None:
            seen = [faces for faces in self.seen.values() if still or len(faces) > 1]
            seen.sort(key=lambda faces: (faces[0].second, faces[0].box.x0))
            return tuple(_unscored(k, faces) for k, faces in enumerate(seen, start=1))
        people = [clips for clips in self.scored.values() if still or _frames(clips) > 1]
        people.sort(key=lambda clips: (clips[0].seconds[0], clips[0].boxes[0].x0))
        of = self.settings.heat_of
        judged = [
            judge_person(k, clips, rules, still=still, heat_of=of)
            for k, clips in enumerate(people, start=1)
        ]
        if not self.settings.heat:
            return tuple(judged)
        return explain_people(judged, people, judge_of(self.detector.network, rules, self.settings))


def _unscored(person: int, seen: Sequence[SeenFace]) -> Person:
    return Person(
        id=person,
        status=Status.UNTRAINED,
        fake=None,
        interval=None,
        verdict=Verdict.UNDECIDED,
        scores=(),
        seen=tuple(seen),
    )


def _frames(clips: Sequence[ScoredClip]) -> int:
    return sum(len(clip.seconds) for clip in clips)
