"""The tab that shows the facts of the model, from its weights card."""

from __future__ import annotations

from functools import partial

import gradio as gr

from detector.render.model_page import model_page
from detector.ui.greeting import greeting
from detector.ui.handlers import Detectors


def build_model(detectors: Detectors) -> None:
    """Add the contents of each model's card to the page that is being built."""
    for detector in detectors.values():
        card = detector.describe()  # once: it does not change while the server runs
        greeting(gr.HTML, partial(model_page, card), elem_classes=["report", "model"])
