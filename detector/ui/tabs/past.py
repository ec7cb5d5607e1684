"""One result of a visit, as its documents and, to be compared, its answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.language import _
from detector.render.spacing import unbroken
from detector.text.summary import headline
from detector.ui.tabs.kept import Kept

Analysis = tuple[str, str]
"""When an analysis ended, and of which file, or files, it is."""


@dataclass(frozen=True, slots=True)
class Past:
    """One result of this visit: which analysis it is of, its line in the list, where its
    documents lie, and its answers, to be compared."""

    analysis: Analysis
    line: str
    files: tuple[Path, ...]
    kept: tuple[Kept, ...] = ()

    @property
    def name(self) -> str:
        """By what the browser names it, whatever the language of its line."""
        return next(str(path) for path in self.files if path.suffix == ".json")

    @property
    def page(self) -> Path | None:
        return next((path for path in self.files if path.suffix == ".html"), None)


def with_result(results: list[Past], paths: list[Path], kept: tuple[Kept, ...] = ()) -> list[Past]:
    """`results` and the result whose documents lie at `paths`, the newest first; an analysis
    whose files are more or newer replaces itself. Its answers are those of `kept` that are in its
    documents; of one of them, its line is in the active language."""
    report = next((path for path in paths if path.suffix == ".json"), None)
    if report is None or not report.is_file():
        return results
    content = json.loads(report.read_text(encoding="utf-8"))
    kept = _among(kept, content)
    if isinstance(content, list):
        line, analysis = _of_batch(content)
    elif "answers" in content:
        line, analysis = _of_pair(content)
    else:
        line, analysis = _of_one(content, kept)
    others = [entry for entry in results if entry.analysis != analysis]
    taken = {entry.line for entry in others}
    while line in taken:
        line += "*"  # a radio with two equal lines could not be read
    # A visitor's next analysis may have begun before all files of this one were there.
    known = [entry.kept for entry in results if entry.analysis == analysis and not kept]
    return [Past(analysis, line, tuple(paths), *known or [kept]), *others]


def _among(kept: tuple[Kept, ...], content: Any) -> tuple[Kept, ...]:
    """Those whose reports are in the document."""
    answers = content if isinstance(content, list) else content.get("answers", [content])
    analyses = {_analysis_of(answer) for answer in answers}
    return tuple(
        one for one in kept if (one.report.created_utc, one.report.video.sha256) in analyses
    )


def _analysis_of(answer: dict[str, Any]) -> Analysis:
    return answer["created_utc"], answer["video"]["sha256"]


def _of_one(content: dict[str, Any], kept: tuple[Kept, ...]) -> tuple[str, Analysis]:
    """The line of one file's report, and which analysis it is of."""
    # The document's own headline is English.
    text = unbroken(headline(kept[0].report) if kept else content["headline"])
    line = f"{content['video']['name']} · {text} · {content['created_utc'][11:16]} UTC"
    return line, _analysis_of(content)


def _of_batch(answers: list[dict[str, Any]]) -> tuple[str, Analysis]:
    """The same for the answers of a batch, the last of which has the time."""
    names = [answer["video"]["name"] for answer in answers]
    created = max((answer["created_utc"] for answer in answers), default="")
    line = _("{count} files: {names}", count=len(names), names=", ".join(names)[:80])
    return _of_several(line, created, names)


def _of_pair(content: dict[str, Any]) -> tuple[str, Analysis]:
    """The same for two answers that were compared."""
    names = [answer["video"]["name"] for answer in content["answers"]]
    line = _("Comparison: {first} and {second}", first=names[0], second=names[1])
    return _of_several(line, content["created_utc"], names)


def _of_several(line: str, created: str, names: list[str]) -> tuple[str, Analysis]:
    clock = f" · {created[11:16]} UTC" if created else ""
    return f"{line}{clock}", (created, "\n".join(names))
