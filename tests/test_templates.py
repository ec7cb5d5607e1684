"""Templates escape what they are given, and a text from outside is never translated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from detector.findings import Retelling
from detector.language import LANGUAGES, in_language
from detector.records import Report
from detector.render.answer_card import answer_card
from detector.render.report_page import to_html
from detector.render.sections import findings, moments, people, retelling, signals
from detector.render.templates import html
from detector.render.templating import escaped
from tests import reports

OUTSIDE = ("No score", "yes", "<b>", "Undecided", "{person}", "Person 2")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", OUTSIDE)
def test_a_file_name_is_escaped_and_never_translated(name: str, language: str) -> None:
    plain = reports.declared()
    report = replace(
        plain,
        video=replace(plain.video, name=name),
        model=replace(plain.model, id=name, trained_on=name),
        retelling=Retelling("ok", name, name),
        signals=(replace(plain.signals[0], facts=((plain.signals[0].title, name),)),),
    )
    page = to_html(report, language)
    shown = str(Markup.escape(name))
    for place in (
        f"<b>{shown}</b></p>",
        f"<dd>{shown}</dd>",
        f"<p>{shown} (",
    ):
        assert place in page, place


def test_markup_in_a_parameter_is_text_and_markup_of_ours_stays() -> None:
    assert escaped("Model {name}", name="<i>") == "Model &lt;i&gt;"
    assert (
        escaped("Model {name}", name=Markup("<b>{}</b>").format("<i>")) == "Model <b>&lt;i&gt;</b>"
    )


def test_a_template_without_a_value_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(UndefinedError):
        html("retelling.html")


@pytest.mark.parametrize("make", [answer_card, people, findings, moments, retelling, signals])
def test_a_section_may_be_included_by_another_template(make: Callable[[Report], str]) -> None:
    assert isinstance(make(reports.two_people()), Markup)


def test_the_active_language_is_that_of_the_section() -> None:
    with in_language("de"):
        german = people(reports.two_people())
    assert "Person 1" in german
    assert "Kein Wert" in people(reports.untrained()) or "No score" in people(reports.untrained())
    assert german != people(reports.two_people())
