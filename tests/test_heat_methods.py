"""A heat method is one row: a new one appears everywhere."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest
import torch
from torch import Tensor

from detector import Detector, Settings
from detector.heat_methods import HEAT_METHODS, HeatMethod
from detector.heatmaps.gradcam import Clips
from detector.language import LANGUAGES, in_language
from detector.model.cnn_lstm import CnnLstm
from detector.render import schema
from detector.render.document import to_json
from detector.render.report_page import to_html
from detector.service.admission import Admission, Served
from detector.terminal.arguments import build_parser
from detector.text.phrases import heat_text
from detector.ui.page import build_page
from detector.video import Limits


def flat(model: CnnLstm, clips: Clips, of: str) -> Tensor:
    return torch.ones(len(clips.lengths), int(clips.lengths.max()), *clips.maps.shape[-2:])


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    row = HeatMethod("Flat <b>", "tests.test_heat_methods:flat", explains_score=False)
    monkeypatch.setitem(HEAT_METHODS, "flat", row)  # type: ignore[arg-type]
    importlib.reload(schema)
    yield "flat"
    monkeypatch.undo()
    importlib.reload(schema)


def test_the_terminal_and_the_schema_offer_it(added: str) -> None:
    assert build_parser().parse_args(["x.mp4", "--heat-method", added]).heat_method == added
    assert added in schema.EXPLANATION["properties"]["heat"]["properties"]["method"]["enum"]


def test_an_analysis_draws_it_and_the_report_names_it(
    added: str, detector: Detector, talking: Path
) -> None:
    report = detector.analyze(talking, Settings(frames=8, heat_method=added))
    assert to_json(report)["heat"]["method"] == added
    assert "Flat &lt;b&gt;" in to_html(report)
    assert {float(s.heat.std()) for p in report.people for s in p.scores if s.heat is not None} == {
        0.0
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_its_words(added: str, language: str) -> None:
    with in_language(language):
        assert "Flat <b>" in heat_text(Settings(heat_method=added))


def test_the_page_and_the_api_offer_it(added: str, detector: Detector) -> None:
    page = build_page({"tiny": Served(detector, Admission())}, Limits())
    offered = [
        block
        for block in page.blocks.values()
        if isinstance(block, gr.Dropdown) and added in [value for _, value in block.choices]
    ]
    assert {block.elem_id for block in offered} >= {"heat-method"}
    assert len(offered) > 1  # the page's own, and the endpoints'
