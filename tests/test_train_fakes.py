"""A pseudo-fake differs from its original inside its mask, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from tests.clips import portrait
from train.fakes import RECIPES, RealClip, make_fake, similarity

# The portrait's five points at 128 px, cut around the face.
POINTS = np.array([[48, 52], [80, 50], [66, 72], [52, 90], [78, 88]], np.float32)


@pytest.fixture
def real() -> RealClip:
    """Five frames in which the face moves a little to the right."""
    head = portrait(512)[30:286, 90:346][::2, ::2]
    images = np.stack([np.roll(head, 2 * k, axis=1) for k in range(5)])
    landmarks = np.stack([POINTS + np.array([2 * k, 0]) for k in range(5)]).astype(np.float32)
    return RealClip(images, landmarks)


@pytest.fixture
def other() -> RealClip:
    rng = np.random.default_rng(3)
    images = rng.integers(0, 255, (5, 128, 128, 3), dtype=np.uint8)
    return RealClip(images, np.stack([POINTS] * 5))


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_same_seed_makes_the_same_fake(real: RealClip, other: RealClip, recipe: str) -> None:
    first, again, different = (
        make_fake(real, recipe, np.random.default_rng(seed), other).images for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, different)


@pytest.mark.parametrize("recipe", ["swap", "warp", "temporal"])
def test_where_the_mask_is_zero_the_real_picture_is_left(
    real: RealClip, other: RealClip, recipe: str
) -> None:
    for seed in range(8):
        fake = make_fake(real, recipe, np.random.default_rng(seed), other)
        outside = fake.mask == 0
        np.testing.assert_array_equal(fake.images[outside], real.images[outside])


def test_a_self_blend_changes_the_face_and_its_mask_covers_it(real: RealClip) -> None:
    fake = make_fake(real, "self_blend", np.random.default_rng(0))
    assert fake.mask.min() == 0
    assert 0.2 < fake.mask.max() <= 1
    nose = POINTS[2].astype(int)
    assert fake.mask[0, nose[1], nose[0]] > 0.2


def test_the_mask_of_a_clip_follows_the_face(real: RealClip) -> None:
    fake = make_fake(real, "self_blend", np.random.default_rng(0))
    columns = np.arange(128)
    centres = [(mask.sum(0) * columns).sum() / mask.sum() for mask in fake.mask]
    assert np.allclose(np.diff(centres), 2, atol=0.5)


def test_a_temporal_fake_lists_the_frames_that_it_changed(real: RealClip) -> None:
    for seed in range(8):
        fake = make_fake(real, "temporal", np.random.default_rng(seed))
        same = [np.array_equal(a, b) for a, b in zip(fake.images, real.images, strict=True)]
        assert all(kept for kept, altered in zip(same, fake.altered, strict=True) if not altered)
        assert fake.altered.any()


def test_a_swap_takes_its_face_from_a_picture_of_any_size(real: RealClip, other: RealClip) -> None:
    large = RealClip(other.images.repeat(2, axis=1).repeat(2, axis=2), 2 * other.landmarks)
    fake = make_fake(real, "swap", np.random.default_rng(1), large)
    assert fake.images.shape == real.images.shape
    assert not np.array_equal(fake.images, real.images)


def test_a_swap_without_another_face_is_refused(real: RealClip) -> None:
    with pytest.raises(ValueError, match="another face"):
        make_fake(real, "swap", np.random.default_rng(0))


def test_a_similarity_carries_its_points_home() -> None:
    angle = 0.3
    turn = 1.7 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (POINTS @ turn.T + [5, -3]).astype(np.float32)
    matrix = similarity(POINTS, moved)
    np.testing.assert_allclose(POINTS @ matrix[:, :2].T + matrix[:, 2], moved, atol=1e-3)
