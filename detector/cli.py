"""`python -m detector clip.mp4`: the whole product in a terminal.

The answer goes to standard output, progress to standard error. Exit codes:

0    every file was answered with a score
2    the command was mistyped, or an output cannot be meant
3    at least one file could not be used (damaged, no video, too large, ...)
4    at least one file gave no score (no face, faces too small or blurred, ...)
5    no trained weights, or the weights are damaged
6    --verify: the report is not confirmed
7    an output could not be written
130  interrupted; what was requested is written for the files that were done
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from detector.errors import CancelledError, ReportError, WeightsError
from detector.labels import Labels, LabelsError, read_labels
from detector.pipeline import Detector
from detector.progress import ANALYSING
from detector.terminal.arguments import build_parser, outputs_of, read_settings
from detector.terminal.comparing import check_comparison, compare
from detector.terminal.console import Console, shown_path
from detector.terminal.inputs import STDIN, Found, gather
from detector.terminal.outcomes import NO_WEIGHTS
from detector.terminal.outputs import Names, OutputError, Outputs
from detector.terminal.run import Run
from detector.terminal.watching import watch
from detector.terminal.webhook import check_address
from detector.verify.verify import LISTED, verify_report
from detector.video import Limits

# Exit codes; 130 is 128 + SIGINT, as of shells.
NOT_VERIFIED, INTERRUPTED = 6, 130
LISTED_SKIPPED = 20  # names printed; more would move the result off the screen


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code; see the top of this file."""
    parser = build_parser()
    options = parser.parse_args(argv)
    settings = read_settings(parser, options)
    outputs = outputs_of(options)
    labels = _labels(parser, options)
    found = _found(parser, options, outputs)
    _prepare(parser, options, outputs, found)
    console = Console(options.quiet, to_error=bool(outputs.to_stdout))
    try:
        detectors = [
            Detector.load(name, device=options.device) for name in options.weights or [None]
        ]
    except (WeightsError, ValueError) as error:
        console.warn(str(error))
        return NO_WEIGHTS
    detector = detectors[0]
    if options.verify:
        return verify(detector, found.files[0].path, options.verify, console)
    list_skipped(console, found)
    names = Names(found.files)
    run = Run(detector, settings, options, outputs, console, names, found.many, labels)
    if options.compare:
        return compare(run, detectors, found)
    run.skipped = found.skipped
    return work(run, found)


def work(run: Run, found: Found) -> int:
    """All files, and, if requested, those that come later; returns the exit code.

    However it ends, what was requested is written for the files that were done.
    """
    signal_before = _stop_like_ctrl_c()
    try:
        for file in found.files:
            run.analyse(file)
        if run.options.watch:
            run.finish()
            watch(run, run.options.paths, known=found.files)
    except (KeyboardInterrupt, CancelledError):
        if not run.options.watch:
            done = f"{len(run.outcomes)} of {len(found.files)} files are done"
            more = ", and the same command with --resume continues" if run.outputs.out else ""
            run.console.warn(
                f"Interrupted; {done}, and the requested outputs are written for them{more}."
            )
            return INTERRUPTED
    finally:
        run.finish()
        if signal_before is not None:
            signal.signal(signal.SIGTERM, signal_before)
    return run.code


def _stop_like_ctrl_c() -> Any:
    """SIGTERM ends the run as Ctrl-C does, so that nothing that is done is lost."""
    # Python sets signal handlers in the main thread only.
    if threading.current_thread() is not threading.main_thread():
        return None

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    return signal.signal(signal.SIGTERM, stop)


def _labels(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Labels | None:
    if options.evaluation and not options.labels:
        parser.error("--evaluation needs --labels")
    if not options.labels:
        return None
    try:
        labels = read_labels(options.labels)
    except LabelsError as error:
        parser.error(str(error))
    options.paths = options.paths or labels.files
    return labels


def _found(parser: argparse.ArgumentParser, options: argparse.Namespace, outputs: Outputs) -> Found:
    if not options.paths:
        parser.error("the following arguments are required: paths")
    if options.watch and not all(path.is_dir() for path in options.paths):
        parser.error("--watch needs folders")
    # Files that this run will write are no input, even where they are in the same folder.
    found = gather(options.paths, Limits().suffixes, outputs.written(), within=bool(options.watch))
    if not found.files and not options.watch:
        parser.error("found no video or picture in what was given")
    if options.verify and len(found.files) != 1:
        parser.error("--verify compares one report with one file")
    if options.verify == STDIN and found.files[0].path == STDIN:
        parser.error("only one of file and report can come through standard input")
    if options.compare:
        check_comparison(parser, options, found)
    elif len(options.weights or []) > 1:
        parser.error("--weights is given twice with --compare only")
    return found


def _prepare(
    parser: argparse.ArgumentParser, options: argparse.Namespace, outputs: Outputs, found: Found
) -> None:
    """Everything that would fail after the work fails here, before it."""
    try:
        if options.resume and outputs.out is None:
            raise OutputError("--resume needs --out, where the earlier run wrote")
        if options.webhook:
            check_address(options.webhook)
        many = found.many and not options.compare
        outputs.check(many=many)
        outputs.spare(found.files)
        outputs.make_folders(many=many)
    except (OutputError, ValueError) as error:
        parser.error(str(error))


def list_skipped(console: Console, found: Found) -> None:
    """What was passed over in folders, each with its reason."""
    if not found.skipped:
        return
    console.log(f"Skipped {len(found.skipped)}:")
    for skipped in found.skipped[:LISTED_SKIPPED]:
        console.log(f"  {shown_path(skipped.path)}: {skipped.reason}")
    rest = len(found.skipped) - LISTED_SKIPPED
    if rest > 0:
        console.log(f"  and {rest} more; --out lists all of them in skipped.csv")


def verify(detector: Detector, path: Path, report: Path, console: Console) -> int:
    """Print the result of each check of the report; returns the exit code."""
    try:
        content = sys.stdin.buffer.read() if report == STDIN else report.read_bytes()
        with console.bar(path.name, ANALYSING) as bar:
            found = verify_report(content, path, [detector], on_progress=bar.show)
    except (ReportError, OSError) as error:
        console.warn(str(error))
        return NOT_VERIFIED
    for question, confirmed, sentence in found.answers():
        console.print(
            f"{question}: {'not checked' if confirmed is None else 'yes' if confirmed else 'NO'}"
        )
        console.print(f"    {sentence}")
    for difference in found.differences[:LISTED]:
        console.print(
            f"    {difference.where}: {difference.reported!r} reported, {difference.found!r} found"
        )
    return 0 if found.ok else NOT_VERIFIED
