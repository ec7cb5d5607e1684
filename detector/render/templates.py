"""The templates of a report, and the functions that they may use."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from detector.records import Image, verdict_name
from detector.render.overlay import to_jpeg
from detector.render.templating import environment
from detector.text import phrases, summary

_ENVIRONMENT = environment("detector.render")
_ENVIRONMENT.globals |= {
    "clock": summary.clock,
    "percent": summary.percent,
    "verdict_text": summary.verdict_text,
    "tone": lambda verdict: verdict_name(verdict) or "none",
    "family_text": phrases.family_text,
    "share": phrases.share,
    "odds": phrases.odds,
    "region_name": lambda key: str(phrases.REGION_NAMES[key]),
}


def html(template: str, /, **values: Any) -> Markup:
    """A template by its file name, filled in."""
    return Markup(_ENVIRONMENT.get_template(template).render(values).strip())


def definitions(kind: str, pairs: Sequence[tuple[str, str]]) -> Markup:
    """Names and values as a definition list of CSS class `kind`."""
    macros: Any = _ENVIRONMENT.get_template("macros.html").module
    return Markup(macros.definitions(kind, pairs))


def data_uri(image: Image) -> str:
    """A picture that needs no request."""
    return "data:image/jpeg;base64," + base64.b64encode(to_jpeg(image)).decode("ascii")
