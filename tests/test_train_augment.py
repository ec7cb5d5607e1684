"""Augmentation keeps the shape of a clip, and degrades it as configured."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from detector.video import probe
from tests.clips import moving_portrait, portrait, write_clip
from train import augment
from train.transcode import write_altered

Clip = augment.Clip


@pytest.fixture
def clip() -> Clip:
    return np.stack([portrait(97)] * 3)


def loss(before: Clip, after: Clip) -> float:
    return float(np.abs(before.astype(float) - after).mean())


@pytest.mark.parametrize("kind", sorted(augment.LEVELS))
def test_every_perturbation_keeps_the_shape_and_hurts_more_at_its_worst(
    clip: Clip, kind: str
) -> None:
    mild, worst = (augment.perturb(clip, kind, k, np.random.default_rng(0)) for k in (1, 5))
    assert mild.shape == worst.shape == clip.shape
    assert mild.dtype == np.uint8
    assert loss(clip, worst) > loss(clip, mild) > 0


def test_a_history_drawn_once_treats_both_twins_alike(clip: Clip) -> None:
    """The codec does not distinguish a fake from its original."""
    for seed in range(20):
        history = augment.draw_degradation(np.random.default_rng(seed))
        one, two = (augment.degrade(clip, history, np.random.default_rng(1)) for _ in range(2))
        np.testing.assert_array_equal(one, two)


def test_histories_differ(clip: Clip) -> None:
    drawn = {augment.draw_degradation(np.random.default_rng(seed)) for seed in range(20)}
    assert len(drawn) > 15


def test_h264_takes_odd_sizes_and_single_frames(clip: Clip) -> None:
    assert augment.h264(clip[:1], 23).shape == (1, 97, 97, 3)


def test_no_change_of_colour_is_no_change(clip: Clip) -> None:
    np.testing.assert_array_equal(augment.recolour(clip, augment.Colour()), clip)


def test_an_altered_video_keeps_its_length_and_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is longer than what is altered at once."""
    monkeypatch.setattr("train.transcode.AT_ONCE", 5)
    source = write_clip(tmp_path / "a.mp4", moving_portrait(13), fps=20)
    target = write_altered(source, tmp_path / "b.mp4", augment.social_media)
    before, after = probe(source), probe(target)
    assert (after.frames, round(after.fps)) == (before.frames, 20)
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
