"""The model's page shows the values of the card, and no others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from detector.render.model_page import model_page
from tests.tiny import CARD

ROOT = Path(__file__).parent.parent
FULL: dict[str, Any] = {
    "crops": {
        "real": 7,
        "fake": 5,
        "auc": 0.8123,
        "auc_interval": [0.71, 0.91],
        "eer": 0.2,
        "false_alarms": 0.09,
        "misses": 0.31,
        "ece": 0.0213,
        "reliability": [[0.1, 0.05, 6], [0.8, 0.75, 6]],
        "uploaded": {"real": 7, "fake": 5, "auc": 0.7341},
    },
    "videos": {"unanswered": 1, "all": {"real": 3, "fake": 4, "auc": 0.777}},
    "social": {"all": {"real": 3, "fake": 4, "auc": 0.666}},
    "perturbed": {"clean": 0.81, "levels": {"blur <b>": [0.8, 0.75, 0.7, 0.65, 0.6]}},
    "time": {"mean_pooling": 0.801, "lstm": 0.802, "lstm_shuffled": 0.803},
    "untrained": {"auc": 0.499},
    "student": {"claimed": {"auc": 0.98}, "crops": {"auc": 0.61}},
}


def card(**changes: Any) -> dict[str, Any]:
    return {**json.loads(CARD.to_json()), "sha256": "ab" * 32, **changes}


def test_every_figure_of_the_card_is_shown() -> None:
    page = model_page(card(metrics=FULL))
    for figure in (
        "0.812 (0.71–0.91)",
        "0.734",
        "0.777",
        "0.666",
        "0.801",
        "0.803",
        "0.499",
        "0.980",
    ):
        assert figure in page


def test_what_the_card_lacks_is_left_out() -> None:
    page = model_page(card(metrics={}, trained_on=""))
    for title in ("How well", "Is 80 %", "worse", "Controls", "Known failures", "Data and"):
        assert title not in page


def test_every_chart_has_its_table() -> None:
    page = model_page(card(metrics=FULL))
    for part in page.split("<section>"):
        if "<svg" in part:
            assert "<table" in part


def test_failures_data_and_licences_come_from_the_card() -> None:
    about = {
        "data": [{"name": "Set A", "licence": "CC BY 4.0", "use": "training"}],
        "known_failures": ["Profiles."],
        "limits": ["Only <faces>."],
    }
    page = model_page(card(data={"about": about}))
    for text in ("Set A", "CC BY 4.0", "Profiles.", "Only &lt;faces&gt;."):
        assert text in page


def test_text_of_a_card_is_escaped() -> None:
    page = model_page(card(metrics=FULL, trained_on="<script>alert(1)</script>"))
    assert "<script>" not in page
    assert "blur <b>" not in page


def test_an_untrained_model_shows_no_figure() -> None:
    assert not re.search(r"\d\.\d", model_page({"id": "none", "trained": False}))


def test_the_released_cards_can_be_shown() -> None:
    for path in (ROOT / "weights").glob("*.json"):
        released = json.loads(path.read_text())
        page = model_page(released)
        if released["trained"]:
            assert f"{released['metrics']['crops']['auc']:.3f}" in page
