"""The work of one command: each file is analysed, printed and written, and fails by itself."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from detector.errors import VideoError
from detector.labels import Labels
from detector.pipeline import Detector
from detector.progress import ANALYSING
from detector.records import APP_VERSION, Report
from detector.render.document import rows_to_csv, to_html
from detector.render.movie import annotate_video
from detector.scoring.evaluation import Evaluation, LabelledScore, evaluate
from detector.settings import Settings
from detector.terminal.console import Bar, Console, shown_path
from detector.terminal.inputs import STDIN, Input, Skipped
from detector.terminal.outcomes import Journal, Outcome, outcome_of
from detector.terminal.outputs import STDOUT, Names, Outputs, write_whole
from detector.terminal.webhook import post
from detector.text.llm import narrator_of, retell, retelling_text
from detector.text.summary import clock, headline, sentences
from detector.text.warnings import reach_text
from detector.video import Limits

NOT_WRITTEN = 7  # exit code, listed in `detector.cli`


@dataclass
class Run:
    """`many`: several files were requested, also when one is all that was done."""

    detector: Detector
    settings: Settings
    options: argparse.Namespace
    outputs: Outputs
    console: Console
    names: Names
    many: bool
    labels: Labels | None = None
    skipped: Sequence[Skipped] = ()
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failed: bool = False
    journal: Journal | None = None

    def __post_init__(self) -> None:
        if self.outputs.out is not None:
            run = {
                "settings": asdict(self.settings),
                "model": self.detector.info.sha256,
                "version": APP_VERSION,
                "more": [self.options.robustness, self.options.retell, self.outputs.out_video],
            }
            place = self.outputs.out / "progress.jsonl"
            self.journal = Journal(place, run, resume=self.options.resume)

    def analyse(self, file: Input) -> None:
        """Analyse one file, or take an earlier run's outcome; print it and write its outputs."""
        known = self.journal.find(file) if self.journal is not None else None
        if known is not None:
            self.outcomes[file.label] = known
            self.console.log(f"{shown_path(file.path)}: done before")
            return
        result, outcome = self.answer(file)
        self.outcomes[file.label] = outcome
        if isinstance(result, VideoError):
            self.console.print(f"\n{shown_path(file.path)}\n  {result}")
        else:
            self.console.print("\n" + "\n".join(answer_lines(file.path, result)))
        if self.options.webhook:
            problem = post(self.options.webhook, outcome.answer)
            if problem:
                self.console.warn(f"{file.label} was not sent to the webhook: {problem}")
        # Last, so that a file counts as done only once its outputs are written.
        if self.journal is not None:
            with self._writing(self.journal.path):
                self.journal.add(file, outcome)

    def answer(self, file: Input) -> tuple[Report | VideoError, Outcome]:
        """Analyse one file, and write what is about it alone."""
        with ExitStack() as stack:
            bar = stack.enter_context(self.console.bar(file.label, ANALYSING))
            try:
                path = self._local(file, stack)
                report = self.detector.analyze(path, self.settings, on_progress=bar.show)
                report = self._extended(path, report, bar)
                outcome = outcome_of(file, report)
                self._write_own(file, path, report, outcome, bar)
            except VideoError as error:
                return error, outcome_of(file, error)
            return report, outcome

    def _local(self, file: Input, stack: ExitStack) -> Path:
        """The file itself; standard input is stored in a temporary file while it is analysed."""
        if file.path != STDIN:
            return file.path
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="stdin-"))
        path = Path(folder, "stdin")
        most = Limits().max_bytes + 1  # one more, so that it is refused
        path.write_bytes(sys.stdin.buffer.read(most) if sys.stdin is not None else b"")
        return path

    def _extended(self, path: Path, report: Report, bar: Bar) -> Report:
        """The report with what the options add: worse copies, and a retelling."""
        if self.options.robustness:
            report = self.detector.try_worse_copies(path, report, on_progress=bar.show)
        narrator = narrator_of()
        if self.options.retell and narrator is not None:
            report = retell(report, narrator)
        return report

    def _write_own(
        self, file: Input, path: Path, report: Report, outcome: Outcome, bar: Bar
    ) -> None:
        """The page, the video and the report of this one file."""
        for place in self._places(file, "html"):
            self.write(place, to_html(report).encode())
        if not report.video.is_still:
            for place in self._places(file, "video"):
                self._write_video(path, report, place, bar)
        if self.outputs.out is not None:
            place = self.names.place(self.outputs.out / "reports", file.label, "json")
            self.write(place, _json(outcome.answer))

    def _places(self, file: Input, kind: str) -> Iterator[Path]:
        target: Path | None = getattr(self.outputs, kind)
        if target is not None:
            folder = self.many or target.is_dir()
            yield self.names.place(target, file.label, kind) if folder else target
        if self.outputs.out is not None and (kind != "video" or self.outputs.out_video):
            yield self.names.place(self.outputs.out / "reports", file.label, kind)

    def _write_video(self, path: Path, report: Report, place: Path, bar: Bar) -> None:
        margin = self.detector.config.margin
        with self._writing(place), tempfile.TemporaryDirectory(prefix="video-") as folder:
            target = Path(folder, "annotated.mp4") if place == STDOUT else place
            annotate_video(path, report, target, margin=margin, on_progress=bar.show)
            if place == STDOUT:
                self.console.out.write_bytes(target.read_bytes())

    def write(self, place: Path, data: bytes) -> None:
        """Write an output, or print why that failed and continue."""
        if place == STDOUT:
            self.console.out.write_bytes(data)
            return
        with self._writing(place):
            write_whole(place, data)

    def _writing(self, place: Path) -> _Written:
        return _Written(self, place)

    def finish(self) -> None:
        """Write the outputs about all files, and print the table when there are several."""
        done = list(self.outcomes.values())
        if not done:
            return
        answers = [outcome.answer for outcome in done]
        rows = [self._row(outcome) for outcome in done]
        clips = [row for outcome in done for row in outcome.clips]
        evaluation = self.evaluation()
        texts = {
            "json": _json(answers if self.many else answers[0]),
            "csv": _csv(rows),
            "clips": _csv(clips),
            "evaluation": _json(evaluation.to_json()) if evaluation else b"",
        }
        for kind, text in texts.items():
            place = getattr(self.outputs, kind)
            if place is not None:
                self.write(place, text)
        if self.outputs.out is not None:
            self._write_out(self.outputs.out, texts, answers)
        if len(done) > 1:
            self.console.print("\n" + "\n".join(table_lines([one.summary for one in done])))
        if evaluation is not None:
            self.console.print("\n" + "\n".join(evaluation_lines(evaluation)))

    def _write_out(self, out: Path, texts: dict[str, bytes], answers: list[dict[str, Any]]) -> None:
        self.write(out / "results.json", _json(answers))
        self.write(out / "results.csv", texts["csv"])
        self.write(out / "clips.csv", texts["clips"])
        skipped = [{"path": str(one.path), "reason": one.reason} for one in self.skipped]
        self.write(out / "skipped.csv", _csv(skipped))
        if texts["evaluation"]:
            self.write(out / "evaluation.json", texts["evaluation"])

    def _row(self, outcome: Outcome) -> dict[str, Any]:
        if self.labels is None:
            return outcome.row
        label = self.labels.of(Path(outcome.path))
        word = "" if label is None else "FAKE" if label.fake else "REAL"
        return outcome.row | {"label": word}

    def evaluation(self) -> Evaluation | None:
        """The metrics of the answers by the labels, as far as there are any."""
        if self.labels is None:
            return None
        pairs = [(self.labels.of(Path(one.path)), one) for one in self.outcomes.values()]
        labelled = [
            LabelledScore(known.fake, one.fake, one.threshold or 0.0, known.identity)
            for known, one in pairs
            if known
        ]
        if len(labelled) < len(pairs):
            self.console.log(f"{len(pairs) - len(labelled)} of {len(pairs)} files have no label.")
        return evaluate(labelled) if labelled else None

    @property
    def code(self) -> int:
        codes = [outcome.code for outcome in self.outcomes.values()]
        # Of several kinds of failure the highest code, as listed in `detector.cli`.
        return max([*codes, NOT_WRITTEN * self.failed], default=0)


class _Written:
    """An output that cannot be written is reported, and affects no other."""

    def __init__(self, run: Run, place: Path) -> None:
        self.run, self.place = run, place

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, OSError):
            return False
        self.run.failed = True
        why = error.strerror or str(error)
        self.run.console.warn(f"{shown_path(self.place)} could not be written: {why}.")
        return True


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()


def _csv(rows: list[dict[str, Any]]) -> bytes:
    return rows_to_csv(rows).encode()


def answer_lines(path: Path, report: Report) -> Iterator[str]:
    yield shown_path(path)
    yield f"  {headline(report)}"
    reach = reach_text(report)
    if reach:
        yield f"    - {reach}"
    for sentence in sentences(report):
        moment = "" if sentence.second is None else f"  [{clock(sentence.second)}]"
        yield f"    - {sentence.text}{moment}"
    if report.retelling is not None:
        yield f"  In other words: {retelling_text(report.retelling)}"
    model = report.model
    yield f"  Model {model.id}, {report.frames_sampled} frames analysed."


def table_lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The summary rows as aligned columns."""
    heads = list(rows[0])
    cells = [["" if row[head] is None else str(row[head]) for head in heads] for row in rows]
    widths = [max(len(line[k]) for line in [heads, *cells]) for k in range(len(heads))]
    for line in [heads, ["-" * width for width in widths], *cells]:
        yield "  ".join(
            cell.ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()


def evaluation_lines(evaluation: Evaluation) -> Iterator[str]:
    """The figures, for a terminal."""
    low, high = evaluation.auc_interval or (None, None)
    auc = "unknown: it needs a score of at least one real and one fake"
    if evaluation.auc is not None:
        auc = f"{evaluation.auc:.3f}"
        auc += "" if low is None else f" (95 % {low:.3f} to {high:.3f})"
    matrix = evaluation.matrix
    yield f"{evaluation.files} files with a label. AUC {auc}."
    rows = [
        ("FAKE", matrix.fake_called_fake, matrix.fake_called_real, matrix.fake_without_score),
        ("REAL", matrix.real_called_fake, matrix.real_called_real, matrix.real_without_score),
    ]
    called = "called fake"
    called += "" if evaluation.threshold is None else f" (from {evaluation.threshold:.2f})"
    heads = ("label", called, "called real", "no score")
    yield from table_lines([dict(zip(heads, row, strict=True)) for row in rows])
