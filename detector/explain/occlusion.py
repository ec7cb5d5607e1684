"""Why a moment looks manipulated: the part of the face, confirmed by hiding it, and its weight.

A heat map follows the network's gradients; it may mark regions that change nothing when they are
hidden. So the regions that it marks are blurred, one at a time, and scored again (Zeiler and
Fergus 2014, here by regions of the face, not in a grid). Regions on which both agree are reported;
otherwise the answer is "not localised". A test costs at most four crops, so an analysis tests its
first moments only, and any other on request (`explain.frame`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image as Pillow
from PIL import ImageFilter

from detector.faces.crops import CropSettings, landmarks_in_crop
from detector.findings import RegionShare
from detector.heatmaps.regions import Mask, region_masks, region_shares
from detector.inference import Network
from detector.model.cnn_lstm import pool
from detector.records import Image, Moment, Person
from detector.scoring.calibration import ScoringRules, calibrate, pool_logits
from detector.scoring.verdict import ScoredClip
from detector.settings import Settings

TESTED = 2  # moments of an analysis; more would cost as much as scoring 20 frames does
TRIED = 3  # regions blurred per moment, beside the control; each costs a forward pass
CONTROL_AREA = 0.03  # of the crop; the smallest region of a frontal face has .04
LEAST_DROP = 0.2  # log-odds of a frame, at most .05 of probability; set by hand
BLUR = 1 / 12  # of the crop's side: no feature of a face survives it
SOFT = 1 / 40  # of the crop's side: the blurred region has no edge of its own


@dataclass(frozen=True)
class Explainer:
    """The network and rules by which one moment is tested, and what real faces show. `of` is
    the logit to be explained, as in `Settings.heat_of`."""

    network: Network
    rules: ScoringRules
    crop: CropSettings
    expected: Mapping[str, float]
    of: str = "frame"


def explainer_for(network: Network, rules: ScoringRules, settings: Settings) -> Explainer:
    """The explainer of a network, for what its heat maps explain."""
    model = network.card.model
    expected = network.card.expected_regions(settings.heat_method, settings.heat_of)
    crop = CropSettings(size=model.size, margin=model.margin)
    return Explainer(network, rules, crop, expected, settings.heat_of)


def explain_people(
    people: Sequence[Person], clips: Sequence[Sequence[ScoredClip]], explainer: Explainer
) -> tuple[Person, ...]:
    """Everyone with the reasons for their moments; together they test about `TESTED` of them."""
    tried = max(1, TESTED // max(len(people), 1))
    pairs = zip(people, clips, strict=True)
    return tuple(explain_moments(person, own, explainer, tried=tried) for person, own in pairs)


def explain_moments(
    person: Person, clips: Sequence[ScoredClip], explainer: Explainer, *, tried: int
) -> Person:
    """`person` with the regions of all moments; the first `tried` ones are tested as well."""
    explained = [
        explain_moment(moment, _clip_of(moment, clips), person, explainer, tested=rank < tried)
        for rank, moment in enumerate(person.moments)
    ]
    return replace(person, moments=tuple(explained))


def _clip_of(moment: Moment, clips: Sequence[ScoredClip]) -> ScoredClip:
    return next(clip for clip in clips if moment.second in [float(s) for s in clip.seconds])


def explain_moment(
    moment: Moment, clip: ScoredClip, person: Person, explainer: Explainer, *, tested: bool
) -> Moment:
    """`moment`, a frame of `clip`, with its regions and its weight; `tested` by hiding them.

    What does not reach the undecided range has nothing to be confirmed.
    """
    at = [float(second) for second in clip.seconds].index(moment.second)
    points = landmarks_in_crop(clip.landmarks[at], clip.boxes[at], explainer.crop)
    regions: tuple[RegionShare, ...] = ()
    if moment.heat is not None:
        regions = region_shares(moment.heat, points, explainer.crop.size, explainer.expected)
    moment = replace(moment, regions=regions, without=_without(clip, at, person, explainer))
    explained = moment.fake if explainer.of == "frame" else person.fake or 0.0
    if not tested or not regions or explained < explainer.rules.undecided[0]:
        return moment
    masks = region_masks(points, explainer.crop.size, explainer.crop.size)
    return _tested(moment, masks, _AlteredFrame(explainer.network, clip, at, explainer.of))


@dataclass(frozen=True)
class _AlteredFrame:
    """Frame `at` of a clip, of which the network can score altered versions."""

    network: Network
    clip: ScoredClip
    at: int
    of: str

    @property
    def least_drop(self) -> float:
        """One of many frames moves the logit of its clip that much less than its own."""
        return LEAST_DROP if self.of == "frame" else LEAST_DROP / len(self.clip.seconds)

    def drops(self, versions: Sequence[Image]) -> list[float]:
        """By how much each version lowers the explained log-odds, its neighbours as they were."""
        pooled = pool(self.network.encode(versions))  # (N, C)
        # (T, C + M) to (1 + N, T, C + M): the clip as it is, then with one frame replaced.
        features = torch.from_numpy(self.clip.features).to(pooled)
        again = features.repeat(1 + len(versions), 1, 1)
        # What changes between frames stays as it was.
        again[1:, self.at, : pooled.shape[1]] = pooled
        lengths = torch.full((len(again),), len(features))
        scored = self.network.classify(again, lengths)
        logits = (scored.frame[:, self.at] if self.of == "frame" else scored.clip).float().cpu()
        return [float(logits[0] - logit) for logit in logits[1:]]


def _tested(moment: Moment, masks: Mapping[str, Mask], altered: _AlteredFrame) -> Moment:
    """Blur the first regions and a control; find which of them lowers the score clearly."""
    regions = list(moment.regions)
    chosen = list(range(min(TRIED, len(regions))))
    controls = [k for k in range(TRIED, len(regions)) if regions[k].area >= CONTROL_AREA]
    if controls:  # the least heat for the size of the region
        chosen.append(min(controls, key=lambda k: regions[k].evidence / regions[k].area))
    # Blurred, not blackened: an edge that no face has would itself be taken for a manipulation.
    blurred = [blur_region(moment.crop, masks[regions[k].region]) for k in chosen]
    drops = altered.drops(blurred)
    # A region must matter more than the control does, which has the least heat for its size.
    bar = max(altered.least_drop, drops[-1] if controls else 0.0)
    for index, (k, drop) in enumerate(zip(chosen, drops, strict=True)):
        clear = index < TRIED and drop > bar and regions[k].excess > 0
        regions[k] = replace(regions[k], drop=drop, confirmed=clear)
    return replace(
        moment, regions=tuple(regions), localised=any(region.confirmed for region in regions)
    )


def blur_region(crop: Image, mask: Mask) -> Image:
    """The crop (S, S, 3) with the masked region (S, S) blurred, and a soft edge around it."""
    picture = Pillow.fromarray(crop)
    side = len(crop)
    # Grey values are the weights of the composite.
    soft = Pillow.fromarray((mask * 255).astype(np.uint8))
    soft = soft.filter(ImageFilter.GaussianBlur(side * SOFT))
    hidden = picture.filter(ImageFilter.GaussianBlur(side * BLUR))
    return np.array(Pillow.composite(hidden, picture, soft))


def _without(clip: ScoredClip, at: int, person: Person, explainer: Explainer) -> float | None:
    """The person's probability without frame `at` of `clip`; None if there is no other frame."""
    if len(clip.seconds) < 2 or clip.features is None:
        return None
    rest = torch.from_numpy(np.delete(clip.features, at, axis=0)).to(explainer.network.device)
    logit = float(explainer.network.classify(rest[None], torch.tensor([len(rest)])).clip)
    kept = [part for part in person.clips if part.weight > 0]
    # A person's clips do not overlap, so the start identifies one.
    start = float(clip.seconds[0])
    logits = np.array([logit if part.start == start else part.logit for part in kept])
    weights = np.array([part.weight for part in kept])
    return float(calibrate(pool_logits(logits, weights, explainer.rules), explainer.rules))
