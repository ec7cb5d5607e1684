"""The downloads of a batch: tables of all answers, and every report in one archive."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from detector.records import Report
from detector.render.batch import batch_csv, batch_json, clips_csv
from detector.service.batch import Batch, distinct
from detector.ui.handlers import stem_of, write_documents
from detector.ui.tabs.batch_table import report_of

ARCHIVE = "reports.zip"


def write_downloads(batch: Batch, folder: Path, language: str) -> list[str]:
    """All answers as CSV and as JSON, the scores of all runs of frames, and an archive of these
    and of every report; pages are in `language`."""
    reports = [item.answer for item in batch.items if isinstance(item.answer, Report)]
    texts = {
        "results.csv": batch_csv(batch.answers),
        "results.json": batch_json(batch.answers),
        "clips.csv": clips_csv(reports),
    }
    written = []
    for name, text in texts.items():
        if text:  # no clips without a score
            (folder / name).write_text(text, encoding="utf-8", newline="")
            written.append(folder / name)
    if reports:
        _write_archive(batch, folder / ARCHIVE, written, language)
        written.insert(0, folder / ARCHIVE)  # first in the list of downloads
    return [str(path) for path in written]


def _write_archive(batch: Batch, path: Path, tables: list[Path], language: str) -> None:
    with (
        ZipFile(path, "w", ZIP_DEFLATED) as archive,
        tempfile.TemporaryDirectory(prefix="reports-") as name,
    ):
        for table in tables:
            archive.write(table, table.name)
        for report, stem in _reports(batch):
            for document in write_documents(report, Path(name), language, stem):
                archive.write(document, f"reports/{document.name}")
                document.unlink()  # so that only one report's documents are on disk


def _reports(batch: Batch) -> Iterator[tuple[Report, str]]:
    """Every report with its pictures, and the beginning of its files' names."""
    reports = [report for report in map(report_of, batch.items) if report is not None]
    yield from zip(reports, distinct(list(map(stem_of, reports)), "{}-{}{}"), strict=True)
