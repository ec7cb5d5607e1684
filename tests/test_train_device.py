"""Pairs made on the device are those that the CPU makes, in kind."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.shards import LANDMARKS, drawn_shards, faces
from train.augment import Degradation
from train.clips import (
    FAMILIES,
    FAMILY_OF,
    FRAME_MIX,
    MASK_SIZE,
    Batch,
    ClipConfig,
    Faces,
    Pairs,
    collate,
)
from train.device import Pictures, render
from train.fakes import RealClip, self_blend
from train.plans import Plan, Plans, self_blended
from train.verbs import DataError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_shards(tmp_path_factory.mktemp("shards"), clips=3, frames=2)


@pytest.fixture(scope="module")
def train(shards: Path) -> Faces:
    return Faces(shards, "train")


@pytest.fixture(scope="module")
def pictures(train: Faces) -> Pictures:
    return Pictures(train, CPU)


def rendered(pictures: Pictures, plans: list[Plan], config: ClipConfig) -> Batch:
    return render(pictures, plans, config, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("recipe", FRAME_MIX)
def test_a_batch_has_the_form_and_labels_of_the_cpus(
    train: Faces, pictures: Pictures, recipe: str
) -> None:
    config = ClipConfig(size=48, mix={recipe: 1.0})
    there = rendered(pictures, [Plans(train, config, 4)[k] for k in range(4)], config)
    here = collate([Pairs(train, config, 4)[k] for k in range(4)])
    for name, mine, other in zip(Batch._fields, there, here, strict=True):
        assert (mine.shape, mine.dtype) == (other.shape, other.dtype), name
    for name in ("fake", "known", "family"):
        assert torch.equal(getattr(there, name), getattr(here, name)), name
    if recipe not in ("labelled", "video", "generated"):
        assert there.mask[1::2].amax(dim=(1, 2)).min() > 0.1
        assert there.mask[::2].max() == 0
    family = int(there.family[1])
    assert (FAMILIES[family] if family >= 0 else "") == FAMILY_OF[recipe]
    assert there.mask.shape[1:] == (MASK_SIZE, MASK_SIZE)


@pytest.mark.parametrize("local", [True, False])
def test_the_same_draws_blend_the_same_fake(local: bool) -> None:
    """Parameters, mask and pixels of `fakes.self_blend`, from the same generator."""
    images, points = faces(1, 288, fake=False, seed=4), (LANDMARKS * 288).astype(np.float32)
    for seed in range(6):
        expected = self_blend(
            RealClip(images, points[None]), np.random.default_rng(seed), local=local
        )
        blend = self_blended(points, 288, np.random.default_rng(seed), local=local)
        drawn, mask = one_fake(images, blend_of=blend)
        assert np.abs(drawn - expected.images[0]).mean() < 0.7
        assert np.abs(mask - expected.mask[0]).max() < 0.02
        assert np.abs(expected.images[0].astype(float) - images[0]).max() > 5


def one_fake(images: np.ndarray, blend_of: object) -> tuple[np.ndarray, np.ndarray]:
    """The fake (S, S, 3) and its mask (S, S) that a blend makes of one picture."""
    from train import device

    class One:
        device = CPU

        def read(self, places: list[int]) -> torch.Tensor:
            return torch.from_numpy(images).permute(0, 3, 1, 2).float()

    plan = Plan((0, 0, 0), np.zeros((2, 3)), None, None, None, 0, blend=blend_of)  # type: ignore[arg-type]
    fake, mask = device._fakes(One(), [plan], torch.Generator())  # type: ignore[arg-type]
    return fake[0].permute(1, 2, 0).numpy(), mask[0, 0].numpy()


def test_untouched_pairs_are_cut_as_the_cpu_cuts_them(train: Faces, pictures: Pictures) -> None:
    """No history, and the CPU's view given to the plan."""
    config = ClipConfig(size=64, mix={"video": 1.0}, altered=0.0)
    plans = [dataclasses.replace(Plans(train, config, 4)[k], hidden=None) for k in range(4)]
    batch = rendered(pictures, plans, config)
    pairs = Pairs(train, config, 4)
    for k, plan in enumerate(plans):
        for side, place in enumerate(plan.places[:2]):
            rows = np.array([place])
            clip, boxes = train.read(rows)
            cut = pairs._finish(
                clip.images, boxes, plan.view, np.random.default_rng(0), history=Degradation()
            )
            there = batch.clips[2 * k + side, 0].permute(1, 2, 0).numpy().astype(float)
            assert np.abs(there - cut[0]).mean() < 0.7


def test_a_smaller_picture_than_the_largest_is_cut_the_same(
    train: Faces, pictures: Pictures
) -> None:
    """Crops are 224 px beside videos of 288 px, and reach beyond their edge."""
    config = ClipConfig(size=64, mix={"labelled": 1.0}, altered=0.0)
    plan = dataclasses.replace(Plans(train, config, 1)[0], hidden=None)
    batch = rendered(pictures, [plan], config)
    clip, boxes = train.read(np.array([plan.places[0]]))
    assert clip.images.shape[1] == 224
    cut = Pairs(train, config, 1)._finish(
        clip.images, boxes, plan.view, np.random.default_rng(0), history=Degradation()
    )
    assert np.abs(batch.clips[0, 0].permute(1, 2, 0).numpy() - cut[0].astype(float)).mean() < 0.7


def test_redrawn_faces_overlap_their_originals(train: Faces, pictures: Pictures) -> None:
    config = ClipConfig(size=64, mix={"neural": 1.0}, altered=0.0)
    plan = Plans(train, config, 1)[0]
    drawn = plan.places[1]
    expected = train.read_originals(np.array([drawn]))[0]
    original = pictures.read([plan.places[0]])[0].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(original, expected)


def test_a_plan_depends_on_its_number_alone(train: Faces) -> None:
    config = ClipConfig(size=48)
    first, again = (Plans(train, config, 9)[7] for _ in range(2))
    assert (first.places, first.view, first.history) == (again.places, again.view, again.history)


def test_clips_are_refused_in_a_sentence(train: Faces) -> None:
    with pytest.raises(DataError, match="for single frames"):
        Plans(train, ClipConfig(frames=4), 1)
