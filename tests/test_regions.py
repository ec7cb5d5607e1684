"""Parts of a face are placed correctly, and named only when hiding them changes the score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detector import Detector
from detector.explain.occlusion import blur_region
from detector.findings import RegionShare
from detector.heatmaps.regions import REGIONS, region_masks, region_shares, shares_of
from detector.records import Moment, Report
from detector.text.phrases import region_text
from tests.reports import face_crop

POINTS = np.array([[0.31, 0.35], [0.69, 0.35], [0.5, 0.55], [0.35, 0.75], [0.65, 0.75]], np.float32)


def middle(mask: np.ndarray) -> tuple[float, float]:
    y, x = np.nonzero(mask)
    return float(x.mean() / len(mask)), float(y.mean() / len(mask))


def test_every_pixel_belongs_to_one_region() -> None:
    masks = region_masks(POINTS * 160, 160)
    assert tuple(masks) == REGIONS
    np.testing.assert_array_equal(sum(mask.astype(int) for mask in masks.values()), 1)
    assert all(mask.any() for mask in masks.values())


def test_regions_are_placed_as_in_a_face() -> None:
    heights = {name: middle(mask)[1] for name, mask in region_masks(POINTS, 1.0).items()}
    order = ["forehead", "brows", "eyes", "nose", "mouth"]
    assert sorted(order, key=lambda name: heights[name]) == order


@pytest.mark.parametrize("size", [112.0, 160.0, 192.0, 224.0])
def test_regions_do_not_depend_on_the_size_of_the_crop(size: float) -> None:
    for one, other in zip(
        region_masks(POINTS * size, size).values(), region_masks(POINTS, 1.0).values(), strict=True
    ):
        assert (one != other).mean() < 0.01


def test_regions_turn_with_the_face() -> None:
    turned = np.stack([1 - POINTS[:, 1], POINTS[:, 0]], axis=1)
    upright, lying = region_masks(POINTS, 1.0), region_masks(turned, 1.0)
    assert (np.rot90(upright["mouth"], -1) != lying["mouth"]).mean() < 0.02


def test_a_face_in_profile_still_has_width() -> None:
    aside = POINTS.copy()
    aside[1, 0] = aside[0, 0] + 0.02
    assert region_masks(aside, 1.0)["cheeks"].mean() > 0.03


FACELESS = {
    "on one point": np.full((5, 2), 0.5, np.float32),
    "mouth on the eyes": POINTS[[0, 1, 2, 0, 1]],
    "mouth around the eyes' middle": np.array(
        [[0.3, 0.4], [0.7, 0.4], [0.5, 0.4], [0.4, 0.3], [0.6, 0.5]], np.float32
    ),
    "nowhere": np.full((5, 2), np.nan, np.float32),
}


@pytest.mark.parametrize("points", FACELESS.values(), ids=FACELESS.keys())
def test_landmarks_that_show_no_face_have_no_regions(points: np.ndarray) -> None:
    assert region_masks(points, 1.0) == {}
    assert region_shares(np.ones((5, 5), np.float32), points, 1.0, {}) == ()


@pytest.mark.parametrize("cells", [5, 6, 7])
def test_heat_on_the_mouth_is_the_mouth_s(cells: int) -> None:
    heat = np.zeros((cells, cells), np.float32)
    heat[round(0.75 * (cells - 1)), cells // 2] = 2.0
    rows = region_shares(heat, POINTS, 1.0, {})
    assert sum(row.evidence for row in rows) == pytest.approx(1.0)
    assert rows[0].region == "mouth" or rows[0].evidence > 2 * rows[0].area
    assert next(row for row in rows if row.region == "forehead").evidence == pytest.approx(
        0, abs=0.05
    )


def test_what_real_faces_show_as_well_is_no_evidence() -> None:
    heat = np.ones((5, 5), np.float32)
    plain = region_shares(heat, POINTS, 1.0, {})
    measured = region_shares(heat, POINTS, 1.0, {"mouth": 0.0, "background": 0.9})
    assert all(row.expected is None for row in plain)
    by_name = {row.region: row for row in measured}
    assert by_name["mouth"].excess > 0 > by_name["background"].excess


def test_a_cold_map_has_no_shares() -> None:
    assert shares_of(np.zeros((5, 5), np.float32), region_masks(POINTS, 1.0)) == {}


def test_blurring_changes_its_region_and_leaves_the_rest() -> None:
    crop = face_crop(size=160)
    mask = region_masks(POINTS * 160, 160, 160)["mouth"]
    change = np.abs(blur_region(crop, mask).astype(int) - crop).sum(axis=2)
    assert change[mask].mean() > 5
    far = region_masks(POINTS * 160, 160, 160)["forehead"]
    assert change[far].mean() < 0.5


def moment(*regions: RegionShare, localised: bool | None) -> Moment:
    crop = face_crop(size=64)
    return Moment(1, 3.0, 0.9, crop, np.ones((5, 5), np.float32), regions, localised)


def test_a_map_that_hiding_contradicts_is_not_localised() -> None:
    nose = RegionShare("nose", 0.2, 0.1, drop=-0.4)
    background = RegionShare("background", 0.24, 0.32, drop=-0.1)
    text = region_text(moment(background, nose, localised=False))
    assert text is not None
    assert text.startswith("Not localised")
    assert "the nose (20 %" in text.replace("\N{NO-BREAK SPACE}", " ")


def test_what_both_agree_on_is_named_with_its_numbers() -> None:
    mouth = RegionShare("mouth", 0.41, 0.06, expected=0.08, drop=0.9, confirmed=True)
    text = region_text(moment(mouth, localised=True))
    assert text is not None
    assert all(part in text for part in ("the mouth", "41 %", "6 %", "8 %"))


def test_untested_regions_have_no_text() -> None:
    assert region_text(moment(RegionShare("nose", 0.3, 0.1), localised=None)) is None


def test_moments_of_a_real_run_have_regions_and_their_weight(report: Report) -> None:
    (person,) = report.people
    assert all(0 <= (moment.without or 0) <= 1 for moment in person.moments)
    rows = [row for moment in person.moments for row in moment.regions]
    assert {row.region for row in rows} <= set(REGIONS)
    tried = [m for m in person.moments if m.localised is not None]
    for one in tried:
        drops = [row for row in one.regions if row.drop is not None]
        assert 1 <= len(drops) <= 7
        assert one.localised == any(row.confirmed for row in one.regions)


def test_what_was_measured_on_real_faces_comes_from_the_card(detector: Detector) -> None:
    assert detector.loaded is not None
    card = detector.loaded.card
    assert card.expected_regions("grad_cam", "frame") == {}
    known = replace(card, data={"regions": {"grad_cam/frame": {"mean": {"nose": 0.2}}}})
    assert known.expected_regions("grad_cam", "frame") == {"nose": 0.2}
    assert known.expected_regions("layer_cam", "frame") == {}
