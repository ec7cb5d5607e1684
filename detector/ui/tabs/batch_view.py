"""From an answer in another tab to the first one, which shows its file in the viewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from detector.language import mark
from detector.ui.events import QuestionForm
from detector.ui.tabs.given import QUIET

# The file is chosen by then, so that this is what a visitor's own click would do.
ANALYSE = """() => {
  scrollTo({top: 0});
  document.querySelector("#analyse").click();
}"""


@dataclass(frozen=True, slots=True)
class Lead:
    """The components: the file of the answer, or None, how closely and by which model it was
    analysed, and the button that leads to the viewer."""

    path: gr.State
    frames: gr.State
    model: gr.State
    button: gr.Button

    def filled(self) -> list[Any]:
        """All of them."""
        return [self.path, self.frames, self.model, self.button]

    def updates(self, path: str | None) -> list[Any]:
        """Of path and button, for another opened answer."""
        return [path, gr.update(visible=path is not None)]


def build_lead(frames: gr.State, model: str) -> Lead:
    """Add the button of a batch, which is there once an answer is opened."""
    button = gr.Button(
        mark("Analyse it alone, with player and heat map"), visible=False, elem_id="batch-view"
    )
    return Lead(gr.State(None), frames, gr.State(model), button)


def wire_lead(lead: Lead, tabs: gr.Tabs, form: QuestionForm) -> None:
    def handed_over(path: str | None, preset: str, model: str) -> list[Any]:
        return [path, preset, model, gr.update(selected="check")]

    chosen = lead.button.click(
        handed_over,
        [lead.path, lead.frames, lead.model],
        [form.file, form.frames, form.model, tabs],
        **QUIET,
    )
    chosen.success(None, js=ANALYSE, **QUIET)
