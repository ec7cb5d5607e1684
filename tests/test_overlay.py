"""Boxes, labels and heat on a picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from detector.faces.geometry import square_around
from detector.records import Box, Image
from detector.render.overlay import (
    blend_heat,
    colour_of,
    draw_face,
    draw_note,
    heat_on_frame,
    shrink,
    to_jpeg,
)
from tests.reports import face_crop, mouth_heat

VERDICTS = ("fake", "no_sign", "undecided")


def grey(width: int = 640, height: int = 360) -> Image:
    return np.full((height, width, 3), 120, np.uint8)


def changed(before: Image, after: Image) -> np.ndarray:
    return (before != after).any(axis=2)


def test_drawing_leaves_the_original_picture_alone() -> None:
    image = grey()
    box = Box(100, 100, 200, 220)
    draw_face(image, box, "#1", colour_of("fake"))
    heat_on_frame(image, box, 0.3, mouth_heat(1.0), 1.0)
    blend_heat(image, mouth_heat(1.0), 1.0)
    draw_note(image, "#0")
    assert (image == 120).all()


@pytest.mark.parametrize("size", [(64, 48), (320, 240), (1280, 720), (1080, 1920), (3840, 2160)])
@pytest.mark.parametrize("where", ["inside", "top left", "bottom right", "outside", "everything"])
def test_a_label_fits_into_every_picture_wherever_the_face_is(
    size: tuple[int, int], where: str
) -> None:
    width, height = size
    box = {
        "inside": Box(width * 0.4, height * 0.4, width * 0.6, height * 0.7),
        "top left": Box(-9, -9, width * 0.2, height * 0.2),
        "bottom right": Box(width * 0.9, height * 0.9, width + 20, height + 20),
        "outside": Box(width + 5, height + 5, width + 60, height + 60),
        "everything": Box(-50, -50, width + 50, height + 50),
    }[where]
    image = grey(width, height)
    drawn = draw_face(image, box, "#12 · >99 %", colour_of("no_sign"))
    assert drawn.shape == image.shape
    plate = (drawn == colour_of("no_sign")).all(axis=2)
    assert plate.sum() > 50


@pytest.mark.parametrize("height", [360, 720, 1440])
def test_line_and_label_grow_with_the_picture(height: int) -> None:
    """The share of the picture that is drawn on stays about the same."""
    width = height * 16 // 9
    box = Box(width * 0.4, height * 0.3, width * 0.6, height * 0.7)
    image = grey(width, height)
    share = changed(image, draw_face(image, box, "#1 · 83 %", colour_of("fake"))).mean()
    assert 0.010 < share < 0.035


def test_a_label_is_readable_on_its_plate() -> None:
    """Text and plate differ by a contrast of at least 3 to 1, for every verdict."""
    for verdict in VERDICTS:
        colour = colour_of(verdict)
        drawn = draw_face(grey(), Box(200, 100, 300, 200), "HHHH", colour)
        plate = drawn[80:98, 205:260].reshape(-1, 3).astype(int)
        text = plate[np.argmax(np.abs(plate - colour).sum(axis=1))]
        light, dark = sorted((_luminance(text), _luminance(np.array(colour))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3


def _luminance(colour: np.ndarray) -> float:
    """Relative luminance, as the Web Content Accessibility Guidelines define it."""
    share = colour / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_verdicts_have_distinct_colours_that_show_on_white_and_on_black() -> None:
    colours = [colour_of(verdict) for verdict in VERDICTS]
    assert len(set(colours)) == 3
    assert colour_of(None) == colour_of("undecided")
    for colour in colours:
        luminance = _luminance(np.array(colour))
        assert 1.05 / (luminance + 0.05) >= 2.9
        assert (luminance + 0.05) / 0.05 >= 3


def test_a_dashed_box_paints_less_than_a_solid_one() -> None:
    box = Box(100, 100, 300, 300)
    image = grey()
    solid = changed(image, draw_face(image, box, "", colour_of("fake"))).sum()
    dashed = changed(image, draw_face(image, box, "", colour_of("fake"), dashed=True)).sum()
    assert 0.2 * solid < dashed < 0.9 * solid


def test_a_cool_face_stays_untouched() -> None:
    crop = face_crop()
    np.testing.assert_array_equal(blend_heat(crop, np.zeros((7, 7), np.float32), 1.0), crop)


def test_without_a_scale_nothing_is_painted() -> None:
    crop = face_crop()
    np.testing.assert_array_equal(blend_heat(crop, mouth_heat(1.0), 0.0), crop)


def test_heat_is_shown_where_it_is_and_grows_with_it() -> None:
    crop = face_crop()
    weak = np.abs(blend_heat(crop, mouth_heat(0.3), 1.0).astype(int) - crop).sum(axis=2)
    strong = np.abs(blend_heat(crop, mouth_heat(1.0), 1.0).astype(int) - crop).sum(axis=2)
    assert strong.sum() > 2 * weak.sum()
    assert strong[130:170, 80:130].mean() > 10 * strong[:40].mean()


def test_heat_above_the_scale_is_drawn_as_its_maximum() -> None:
    crop = face_crop()
    np.testing.assert_array_equal(
        blend_heat(crop, np.full((7, 7), 9.0, np.float32), 1.0),
        blend_heat(crop, np.full((7, 7), 1.0, np.float32), 1.0),
    )


def test_heat_on_a_frame_stays_inside_the_network_s_crop() -> None:
    image = grey()
    box = Box(200, 100, 280, 200)
    touched = changed(image, heat_on_frame(image, box, 0.3, np.ones((7, 7), np.float32), 1.0))
    y, x = np.nonzero(touched)
    square = square_around(box, 0.3)
    found = (x.min(), y.min(), x.max() + 1, y.max() + 1)
    np.testing.assert_allclose(found, square, atol=1)


def test_heat_at_the_edge_of_a_frame_is_cut_not_squeezed() -> None:
    """Half of the square is outside: what is left must show the inner half of the map."""
    image = grey()
    heat = np.zeros((7, 7), np.float32)
    heat[:, 0] = 1.0
    left_edge = Box(-40, 100, 40, 180)
    np.testing.assert_array_equal(heat_on_frame(image, left_edge, 0.0, heat, 1.0)[:, 30:], 120)
    outside = heat_on_frame(image, Box(-300, 0, -200, 90), 0.3, heat, 1.0)
    np.testing.assert_array_equal(outside, image)


@pytest.mark.parametrize("size", [(1281, 721), (3840, 2160), (101, 3001), (640, 480), (3, 3)])
def test_a_shrunk_picture_fits_is_even_and_keeps_its_shape(size: tuple[int, int]) -> None:
    width, height = size
    small = shrink(grey(width, height), 1280)
    assert max(small.shape[:2]) <= 1280
    assert small.shape[0] % 2 == 0
    assert small.shape[1] % 2 == 0
    assert small.shape[1] / small.shape[0] == pytest.approx(width / height, rel=0.06)


def test_a_jpeg_comes_back_in_the_same_colours() -> None:
    image = np.full((64, 64, 3), (200, 40, 10), np.uint8)
    stored = cv2.imdecode(np.frombuffer(to_jpeg(image), np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_allclose(stored.mean(axis=(0, 1)), (200, 40, 10), atol=6)
