"""A report as one self-contained HTML page: no script, no request, good on paper too.

Everything that comes from the visitor's file or from a weights card is escaped by the templates;
the page also forbids itself every request by a content security policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from markupsafe import Markup

from detector.language import SOURCE, _, in_language, joined
from detector.records import APP_VERSION, SCHEMA_VERSION, Report
from detector.render.answer_card import answer_card
from detector.render.html import regions, robustness
from detector.render.sections import (
    findings,
    moments,
    numbers,
    people,
    retelling,
    sections_css,
    signals,
)
from detector.render.spacing import unbroken_html
from detector.render.templates import html
from detector.render.templating import escaped
from detector.render.timeline import charts
from detector.text.figures import length_text
from detector.text.phrases import families_text
from detector.text.summary import limits

_PARTS = (people, moments, regions, findings, signals, retelling, robustness)


def to_html(report: Report, language: str = SOURCE) -> str:
    """The whole answer as one page of HTML, to be kept, sent or printed."""
    with in_language(language):
        page = html(
            "report.html",
            report=report,
            language=language,
            style=page_style(),
            name_bold=Markup("<b>{}</b>").format(report.video.name),
            answer=answer_card(report),
            charts=charts(report),
            parts=[part for part in (make(report) for make in _PARTS) if part],
            limits=limits(report),
            numbers=numbers(report),
            origin=_origin(report),
            made=made_by(report.created_utc),
        )
    return unbroken_html(page) + "\n"


def page_style() -> Markup:
    """The style of a page of its own: that of the sections, then what a page adds."""
    own = resources.files("detector.render").joinpath("report.css").read_text("utf-8")
    return Markup(sections_css() + own)


def made_by(created_utc: str) -> Markup:
    """When and by which version a page was made; `created_utc` is "" where that is not known."""
    time = Markup("<time>{}</time>").format(created_utc or _("at an unknown time"))
    how = escaped(
        "Made {time} by deepfake-detector {version}, report format {schema}.",
        time=time,
        version=APP_VERSION,
        schema=SCHEMA_VERSION,
    )
    alone = escaped("This page contains all that it shows and requests nothing from the network.")
    return Markup(joined(how, alone))


def _origin(report: Report) -> Sequence[tuple[str, str]]:
    model, settings = report.model, report.settings
    spent = sum(report.timing_ms.values()) / 1000
    return [
        (_("Model"), model.id),
        (_("Architecture"), model.architecture),
        (_("Revision"), model.revision or _("unknown")),
        (_("Weights SHA-256"), model.sha256 or _("none: the model is untrained")),
        (_("Trained on"), model.trained_on or _("not stated")),
        (_("Kinds of manipulation"), families_text(model)),
        (_("Calibrated"), _("yes") if model.calibrated else _("no")),
        (_("Video SHA-256"), report.video.sha256),
        (_("Frames requested"), str(settings.frames) if settings.frames else _("by length")),
        (_("Faces at most"), str(settings.max_faces)),
        (_("Time spent"), length_text(spent) if spent else _("not measured")),
    ]
