"""A test language that puts every message between « and », so that other texts are found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from gettext import NullTranslations
from html import unescape

import pytest

_HIDDEN = re.compile(r"<(style|script|code|option)\b.*?</\1>|`[^`]+`", re.DOTALL)
_READ = re.compile(r"(?:\b(?:aria-label|alt|title|placeholder)=\"([^\"]*)\")|>([^<>]+)<")


class _Marked(NullTranslations):
    def gettext(self, message: str) -> str:
        return f"«{message}»"


@contextmanager
def marked() -> Iterator[None]:
    """Within it, every message is rendered between marks."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("language", "render.templating"):
            patch.setattr(f"detector.{module}.catalogue", lambda _language: _Marked())
        yield


def unmarked(html: str, *known: str) -> list[str]:
    """Texts and names for screen readers in HTML, made within `marked`, with a word outside
    of every message and are none of `known`."""
    html = _HIDDEN.sub("", f">{html}<")  # names of languages and states are no messages
    while (rest := re.sub("«[^«»]*»", "", html)) != html:
        html = rest
    texts = [unescape(one or two).strip() for one, two in _READ.findall(html)]
    return [text for text in texts if _has_word(text, known)]


def _has_word(text: str, known: tuple[str, ...]) -> bool:
    for name in known:
        text = text.replace(name, "") if name else text
    return re.search(r"[A-Za-z]{2}", text) is not None
