"""The crop is an exact, clean window: every pixel where the transform puts it, none invented."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from detector.faces.crops import CropSettings, cut_face, landmarks_in_crop, to_tensor
from detector.records import Box, Image
from tests.clips import portrait

WHOLE = CropSettings(size=64, margin=0.0)


def noise(height: int, width: int) -> Image:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def spot(x: int, y: int, size: int = 400) -> Image:
    """A soft white spot whose centre is the point (x, y)."""
    rows, columns = np.mgrid[:size, :size] + 0.5
    light = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 8.0**2))
    return np.repeat((255 * light)[..., None], 3, 2).round().astype(np.uint8)


def centre_of_light(image: Image) -> tuple[float, float]:
    light = image[..., 0].astype(np.float64)
    rows, columns = np.mgrid[: len(light), : len(light)] + 0.5
    return (columns * light).sum() / light.sum(), (rows * light).sum() / light.sum()


def test_at_scale_one_the_crop_is_the_picture_itself() -> None:
    image = noise(100, 120)
    assert np.array_equal(cut_face(image, Box(10, 20, 74, 84), WHOLE), image[20:84, 10:74])


def test_the_result_is_square_rgb_uint8_whatever_the_box() -> None:
    for box in (Box(10, 20, 40, 90), Box(0, 0, 400, 300), Box(50.2, 60.7, 51.9, 63.1)):
        crop = cut_face(noise(300, 400), box, CropSettings())
        assert (crop.shape, crop.dtype) == ((224, 224, 3), np.uint8)


@pytest.mark.parametrize("size", [64, 150, 224, 400])
def test_crops_map_points_as_the_transform_does(size: int) -> None:
    """Light and landmark take the same way, shrinking and growing, off whole pixels too."""
    crop = CropSettings(size=size, margin=0.3)
    box = Box(121.3, 88.6, 251.9, 280.2)
    point = np.array([[170, 200]], np.float32)
    mapped = landmarks_in_crop(point, box, crop)[0]
    light = centre_of_light(cut_face(spot(170, 200), box, crop))
    assert mapped == pytest.approx(light, abs=0.05 * max(1.0, size / 224))


def test_the_margin_is_a_share_of_the_longer_side() -> None:
    corners = np.array([[100, 100], [200, 300]], np.float32)
    mapped = landmarks_in_crop(corners, Box(100, 100, 200, 300), CropSettings(260, 0.3))
    assert mapped == pytest.approx(np.array([[80, 30], [180, 230]]), abs=1e-3)


def test_a_box_gliding_by_a_tenth_of_a_pixel_glides_in_the_crop() -> None:
    """Rounding to whole pixels would not move, then jump by four crop pixels."""
    places = [
        centre_of_light(cut_face(spot(200, 200), Box(172 + s, 172, 228 + s, 228), CropSettings()))
        for s in np.arange(0, 1, 0.1)
    ]
    steps = np.diff([x for x, _ in places])
    expected = -0.1 * 224 / (56 * 1.3)
    assert steps == pytest.approx(np.full(9, expected), abs=0.1)


def test_shrinking_a_fine_chequer_yields_grey_not_stripes() -> None:
    chequer = (np.indices((640, 640)).sum(0) % 2 * 255).astype(np.uint8)
    crop = cut_face(np.repeat(chequer[..., None], 3, 2), Box(0, 0, 630, 630), WHOLE)
    assert np.abs(crop.astype(int) - 127).max() <= 4


def test_beyond_the_border_the_edge_is_repeated() -> None:
    image = noise(64, 64)
    crop = cut_face(image, Box(-32, -16, 32, 48), WHOLE)
    assert np.array_equal(crop[16:, 32:], image[:48, :32])
    assert np.array_equal(crop[16:, :32], np.repeat(image[:48, :1], 32, axis=1))
    assert np.array_equal(crop[:16], np.repeat(crop[16:17], 16, axis=0))


def test_a_plain_picture_stays_plain_over_every_border() -> None:
    image = np.full((50, 50, 3), (10, 120, 240), np.uint8)
    for box in (Box(-40, -40, 10, 10), Box(30, 20, 90, 70), Box(-30, -30, 80, 80)):
        assert (cut_face(image, box, CropSettings()) == image[0, 0]).all()


def test_a_small_image_yields_the_same_crop_as_a_large_one() -> None:
    small = cut_face(portrait(256), Box(80, 30, 150, 110), CropSettings())
    large = cut_face(portrait(512), Box(160, 60, 300, 220), CropSettings())
    assert np.abs(small.astype(int) - large.astype(int)).mean() < 4


def test_the_same_box_yields_the_same_bytes_and_leaves_the_image_unchanged() -> None:
    image, box = noise(200, 200), Box(33.3, 20.1, 120.7, 99.9)
    before = image.copy()
    first = cut_face(image, box, CropSettings())
    second = cut_face(image, box, CropSettings())
    assert np.array_equal(first, second)
    first[:] = 0  # the crop is a copy
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    "box", [Box(80, 80, 90, 90), Box(-20, 0, -10, 10), Box(30, 30, 30, 30), Box(9, 9, 5, 5)]
)
def test_a_box_without_a_pixel_is_an_error(box: Box) -> None:
    with pytest.raises(ValueError, match="no pixel"):
        cut_face(noise(64, 64), box, WHOLE)


def test_settings_refuse_what_cannot_be_cut() -> None:
    with pytest.raises(ValueError, match="size"):
        CropSettings(size=0)
    with pytest.raises(ValueError, match="margin"):
        CropSettings(margin=-0.1)


def test_the_tensor_keeps_time_colour_and_value() -> None:
    crops = [np.full((8, 8, 3), (255, 51, 0), np.uint8), np.zeros((8, 8, 3), np.uint8)]
    tensor = to_tensor(crops)
    assert (tensor.shape, tensor.dtype) == ((2, 3, 8, 8), torch.float32)
    assert tensor[0, :, 0, 0].tolist() == pytest.approx([1.0, 0.2, 0.0])
    assert tensor[1].max() == 0
    assert tensor.is_contiguous()
