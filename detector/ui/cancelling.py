"""Cancel buttons that can be pressed only while there is something to cancel.

Pressed later, one would clear the answer that is there by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import gradio as gr

Updates = dict[Any, Any]  # by component
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build_cancel(label: str, elem_id: str) -> gr.Button:
    """Add the button, which is disabled at first."""
    return gr.Button(label, elem_id=elem_id, interactive=False, scale=1)


def cancellable(button: gr.Button, steps: Iterable[Updates]) -> Iterator[Updates]:
    """The updates of a running event, beside which `button` is enabled until the last of them."""
    # By the event itself: an event of its own for the button may be overtaken by this one.
    for updates in steps:
        yield updates | {button: gr.update(interactive=True)}
    yield {button: gr.update(interactive=False)}


def wire_cancel(button: gr.Button, running: Any) -> Any:
    """Let `button` cancel the event `running`; returns the event after which what is shown of it
    can be cleared."""
    # First the end of the running event: else its last step could be the last word.
    stopped = button.click(None, cancels=running, **QUIET)
    return stopped.then(lambda: gr.update(interactive=False), None, button, **QUIET)
