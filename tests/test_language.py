"""The product has five languages, with the same messages in all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from runpy import run_path

import pytest

from detector.errors import VideoError
from detector.language import LANGUAGES, Message, _, active_language, in_language, lazy, preferred
from detector.records import Report, Verdict
from detector.render.model_page import model_page
from detector.render.report_page import to_html
from detector.sandbox import protocol
from detector.service.identity import language_of
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
    """Every text of the detector itself, in the active language."""
    for texts in (BANDS, STATUS, WARNINGS, SERVICE):
        yield from map(str, texts.values())  # type: ignore[attr-defined]
    yield from (str(text) for answers in VERIFY.values() for text in answers)
    yield from (verdict_text(verdict) for verdict in Verdict)
    for make in reports.EVERY_KIND.values():
        yield headline(make())
        yield from (sentence.text for sentence in sentences(make()))


@in_every_language
def test_the_catalogue_has_exactly_the_messages_of_the_code(language: str) -> None:
    """`python .ci/catalogues.py update`, and translate what is named here."""
    assert list(CATALOGUES["faults"](language, CATALOGUES["extracted"]())) == []


@in_every_language
def test_text_from_outside_is_never_translated(language: str) -> None:
    for name in ("No score", "yes", "<b>", "{person}", "Undecided"):
        with in_language(language):
            assert _("Model: {model}.", model=name).count(name) == 1


def test_a_parameter_that_is_a_message_is_translated_too() -> None:
    outer = lazy("The evidence is in {parts}.", parts=lazy("the nose"))
    with in_language("de"):
        assert str(outer) == "Die Anzeichen liegen hier: die Nase."
    assert str(outer) == "The evidence is in the nose."


def test_a_template_can_reach_nothing_but_its_parameters() -> None:
    assert str(Message("{name.__class__} {name}", {"name": "x"})) == "{name.__class__} x"


def test_a_language_is_active_within_its_block_alone() -> None:
    with pytest.raises(ZeroDivisionError), in_language("hi"):
        raise ZeroDivisionError
    assert active_language() == "en"


@in_every_language
def test_no_verdict_status_warning_or_sentence_stays_english(language: str) -> None:
    english = list(fixed())
    with in_language(language):
        assert [
            text for text, translated in zip(english, fixed(), strict=True) if text == translated
        ] == []


@in_every_language
def test_numbers_are_the_same_in_every_language(language: str) -> None:
    def figures(text: str) -> list[str]:
        return sorted(re.findall(r"\d+", text))

    english = list(fixed())
    with in_language(language):
        for text, translated in zip(english, fixed(), strict=True):
            assert figures(translated) == figures(text), text


@every_kind
def test_every_text_of_a_report_is_a_message(make: Callable[[], Report]) -> None:
    report = make()
    model, video = report.model, report.video
    known = (model.id, model.architecture, model.revision, model.sha256, model.trained_on)
    with marked():
        page = to_html(report)
    assert unmarked(page, *known, video.name, video.sha256, report.created_utc, "s") == []


@every_kind
def test_every_text_of_the_viewer_is_a_message(make: Callable[[], Report]) -> None:
    with marked():
        data = viewer_data(make(), Path("clip.mp4"))
    all_texts = [data.headline, *(part.text for part in data.stretches), *data.charts]
    all_texts += [text for one in data.people for text in (one.name, one.summary)]
    all_texts += [frame.text for one in data.people for frame in one.frames]
    assert unmarked("<p>".join(all_texts)) == []


def test_every_text_of_the_model_tab_is_a_message() -> None:
    filled = card(metrics=FULL, trained_on="")
    with marked():
        page, untrained = model_page(filled), model_page({"id": "tiny", "trained": False})
    assert unmarked(page, filled["sha256"], "blur <b>", "float32", "AUC") == []
    assert unmarked(untrained) == []


@in_every_language
def test_an_error_about_a_file_is_translated_around_its_name(language: str) -> None:
    """Also where another process found it: its message is rendered here."""
    for name in ("under my {roof}.v2.mp4", "No score", "yes", "<b>", "{person}", "{most}"):
        error = VideoError(
            lazy(
                "{file} has more than {most} frames. Cut out the part that matters.",
                file=name,
                most=9,
            )
        )
        sent = protocol.error_of(json.loads(json.dumps(protocol.error_message(error))))
        with in_language(language):
            assert str(sent) == str(error)
            assert name in str(sent)
            assert "frames" not in str(sent).replace(name, "")


def test_finding_no_sign_is_called_no_proof_in_every_language() -> None:
    denials = {"es": "no prueba", "de": "kein Beweis", "zh": "并不证明", "hi": "प्रमाण नहीं"}
    for language, denial in denials.items():
        with in_language(language):
            assert denial in headline(reports.calm())


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
def test_the_first_supported_language_of_the_browser_is_used(accept: str, language: str) -> None:
    assert preferred(accept) == language


def test_a_chosen_language_goes_before_the_browser_s() -> None:
    french = {"accept-language": "fr, de;q=0.5"}
    assert language_of(french) == "de"
    assert language_of(french | {"cookie": "a=b; language=hi"}) == "hi"
    assert language_of(french | {"cookie": "language=fr"}) == "de"
    assert language_of({}) == "en"
