"""The page in the visitor's language: labels are looked up by the browser, all else is rendered.

Every event of the page runs in the language that its visitor chose, or that the browser requests.
The endpoints for programs are left alone: their JSON is English, always.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import gradio as gr
from markupsafe import Markup

from detector.language import LANGUAGES, SOURCE, active_language, catalogue, in_language, mark
from detector.render.spacing import unbroken_html
from detector.service.identity import visitor_language
from detector.ui.gradio_patches import components, events_of, relabel
from detector.ui.greeting import render_of
from detector.ui.templates import piece

_END = object()  # `next` without a default would raise StopIteration within a generator
# A text that Gradio's widgets look up, and that is missing in its catalogue in every language.
MISSING = {"common": {"upload": mark("Upload")}}
# Texts of Gradio's own widgets that it has in English only, by their keys in its catalogue. What is
# in none of its catalogues is in `html.WIDGET_NAMES`.
WIDGETS = {
    "common": {
        "download_all": mark("Download all"),
        "record": mark("Record"),
        "stop_recording": mark("Stop recording"),
    },
    "dataframe": {"filter": mark("Filter"), "clear_filter": mark("Clear filters")},
    "errors": {"use_via_api_or_mcp": mark("Use via API or MCP")},
}
_TEXTS = ("label", "placeholder", "info")
_KEY = "__i18n__"  # what Gradio puts before a label that the browser looks up


def translate_page(page: gr.Blocks) -> None:
    """Render the finished page in the visitor's language."""
    i18n = gr.I18n()
    for block in components(page):
        if isinstance(block, gr.Radio):
            block.choices = [(_key(str(name), i18n), value) for name, value in block.choices]
        for name in _named(block):
            text = getattr(block, name, None)
            if isinstance(text, str) and _is_message(text):
                relabel(block, name, i18n(text))
    _greet(page)
    for event in events_of(page):
        # Public events are for programs, whose language is English.
        if event.fn is not None and event.api_visibility == "private":
            event.fn = in_visitor_language(event.fn)


def translations(page: gr.Blocks) -> gr.I18n:
    """What the browser looks the labels of a page up in, in every language."""
    keys = {key for block in components(page) for key in _keys(block)}
    texts_of: dict[str, Any] = {}
    for language in LANGUAGES:
        translated = catalogue(language).gettext
        texts_of[language] = {key: translated(key) for key in keys}
        for widgets in (MISSING, {} if language == SOURCE else WIDGETS):
            for place, words in widgets.items():
                given = {name: translated(text) for name, text in words.items()}
                texts_of[language].setdefault(place, {}).update(given)
    return gr.I18n(**texts_of)


def in_visitor_language(event: Callable[..., Any]) -> Callable[..., Any]:
    """`event`, with whatever it shows, and refuses, in the visitor's language."""
    if inspect.isgeneratorfunction(event):

        @functools.wraps(event)
        def steps(*values: Any, **more: Any) -> Iterator[Any]:
            language = visitor_language()
            shown = event(*values, **more)
            with closing(shown):
                while True:
                    # For each step: between two of them other code runs in this context.
                    with in_language(language), _refusing():
                        step = next(shown, _END)
                    if step is _END:
                        return
                    yield unbroken(step)

        return steps

    @functools.wraps(event)
    def once(*values: Any, **more: Any) -> Any:
        with in_language(visitor_language()), _refusing():
            return unbroken(event(*values, **more))

    return once


@contextmanager
def _refusing() -> Iterator[None]:
    """The message of a refusal begins with its title, in the active language, and is text.

    Gradio shows no title but the English name of the kind of message, which `style.css` hides.
    """
    try:
        yield
    except gr.Error as error:
        title = "" if error.title == "Error" else error.title
        error.message = unbroken_html(piece("refusal.html", title=title, message=error.message))
        raise


def unbroken(shown: Any) -> Any:
    """Updates in which no line of HTML breaks between a number and its unit."""
    if isinstance(shown, Markup):
        return unbroken_html(shown)
    if isinstance(shown, dict):
        return {key: unbroken(value) for key, value in shown.items()}
    # Not their subclasses: a named tuple takes its fields one by one.
    if type(shown) in (list, tuple):
        return type(shown)(unbroken(value) for value in shown)
    return shown


def _named(block: Any) -> tuple[str, ...]:
    """The properties of a component that are words of ours."""
    return (*_TEXTS, "value") if isinstance(block, gr.Button) else _TEXTS


def _is_message(text: str) -> bool:
    return any(catalogue(name).gettext(text) != text for name in LANGUAGES)


def _key(text: str, i18n: gr.I18n) -> str:
    return str(i18n(text)) if _is_message(text) else text


def _keys(block: Any) -> Iterator[str]:
    texts = [getattr(block, name, None) for name in _named(block)]
    if isinstance(block, gr.Radio):
        texts += [name for name, _value in block.choices]
    for text in map(str, texts):
        if text.startswith(_KEY):
            yield json.loads(text.removeprefix(_KEY))["key"]


def _greet(page: gr.Blocks) -> None:
    """The texts before the first analysis, rendered for each visitor."""
    greetings = [(block, render) for block in components(page) if (render := render_of(block))]
    blocks = [block for block, _render in greetings]

    def greet() -> list[Any]:
        if active_language() == SOURCE:  # as it was built
            return [gr.skip() for _block in blocks]
        return [render() for _block, render in greetings]

    with page:
        page.load(
            greet,
            None,
            blocks,
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )
