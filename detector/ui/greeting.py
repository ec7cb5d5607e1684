"""Texts that stand on the page before the first analysis: rendered for each visitor anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import gradio as gr

from detector.render.spacing import unbroken_html

Block = TypeVar("Block", gr.HTML, gr.Markdown)
Render = Callable[[], str]
_RENDER = "rendered_for_visitors"


def greeting(kind: type[Block], render: Render, **options: Any) -> Block:
    """A component that shows `render()`: in English at first, then in the visitor's language,
    which is the active one when it is called."""
    block = kind(unbroken_html(render()), **options)
    # On the block itself, so that nothing is kept of a page that is gone.
    vars(block)[_RENDER] = render
    return block


def render_of(block: Any) -> Render | None:
    """What renders a component that `greeting` made; None for any other."""
    render: Render | None = vars(block).get(_RENDER)
    return render


def begun(block: Any) -> Any:
    """What a component shows at first, in the active language."""
    render = render_of(block)
    return render() if render else block.value
