"""The page's own pieces of HTML and Markdown, from Jinja2 templates in the active language."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from detector.render.templating import environment

# The page's own templates first; they also use those of reports.
_ENVIRONMENT = environment("detector.ui", "detector.render")


def piece(template: str, /, **values: Any) -> Markup:
    """A template by its file name, filled in; what it is given is escaped."""
    return Markup(_ENVIRONMENT.get_template(template).render(values).strip())


def section(kind: str, title: str, text: str, **attributes: str) -> Markup:
    """A heading and a paragraph in a section of CSS class `kind`, with more attributes by name;
    `_` in a name is `-` in HTML."""
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    return piece("section.html", title=title, text=text, attributes={"class": kind, **named})


def steps(title: str, *pairs: tuple[str, str]) -> Markup:
    """A numbered list of what happens and how."""
    return piece("steps.html", title=title, steps=pairs)
