"""Plans of what is done to the pictures of a pair: drawn here, carried out by `train.device`.

The draws are those of `train.clips` and `train.fakes` for single frames. Masks are painted here,
by the CPU, which takes a millisecond; everything else is numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from train.augment import Degradation, draw_upload
from train.clips import (
    FAMILIES,
    FAMILY_OF,
    HIDDEN,
    ClipConfig,
    Draws,
    Faces,
    View,
    draw_patch,
    draw_view,
)
from train.fakes import (
    Floats,
    Regrowth,
    draw_alteration,
    draw_place,
    draw_regrowth,
    face_mask,
    local_mask,
    move,
    similarity,
)
from train.verbs import DataError

# Immutable, so all plans can share it.
UNTOUCHED = Degradation()
IN_PLACE = np.eye(2, 3, dtype=np.float32)  # the affine map that moves nothing


@dataclass(frozen=True)
class Blend:
    """A pseudo-fake: the source, altered, moved by `matrix` (2, 3), its colours matched to the
    target's or its texture regrown, over the altered target under `mask` (S, S) uint8."""

    mask: NDArray[np.uint8]
    matrix: Floats = field(default_factory=lambda: IN_PLACE)
    source: Degradation = UNTOUCHED
    target: Degradation = UNTOUCHED
    matched: bool = False
    regrowth: Regrowth | None = None


@dataclass(frozen=True)
class Plan:
    """One pair. `places` are those of the real picture, the fake's source and its target in
    `device.Pictures`; `real_history` is the real one's history before the shared `history`; `boxes`
    (2, 3) are the face boxes of both as in `Faces.read`; `hidden` a rectangle x, y, width, height
    of the cut; `family` the place in `FAMILIES` or -1."""

    places: tuple[int, int, int]
    boxes: Floats
    view: View
    history: Degradation
    real_history: Degradation
    family: int
    hidden: tuple[int, int, int, int] | None = None
    blend: Blend | None = None


def places_of_originals(faces: Faces) -> dict[int, int]:
    """Where the original of each redrawn row is: behind all rows of the table."""
    rows = [int(row) for clip in faces.neural for row in clip]
    return {row: len(faces.table) + k for k, row in enumerate(sorted(rows))}


class Plans(Draws[Plan]):
    """Pairs of single frames as plans."""

    def __init__(self, faces: Faces, config: ClipConfig, count: int) -> None:
        super().__init__(faces, config, count)
        if config.frames != 1 or "temporal" in self._mix:
            raise DataError("--device-data is for single frames; leave it out for clips.")
        table = faces.table
        self._boxes = np.stack(table["box"].to_list()).astype(np.float32)
        points = np.stack(table["landmarks"].to_list()).astype(np.float32)
        self._landmarks = points.reshape(-1, 5, 2)
        self._sides = np.array([faces.side(row) for row in range(len(table))])
        self._originals = places_of_originals(faces)

    def _two(
        self,
        real: NDArray[np.int64],
        fake: NDArray[np.int64],
        rng: np.random.Generator,
        recipe: str = "labelled",
    ) -> Plan:
        first, second = (int(rng.choice(rows)) for rows in (real, fake))
        kind = FAMILIES.index(FAMILY_OF[recipe]) if FAMILY_OF[recipe] else -1
        return Plan(
            # Of a labelled fake, source and target are the fake itself.
            places=(first, second, second),
            boxes=self._boxes[[first, second]],
            real_history=self._real_history(rng),
            view=draw_view(rng),
            history=self._history(rng),
            family=kind,
            hidden=draw_patch(self._config.size, rng) if rng.random() < HIDDEN else None,
        )

    def _twins(self, recipe: str, rng: np.random.Generator) -> Plan:
        pool = self._faces.neural if recipe == "neural" else self._real_pool(rng)
        row = int(rng.choice(self._faces.draw(pool, rng)))
        places = (row, row, row)
        if recipe == "neural":
            original = self._originals[row]
            # The redrawn face is blended into its own original.
            places = (original, row, original)
        elif recipe == "swap":
            places = (row, int(rng.choice(self._faces.draw(pool, rng))), row)
        return Plan(
            places=places,
            boxes=self._boxes[[row, row]],
            blend=self._blend(recipe, places[1], row, rng),
            real_history=self._real_history(rng),
            view=draw_view(rng),
            history=self._history(rng),
            family=FAMILIES.index(FAMILY_OF[recipe]),
        )

    def _real_history(self, rng: np.random.Generator) -> Degradation:
        """See `Pairs._real_upload`."""
        return draw_upload(rng) if rng.random() < self._config.real_uploads else UNTOUCHED

    def _blend(self, recipe: str, source: int, row: int, rng: np.random.Generator) -> Blend:
        """A blend by `recipe` onto the face of `row`."""
        points, side = self._landmarks[row], int(self._sides[row])
        if recipe == "swap":
            mask = face_mask(points, side, rng) * float(rng.choice([0.75, 1.0, 1.0]))
            matrix = similarity(self._landmarks[source], points)
            return Blend(as_bytes(mask), matrix, matched=True)
        if recipe == "warp":
            return _warped(points, side, rng)
        if recipe == "neural":
            return Blend(as_bytes(_neural_mask(points, side, rng)))
        if recipe == "resynthesis":
            whole = np.full((side, side), 255, np.uint8)
            return Blend(whole, regrowth=draw_regrowth(rng))
        return self_blended(points, side, rng, local=recipe == "local", drift=recipe == "drift")


def self_blended(
    points: Floats, side: int, rng: np.random.Generator, *, local: bool, drift: bool = False
) -> Blend:
    """As `fakes.self_blend` does with one frame, from the same draws."""
    step = float(rng.uniform(0.004, 0.02)) if drift else 0.0
    base = (local_mask if local else face_mask)(points, side, rng)
    altered = draw_alteration(rng)
    swapped = bool(rng.random() < 0.5)
    place = draw_place(rng, strength=2.0 if local else 1.0)
    strength = float(rng.choice([0.25, 0.5, 0.75, 1.0, 1.0, 1.0]))
    matrix = place.matrix(points)
    if drift:
        # One frame of the random walk; a face unit is about a third of the picture's side.
        matrix = matrix + np.hstack([np.zeros((2, 2)), rng.normal(0, step * side / 3, (2, 1))])
    mask = move(base * np.float32(strength), matrix)
    sides = (UNTOUCHED, altered) if swapped else (altered, UNTOUCHED)
    return Blend(as_bytes(mask), matrix.astype(np.float32), *sides)


def _warped(points: Floats, side: int, rng: np.random.Generator) -> Blend:
    """As `fakes.warp`: the face at 40 to 96 px, blurred there, and grown again."""
    base = face_mask(points, side, rng)
    small = int(rng.integers(40, 97))
    sigma = float(rng.uniform(0.0, 1.2))
    square = small * np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.55], [0.35, 0.8], [0.65, 0.8]])
    there = similarity(points, square.astype(np.float32))
    # Scale of a similarity: the length of its first column.
    share = min(float(np.hypot(there[0, 0], there[1, 0])), 1.0)
    back = cv2.invertAffineTransform(there)
    inside = cv2.warpAffine(np.ones((small, small), np.float32), back, (side, side))
    # Blurred at the small size, so wider by that factor at the full one.
    blurred = sigma / share if sigma > 0.2 else None
    drawn = Degradation(blur=blurred, rescale=(share, "linear", "cubic"))
    return Blend(as_bytes(base * inside), source=drawn)


def _neural_mask(points: Floats, side: int, rng: np.random.Generator) -> Floats:
    kind = rng.random()
    if kind < 0.5:
        return np.ones((side, side), np.float32)
    return (face_mask if kind < 0.85 else local_mask)(points, side, rng)


def as_bytes(mask: Floats) -> NDArray[np.uint8]:
    """A mask in [0, 1] as 0 to 255."""
    rounded: NDArray[np.uint8] = np.rint(np.clip(mask, 0, 1) * 255).astype(np.uint8)
    return rounded
