"""No line of text breaks between a number and its unit.

For what people read on a page. Sentences as data, in JSON or in a terminal, have plain spaces.
"""

from __future__ import annotations

import re

# Symbols, and the units that are written after a space in the other languages. No other words:
# they may follow a number by chance.
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:%|से\.|सेकंड|秒|(?:ms|s|px|fps|[KMG]?B)(?!\w)))")
_TAGS = re.compile(r"(<(script|style)\b.*?</\2>|<[^>]*>)", re.DOTALL)
NO_BREAK = "\N{NO-BREAK SPACE}"


def unbroken(text: str) -> str:
    """Plain text, or Markdown, with a no-break space before every unit."""
    return _BEFORE_UNIT.sub(NO_BREAK, text)


def unbroken_html(html: str) -> str:
    """The same of what is read in HTML; attributes, which programs compare, stay as they are."""
    # Split at two groups: text, tag, name of a left-out element or None, text, and so on.
    parts = _TAGS.split(html)
    texts = (unbroken(part) for part in parts[::3])
    tags = [*parts[1::3], ""]
    return "".join(text + tag for text, tag in zip(texts, tags, strict=True))
