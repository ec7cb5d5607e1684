"""Training examples: every fake beside a real one, cut, moved and degraded in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from detector.faces.crops import CropSettings, cut_face
from detector.records import Box
from train.augment import Clip, Degradation, degrade, draw_degradation, draw_upload
from train.fakes import FakeClip, Floats, RealClip, make_fake, neural
from train.prepare import read_shards
from train.verbs import DataError

MASK_SIZE = 12  # cells; a coarse mask suffices, as the maps have 5 to 7 per side
"""Side of the coarse mask that supervises where the blend is."""

FAMILIES = ("face_swap", "blend", "local_edit", "whole_face")
"""The classes of the family head: deepfakes of labelled data sets (in DFDC mostly face swaps),
faces blended over a face, altered eyes, nose or mouth, and pictures that a network drew whole."""

# From the recipe of a fake to its class; "" where the class is not known.
FAMILY_OF = {
    "labelled": "face_swap",
    "video": "",
    "self_blend": "blend",
    "drift": "blend",
    "swap": "blend",
    "warp": "blend",
    "temporal": "blend",
    "local": "local_edit",
    "resynthesis": "whole_face",
    "neural": "whole_face",
    "generated": "whole_face",
}
HIDDEN = 0.25
"""How often a patch of a labelled pair is hidden, so that no single region of a face decides (as
Random Erasing, arXiv 1708.04896, of half the pictures); set by hand, as are the next three."""
SAME_PERSON = 0.6
"""How often a labelled fake stands beside a real picture of the person it was made of."""

SAME_SOURCE = 0.6
"""The default of `ClipConfig.same_source`."""

APART = 0.3
"""How often a clip's frames are not neighbours."""

# Shares of the released recipe, see train/LOG.md, "fifth recipe".
FRAME_MIX = {
    "labelled": 0.22,
    "video": 0.40,
    "self_blend": 0.10,
    "swap": 0.05,
    "warp": 0.03,
    "local": 0.04,
    "resynthesis": 0.04,
    "neural": 0.06,
    "generated": 0.06,
}
"""How often a pair is drawn from each recipe when single frames are trained on: `labelled` fakes
of face crops, labelled fakes on `video`, faces redrawn by `train.neural`, `generated` whole faces,
and the recipes of `train.fakes`."""

CLIP_MIX = {
    "video": 0.60,
    "self_blend": 0.08,
    "drift": 0.10,
    "swap": 0.04,
    "local": 0.04,
    "temporal": 0.10,
    "resynthesis": 0.04,
}
"""The same for clips."""


@dataclass(frozen=True)
class ClipConfig:
    """The form of an example: `frames` per clip, `size` and `margin` as in ModelConfig;
    `uploads` is the share of pairs that were uploaded to a social network, `real_uploads` that in
    which only the real face was; only a share of `altered` has any history."""

    size: int = 160
    margin: float = 0.0
    frames: int = 1
    seed: int = 0
    uploads: float = 0.2
    real_uploads: float = 0.0
    altered: float = 1.0
    mix: Mapping[str, float] = field(default_factory=lambda: dict(FRAME_MIX))
    same_source: float = SAME_SOURCE


class Pair(NamedTuple):
    """A real clip and a fake one: images (2, T, S, S, 3) uint8, fake (2, T) in {0, 1},
    mask (2, M, M) in [0, 1], known (2,) whether the mask is known, family (2,) the place in
    `FAMILIES`, -1 for a real."""

    images: NDArray[np.uint8]
    fake: Floats
    mask: Floats
    known: Floats
    family: NDArray[np.int64]


class Faces:
    """The faces of one split, by their use; pixels stay on disk until they are read."""

    def __init__(self, folder: Path, split: str) -> None:
        table, self._pixels = read_shards(folder)
        self._index(table[table["split"] == split])

    def only(self, chosen: pd.Series) -> Faces:
        """The same faces without the rows of the table that are not `chosen`."""
        part = copy(self)
        part._index(self.table[chosen])
        return part

    def _index(self, table: pd.DataFrame) -> None:
        self.table = table.reset_index(drop=True)
        self._weights = self.table["weight"].to_numpy() if "weight" in self.table else None
        real = self.table["label"] == "REAL"
        crop = self.table["kind"] == "crop"
        self.crops_real = self._clips(real & crop)
        self.crops_fake = self._clips(~real & crop)
        self.stills_real = self._clips(real & (self.table["kind"] == "still"))
        self.generated = self._clips(~real & (self.table["kind"] == "still"))
        video = self.table["kind"] == "video"
        self.videos_real = self._clips(real & video)
        self.videos_fake = self._clips(~real & video)
        self.neural = self._clips(~real & (self.table["kind"] == "neural"))
        # By identity of the list, which is what `draw` receives.
        self._chances = {
            id(self.videos_real): self._evenly(self.videos_real, "dataset"),
            id(self.videos_fake): self._evenly(self.videos_fake, "method"),
        }
        self._people: dict[str, list[NDArray[np.int64]]] = {}
        for rows in self.crops_real:
            self._people.setdefault(self._person(rows), []).append(rows)

    def _clips(self, chosen: pd.Series) -> list[NDArray[np.int64]]:
        part = self.table[chosen]
        # A clip's number is unique within its shard only.
        keys = part["shard"] + "/" + part["clip"].astype(str)
        return [np.asarray(group.index) for _, group in part.groupby(keys, sort=True)]

    def draw(self, pool: list[NDArray[np.int64]], rng: np.random.Generator) -> NDArray[np.int64]:
        """One clip of a pool: of videos, sources or methods evenly; of others, by the table's
        column `weight` where it has one."""
        weights = self._chances.get(id(pool))
        if weights is None and self._weights is not None:
            weights = self._weights[[rows[0] for rows in pool]]
        if weights is None:
            return pool[int(rng.integers(len(pool)))]
        # numpy requires probabilities that sum to 1.
        return pool[int(rng.choice(len(pool), p=weights / weights.sum()))]

    def _evenly(self, pool: list[NDArray[np.int64]], column: str) -> Floats:
        """A clip's weight, so that a group of n clips is drawn in proportion to the root of n:
        between equal groups, in which common ones are rare, and equal clips, by which one group of
        48 would be a quarter of all fakes."""
        names = [_same_method(str(self.table[column].iloc[rows[0]])) for rows in pool]
        _, place, counts = np.unique(names, return_inverse=True, return_counts=True)
        return np.asarray(1 / np.sqrt(counts[place]), np.float64) if names else np.zeros(0)

    def same_source(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """The real videos of the source that `rows` come from; empty where there are none."""
        source = self.table["dataset"].iloc[rows[0]]
        return [clip for clip in self.videos_real if self.table["dataset"].iloc[clip[0]] == source]

    def _person(self, rows: NDArray[np.int64]) -> str:
        return str(self.table["identity"].iloc[rows[0]])

    def same_person(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """The real crops of whom `rows` show; empty where there are none."""
        return self._people.get(self._person(rows), [])

    def side(self, row: int) -> int:
        """The side of a row's stored picture in pixels."""
        return int(self._pixels[self.table["shard"].iloc[row]].shape[1])

    def read_images(self, rows: NDArray[np.int64]) -> Clip:
        """The stored pictures (T, S, S, 3) of some rows of one size."""
        part = self.table.iloc[rows]
        places = zip(part["shard"], part["place"], strict=True)
        return np.stack([self._pixels[shard][place] for shard, place in places])

    def read_originals(self, rows: NDArray[np.int64]) -> Clip:
        """The real pictures (T, H, W, 3) that `rows` of the pool `neural` were redrawn from."""
        part = self.table.iloc[rows]
        places = zip(part["of_shard"], part["of_place"].astype(int), strict=True)
        return np.stack([self._pixels[shard][place] for shard, place in places])

    def read(self, rows: NDArray[np.int64]) -> tuple[RealClip, Floats]:
        """Some frames: the clip, and its boxes (T, 3) as side, centre x, centre y."""
        part = self.table.iloc[rows]
        boxes = np.stack(part["box"].to_list()).astype(np.float32)
        landmarks = np.stack(part["landmarks"].to_list()).astype(np.float32).reshape(-1, 5, 2)
        return RealClip(self.read_images(rows), landmarks), boxes


Example = TypeVar("Example", covariant=True)


class Draws(Dataset[Example]):
    """Example number k, drawn from a generator seeded by k alone: a restart gets the same examples,
    however many workers there are."""

    def __init__(self, faces: Faces, config: ClipConfig, count: int) -> None:
        self._faces, self._config, self._count = faces, config, count
        self._mix = _possible(config.mix, faces)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Example:
        # In each worker process: OpenCV's threads would compete with the other workers'.
        cv2.setNumThreads(1)
        # A pair of integers is a valid seed, and its streams are independent.
        rng = np.random.default_rng((self._config.seed, index))
        recipes = list(self._mix)
        chances = np.array(list(self._mix.values()))
        return self._draw(str(rng.choice(recipes, p=chances / chances.sum())), rng)

    def _draw(self, recipe: str, rng: np.random.Generator) -> Example:
        faces = self._faces
        if recipe == "labelled":
            fake = faces.draw(faces.crops_fake, rng)
            twins = faces.same_person(fake) if rng.random() < SAME_PERSON else []
            return self._two(faces.draw(twins or faces.crops_real, rng), fake, rng)
        if recipe == "video":
            fake = faces.draw(faces.videos_fake, rng)
            twins = faces.same_source(fake) if rng.random() < self._config.same_source else []
            real = faces.draw(twins or faces.videos_real, rng)
            return self._two(real, fake, rng, "video")
        if recipe == "generated":
            real = faces.draw(faces.stills_real, rng)
            return self._two(real, faces.draw(faces.generated, rng), rng, "generated")
        return self._twins(recipe, rng)

    def _two(
        self,
        real: NDArray[np.int64],
        fake: NDArray[np.int64],
        rng: np.random.Generator,
        recipe: str = "labelled",
    ) -> Example:
        """A real face and a fake one; both through the same cut and the same history."""
        raise NotImplementedError

    def _twins(self, recipe: str, rng: np.random.Generator) -> Example:
        """One real clip, and the pseudo-fake made of it."""
        raise NotImplementedError

    def _history(self, rng: np.random.Generator) -> Degradation:
        if rng.random() >= self._config.altered:
            return Degradation()
        return draw_degradation(rng, self._config.uploads)

    def _real_pool(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        faces = self._faces
        # Weights of the sources of real faces; a source without faces is left out below.
        pools = [(faces.videos_real, 0.5), (faces.stills_real, 0.3), (faces.crops_real, 0.2)]
        if self._config.frames > 1:
            # Clips need real motion, which stills and crops only imitate (`_animate`).
            pools[0] = (faces.videos_real, 1.5)
        filled = [(pool, weight) for pool, weight in pools if pool]
        weights = np.array([weight for _, weight in filled])
        return filled[int(rng.choice(len(filled), p=weights / weights.sum()))][0]


class Pairs(Draws[Pair]):
    """Pairs whose pictures are made here, by the CPU."""

    def _two(
        self,
        real: NDArray[np.int64],
        fake: NDArray[np.int64],
        rng: np.random.Generator,
        recipe: str = "labelled",
    ) -> Pair:
        first, first_boxes = self._window(real, rng)
        first = self._real_upload(first, rng)
        second, second_boxes = self._window(fake, rng)
        view, history = draw_view(rng), self._history(rng)
        images = np.stack(
            [
                self._finish(first.images, first_boxes, view, rng, history=history),
                self._finish(second.images, second_boxes, view, rng, history=history),
            ]
        )
        if rng.random() < HIDDEN:
            hide(images, rng)
        fakes = np.zeros(images.shape[:2], np.float32)
        fakes[1] = 1  # row 0 is the real clip, row 1 the fake one
        # Of a labelled fake the mask is not known (`known` is 0), and has no loss.
        masks = np.zeros((2, MASK_SIZE, MASK_SIZE), np.float32)
        kind = FAMILIES.index(FAMILY_OF[recipe]) if FAMILY_OF[recipe] else -1
        return Pair(images, fakes, masks, np.array([1, 0], np.float32), np.array([-1, kind]))

    def _twins(self, recipe: str, rng: np.random.Generator) -> Pair:
        if recipe == "neural":
            rows = self._rows(self._faces.draw(self._faces.neural, rng), rng)
            drawn, boxes = self._faces.read(rows)
            real = replace(drawn, images=self._faces.read_originals(rows))
            fake = neural(real, drawn.images, rng)
        else:
            pool = self._real_pool(rng)
            real, boxes = self._read(pool, rng)
            other = self._read(pool, rng)[0] if recipe == "swap" else None
            fake = make_fake(real, recipe, rng, other)
        view, history = draw_view(rng), self._history(rng)
        images = np.stack(
            [
                self._finish(
                    self._real_upload(real, rng).images, boxes, view, rng, history=history
                ),
                self._finish(fake.images, boxes, view, rng, history=history),
            ]
        )
        # Frame by frame: a temporal fake leaves some frames as they are.
        fakes = np.stack([np.zeros(len(boxes)), fake.altered]).astype(np.float32)
        mask = self._coarse_mask(fake, boxes, view)
        kind = FAMILIES.index(FAMILY_OF[recipe]) if fake.altered.any() else -1
        return Pair(
            images, fakes, np.stack([mask * 0, mask]), np.ones(2, np.float32), np.array([-1, kind])
        )

    def _real_upload(self, real: RealClip, rng: np.random.Generator) -> RealClip:
        """Sometimes a real face has one upload more in its history than its fake: generators smooth
        what they draw, and without such pairs "smoother" alone would mean "fake"."""
        if rng.random() >= self._config.real_uploads:
            return real
        return replace(real, images=degrade(real.images, draw_upload(rng), rng))

    def _read(
        self, pool: list[NDArray[np.int64]], rng: np.random.Generator
    ) -> tuple[RealClip, Floats]:
        return self._window(self._faces.draw(pool, rng), rng)

    def _window(self, rows: NDArray[np.int64], rng: np.random.Generator) -> tuple[RealClip, Floats]:
        """As many frames of a clip as the config requests; a still is set in motion."""
        T = self._config.frames
        # A still, or a crop.
        if len(rows) == 1:
            clip, boxes = self._faces.read(rows)
            return _animate(clip, T, rng), np.repeat(boxes, T, axis=0)
        return self._faces.read(self._rows(rows, rng))

    def _rows(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """As many of a clip's frames as the config requests: neighbours as in the product,
        sometimes further apart, as at half or a third of the frame rate."""
        T = self._config.frames
        apart = rng.random() < APART
        # At most 3, and no more than the stored frames allow.
        step = int(rng.integers(1, max(2, min(3, len(rows) // T) + 1))) if apart else 1
        start = int(rng.integers(0, max(len(rows) - step * (T - 1), 1)))
        return rows[np.minimum(start + step * np.arange(T), len(rows) - 1)]

    def _finish(
        self,
        clip: Clip,
        boxes: Floats,
        view: View,
        rng: np.random.Generator,
        *,
        history: Degradation,
    ) -> Clip:
        # Before cutting, as in the product: the codec acts on the video, not on the crop.
        clip = degrade(clip, history, rng)
        settings = CropSettings(size=self._config.size, margin=self._config.margin)
        cut = [
            cut_face(image, view.box(box), settings) for image, box in zip(clip, boxes, strict=True)
        ]
        return view.turn(np.stack(cut))

    def _coarse_mask(self, fake: FakeClip, boxes: Floats, view: View) -> Floats:
        middle = len(boxes) // 2
        # As a grey picture, so that it passes through the same cut as the pixels.
        picture = np.repeat(np.rint(fake.mask[middle] * 255).astype(np.uint8)[..., None], 3, axis=2)
        settings = CropSettings(size=MASK_SIZE * 4, margin=self._config.margin)
        cut = cut_face(picture, view.box(boxes[middle]), settings)
        grey = view.turn(cut[None])[0, ..., 0].astype(np.float32) / 255
        # Mean over 4 x 4 pixels per cell.
        coarse: Floats = grey.reshape(MASK_SIZE, 4, MASK_SIZE, 4).mean(axis=(1, 3))
        return coarse


def _possible(mix: Mapping[str, float], faces: Faces) -> dict[str, float]:
    """The recipes of `mix` for which there is data. Raises ValueError if there is none."""
    crops = bool(faces.crops_real and faces.crops_fake)
    stills = bool(faces.stills_real and faces.generated)
    real = bool(faces.crops_real or faces.stills_real or faces.videos_real)
    video = bool(faces.videos_real and faces.videos_fake)
    there = {
        "labelled": crops,
        "video": video,
        "neural": bool(faces.neural),
        "generated": stills,
    }
    left = {name: share for name, share in mix.items() if there.get(name, real)}
    if not left:
        raise DataError("there are no real faces to train on in this split")
    return left


def _same_method(name: str) -> str:
    """FaceForensics++ stands under two names, by where its copies came from."""
    return name.replace("FFpp-", "FF++-")


@dataclass(frozen=True, slots=True)
class View:
    """The crop in training: the finder's box shifted a little, turned a little, or mirrored."""

    x: float
    y: float
    zoom: float
    angle: float
    mirror: bool

    def box(self, stored: Floats) -> Box:
        side, cx, cy = (float(value) for value in stored)
        cx, cy, half = cx + self.x * side, cy + self.y * side, side * self.zoom / 2
        return Box(cx - half, cy - half, cx + half, cy + half)

    def turn(self, clip: Clip) -> Clip:
        if self.angle:
            size = clip.shape[2]
            # Degrees, counter-clockwise.
            matrix = cv2.getRotationMatrix2D((size / 2, size / 2), self.angle, 1.0)
            clip = np.stack(
                [
                    cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
                    for image in clip
                ]
            ).astype(np.uint8)
        return np.ascontiguousarray(clip[:, :, ::-1]) if self.mirror else clip


PLAIN_VIEW = View(x=0.0, y=0.0, zoom=1.0, angle=0.0, mirror=False)
"""Exactly at the finder's box, as in the product."""


def draw_view(rng: np.random.Generator) -> View:
    """The box's place and size vary as MTCNN's do, and as crops of other makers do."""
    return View(
        # Shares of the box's side; see train/LOG.md, "Where DFDC's crops lie", for the zoom.
        x=float(rng.uniform(-0.06, 0.06)),
        y=float(rng.uniform(-0.06, 0.08)),
        zoom=float(rng.uniform(0.78, 1.12)),
        angle=float(rng.uniform(-8, 8)) if rng.random() < 0.3 else 0.0,
        mirror=bool(rng.random() < 0.5),
    )


def draw_patch(size: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """A rectangle x, y, width, height within `size` pixels, a sixth to a half of it."""
    width, height = rng.integers(size // 6, size // 2, 2)
    x, y = rng.integers(0, size - width), rng.integers(0, size - height)
    return int(x), int(y), int(width), int(height)


def hide(images: Clip, rng: np.random.Generator) -> None:
    """A grey rectangle over all `images` (..., S, S, 3), in place."""
    x, y, width, height = draw_patch(images.shape[-2], rng)
    images[..., y : y + height, x : x + width, :] = 127


def _animate(clip: RealClip, count: int, rng: np.random.Generator) -> RealClip:
    """A still becomes `count` frames by a smooth walk of its place, size and angle."""
    if count == 1:
        return clip
    size = clip.images.shape[1]
    # For x, y, scale and angle: radians, and radians per frame.
    phase, speed = rng.uniform(0, 2 * np.pi, 4), rng.uniform(0.05, 0.4, 4)
    reach = np.array([0.03 * size, 0.03 * size, 0.02, 2.0]) * rng.uniform(0, 1)
    images, landmarks = [], []
    for index in range(count):
        x, y, scale, angle = reach * np.sin(phase + speed * index)
        matrix = cv2.getRotationMatrix2D((size / 2, size / 2), angle, 1 + scale)
        matrix[:, 2] += (x, y)
        images.append(
            cv2.warpAffine(clip.images[0], matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
        )
        # Row vectors: p A^T + b, the same map as that of the pixels.
        landmarks.append(clip.landmarks[0] @ matrix[:, :2].T + matrix[:, 2])
    return RealClip(np.stack(images).astype(np.uint8), np.stack(landmarks).astype(np.float32))


class Batch(NamedTuple):
    """Pairs side by side: clips (2N, T, 3, S, S) uint8, the rest as in `Pair`."""

    clips: Tensor
    fake: Tensor
    mask: Tensor
    known: Tensor
    family: Tensor


def collate(pairs: list[Pair]) -> Batch:
    """Pairs become one batch; real and fake of one pair stay neighbours."""
    images = torch.from_numpy(np.concatenate([pair.images for pair in pairs]))
    return Batch(
        clips=images.permute(0, 1, 4, 2, 3),  # (2N, T, 3, S, S), still uint8
        fake=torch.from_numpy(np.concatenate([pair.fake for pair in pairs])),
        mask=torch.from_numpy(np.concatenate([pair.mask for pair in pairs])),
        known=torch.from_numpy(np.concatenate([pair.known for pair in pairs])),
        family=torch.from_numpy(np.concatenate([pair.family for pair in pairs])),
    )
