"""The HTML of reports and page: Jinja2 templates, which escape whatever they are given.

Only a template's own text, and what another template made, is markup. A text from a file,
a weights card or a language model is a value and stays text.
"""

from __future__ import annotations

from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from detector.language import Message, active_language, catalogue, filled, joined


def escaped(text: str | Message, **values: Any) -> Markup:
    """`_` inside a template: the message is escaped, and so are its parameters unless they are
    markup."""
    message = text if isinstance(text, Message) else Message(text)
    values = {**message.values, **values}
    # Escaped before the parameters are put in, each of which is escaped by itself.
    template = escape(catalogue(active_language()).gettext(message.text))
    return Markup(filled(template, {name: escape(value) for name, value in values.items()}))


def environment(*packages: str) -> Environment:
    """Templates of these packages, with `_`; a name that is not given is an error."""
    found = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        # A misspelt name raises instead of leaving a gap in the page.
        undefined=StrictUndefined,
    )
    found.globals |= {"_": escaped, "joined": joined}
    return found
