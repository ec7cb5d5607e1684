"""Messages to people: English templates with parameters, rendered in the reader's language.

`_("Person {person} at {time}", person=2, time="0:02.0")` renders at once, `lazy(...)` when it
is turned into text: for constants, and for what crosses processes. Parameters are put into the
translated template and are never translated themselves, so a file named "No score" keeps its
name. Catalogues are gettext's (locale/*.po); what one lacks stays English.
"""

from __future__ import annotations

import functools
import gettext
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = {"en": "English", "es": "Español", "de": "Deutsch", "zh": "中文", "hi": "हिन्दी"}
SOURCE = "en"
_GAPS = {"zh": ""}  # between sentences

_active: ContextVar[str] = ContextVar("language", default=SOURCE)
# Names only: unlike str.format it can reach no attribute, whatever stands in a template.
_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Message:
    """A template and its parameters; `str` renders it in the active language.

    A parameter that is a `Message` is rendered in the same language.
    """

    text: str
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        text = catalogue(_active.get()).gettext(self.text) if self.text else ""
        return filled(text, self.values)


def lazy(text: str, **values: Any) -> Message:
    """A message to be rendered later."""
    return Message(text, values)


def mark(text: str) -> str:
    """A text that `_` renders elsewhere, such as a label; it joins the catalogues from here."""
    return text


def _(text: str, **values: Any) -> str:
    """A message in the active language, now."""
    return str(Message(text, values))


def filled(template: str, values: Mapping[str, Any]) -> str:
    """`template` with every {name} replaced by that parameter; unknown names stay."""
    if not values:
        return template
    return _PLACE.sub(lambda place: str(values.get(place[1], place[0])), template)


def joined(*sentences: Any) -> str:
    """Sentences one after the other, as the active language sets them."""
    return _GAPS.get(_active.get(), " ").join(map(str, sentences))


@contextmanager
def in_language(language: str) -> Iterator[None]:
    """Render in `language` within this block, and in this thread or task alone."""
    token = _active.set(language)
    try:
        yield
    finally:
        _active.reset(token)


def active_language() -> str:
    return _active.get()


@functools.cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The translations of a language. Raises FileNotFoundError for one that is not shipped."""
    if language == SOURCE:
        return gettext.NullTranslations()
    path = resources.files("detector").joinpath(f"locale/{language}.po")
    with path.open("rb") as file:
        messages = read_po(file, locale=language)
    compiled = io.BytesIO()
    # Compiled in memory: gettext reads only .mo, and no second file can be out of date.
    write_mo(compiled, messages)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def preferred(accept: str) -> str:
    """The first of our languages in an Accept-Language header; English if none is there."""
    ranked = []
    for index, part in enumerate(accept.split(",")):
        # RFC 9110, 12.5.4: weights from 0 to 1, 1 where none is given.
        name, _sign, weight = part.strip().partition(";q=")
        rank = re.fullmatch(r"[01](\.\d+)?", weight)
        ranked.append((-float(weight) if rank else -1.0, index, name.lower().split("-")[0]))
    return next((name for _w, _p, name in sorted(ranked) if name in LANGUAGES), SOURCE)
