"""`--compare`: two answers side by side, of two files or of two models about one file."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace

from detector.comparison import Comparison, compare_answers
from detector.errors import VideoError
from detector.pipeline import Detector
from detector.render.comparison import (
    NONE,
    Line,
    comparison_json,
    comparison_page,
    fact_lines,
    signal_lines,
)
from detector.terminal.console import shown_path
from detector.terminal.inputs import Found
from detector.terminal.outputs import Outputs
from detector.terminal.run import Run, answer_lines, table_lines
from detector.text.comparison import LETTERS, comparison_texts

ONLY_ALONE = (
    *("verify", "watch", "resume", "labels", "webhook", "out", "csv", "clips", "video"),
    *("evaluation",),
)
LONGEST = 60  # characters of a cell


def check_comparison(
    parser: argparse.ArgumentParser, options: argparse.Namespace, found: Found
) -> None:
    """Ends the program with a message where it is not clear what is to be compared with what."""
    for name in ONLY_ALONE:
        if getattr(options, name):
            option = "clips-csv" if name == "clips" else name
            parser.error(f"--compare goes with --json and --html only, not with --{option}")
    files, models = len(found.files), len(options.weights or [])
    if (files, models) not in ((2, 0), (2, 1), (1, 2)):
        parser.error("--compare takes two files, or one file and --weights twice")


def compare(run: Run, detectors: Sequence[Detector], found: Found) -> int:
    """Analyse, print and write as `run` requests; returns the exit code. There is one
    detector, or one for each answer."""
    files = found.files if len(found.files) == 2 else [*found.files, *found.files]
    models = detectors if len(detectors) == 2 else [*detectors, *detectors]
    answers = [
        # Nothing of a single answer is written.
        replace(run, detector=model, outputs=Outputs()).answer(file)
        for model, file in zip(models, files, strict=True)
    ]
    (first, _), (second, _) = answers
    for letter, file, (answer, _outcome) in zip(LETTERS, files, answers, strict=True):
        lines = [shown_path(file.path), f"  {answer}"]
        if not isinstance(answer, VideoError):
            lines = list(answer_lines(file.path, answer))
        run.console.print("\n".join(["", f"{letter}  {lines[0]}", *lines[1:]]))
    compared = compare_answers(first, second, (files[0].label, files[1].label))
    run.console.print("\n" + "\n".join(comparison_lines(compared)))
    for place, text in (
        (run.outputs.json, comparison_json(compared)),
        (run.outputs.html, comparison_page(compared)),
    ):
        if place is not None:
            run.write(place, text.encode())
    return max(run.code, *(outcome.code for _, outcome in answers))


def comparison_lines(found: Comparison) -> Iterator[str]:
    """The comparison in words, then what differs as a table."""
    yield from comparison_texts(found)
    differing = [line for line in [*fact_lines(found), *signal_lines(found)] if line.differs]
    if differing:
        yield ""
        yield from table_lines([_row(line) for line in differing])


def _row(line: Line) -> dict[str, str]:
    cells = (line.first or NONE, line.second or NONE)
    return {"differs": line.name} | dict(zip(LETTERS, map(_short, cells), strict=True))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
