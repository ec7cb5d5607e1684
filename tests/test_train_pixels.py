"""What pictures go through in batches is what they go through one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from detector.faces.crops import CropSettings, cut_face
from detector.records import Box
from tests.shards import LANDMARKS, faces
from train import augment, fakes, pixels
from train.augment import Colour
from train.clips import View

SIDE = 96


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    return faces(3, SIDE, fake=True, seed=1)


def batch(clip: np.ndarray) -> Tensor:
    return torch.from_numpy(clip).permute(0, 3, 1, 2).float()


def apart(images: Tensor, clip: np.ndarray) -> np.ndarray:
    """Differences of each value, 0 to 255."""
    assert images.shape[0] == clip.shape[0]
    return np.abs(images.permute(0, 2, 3, 1).numpy() - clip)


COLOURS = [
    Colour(0.1, 0.9, 0.7, 1.2, (0.02, 0.0, -0.03)),
    Colour(),
    Colour(-0.1, 1.2, 1.3, 0.8),
]
WAYS = [(0.4, "area", "linear"), (0.7, "cubic", "lanczos"), (0.9, "linear", "nearest")]
ONE_BY_ONE: dict[str, tuple[list[Any], Callable[[np.ndarray, Any], np.ndarray]]] = {
    "recolour": (COLOURS, augment.recolour),
    "sharpen": ([0.2, 0.5, 0.8], augment.sharpen),
    "blur": ([0.4, 1.0, 2.4], augment.blur),
    "rescale": (WAYS, lambda clip, way: augment.rescale(clip, *way)),
}


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_a_batch_of_unlike_settings_equals_one_picture_after_another(
    clip: np.ndarray, name: str
) -> None:
    settings, alone = ONE_BY_ONE[name]
    expected = np.concatenate([alone(clip[k : k + 1], settings[k]) for k in range(3)])
    wrong = apart(getattr(pixels, name)(batch(clip), settings), expected)
    assert wrong.mean() < 0.5
    assert np.quantile(wrong, 0.995) <= 3
    assert apart(batch(clip), expected).mean() > 1  # so the setting does something


def test_the_jpeg_approximation_removes_what_jpeg_removes(clip: np.ndarray) -> None:
    for quality in (45, 70, 95):
        real = augment.jpeg(clip[..., ::-1], quality)[..., ::-1]  # OpenCV takes BGR
        drawn = pixels.jpeg(batch(clip), [quality] * 3)
        assert apart(drawn, real).mean() < 0.2 * apart(batch(clip), real).mean() + 0.5


def detail(clip: np.ndarray) -> float:
    return float(np.mean([cv2.Laplacian(image, cv2.CV_32F).var() for image in clip]))


@pytest.mark.parametrize("crf", [20, 26, 32, 37])
def test_the_h264_approximation_removes_as_much_detail_as_the_codec(crf: int) -> None:
    """Within a factor of 2.5, of pictures coded one by one as training does with single frames."""
    clip = faces(3, 288, fake=False, seed=2)
    coded = np.concatenate([augment.coded_small(clip[k : k + 1], 1.0, crf) for k in range(3)])
    drawn = pixels.coded(batch(clip), [(1.0, crf)] * 3).permute(0, 2, 3, 1).numpy()
    left = detail(drawn.astype(np.uint8)) / detail(coded)
    wrong = np.abs(drawn - clip).mean() / np.abs(coded.astype(float) - clip).mean()
    assert 0.4 < left < 2.5
    assert 0.5 < wrong < 2


def test_each_picture_goes_through_its_own_history(clip: np.ndarray) -> None:
    histories = [augment.Degradation(), augment.Degradation(blur=1.0, jpeg=60)]
    histories.append(augment.Degradation(noise=0.05, coded=(0.5, 30)))
    images = batch(clip)
    before = images.clone()
    out = pixels.degrade(images, histories, torch.Generator().manual_seed(0))
    assert torch.equal(images, before)
    assert torch.equal(out[0], before[0])
    assert all((out[k] - before[k]).abs().mean() > 2 for k in (1, 2))


def test_a_moved_picture_matches_that_of_opencv(clip: np.ndarray) -> None:
    matrix = cv2.getRotationMatrix2D((50.0, 40.0), 7.0, 1.08)
    matrix[:, 2] += (3.4, -2.7)
    expected = np.stack([fakes.move(image, matrix) for image in clip])
    there = torch.from_numpy(matrix.astype(np.float32))[None].repeat(3, 1, 1)
    assert apart(pixels.move(batch(clip), there), expected).mean() < 0.5


def test_a_face_takes_on_the_colours_under_the_mask(clip: np.ndarray) -> None:
    other = augment.recolour(clip, Colour(brightness=0.15, contrast=0.7))
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[20:70, 30:60] = 1
    expected = np.stack([fakes.match_colours(a, b, mask) for a, b in zip(other, clip, strict=True)])
    masks = torch.from_numpy(mask)[None, None].repeat(3, 1, 1, 1)
    assert apart(pixels.match_colours(batch(other), batch(clip), masks), expected).mean() < 0.7


@pytest.mark.parametrize("window", [3, 5, 7])
def test_texture_is_smoothed_at_edges_expense_as_by_opencv(clip: np.ndarray, window: int) -> None:
    edges = [12.0, 30.0, 45.0]
    expected = np.stack(
        [cv2.bilateralFilter(i, window, e, window) for i, e in zip(clip, edges, strict=True)]
    )
    assert apart(pixels.bilateral(batch(clip), window, edges), expected).mean() < 0.5


def test_a_small_decoder_leaves_the_same_lattice(clip: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    kernels = [fakes._uneven_kernel(rng) for _ in range(3)]
    expected = np.stack([fakes._grow(i, k) for i, k in zip(clip, kernels, strict=True)])
    assert apart(pixels.regrow(batch(clip), kernels), expected).mean() < 0.5


def test_a_cut_is_the_products_cut_with_edges_repeated(clip: np.ndarray) -> None:
    boxes = [Box(-20, -10, 100, 110), Box(20.3, 30.7, 70.1, 80.5), Box(5, 5, 105, 105)]
    for size in (24, 80):
        settings = CropSettings(size, 0.0)
        expected = np.stack([cut_face(i, b, settings) for i, b in zip(clip, boxes, strict=True)])
        squares = torch.tensor([(b.x0, b.y0, b.x1, b.y1) for b in boxes])
        wrong = apart(pixels.cut(batch(clip), squares, size), expected)
        assert wrong.mean() < 0.6
        assert wrong.max() <= 12  # Pillow rounds between columns and rows


def test_a_view_turns_and_mirrors_as_one_by_one(clip: np.ndarray) -> None:
    angles, flips = [5.0, 0.0, -8.0], [False, True, True]
    expected = np.concatenate(
        [
            View(0, 0, 1, angle, flip).turn(clip[k : k + 1])
            for k, (angle, flip) in enumerate(zip(angles, flips, strict=True))
        ]
    )
    assert apart(pixels.turn(batch(clip), angles, flips), expected).mean() < 0.5


def test_landmarks_of_the_drawn_face_are_inside() -> None:
    assert ((LANDMARKS > 0.2) & (LANDMARKS < 0.8)).all()
