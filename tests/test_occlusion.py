"""A part of the face is named only where hiding it changes the score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from detector.explain.occlusion import Explainer, explain_moments
from detector.faces.crops import CropSettings
from detector.heatmaps.regions import region_masks
from detector.model.cnn_lstm import Logits
from detector.records import Box, Image, Moment, Person, Quality
from detector.scoring.calibration import ScoringRules, pool_logits, pool_shares
from detector.scoring.verdict import ScoredClip, score_person
from detector.settings import HEAT_TARGETS
from tests.test_regions import FACELESS, POINTS

SIDE = 128
FACE = POINTS * SIDE
RULES = ScoringRules(calibrated=True, undecided=(0.45, 0.55), min_faces=1)
GOOD = Quality(size=200, sharpness=100, frontal=0.9, detection=0.99)
T = 3


class MouthReader:
    """A network that finds fake what has contrast in the mouth, and nothing else."""

    device = "cpu"

    def __init__(self) -> None:
        self.mask = region_masks(FACE, SIDE, SIDE)["mouth"]
        self.passes = 0

    def encode(self, crops: Sequence[Image]) -> Tensor:
        self.passes += len(crops)
        contrast = [float(crop[self.mask].std()) / 20 for crop in crops]
        return torch.tensor(contrast)[:, None, None, None]

    def classify(self, features: Tensor, lengths: Tensor) -> Logits:
        frame = features[..., 0]
        return Logits(frame, frame, frame.mean(1), frame[:, :0])


class ClipReader(MouthReader):
    """The same, but only the clip as a whole has a score, not its frames."""

    def classify(self, features: Tensor, lengths: Tensor) -> Logits:
        identity = features[..., 0]
        return Logits(identity * 0 + 3, identity * 0 + 3, identity.mean(1), identity[:, :0])


def noise() -> Image:
    return np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)


def explained(
    hot: str, of: str = "frame", *, network: Any = None, landmarks: np.ndarray = FACE
) -> Person:
    """The answer for a clip whose heat is in the region called `hot`."""
    reader = network or MouthReader()
    crop = noise()
    feature = float(reader.encode([crop])[0])
    clip = ScoredClip(
        logit=feature,
        frame_logits=np.full(T, feature, np.float32),
        still_logits=np.full(T, feature, np.float32),
        seconds=[0.0, 0.04, 0.08],
        boxes=[Box(0, 0, SIDE, SIDE)] * T,
        landmarks=np.stack([landmarks] * T),
        qualities=[GOOD] * T,
        heats=np.stack([region_masks(FACE, SIDE)[hot].astype(np.float32)] * T),
        crops=[crop] + [None] * (T - 1),
        features=np.full((T, 1), feature, np.float32),
    )
    person = score_person(1, [clip], RULES, heat_of=of)
    explainer = Explainer(reader, RULES, CropSettings(size=SIDE, margin=0.0), {}, of)
    return explain_moments(person, [clip], explainer, tried=1)


def first(person: Person) -> Moment:
    return person.moments[0]


@pytest.mark.parametrize("of", HEAT_TARGETS)
def test_heat_that_hiding_confirms_is_localised(of: str) -> None:
    moment = first(explained("mouth", of))
    assert moment.localised
    top = moment.regions[0]
    assert (top.region, top.confirmed) == ("mouth", True)
    assert top.drop is not None
    assert top.drop > 0
    assert not any(row.confirmed for row in moment.regions[1:])


@pytest.mark.parametrize("of", HEAT_TARGETS)
def test_heat_that_hiding_contradicts_is_not_localised(of: str) -> None:
    moment = first(explained("forehead", of))
    assert moment.localised is False
    assert moment.regions[0].region == "forehead"
    assert not any(row.confirmed for row in moment.regions)


def test_what_explains_the_video_is_tested_on_the_logit_of_its_clip() -> None:
    """The frame's own logit, which does not move here, would confirm nothing."""
    assert first(explained("mouth", "video", network=ClipReader())).localised
    assert first(explained("mouth", "frame", network=ClipReader())).localised is False


def test_one_frame_of_three_moves_its_clip_by_a_third() -> None:
    own, of_clip = (first(explained("mouth", of)).regions[0].drop for of in HEAT_TARGETS)
    assert own is not None
    assert of_clip == pytest.approx(own / T)


def test_a_moment_costs_at_most_five_network_passes() -> None:
    reader = MouthReader()
    explained("mouth", network=reader)
    assert 0 < reader.passes - 1 <= 5  # one pass was made by the test itself


def test_a_frame_with_a_low_score_is_not_occluded() -> None:
    class Calm(MouthReader):
        def encode(self, crops: Sequence[Image]) -> Tensor:
            return super().encode(crops) - 20

    reader = Calm()
    moment = first(explained("mouth", network=reader))
    assert moment.localised is None
    assert moment.regions
    assert reader.passes == 1


@pytest.mark.parametrize("points", FACELESS.values(), ids=FACELESS.keys())
def test_a_face_without_regions_is_scored_all_the_same(points: np.ndarray) -> None:
    person = explained("mouth", landmarks=points * SIDE)
    assert person.fake is not None
    assert (first(person).regions, first(person).localised) == ((), None)


def test_a_frame_like_its_neighbours_adds_nothing() -> None:
    moment = first(explained("mouth"))
    assert moment.without == pytest.approx(moment.fake, abs=1e-6)


def test_what_a_clip_adds_is_its_share_of_the_pooled_logit() -> None:
    logits, weights = np.array([3.0, -1.0, 2.0, 0.0, 1.0]), np.ones(5)
    rules = ScoringRules(share=0.4)
    shares = pool_shares(logits, weights, rules)
    assert shares.sum() == pytest.approx(1, abs=1e-6)
    assert float(shares @ logits) == pytest.approx(
        float(pool_logits(logits, weights, rules)), abs=1e-5
    )
