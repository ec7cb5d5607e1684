"""An answer that is called wrong becomes a file on the visitor's own machine, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from detector.render.dispute import dispute, dispute_json
from tests import reports
from tests.test_page import (  # noqa: F401
    GRAVE,
    answered,
    browser,
    url,
)
from tests.visits import CHROMIUM

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (set CHROMIUM)")


def keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for one in value.values() for key in keys_of(one)}
    if isinstance(value, list):
        return {key for one in value for key in keys_of(one)}
    return set()


def test_it_names_model_file_settings_and_scores() -> None:
    report = reports.two_people()
    facts = dispute_json(report)
    assert facts["model"]["sha256"] == report.model.sha256
    assert facts["settings"]["frames"] == report.settings.frames
    assert facts["video"]["sha256"] == report.video.sha256
    assert (facts["video"]["container"], facts["video"]["codec"]) == ("mp4", "h264")
    scores = [[frame["p"] for frame in face["frames"]] for face in facts["faces"]]
    assert scores == [
        pytest.approx([s.fake for s in one.scores], abs=1e-4) for one in report.people
    ]


@pytest.mark.parametrize("make", reports.EVERY_KIND.values(), ids=reports.EVERY_KIND.keys())
def test_every_result_can_be_disputed_without_file_name_path_or_image(make: Any) -> None:
    report = make()
    report = replace(report, video=replace(report.video, name="private holiday.mp4"))
    facts = json.dumps(dispute_json(report))
    assert "holiday" not in facts
    assert not {"box", "crop", "heat_map", "landmarks", "name"} & keys_of(
        json.loads(facts)["faces"]
    )
    assert "holiday" not in dispute(report)
    assert len(facts) < 100_000


@pytest.fixture
def form(answered: Page) -> Locator:  # noqa: F811
    """The unfolded form."""
    details = answered.locator("#dispute details")
    details.evaluate("(one) => { one.open = true; }")
    return details


@in_browser
@pytest.mark.browser
def test_the_saved_file_contains_the_visitor_s_claim_and_nothing_is_sent(
    answered: Page,  # noqa: F811
    form: Locator,
) -> None:
    sent: list[str] = []
    answered.on("request", lambda request: sent.append(f"{request.url} {request.post_data}"))
    form.get_by_label("It is real").check()
    form.locator("textarea").fill("I <filmed> it.")
    with answered.expect_download() as caught:
        form.locator("button").click()
    facts = json.loads(caught.value.path().read_text(encoding="utf-8"))
    assert facts["visitor"] == {"claim": "real", "note": "I <filmed> it."}
    assert caught.value.suggested_filename == f"wrong-answer-{facts['video']['sha256'][:12]}.json"
    expect(form.locator("[role=status]")).to_contain_text(caught.value.suggested_filename)
    # The page's own requests may go on, as those that follow an answer.
    assert not any("filmed" in request or "claim" in request for request in sent)


@in_browser
@pytest.mark.browser
def test_nothing_is_saved_before_a_claim_is_chosen(form: Locator) -> None:
    form.locator("form").evaluate("(one) => one.reset()")
    assert form.locator("form").evaluate("(one) => one.checkValidity()") is False


@in_browser
@pytest.mark.browser
def test_the_form_is_accessible_and_large_enough_for_a_finger(
    answered: Page,  # noqa: F811
    form: Locator,
) -> None:
    found = Axe().run(answered, context="#dispute")
    assert [one["id"] for one in found.response["violations"] if one["impact"] in GRAVE] == []
    for one in form.locator("summary, fieldset label, button").all():
        place = one.bounding_box()
        assert place is not None
        assert place["height"] >= 44
