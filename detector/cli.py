"""`python -m detector clip.mp4`: the whole product in a terminal.

The answer goes to standard output, progress to standard error. Exit codes:

0    every file was answered with a score
2    the command was mistyped
3    at least one file could not be used (damaged, no video, too large, ...)
4    at least one file gave no score (no face, faces too small or blurred, ...)
5    no trained weights, or the weights are damaged
6    --verify: the report does not hold
130  interrupted; what was asked for is written for the files that were done
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from detector.errors import CancelledError, ReportError, VideoError, WeightsError, shown
from detector.pipeline import Detector
from detector.records import Report, Status
from detector.render.batch import batch_csv, batch_json, single_json
from detector.render.document import summary_row, to_html
from detector.render.movie import annotate_video
from detector.settings import HEAT_METHODS, HEAT_TARGETS, PRESETS, Settings
from detector.text.llm import narrator_of, retell, retelling_text
from detector.text.summary import clock, headline, sentences
from detector.verify.verify import LISTED, verify_report
from detector.video import Limits

LONGEST_PATH = 300  # characters of a path that are printed
LONGEST_STEM = 200  # bytes; with its endings a name of ours stays below the 255 of a file system
ANSWERED, BAD_FILE, NO_ANSWER, NO_WEIGHTS, NOT_VERIFIED, INTERRUPTED = 0, 3, 4, 5, 6, 130


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one path came to: a report, or the error that stood in its way."""

    path: Path
    result: Report | VideoError

    @property
    def code(self) -> int:
        if isinstance(self.result, VideoError):
            return BAD_FILE
        if self.result.status is Status.UNTRAINED:
            return NO_WEIGHTS
        return ANSWERED if self.result.status is Status.OK else NO_ANSWER


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code; see the top of this file."""
    parser = build_parser()
    options = parser.parse_args(argv)
    settings = read_settings(parser, options)
    paths = list(expand(options.paths))
    if not paths:
        parser.error("found no video or picture in what was given")
    try:
        detector = Detector.load(options.weights, device=options.device)
    except (WeightsError, ValueError) as error:
        print(error, file=sys.stderr)
        return NO_WEIGHTS
    if options.verify:
        if len(paths) != 1:
            parser.error("--verify compares one report with one file")
        return verify(detector, paths[0], options.verify)
    outcomes: list[Outcome] = []
    try:
        for path in paths:
            outcomes.append(look_at(detector, path, settings, options, len(paths)))
    except (KeyboardInterrupt, CancelledError):
        finish(outcomes, options, many=len(paths) > 1)
        done = f"{len(outcomes)} of {len(paths)} files are done"
        print(f"Interrupted; {done}, and what was asked for is written for them.", file=sys.stderr)
        return INTERRUPTED
    finish(outcomes, options, many=len(paths) > 1)
    return max(outcome.code for outcome in outcomes)


def read_settings(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Settings:
    """What was asked for; ends the program with a message if it makes no sense."""
    if options.retell and narrator_of() is None:
        parser.error("--retell needs DEEPFAKE_TEXT_URL or DEEPFAKE_TEXT_PROVIDER, and _MODEL")
    try:
        return Settings(
            frames=options.frames or PRESETS[options.preset],
            threshold=options.threshold,
            max_faces=options.max_faces,
            heat=not options.no_heat,
            heat_method=options.heat_method,
            heat_of=options.heat_of,
            track=options.track,
        )
    except ValueError as error:
        parser.error(str(error))


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m detector",
        description="How likely is each face in a video manipulated, when, and why.",
        epilog="Exit codes: 0 answered, 2 mistyped, 3 unusable file, 4 no score, "
        "5 no trained weights, 6 the report does not hold, 130 interrupted. With several files the "
        "highest counts.",
    )
    parser.add_argument("paths", nargs="+", type=Path, help="videos, pictures, or folders of them")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--frames", type=int, metavar="N", help="frames to look at, 8 to 300")
    amount.add_argument(
        "--preset",
        choices=PRESETS,
        default="standard",
        help="or by name: " + ", ".join(f"{k} {v}" for k, v in PRESETS.items()),
    )
    parser.add_argument("--threshold", type=float, metavar="P", help="fake above P (0 to 1)")
    parser.add_argument("--max-faces", type=int, default=8, metavar="K", help="people to follow")
    parser.add_argument("--track", type=int, default=0, metavar="N", help="video track, from 1")
    parser.add_argument("--no-heat", action="store_true", help="skip the heat maps")
    parser.add_argument(
        "--heat-method", choices=HEAT_METHODS, default=HEAT_METHODS[0], help="how they are made"
    )
    parser.add_argument(
        "--heat-of",
        choices=HEAT_TARGETS,
        default=HEAT_TARGETS[0],
        help="what they explain: why this frame, or what this frame adds to the video",
    )
    parser.add_argument(
        "--robustness", action="store_true", help="try re-encoded, smaller and blurred copies too"
    )
    parser.add_argument(
        "--retell", action="store_true", help="also in the words of a language model, see README"
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--weights", metavar="NAME|FILE", help="model name or .safetensors file")
    many = "; a folder when there are several files"
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report(s) as JSON")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the results table")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a self-contained page" + many
    )
    parser.add_argument(
        "--video", type=Path, metavar="FILE", help="write the annotated video" + many
    )
    parser.add_argument(
        "--verify", type=Path, metavar="REPORT", help="check a JSON report against the one file"
    )
    return parser


def expand(paths: Sequence[Path]) -> Iterator[Path]:
    """Files as given; folders become the videos and pictures inside them, in order."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        yield from sorted(p for p in path.rglob("*") if p.suffix.lower() in Limits().suffixes)


def look_at(
    detector: Detector, path: Path, settings: Settings, options: argparse.Namespace, count: int
) -> Outcome:
    """Analyse one file, print its answer, and write what was asked for it."""
    try:
        with Bar(path.name) as bar:
            report = detector.analyze(path, settings, on_progress=bar.show)
            report = look_closer(detector, path, report, options, bar)
            if options.html:
                page = place(options.html, path, ".html", count)
                page.write_text(to_html(report), encoding="utf-8")
            if options.video and not report.video.is_still:
                movie = place(options.video, path, ".annotated.mp4", count)
                annotate_video(
                    path, report, movie, margin=detector.config.margin, on_progress=bar.show
                )
    except VideoError as error:
        print(f"\n{shown_path(path)}\n  {error}")
        return Outcome(path, error)
    print("\n" + "\n".join(answer_lines(path, report)))
    return Outcome(path, report)


def look_closer(
    detector: Detector, path: Path, report: Report, options: argparse.Namespace, bar: Bar
) -> Report:
    """The report with what else was asked for: worse copies, and a retelling."""
    if options.robustness:
        report = detector.try_worse_copies(path, report, on_progress=bar.show)
    narrator = narrator_of()
    if options.retell and narrator is not None:
        report = retell(report, narrator)
    return report


def place(wanted: Path, source: Path, suffix: str, count: int) -> Path:
    """Where an output for `source` goes: `wanted` itself, or a file in it when there are many."""
    if count == 1 and not wanted.is_dir():
        wanted.parent.mkdir(parents=True, exist_ok=True)
        return wanted
    wanted.mkdir(parents=True, exist_ok=True)
    stem = os.fsdecode(os.fsencode(source.stem)[:LONGEST_STEM])
    return wanted / (stem + suffix)


def shown_path(path: Path) -> str:
    return shown(str(path), LONGEST_PATH)


def answer_lines(path: Path, report: Report) -> Iterator[str]:
    yield shown_path(path)
    yield f"  {headline(report)}"
    for sentence in sentences(report):
        moment = "" if sentence.second is None else f"  [{clock(sentence.second)}]"
        yield f"    - {sentence.text}{moment}"
    if report.retelling is not None:
        yield f"  In other words: {retelling_text(report.retelling)}"
    model = report.model
    yield f"  Model {model.id}, {report.frames_sampled} frames looked at."


def verify(detector: Detector, path: Path, report: Path) -> int:
    """Print what became of each question about the report; returns the exit code."""
    try:
        with Bar(path.name) as bar:
            found = verify_report(report.read_bytes(), path, [detector], on_progress=bar.show)
    except (ReportError, OSError) as error:
        print(error, file=sys.stderr)
        return NOT_VERIFIED
    for question, holds, sentence in found.answers():
        print(f"{question}: {'not asked' if holds is None else 'yes' if holds else 'NO'}")
        print(f"    {sentence}")
    for difference in found.differences[:LISTED]:
        print(
            f"    {difference.where}: {difference.reported!r} reported, {difference.found!r} found"
        )
    return ANSWERED if found.ok else NOT_VERIFIED


def finish(outcomes: Sequence[Outcome], options: argparse.Namespace, *, many: bool) -> None:
    """Write the files that speak of all inputs, and print the table when there are several.

    A list if `many` files were asked for, also when one is all that was done.
    """
    answers = [(outcome.path.name, outcome.result) for outcome in outcomes]
    if options.json and outcomes:
        text = batch_json(answers) if many else single_json(*answers[0])
        options.json.write_text(text, encoding="utf-8")
    if options.csv and outcomes:
        options.csv.write_text(batch_csv(answers), encoding="utf-8", newline="")
    if len(outcomes) > 1:
        print("\n" + "\n".join(table_lines([summary_row(r, name) for name, r in answers])))


def table_lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The summary rows as aligned columns."""
    heads = list(rows[0])
    cells = [["" if row[head] is None else str(row[head]) for head in heads] for row in rows]
    widths = [max(len(line[k]) for line in [heads, *cells]) for k in range(len(heads))]
    for line in [heads, ["-" * width for width in widths], *cells]:
        yield "  ".join(
            cell.ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()


class Bar:
    """A progress bar on standard error: stage, frames done of total, time left."""

    def __init__(self, name: str) -> None:
        self.name = shown(name)
        self.bar: tqdm[Any] | None = None
        self.stage = ""

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def show(self, stage: str, done: int, total: int) -> None:
        if self.bar is None or stage != self.stage:
            self.close()
            self.stage = stage
            self.bar = tqdm(total=total, desc=f"{self.name}: {stage}", file=sys.stderr, leave=False)
        self.bar.total = total
        self.bar.update(done - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None
