"""The product's texts in the reader's language, by catalogues of whole sentences.

All texts are written in English. A catalogue (languages/*.json) gives each of them, with its
numbers left open as {0}, {1}, ..., in another language; what it lacks stays English. So whoever
writes a sentence knows nothing of languages, and whoever adds one touches no code.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from html import escape, unescape
from importlib import resources

from detector.language import LANGUAGES as LANGUAGES
from detector.language import catalogue as messages

# A number as the texts write it: 3, 0:02.2, 67 %, under 1 %; a hash or a size is none.
NUMBER = re.compile(r"(?<![\w.])(?:(?:under|over) )?\d[\d,.:]*(?<![.,:])(?:[ \u00a0]%)?(?![\w])")
# Nouns that stand in many sentences: left open like numbers, and translated on their own.
TERMS = (
    "the eyes",
    "the brows",
    "the nose",
    "the mouth",
    "the cheeks",
    "the forehead",
    "the jaw and the edge of the face",
    "the background",
    "a face swapped in from another person",
    "a face blended over the original",
    "an edit of single features",
    "a wholly generated face",
    "Grad-CAM++",
    "Grad-CAM",
    "HiResCAM",
    "LayerCAM",
    "EigenCAM",
    "Score-CAM",
)
# What a sentence about a file begins with: its name, to its ending.
FILE_NAME = re.compile(r"^\S.{0,200}?\.[A-Za-z]\w{0,4}(?= )")
_OPEN = re.compile("|".join([FILE_NAME.pattern, *map(re.escape, TERMS), NUMBER.pattern]))
_SENTENCES, _CLAUSES = re.compile(r"(?<=[.?!]) +"), re.compile(r"(?<=[;:·]) +")
_MARKS = re.compile(r"^(#+ |- )?(.*)$")  # a heading or an item in Markdown
_PLACES = re.compile(
    r"(?P<skip><(?:style|script)\b.*?</(?:style|script)>"
    r"|<\w+\b[^>]*\btranslate=\"no\"[^>]*>[^<]*)"  # text from outside
    r"|(?P<name>\b(?:aria-label|alt|title)=\")(?P<said>[^\"]*)"
    r"|(?P<node>>)(?P<text>[^<>]+)(?=<)",
    re.DOTALL,
)


@functools.cache
def catalogue(language: str) -> Mapping[str, str]:
    """English texts and their translations; empty for English itself."""
    if language == "en":
        return {}
    file = resources.files("detector.text").joinpath(f"languages/{language}.json")
    return dict(json.loads(file.read_text("utf-8")))


def say(text: str, language: str) -> str:
    """One text in `language`: as a whole, else by sentences, else by clauses, else in English."""
    if text and (said := messages(language).gettext(text)) != text:
        return said
    return _say(text, language, (_SENTENCES, _CLAUSES))


def _say(text: str, language: str, cuts: tuple[re.Pattern[str], ...]) -> str:
    if language == "en":
        return text
    known = _known(text, catalogue(language))
    if known is not None or not cuts:
        return text if known is None else known
    gap = "" if language == "zh" else " "
    parts = cuts[0].split(text)
    said = gap.join(_say(part, language, cuts[1:]) for part in parts)
    return said if gap else re.sub(r" ·(?=\S)", " · ", said)


def say_markdown(text: str, language: str) -> str:
    """Markdown in `language`, line by line."""

    def line(match: re.Match[str]) -> str:
        return (match[1] or "") + say(match[2], language)

    return "\n".join(_MARKS.sub(line, row) for row in text.splitlines())


def tell(html: str, language: str) -> str:
    """HTML in `language`: every run of text in it, and what screen readers are told."""
    if language == "en":
        return html

    def put(match: re.Match[str]) -> str:
        if match["skip"]:
            return match[0]
        before, text = (match["name"], match["said"]) if match["name"] else (">", match["text"])
        core = unescape(text).strip()
        said = escape(say(core, language), quote=bool(match["name"]))
        return before + text.replace(text.strip(), said, 1) if core else match[0]

    return _PLACES.sub(put, f">{html}<")[1:-1]


def untold(html: str, language: str) -> Iterator[str]:
    """Texts and parts of texts in HTML that the catalogue lacks; for the test that finds them."""
    for match in _PLACES.finditer(f">{html}<"):
        text = unescape(match["said"] or match["text"] or "").strip()
        yield from _lacking(text, catalogue(language), (_SENTENCES, _CLAUSES))


def _lacking(
    text: str, texts: Mapping[str, str], cuts: tuple[re.Pattern[str], ...]
) -> Iterator[str]:
    if _known(text, texts) is not None or not re.search(r"[A-Za-z]{3}", text):
        return
    if not cuts:
        yield text
    for part in cuts[0].split(text) if cuts else ():
        yield from _lacking(part, texts, cuts[1:])


def opened(text: str) -> tuple[str, list[str]]:
    """A text with its numbers, its terms and a leading file name left open, and those."""
    numbers = _OPEN.findall(text)
    places = iter(range(len(numbers)))
    closed = text.replace("{", "{{").replace("}", "}}")
    return _OPEN.sub(lambda _: f"{{{next(places)}}}", closed), numbers


def _known(text: str, texts: Mapping[str, str]) -> str | None:
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    if text in texts:  # a term alone, or a text that holds one and no number
        return texts[text] if "{" not in text else None
    key, numbers = opened(text)
    if key not in texts:
        return None
    return texts[key].format(*(_number(number, texts) for number in numbers))


def _number(number: str, texts: Mapping[str, str]) -> str:
    """ "under 1 %" and "over 99 %" hold a word."""
    if number in TERMS:
        return texts[number]
    word, _, rest = number.partition(" ")
    worded = word in ("under", "over") and NUMBER.fullmatch(number)
    return texts[f"{word} {{0}}"].format(rest) if worded else number
