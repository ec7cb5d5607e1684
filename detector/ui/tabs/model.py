"""The tab that tells what is known of the model, from its weights card."""

from __future__ import annotations

import gradio as gr

from detector.render.model_page import model_page
from detector.ui.handlers import Detectors


def build_model(detectors: Detectors) -> None:
    """Add what each model's card says to the page that is being built."""
    for detector in detectors.values():
        gr.HTML(model_page(detector.describe()), elem_classes=["report", "model"])
