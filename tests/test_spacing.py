"""Numbers and their units stay on one line."""

from __future__ import annotations

import re

import pytest

from detector.comparison import compare_answers
from detector.language import LANGUAGES, in_language
from detector.render.comparison import comparison_page
from detector.render.document import to_html
from detector.render.spacing import NO_BREAK, unbroken, unbroken_html
from detector.text.figures import length_text, percent
from detector.ui.viewer import viewer_data
from tests.reports import EVERY_KIND, calm, sparse, two_people

# A number and a unit that a line may separate.
APART = re.compile(r"\d (?:%|s|ms|px|fps|[KMG]?B|秒|से\.)(?![\w-])")


@pytest.mark.parametrize("text", ["3.6 s", "80 %", "29.97 fps", "14 MB", "3.6 秒", "4 से."])
def test_a_number_and_its_unit_are_one(text: str) -> None:
    assert unbroken(f"about {text}, or so") == f"about {text.replace(' ', NO_BREAK)}, or so"


@pytest.mark.parametrize("text", ["2 seconds", "Person 1 said", "5 stills", "20 people"])
def test_words_after_a_number_are_left_alone(text: str) -> None:
    assert unbroken(text) == text


def test_names_in_attributes_are_left_alone() -> None:
    """The page finds a file of a batch again by the name in an attribute."""
    html = '<button data-name="50 % off.mp4" title="3 s">in 3 s</button><style>a { b: 1 s }</style>'
    assert unbroken_html(html) == html.replace("in 3 s", f"in 3{NO_BREAK}s")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_no_line_of_a_report_breaks_before_a_unit(kind: str, language: str) -> None:
    page = re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", "\n", to_html(EVERY_KIND[kind](), language))
    assert APART.findall(page) == []
    with in_language(language):
        for text in (percent(0.8), length_text(3.6)):
            assert NO_BREAK in unbroken(f"{text} ")


def test_no_line_of_a_comparison_breaks_before_a_unit() -> None:
    found = compare_answers(two_people(), sparse(), ("a.mp4", "b.mp4"))
    page = re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", "\n", comparison_page(found))
    assert APART.findall(page) == []


def test_no_text_of_the_viewer_breaks_before_a_unit(tmp_path: object) -> None:
    data = viewer_data(two_people(), tmp_path)  # type: ignore[arg-type]
    texts = [data.headline, *(one.text for one in data.stretches)]
    texts += [text for one in data.people for text in (one.summary, *(f.text for f in one.frames))]
    assert APART.findall("\n".join(texts)) == []
    assert viewer_data(calm(), tmp_path).headline.count(NO_BREAK) > 0  # type: ignore[arg-type]
