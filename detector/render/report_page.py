"""A report as one self-contained HTML page: no script, no request, good on paper too.

Everything that comes from the visitor's file or from a weights card is escaped; the page also
forbids itself every request by a content security policy.
"""

from __future__ import annotations

from html import escape
from importlib import resources

from detector.language import SOURCE, speaking
from detector.records import APP_VERSION, SCHEMA_VERSION, Report
from detector.render.answer_card import answer_card, definitions
from detector.render.html import regions, robustness
from detector.render.sections import (
    findings,
    moments,
    numbers,
    people,
    retelling,
    section,
    sections_css,
    signals,
)
from detector.render.timeline import charts
from detector.text.language import tell
from detector.text.phrases import families_text
from detector.text.summary import limits

_HEAD = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
"""  # noqa: E501 - the policy is one line of HTML


def to_html(report: Report, language: str = SOURCE) -> str:
    """The whole answer as one page of HTML, to be kept, sent or printed."""
    with speaking(language):
        return _page(report, language)


def _page(report: Report, language: str) -> str:
    own = resources.files("detector.render").joinpath("report.css").read_text("utf-8")
    style = sections_css() + own
    title = f"Deepfake report: {report.video.name}"
    body = [
        answer_card(report),
        _timeline(report),
        people(report),
        moments(report),
        regions(report),
        findings(report),
        signals(report),
        retelling(report),
        robustness(report),
        _limits(report),
        numbers(report),
        _origin(report),
    ]
    page = (
        _HEAD.format(language=language, title=escape(title), style=style)
        + f'<main>\n<p class="top">Deepfake detector · report on '
        f"<b>{escape(report.video.name)}</b></p>\n"
        + "\n".join(part for part in body if part)
        + f"\n</main>\n<footer>Made <time>{escape(report.created_utc) or 'at an unknown time'}"
        f"</time> by deepfake-detector {APP_VERSION}, report format {SCHEMA_VERSION}. This page "
        "holds everything it shows and asks nothing of the network.</footer>\n</body>\n</html>\n"
    )
    page = tell(page, language)
    return page.replace(" %", "\N{NO-BREAK SPACE}%")


def _timeline(report: Report) -> str:
    if report.video.is_still:
        return section("Score per person", charts(report)) if report.people else ""
    key = (
        '<p class="key small soft"><span><i class="swatch none"></i>sampled, no face judged</span>'
        '<span><i class="swatch dots"></i>not looked at in between</span>'
        "<span>Band: how unsteady neighbouring frames are</span>"
        "<span>Bars below: when each person was judged</span></p>"
    )
    return section(
        "Over time",
        charts(report),
        key,
    )


def _limits(report: Report) -> str:
    items = "".join(f"<li>{escape(limit)}</li>" for limit in limits(report))
    return section("What this cannot tell", f'<ul class="limits">{items}</ul>')


def _origin(report: Report) -> str:
    model, settings = report.model, report.settings
    spent = sum(report.timing_ms.values()) / 1000
    return section(
        "Model and settings",
        definitions(
            "card",
            [
                ("Model", model.id),
                ("Architecture", model.architecture),
                ("Revision", model.revision or "unknown"),
                ("Weights SHA-256", model.sha256 or "none: the model is untrained"),
                ("Trained on", model.trained_on or "not stated"),
                ("Kinds of manipulation", families_text(model)),
                ("Calibrated", "yes" if model.calibrated else "no"),
                ("Video SHA-256", report.video.sha256),
                ("Frames asked for", str(settings.frames)),
                ("Faces at most", str(settings.max_faces)),
                ("Time spent", f"{spent:.1f} s" if spent else "not measured"),
            ],
        ),
    )
