"""The arguments of the command line, and the settings that they give."""

from __future__ import annotations

import argparse
from pathlib import Path

from detector.heat_methods import DEFAULT_METHOD
from detector.records import APP_VERSION
from detector.settings import HEAT_METHODS, HEAT_TARGETS, MOST_FRAMES, PRESETS, Settings
from detector.terminal.outputs import Outputs
from detector.text.figures import moment
from detector.text.llm import narrator_of

EXIT_CODES = (
    "Exit codes: 0 scored, 2 mistyped, 3 unusable file, 4 no score, 5 no trained weights, 6 the "
    "report is not confirmed, 7 an output could not be written, 130 interrupted. With several "
    "files the highest counts."
)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m detector",
        description="How likely is each face in a video manipulated, when, and why.",
        epilog=EXIT_CODES,
    )
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        help="videos, pictures, or folders of them; - is standard input",
    )
    parser.add_argument("--version", action="version", version=f"detector {APP_VERSION}")
    parser.add_argument("--quiet", action="store_true", help="print errors only")
    _add_sampling(parser)
    _add_model(parser)
    _add_outputs(parser)
    _add_batches(parser)
    return parser


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument(
        "--frames", type=int, metavar="N", help=f"exactly so many frames, 8 to {MOST_FRAMES}"
    )
    amount.add_argument(
        "--preset",
        choices=PRESETS,
        default="standard",
        help="or as many as fit the length, with a second round where doubt is left",
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=moment,
        default=0.0,
        metavar="TIME",
        help="analyse from here, as 83.5 or 1:23.5",
    )
    parser.add_argument("--to", dest="end", type=moment, metavar="TIME", help="and up to here")
    parser.add_argument(
        "--threshold", type=float, metavar="P", help="verdict fake above P (0 to 1)"
    )
    parser.add_argument("--max-faces", type=int, default=8, metavar="K", help="people to follow")
    parser.add_argument(
        "--track", type=int, default=0, metavar="N", help="video track to analyse (0: the default)"
    )
    parser.add_argument("--no-heat", action="store_true", help="skip the heat maps")
    parser.add_argument(
        "--heat-method", choices=HEAT_METHODS, default=DEFAULT_METHOD, help="how they are made"
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


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument(
        "--weights", action="append", metavar="NAME|FILE", help="model name or .safetensors file"
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="two files, or one file and --weights twice, side by side; with --json and --html",
    )
    parser.add_argument(
        "--verify", type=Path, metavar="REPORT", help="check a JSON report against the one file"
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    many = "; a folder when there are several files"
    group = parser.add_argument_group("outputs", "- as FILE is standard output.")
    group.add_argument("--json", type=Path, metavar="FILE", help="write the report(s) as JSON")
    group.add_argument("--csv", type=Path, metavar="FILE", help="write the results table")
    group.add_argument(
        "--clips-csv",
        dest="clips",
        type=Path,
        metavar="FILE",
        help="write the logit of every person and run of frames",
    )
    group.add_argument(
        "--html", type=Path, metavar="FILE", help="write a self-contained page" + many
    )
    group.add_argument(
        "--video", type=Path, metavar="FILE", help="write the annotated video" + many
    )
    group.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write all of it there: results.csv, results.json, clips.csv, skipped.csv, and a "
        "report and a page for each file in reports/",
    )
    group.add_argument(
        "--with-video", action="store_true", help="with --out: the annotated videos, too"
    )


def _add_batches(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("several files")
    group.add_argument(
        "--resume",
        action="store_true",
        help="with --out: keep what an interrupted run has done of unchanged files",
    )
    group.add_argument(
        "--labels",
        type=Path,
        metavar="CSV",
        help="file,label[,identity] (REAL or FAKE): print AUC with its 95 %% interval and who was "
        "called what; names the files if none are given",
    )
    group.add_argument(
        "--evaluation",
        type=Path,
        metavar="FILE",
        help="with --labels: write that and the ROC curve as JSON",
    )
    group.add_argument(
        "--watch",
        action="store_true",
        help="then wait for new files in the folders, until Ctrl-C",
    )
    group.add_argument("--webhook", metavar="URL", help="post each result as JSON to this address")


def outputs_of(options: argparse.Namespace) -> Outputs:
    return Outputs(
        # The options are named as the kinds are.
        **{kind: getattr(options, kind) for kind in Outputs.KINDS},
        out=options.out,
        out_video=options.with_video,
    )


def read_settings(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Settings:
    """The settings of the arguments; ends the program with a message if they are impossible."""
    if options.retell and narrator_of() is None:
        parser.error("--retell needs DEEPFAKE_TEXT_URL or DEEPFAKE_TEXT_PROVIDER, and _MODEL")
    try:
        return Settings(
            frames=options.frames or 0,
            preset=options.preset,
            start=options.start,
            end=options.end,
            threshold=options.threshold,
            max_faces=options.max_faces,
            heat=not options.no_heat,
            heat_method=options.heat_method,
            heat_of=options.heat_of,
            track=options.track,
        )
    except ValueError as error:
        parser.error(str(error))
