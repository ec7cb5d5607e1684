"""Cancel buttons that can be pressed only while there is something to cancel.

Pressed later, one would clear the answer that is there by then.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build_cancel(label: str, elem_id: str) -> gr.Button:
    """Add the button, which is disabled at first."""
    return gr.Button(label, elem_id=elem_id, interactive=False, scale=1)


def wire_cancel(button: gr.Button, begins: Any, running: Any) -> Any:
    """Let `button` cancel the event `running`, which the trigger `begins` starts; returns the event
    after which what is shown of it can be cleared."""
    begins(lambda: gr.update(interactive=True), None, button, **QUIET)
    running.then(lambda: gr.update(interactive=False), None, button, **QUIET)
    # First the end of the running event: else its last step could be the last word.
    stopped = button.click(None, cancels=running, **QUIET)
    return stopped.then(lambda: gr.update(interactive=False), None, button, **QUIET)
