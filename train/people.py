"""Who is in a file, where public data sets encode it in its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple


class People(NamedTuple):
    """`dataset` is the set whose people these are; `identity` is who is in the picture, `target`
    whose face or movement a fake took (empty for a real)."""

    dataset: str
    identity: str
    target: str = ""


_NAMES: tuple[tuple[str, str, str], ...] = (
    (r"(id\d+)(?:_(id\d+))?_\d{4}", "celeb_df", ""),
    (r"(\d{2})(?:_(\d{2}))?__[a-z].*", "faceforensics", "actor"),
    (r"(\d{3})_([MW]\d{3})", "deeperforensics", ""),
    (r"(\d{3})(?:_(\d{3}))?", "faceforensics", ""),
)
"""A name, the data set that names so, and what stands before the people's names in the table."""
# What follows the name of a clip in that of one of its frames.
_FRAME = r"(?:[_-].*)?"


def people_of(stem: str) -> People | None:
    """The people of a file called `stem`, a frame of it included; None where no known data set
    names its files so."""
    for pattern, dataset, prefix in _NAMES:
        found = re.fullmatch(pattern + _FRAME, stem, re.IGNORECASE)
        if found:
            first, second = found.group(1), found.group(2) or ""
            return People(dataset, prefix + first, prefix + second if second else "")
    return None


def clip_of(stem: str) -> str:
    """The clip that a picture called `NAME_frame12` was taken from; `stem` for any other."""
    found = re.fullmatch(r"(.+?)[_-]frame[_-]?\d+", stem, re.IGNORECASE)
    return found.group(1) if found else stem


def unlike(names: Sequence[str]) -> bool:
    """Whether no name comes twice."""
    return len(set(names)) == len(names)
