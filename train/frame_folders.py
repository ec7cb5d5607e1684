"""A folder of pictures that is one video, as DeepfakeBench, DF40 and WildDeepfake give them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

VIDEO_SUFFIXES = {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv"}
PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
FRAME_RATE = 25.0
"""Frames a second that a folder of pictures is taken to have: its authors' usual rate."""


def files_below(folder: Path) -> Iterator[Path]:
    """Every file of `folder` and below, in order, but for what a system hides or leaves behind
    (`._clip.mp4`, `.DS_Store`, `__MACOSX`)."""
    for place, folders, names in os.walk(folder, followlinks=False):
        # In place: os.walk then skips the others, and goes through the rest in this order.
        folders[:] = sorted(name for name in folders if not _hidden(name))
        for name in sorted(names):
            if not _hidden(name):
                yield Path(place, name)


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def videos_below(folder: Path) -> list[Path]:
    return [path for path in files_below(folder) if path.suffix.lower() in VIDEO_SUFFIXES]


def pictures_below(folder: Path) -> list[Path]:
    return [path for path in files_below(folder) if path.suffix.lower() in PICTURE_SUFFIXES]


def frame_folders_below(folder: Path) -> list[Path]:
    """Every folder in which pictures lie, `folder` itself left out."""
    return sorted({path.parent for path in pictures_below(folder)} - {folder})


def frames_in(folder: Path) -> list[Path]:
    """The pictures of one such video in the order of their numbers: 2.png before 10.png."""
    pictures = [path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES]
    return sorted((path for path in pictures if not _hidden(path.name)), key=_numbered)


def _numbered(path: Path) -> list[tuple[int, str]]:
    # Pairs of one type each, since Python does not compare numbers with text.
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
