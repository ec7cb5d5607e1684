"""The page in the visitor's language: labels by Gradio, and all that the server says by catalogue.

It works on the finished page, so no tab knows of it: labels become keys that the browser looks
up, and what an event of the page shows is told in the language that the visitor's browser asks
for. The endpoints for programs are left alone: their JSON is English, always.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import gradio as gr

from detector.language import LANGUAGES, speaking
from detector.service.identity import visitor_language
from detector.text.language import (
    catalogue,
    opened,
    say,
    say_markdown,
    tell,
)
from detector.ui.gradio_patches import components, events_of, relabel
from detector.ui.tabs.check import PRESET_LABELS

PRESET_NAMES = [name for name, _ in PRESET_LABELS]
_END = object()
_TEXTS = ("label", "placeholder", "info")


def translations() -> gr.I18n:
    """What the browser looks labels up in, in every language."""
    texts = [text for text in catalogue("de") if "{" not in text] + PRESET_NAMES
    known = {name: {text: say(text, name) for text in texts} for name in LANGUAGES}
    return gr.I18n(**known)


def speak(page: gr.Blocks) -> None:
    """Make the finished page speak the visitor's language."""
    i18n = translations()
    for block in components(page):
        if isinstance(block, gr.Radio):
            block.choices = [(_key(str(name), i18n), value) for name, value in block.choices]
        for name in (*_TEXTS, "value") if isinstance(block, gr.Button) else _TEXTS:
            _label(block, name, i18n)
    for event in events_of(page):
        if event.fn is not None and event.api_visibility == "private":
            event.fn = told(event.fn)
    _greet(page)


def told(event: Callable[..., Any]) -> Callable[..., Any]:
    """`event`, with whatever it shows, and refuses, in the visitor's language."""
    if inspect.isgeneratorfunction(event):

        @functools.wraps(event)
        def steps(*values: Any, **more: Any) -> Iterator[Any]:
            language = visitor_language()
            try:
                shown = event(*values, **more)
                with closing(shown):
                    while True:
                        with speaking(language):
                            step = next(shown, _END)
                        if step is _END:
                            return
                        yield translated(step, language)
            except gr.Error as error:
                raise _refusal(error, language) from error

        return steps

    @functools.wraps(event)
    def once(*values: Any, **more: Any) -> Any:
        language = visitor_language()
        try:
            with speaking(language):
                return translated(event(*values, **more), language)
        except gr.Error as error:
            raise _refusal(error, language) from error

    return once


def translated(shown: Any, language: str) -> Any:
    """Updates with every text, piece of HTML and viewer in them told in `language`; no line
    breaks between a number and its per cent sign."""
    if isinstance(shown, str):
        if "<" not in shown:
            return say(shown, language)
        return tell(shown, language).replace(" %", "\N{NO-BREAK SPACE}%")
    if isinstance(shown, dict):
        return {key: translated(value, language) for key, value in shown.items()}
    if type(shown) in (list, tuple):
        return type(shown)(translated(value, language) for value in shown)
    return shown


def _refusal(error: gr.Error, language: str) -> gr.Error:
    return gr.Error(
        say(str(error.message), language),
        title=say(error.title, language),
        print_exception=error.print_exception,
    )


def _label(block: Any, name: str, i18n: gr.I18n) -> None:
    text = getattr(block, name, None)
    if not isinstance(text, str) or text not in catalogue("de"):
        return
    relabel(block, name, i18n(text))


def _key(text: str, i18n: gr.I18n) -> str:
    return str(i18n(text)) if opened(text)[0] in catalogue("de") else text


def _greet(page: gr.Blocks) -> None:
    """What the page says before anything is asked, told anew for each visitor."""
    blocks = [
        block
        for block in components(page)
        if isinstance(block, gr.HTML | gr.Markdown) and isinstance(block.value, str) and block.value
    ]

    examples = [block for block in components(page) if isinstance(block, gr.Dataset)]

    def greet() -> list[Any]:
        language = visitor_language()
        if language == "en":
            return [gr.skip() for _ in (*blocks, *examples)]
        texts = [
            (say_markdown if isinstance(block, gr.Markdown) else tell)(block.value, language)
            for block in blocks
        ]
        names = [[say(name, language) for name in block.sample_labels or ()] for block in examples]
        return [*texts, *(gr.update(sample_labels=said) for said in names)]

    with page:
        page.load(
            greet,
            None,
            [*blocks, *examples],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )
