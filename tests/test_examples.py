"""The example clips: there, readable, small, explained, and made by their script."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.video import probe, read_all
from examples.make_examples import (
    ALTERED,
    CLIPS,
    STILL,
    face_mask,
    is_altered,
    make_examples,
    portrait,
    self_blend,
)

FOLDER = Path(__file__).parent.parent / "examples"
NAMES = [*CLIPS, STILL]


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_example_is_small_readable_and_explained(name: str) -> None:
    path = FOLDER / name
    assert path.stat().st_size < 400_000
    info = probe(path)
    assert (info.width, info.height) == (640, 480)
    assert info.frames == (1 if name == STILL else 90)
    assert f"`{name}`" in (FOLDER / "SOURCES.md").read_text()


def test_no_example_goes_unexplained() -> None:
    media = {path.name for path in FOLDER.iterdir() if path.suffix in (".mp4", ".jpg", ".png")}
    assert media == set(NAMES)


def test_the_script_makes_the_committed_examples_again(tmp_path: Path) -> None:
    """A short run; its first frames are those of the committed clips, within the codec's loss."""
    for path in make_examples(tmp_path, seconds=0.12):
        made = next(read_all(path)).image.astype(int)
        kept = next(read_all(FOLDER / path.name)).image.astype(int)
        assert np.abs(made - kept).mean() < 4.0


def test_two_runs_draw_the_same_pixels() -> None:
    for frames in CLIPS.values():
        np.testing.assert_array_equal(next(frames(0.04)), next(frames(0.04)))


def test_only_the_face_is_altered_and_only_for_a_while() -> None:
    picture = portrait()
    altered = np.abs(self_blend(picture, 1.5) - picture).max(axis=2)
    mask = face_mask((512, 512))
    assert altered[mask == 0].max() == 0
    assert altered[mask > 0.9].mean() > 5
    assert [is_altered(s) for s in (0.0, *ALTERED, 3.0)] == [False, True, False, False]
