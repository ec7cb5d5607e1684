"""The product speaks five languages, and says the same in all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from runpy import run_path

import pytest

from detector.language import LANGUAGES, Message, _, active_language, lazy, preferred, speaking
from detector.records import Report, Verdict
from detector.render.model_page import model_page
from detector.render.report_page import to_html
from detector.text.language import catalogue, opened, say, tell
from detector.text.messages import BANDS, STATUS, VERIFY, WARNINGS
from detector.text.service import SERVICE
from detector.text.summary import headline, sentences, verdict_text
from detector.ui.viewer import viewer_data
from tests import reports
from tests.pseudo import marked, unmarked
from tests.test_model_page import FULL, card

OTHERS = [name for name in LANGUAGES if name != "en"]
in_every_language = pytest.mark.parametrize("language", OTHERS)
every_kind = pytest.mark.parametrize(
    "make", reports.EVERY_KIND.values(), ids=reports.EVERY_KIND.keys()
)


CATALOGUES = run_path(str(Path(__file__).parent.parent / ".ci" / "catalogues.py"))


def fixed() -> Iterator[str]:
    """Every text that the detector can say by itself, in the active language."""
    for texts in (BANDS, STATUS, WARNINGS, SERVICE):
        yield from map(str, texts.values())  # type: ignore[attr-defined]
    yield from (str(text) for answers in VERIFY.values() for text in answers)
    yield from (verdict_text(verdict) for verdict in Verdict)
    for make in reports.EVERY_KIND.values():
        yield headline(make())
        yield from (sentence.text for sentence in sentences(make()))


@in_every_language
def test_the_catalogue_says_all_that_the_code_says_and_nothing_else(language: str) -> None:
    """`python .ci/catalogues.py update`, and translate what is named here."""
    assert list(CATALOGUES["faults"](language, CATALOGUES["extracted"]())) == []


@in_every_language
def test_text_from_outside_is_never_translated(language: str) -> None:
    for name in ("No score", "yes", "<b>", "{person}", "Undecided"):
        with speaking(language):
            assert _("Model: {model}.", model=name).count(name) == 1


def test_a_parameter_that_is_a_message_speaks_the_same_language() -> None:
    outer = lazy("The evidence lies in {parts}.", parts=lazy("the nose"))
    with speaking("de"):
        assert str(outer) == "Die Anzeichen liegen hier: die Nase."
    assert str(outer) == "The evidence lies in the nose."


def test_a_template_can_reach_nothing_but_its_parameters() -> None:
    assert str(Message("{name.__class__} {name}", {"name": "x"})) == "{name.__class__} x"


def test_a_language_is_spoken_within_its_block_alone() -> None:
    with pytest.raises(ZeroDivisionError), speaking("hi"):
        raise ZeroDivisionError
    assert active_language() == "en"


@in_every_language
def test_no_catalogue_lacks_a_text_that_another_has(language: str) -> None:
    assert set(catalogue(language)) == set(catalogue("de"))
    assert all(text.strip() for text in catalogue(language).values())


@in_every_language
def test_every_number_keeps_its_place_in_the_translation(language: str) -> None:
    for text, said in catalogue(language).items():
        assert set(re.findall(r"\{\d+\}", said)) == set(re.findall(r"\{\d+\}", text)), text


@in_every_language
def test_no_verdict_status_warning_or_sentence_stays_english(language: str) -> None:
    english = list(fixed())
    with speaking(language):
        assert [text for text, said in zip(english, fixed(), strict=True) if text == said] == []


@in_every_language
def test_numbers_are_the_same_in_every_language(language: str) -> None:
    def figures(text: str) -> list[str]:
        return sorted(re.findall(r"\d+", text))

    english = list(fixed())
    with speaking(language):
        for text, said in zip(english, fixed(), strict=True):
            assert figures(said) == figures(text), text


@every_kind
def test_all_that_a_report_says_by_itself_is_a_message(make: Callable[[], Report]) -> None:
    report = make()
    model, video = report.model, report.video
    known = (model.id, model.architecture, model.revision, model.sha256, model.trained_on)
    with marked():
        page = to_html(report)
    assert unmarked(page, *known, video.name, video.sha256, report.created_utc, "s") == []


@every_kind
def test_all_that_the_viewer_says_by_itself_is_a_message(make: Callable[[], Report]) -> None:
    with marked():
        data = viewer_data(make(), Path("clip.mp4"))
    told = [data.told, *(part.text for part in data.stretches), *data.charts]
    told += [text for one in data.people for text in (one.name, one.told)]
    told += [frame.text for one in data.people for frame in one.frames]
    assert unmarked("<p>".join(told)) == []


def test_all_that_the_model_tab_says_by_itself_is_a_message() -> None:
    filled = card(metrics=FULL, trained_on="")
    with marked():
        page, untrained = model_page(filled), model_page({"id": "tiny", "trained": False})
    assert unmarked(page, filled["sha256"], "blur <b>", "float32", "AUC") == []
    assert unmarked(untrained) == []


@in_every_language
def test_what_is_wrong_with_a_file_is_told_around_its_name(language: str) -> None:
    for sentence in (
        "under my {roof}.v2.mp4 is empty (0 bytes). Send it again.",
        "a b.MOV is 1920 x 1088 pixels; at most 0.3 million pixels are accepted.",
    ):
        said = say(sentence, language)
        assert sentence.partition(" is ")[0] in said
        assert " is " not in said


def test_finding_no_sign_is_called_no_proof_in_every_language() -> None:
    denials = {"es": "no prueba", "de": "kein Beweis", "zh": "并不证明", "hi": "प्रमाण नहीं"}
    for language, denial in denials.items():
        with speaking(language):
            assert denial in headline(reports.calm())


def test_what_is_not_in_the_catalogue_stays_as_it_is() -> None:
    assert say("my holiday.mp4", "de") == "my holiday.mp4"
    assert say("No sign found", "en") == "No sign found"


def test_markup_in_a_file_name_stays_text() -> None:
    html = '<b>&lt;img src=x onerror=alert(1)&gt;</b><p title="&quot;x&quot;">No score</p>'
    said = tell(html, "de")
    assert "&lt;img" in said
    assert "<img" not in said
    assert "Kein Wert" in said
    assert 'title="&quot;x&quot;"' in said


def test_what_is_marked_as_no_text_of_ours_is_left_alone() -> None:
    html = '<b class="x" translate="no">No score</b><b>No score</b>'
    assert tell(html, "de") == '<b class="x" translate="no">No score</b><b>Kein Wert</b>'


def test_style_and_markup_are_left_alone() -> None:
    html = '<style>.no > .yes { color: red }</style><i style="left:3%"></i><b>yes</b>'
    assert tell(html, "de") == html.replace("<b>yes</b>", "<b>ja</b>")


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("fr;q=0.9, hi;q=0.4, es;q=0.7", "es"),
        ("zh-Hans-CN", "zh"),
        ("fr, ja", "en"),
        ("", "en"),
        ("de;q=x,,;q=1", "de"),
    ],
)
def test_the_browser_s_first_known_wish_is_taken(accept: str, language: str) -> None:
    assert preferred(accept) == language


def test_numbers_are_left_open_and_names_are_not() -> None:
    key, numbers = opened("Person 2 at 0:03.5: under 1 % of a1b2")
    assert key == "Person {0} at {1}: {2} of a1b2"
    assert numbers == ["2", "0:03.5", "under 1 %"]


def test_a_dot_between_two_texts_stands_free_in_chinese_too() -> None:
    assert say("67 % · Looks manipulated", "zh") == "67 % · 看起来经过篡改"
