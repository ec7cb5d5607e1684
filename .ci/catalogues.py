"""The catalogues of translations: gettext's own files, kept by Babel.

    python .ci/catalogues.py update   take every message from the code, keep what is translated
    python .ci/catalogues.py check    fail if a message is missing, fuzzy, stray or ill-formed

Messages are marked by `_`, `lazy`, `mark` and `escaped` in code and by `_` in templates
(detector/language.py). After a change of one: update, then translate what `check` names.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
LOCALE = ROOT / "detector" / "locale"
KEYWORDS = {"_": None, "lazy": None, "mark": None, "escaped": None}
METHODS = [
    ("**/snippets/**", "ignore"),
    ("**.py", "python"),
    ("**.html", "jinja2"),
    ("**.md", "jinja2"),
]
PLACE = re.compile(r"\{(\w+)\}")


def extracted() -> Catalog:
    """Every message in the code and the templates, in the order of the files."""
    found = Catalog(project="deepfake-detector", charset="utf-8")
    rows = extract_from_dir(ROOT / "detector", METHODS, keywords=KEYWORDS)
    for name, line, text, _comments, _context in sorted(rows, key=lambda row: (row[0], row[1])):
        found.add(text, locations=[(name, line)])
    return found


def stored(language: str) -> Catalog:
    with (LOCALE / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def languages() -> list[str]:
    return sorted(path.stem for path in LOCALE.glob("*.po"))


def faults(language: str, expected: Catalog) -> Iterator[str]:
    """Each difference between a catalogue and the texts of the code."""
    catalogue = stored(language)
    for message in expected:
        if not message.id:
            continue
        stored_message = catalogue.get(message.id)
        if stored_message is None or not stored_message.string:
            yield f"{language}: missing {message.id!r}"
        elif stored_message.fuzzy:
            yield f"{language}: fuzzy {message.id!r}"
        elif set(PLACE.findall(stored_message.string)) != set(PLACE.findall(message.id)):
            yield f"{language}: other parameters in {stored_message.string!r}"
    for message in catalogue:
        if message.id and expected.get(message.id) is None:
            yield f"{language}: stray {message.id!r}"


def update(language: str, expected: Catalog) -> None:
    catalogue = stored(language)
    catalogue.update(expected, no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    with (LOCALE / f"{language}.po").open("wb") as file:
        write_po(file, catalogue, width=100, omit_header=True, include_lineno=False)


def main(argv: list[str]) -> int:
    expected = extracted()
    if argv == ["update"]:
        for language in languages():
            update(language, expected)
        return 0
    if argv != ["check"]:
        print(__doc__)
        return 2
    found = [fault for language in languages() for fault in faults(language, expected)]
    print("\n".join(found) or "The catalogues have all texts of the code.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
