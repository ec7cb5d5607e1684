"""The pipeline from a path to a report: read, find, follow, cut, score, explain, decide.

Streaming: a frame is released when its faces are cut, a crop when it is scored (but for one per
clip and person, to be shown), so memory depends on how many frames are sampled and on how
many people are followed, and not on how long the video is.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from detector.analysis import Analysis
from detector.errors import VideoError
from detector.explain.frame import explain_frame
from detector.explain.robustness import try_worse_copies
from detector.faces.mtcnn import FaceFinder
from detector.inference import Network
from detector.model.cnn_lstm import ModelConfig
from detector.model.weights import (
    UNTRAINED,
    Loaded,
    find_weights,
    list_models,
    load_model,
    pick_device,
)
from detector.progress import (
    AGAIN,
    ANALYSING,
    CHECKING,
    EXPLAINING,
    OnPartial,
    Progress,
    Stopwatch,
)
from detector.records import Frame, Report, Status
from detector.render.movie import Annotator, annotate_video
from detector.render.still import original_png
from detector.render.viewer_media import render_views
from detector.requests import (
    Analyze,
    AnalyzeClips,
    Annotate,
    DrawViews,
    ExplainFrame,
    Hooks,
    Inspect,
    Operations,
    Request,
    SaveFrame,
    TryWorseCopies,
)
from detector.sandbox.reader import (
    OpenFile,
    Reader,
    fallbacks,
    prepare,
    protections,
    reader,
)
from detector.scoring.calibration import ScoringRules
from detector.settings import Settings
from detector.signals import read_signals
from detector.video import DecodeNotes, Limits, reading
from detector.video.degrade import Alter, altered
from detector.video.hardware import gpu_decodes
from detector.video.live import Shot, stream_info
from detector.video.sampling import SamplingRange


class Detector(Operations):
    """Loaded networks, and nothing of any one analysis: it may be shared between visitors.

    Without trained weights it still finds people, and answers `untrained` instead of a score.
    Files are decoded in a confined process of their own; `isolate=False` decodes them here, for
    files that are trusted. So does `decode_on_gpu`, on a GPU where one can; elsewhere it changes
    nothing.
    """

    def __init__(
        self,
        loaded: Loaded | None,
        device: str,
        limits: Limits | None = None,
        *,
        isolate: bool = True,
        decode_on_gpu: bool = False,
    ) -> None:
        self.device = device
        self.decode_on_gpu = decode_on_gpu and gpu_decodes()
        self.isolate = isolate and not self.decode_on_gpu
        if self.isolate:
            prepare()
        self.limits = limits or Limits()
        self.finder = FaceFinder(device)
        self.network = Network(loaded, device) if loaded else None
        self.loaded = loaded
        self.info = loaded.info if loaded else UNTRAINED
        self.config = loaded.card.model if loaded else ModelConfig()
        self.rules = loaded.card.rules if loaded else ScoringRules()

    @classmethod
    def load(
        cls,
        weights: str | Path | None = None,
        device: str = "auto",
        *,
        decode_on_gpu: bool = False,
    ) -> Detector:
        """The detector behind `weights`: a model's name, a .safetensors file, or the default.

        Raises WeightsError if what was requested is missing or damaged. Where nothing was
        requested and nothing is there, the detector answers `untrained`.
        """
        device = pick_device(device)
        found = find_weights(weights, device=device)
        loaded = load_model(found, device) if found else None
        return cls(loaded, device, decode_on_gpu=decode_on_gpu)

    def run(self, request: Request, hooks: Hooks = Hooks()) -> Any:  # noqa: B008 - it is frozen
        """Serve any request. Raises VideoError if the file cannot be used, CancelledError if
        stopped."""
        progress = Progress(hooks.on_progress, hooks.should_stop)
        match request:
            case Analyze(path, settings):
                return self.analyze_file(path, settings, progress, on_partial=hooks.on_partial)
            case Inspect(path):
                return reader(progress.check, isolate=self.isolate).probe(path, self.limits)
            case AnalyzeClips(clips, settings):
                return self._analyze_camera(clips, settings, progress)
            case ExplainFrame(path, report, frame):
                return explain_frame(self, path, report, frame, progress)
            case TryWorseCopies(path, report):
                return try_worse_copies(self, path, report, progress)
            case _:
                return self._draw(request, hooks, progress)

    def _draw(
        self, request: Annotate | DrawViews | SaveFrame, hooks: Hooks, progress: Progress
    ) -> Any:
        """Write the files that are requested of a report; returns their paths."""
        read = reader(progress.check, isolate=self.isolate)
        match request:
            case Annotate(path, report, out):
                return annotate_video(
                    path,
                    report,
                    out,
                    margin=self.config.margin,
                    isolate=self.isolate,
                    on_progress=hooks.on_progress,
                    should_stop=hooks.should_stop,
                )
            case DrawViews(path, report, stem):
                annotator = Annotator(report, margin=self.config.margin)
                return render_views(read, path, annotator, stem, progress)
            case SaveFrame(path, report, second, out):
                out.write_bytes(original_png(read, path, report, second, limits=self.limits))
                return out

    def analyze_file(
        self,
        path: str | Path,
        settings: Settings,
        progress: Progress,
        *,
        alter: Alter | None = None,
        on_partial: OnPartial | None = None,
    ) -> Report:
        """Analyse one file; with `alter`, every run of consecutive frames is altered first."""
        spent = Stopwatch()
        progress.update(CHECKING, 0, 1)
        read = reader(progress.check, isolate=self.isolate)
        opened = partial(reading.opened, on_gpu=True) if self.decode_on_gpu else read.opened
        notes = DecodeNotes()
        with ExitStack() as stack:
            with spent("probe"):
                file = stack.enter_context(opened(Path(path), self.limits, track=settings.track))
            analysis = Analysis(self, settings, file.info, spent)
            # The file stays open in its process between rounds, so it is surveyed once.
            stage, before = ANALYSING, 0
            while ranges := analysis.next_ranges():
                wanted = len(analysis.seconds) + sum(stretch.frames for stretch in ranges)
                # A short video has fewer frames than were requested.
                total = min(wanted, file.info.frames or wanted)
                clips = _read_again(file, ranges, notes, first=not analysis.seconds)
                # Closing the generator ends the decoding, also when an error or a stop ends this
                # loop.
                for clip in spent.each("decode", stack.enter_context(closing(clips))):
                    progress.update(stage, len(analysis.seconds) - before, total - before)
                    shown = clip if alter is None else altered(clip, alter)
                    if analysis.add_clip(shown) and on_partial is not None:
                        on_partial(analysis.report(notes, partial=True))
                progress.update(stage, total - before, total - before)
                if stage == ANALYSING:
                    stage, before = AGAIN, len(analysis.seconds)
        progress.update(EXPLAINING, 0, 1)
        report = analysis.report(notes)
        if alter is not None:
            return report
        # Last: credentials and container never change a score.
        with spent("origin"):
            info = replace(file.info, origin=read.read_origin(Path(path), self.limits))
        return replace(report, signals=tuple(read_signals(info)))

    def _analyze_camera(
        self, clips: Sequence[Sequence[Shot]], settings: Settings, progress: Progress
    ) -> Report:
        """The pictures are decoded like any file."""
        read = reader(progress.check, isolate=self.isolate)
        frames = [[self._decoded(shot, read) for shot in clip] for clip in clips]
        analysis = Analysis(self, settings, stream_info(frames), Stopwatch())
        for clip in frames:
            progress.update(ANALYSING, len(analysis.seconds), sum(map(len, frames)))
            analysis.add_clip(clip)
        return analysis.report(DecodeNotes())

    def _decoded(self, shot: Shot, read: Reader) -> Frame:
        with tempfile.TemporaryDirectory(prefix="camera-") as folder:
            path = Path(folder, "shot.jpg")
            path.write_bytes(shot.picture)  # closed before it is read, as Windows demands
            with (
                read.opened(path, self.limits) as picture,
                closing(picture.clips([SamplingRange(1)], DecodeNotes())) as clips,
            ):
                return Frame(shot.second, next(clips)[0].image)

    def describe(self) -> dict[str, Any]:
        """The model in plain types: its card as published, where it was found, what runs the
        network (`engine`), what confines the process that decodes a file (`decoding`, empty where
        none does), and what this system cannot do (`fallbacks`)."""
        decoding = protections() if self.isolate else []
        engine = self.network.computed_by if self.network else ""
        here = {
            "device": self.device,
            "engine": engine,
            "decoding": decoding,
            "fallbacks": fallbacks(),
        }
        if self.loaded is None:
            return {"id": self.info.id, "trained": False, **here}
        card = json.loads(self.loaded.card.to_json())
        return {**card, "source": self.loaded.source, **here}

    def analyze_many(
        self, paths: Iterable[str | Path], settings: Settings | None = None
    ) -> Iterator[tuple[Path, Report | VideoError]]:
        """One answer per path, in order; a bad file is its own answer and stops nothing."""
        for path in map(Path, paths):
            try:
                yield path, self.analyze(path, settings)
            except VideoError as error:
                yield path, error


def _read_again(
    file: OpenFile, ranges: Sequence[SamplingRange], notes: DecodeNotes, *, first: bool
) -> Generator[list[Frame], None, None]:
    """The clips of `ranges`; a stretch that cannot be decoded is fatal in the first round only."""
    try:
        yield from file.clips(ranges, notes)
    except VideoError as error:
        if first or error.status is not Status.UNREADABLE:
            raise
        notes.damaged = True


def load_all(device: str = "auto") -> dict[str, Detector]:
    """A detector for every trained model at hand, by id, the default first.

    Never empty: without trained weights it has the one whose reports are `untrained`.
    """
    # Further models are offered only where they are beside the default one.
    default = Detector.load(device=device)
    detectors = {default.info.id: default}
    if default.loaded is not None and default.loaded.source == "weights folder":
        for card in list_models():
            if card.trained and card.id not in detectors:
                detectors[card.id] = Detector.load(card.id, device)
    return detectors
