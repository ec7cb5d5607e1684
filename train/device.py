"""Training data on the device that trains: pictures are decoded in its memory, and the plans of
`train.plans` are applied to a whole batch at once.

One CPU core draws the plans of some hundreds of pairs a second; no core processes pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from train import pixels
from train.clips import MASK_SIZE, Batch, ClipConfig, Faces
from train.plans import Plan, places_of_originals

CHUNK = 256  # pictures that are copied at once
GREY = 127.0  # of a hidden patch, as in `clips.hide`


class Pictures:
    """All pictures of a split on `device`, (N, 3, S, S) uint8: the rows of `faces`, then the
    originals of redrawn faces. Smaller pictures than the largest have their edge repeated to the
    right and below, so places in them stay what they were."""

    def __init__(self, faces: Faces, device: torch.device) -> None:
        originals = places_of_originals(faces)
        count = len(faces.table) + len(originals)
        side = max(faces.side(row) for row in range(len(faces.table)))
        self.device = device
        # uint8, a quarter of float32: all pictures of a split fit into one GPU's memory.
        self._pixels = torch.empty(count, 3, side, side, dtype=torch.uint8, device=device)
        rows = [*range(len(faces.table)), *originals]
        for start in range(0, count, CHUNK):
            images = []
            for place in range(start, min(start + CHUNK, count)):
                redrawn = place >= len(faces.table)
                row = np.array([rows[place]])
                images.append((faces.read_originals if redrawn else faces.read_images)(row)[0])
            grown = [np.pad(each, _growth(side - len(each)), mode="edge") for each in images]
            part = torch.from_numpy(np.stack(grown)).permute(0, 3, 1, 2)
            self._pixels[start : start + len(images)] = part.to(device)

    def __len__(self) -> int:
        return len(self._pixels)

    def read(self, places: Sequence[int]) -> Tensor:
        """(N, 3, S, S) float32, 0 to 255."""
        return self._pixels[torch.tensor(places, device=self.device)].float()


def _growth(pixels: int) -> tuple[tuple[int, int], ...]:
    """Below and to the right."""
    return (0, pixels), (0, pixels), (0, 0)


def render(
    pictures: Pictures, plans: Sequence[Plan], config: ClipConfig, generator: torch.Generator
) -> Batch:
    """The batch that `plans` describe, as `clips.collate` makes it of pairs."""
    real = pictures.read([plan.places[0] for plan in plans])
    # The real face's own history first, then the shared one of both.
    real = pixels.degrade(real, [plan.real_history for plan in plans], generator)
    fake, masks = _fakes(pictures, plans, generator)
    histories = [plan.history for plan in plans]
    # (2N, 3, S, S): all reals, then all fakes, with the same N histories.
    images = pixels.degrade(torch.cat([real, fake]), histories * 2, generator)
    # (2, N) pairs become (N, 2), so that a fake follows its real.
    squares = torch.stack([_squares(plans, side, config.margin) for side in (0, 1)])
    squares = squares.to(pictures.device)
    cut = pixels.cut(images, squares.flatten(0, 1), config.size)
    cut = _turn(cut, [*plans, *plans])
    clips = cut.view(2, len(plans), *cut.shape[1:]).transpose(0, 1).contiguous()
    for k, plan in enumerate(plans):
        if plan.hidden is not None:
            x, y, width, height = plan.hidden
            clips[k, :, :, y : y + height, x : x + width] = GREY
    coarse = _coarse(masks, squares[1], plans)
    return _batch(clips.flatten(0, 1), coarse, plans)


def _batch(clips: Tensor, coarse: Tensor, plans: Sequence[Plan]) -> Batch:
    N, device = len(plans), clips.device
    fake = torch.tensor([0.0, 1.0], device=device).repeat(N)
    blended = torch.tensor([float(plan.blend is not None) for plan in plans], device=device)
    family = torch.tensor([plan.family for plan in plans], device=device)
    return Batch(
        # T = 1: single frames are clips of one.
        clips=clips.to(torch.uint8)[:, None],
        fake=fake[:, None],
        mask=torch.stack([torch.zeros_like(coarse), coarse], 1).flatten(0, 1),
        # Of a real the mask is known to be empty; of a labelled fake it is unknown.
        known=torch.stack([torch.ones_like(blended), blended], 1).flatten(),
        family=torch.stack([torch.full_like(family, -1), family], 1).flatten(),
    )


def _fakes(
    pictures: Pictures, plans: Sequence[Plan], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The fakes (N, 3, S, S) before the shared history, and their masks (N, 1, S, S)."""
    fake = pictures.read([plan.places[1] for plan in plans])
    masks = torch.zeros_like(fake[:, :1])
    chosen = [k for k, plan in enumerate(plans) if plan.blend is not None]
    blends = [plan.blend for plan in plans if plan.blend is not None]
    if not blends:
        return fake, masks
    place = torch.tensor(chosen, device=pictures.device)
    target = pictures.read([plans[k].places[2] for k in chosen])
    target = pixels.degrade(target, [each.target for each in blends], generator)
    source = pixels.degrade(fake[place], [each.source for each in blends], generator)
    # One transfer to the device for all matrices of the batch.
    matrices = torch.from_numpy(np.stack([each.matrix for each in blends]).astype(np.float32))
    source = pixels.to_bytes(pixels.move(source, matrices.to(pictures.device)))
    side = fake.shape[2]
    # To the largest picture's size, below and to the right, as the pictures are.
    painted = [np.pad(each.mask, (0, side - len(each.mask))) for each in blends]
    mask = torch.from_numpy(np.stack(painted)).to(pictures.device)[:, None].float() / 255
    matched = [k for k, each in enumerate(blends) if each.matched]
    if matched:
        where = torch.tensor(matched, device=pictures.device)
        source[where] = pixels.match_colours(source[where], target[where], mask[where])
    source = _regrow(source, plans=[plans[k] for k in chosen])
    fake[place] = pixels.blend(source, target, mask)
    masks[place] = mask
    return fake, masks


def _regrow(images: Tensor, plans: Sequence[Plan]) -> Tensor:
    """As `fakes.resynthesise`, where the plan has a regrowth."""
    for k, plan in enumerate(plans):
        way = plan.blend.regrowth if plan.blend else None
        if way is None:
            continue
        smooth = pixels.bilateral(images[k : k + 1], way.window, [way.edge])
        grown = pixels.regrow(smooth, [way.kernel])
        mixed = pixels.to_bytes(grown * (1 - way.keep) + smooth * way.keep)
        images[k : k + 1] = pixels.sharpen(mixed, [way.sharpen]) if way.sharpen else mixed
    return images


def _squares(plans: Sequence[Plan], side: int, margin: float) -> Tensor:
    """The squares (N, 4) that the views of the plans cut from their reals (0) or fakes (1)."""
    boxes = [plan.view.box(plan.boxes[side]) for plan in plans]
    corners = torch.tensor([(box.x0, box.y0, box.x1, box.y1) for box in boxes])
    # `square_around` for a batch; the boxes of training are squares already.
    middle, half = (corners[:, :2] + corners[:, 2:]) / 2, (corners[:, 2:] - corners[:, :2]) / 2
    return torch.cat([middle - half * (1 + margin), middle + half * (1 + margin)], 1)


def _turn(images: Tensor, plans: Sequence[Plan]) -> Tensor:
    angles = [plan.view.angle for plan in plans]
    return pixels.turn(images, angles, [plan.view.mirror for plan in plans])


def _coarse(masks: Tensor, squares: Tensor, plans: Sequence[Plan]) -> Tensor:
    """Masks (N, 1, S, S) as the coarse ones (N, M, M) that supervise training, in [0, 1]."""
    cut = _turn(pixels.cut(masks * 255, squares, 4 * MASK_SIZE), plans)
    # Four pixels per cell, as in `clips.Pairs`.
    return functional.avg_pool2d(cut, 4)[:, 0] / 255
