"""Candidate boxes between the stages of the face finder, and the pixels inside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import batched_nms

from detector.faces.geometry import share_of_smaller
from detector.records import Box, Face, FloatArray, Image

IntArray = NDArray[np.int64]
# Least shorter side (pixels) and detection score of a face that only the second pass finds: much
# smaller ones would not be scored (`min_size` is 40).
SMALLEST, SURE = 36, 0.9


class Found(NamedTuple):
    """Candidates: boxes (N, 4), probability of a face (N,), and index of the picture (N,)."""

    boxes: FloatArray
    scores: FloatArray
    owners: IntArray

    @classmethod
    def nothing(cls) -> Found:
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64))

    @property
    def sides(self) -> FloatArray:
        """Width and height, (N, 2)."""
        return self.boxes[:, 2:] - self.boxes[:, :2]

    def pick(self, which: IntArray) -> Found:
        return Found(self.boxes[which], self.scores[which], self.owners[which])

    def moved(self, shifts: FloatArray) -> Found:
        """Each edge moved by its share of the box's own side, as the networks were trained."""
        # (dx0, dy0, dx1, dy1) as shares of width and height: MTCNN's bounding-box regression.
        return self._replace(boxes=self.boxes + shifts * np.tile(self.sides, 2))

    def squared(self) -> Found:
        """Squares of the longer side on the same centres: the networks expect squares."""
        centres = (self.boxes[:, :2] + self.boxes[:, 2:]) / 2
        # initial=0: without it the maximum of no boxes would raise.
        half = self.sides.max(axis=1, keepdims=True, initial=0) / 2
        return self._replace(boxes=np.concatenate([centres - half, centres + half], axis=1))

    def distinct(self, overlap: float) -> IntArray:
        """Non-maximum suppression within each picture: the best of boxes whose IoU is larger."""
        # One call for all pictures: the owner is the class within which boxes suppress each other.
        tensors: list[Tensor] = [torch.from_numpy(part) for part in self]
        keep: IntArray = batched_nms(*tensors, overlap).numpy()
        return keep

    def not_nested(self, overlap: float) -> IntArray:
        """As `distinct`, but overlap counts as a share of the smaller box."""
        # Last stage of MTCNN ("Min" mode): a small box inside a large one has a low IoU, and is a
        # duplicate.
        areas = self.sides.prod(axis=1)
        kept: list[int] = []
        for index in np.argsort(-self.scores, kind="stable"):
            others = [k for k in kept if self.owners[k] == self.owners[index]]
            low = np.maximum(self.boxes[others, :2], self.boxes[index, :2])
            high = np.minimum(self.boxes[others, 2:], self.boxes[index, 2:])
            shared = np.clip(high - low, 0, None).prod(axis=1)
            if not np.any(shared > overlap * np.minimum(areas[others], areas[index])):
                kept.append(int(index))
        return np.array(kept, np.int64)


def added(faces: Sequence[Face], more: Sequence[Face]) -> list[Face]:
    """Those of `more` that are clear, large enough to be scored, and not among `faces`; of a
    picture without any, all."""
    if not faces:
        return list(more)
    return [
        other
        for other in more
        if other.detection >= SURE
        and min(other.box.width, other.box.height) >= SMALLEST
        # Of the smaller box: a closer pass finds parts of a face again, at another scale. The
        # share is that of `matching.SAME_FACE`.
        and not any(share_of_smaller(face.box, other.box) > 0.3 for face in faces)
    ]


def part_of(image: Image, box: Box, size: int) -> Image:
    """The part of a box that is inside the image, stretched to `size`; black if nothing does."""
    height, width = image.shape[:2]
    # Boxes may reach outside of the picture; what is outside is cut, not padded.
    x0, y0, x1, y1 = np.clip(np.rint(box), 0, [width, height, width, height]).astype(int)
    if x1 <= x0 or y1 <= y0:
        return np.zeros((size, size, 3), np.uint8)
    return resized(image[y0:y1, x0:x1], (size, size))


def patches_of(pictures: list[Image], found: Found, size: int) -> tuple[Found, list[Image]]:
    """The part of each box inside the picture, stretched to `size`; boxes outside are dropped."""
    height, width = pictures[0].shape[:2]
    edges = np.clip(np.rint(found.boxes), 0, [width, height, width, height]).astype(np.int64)
    inside = np.flatnonzero((edges[:, 2:] > edges[:, :2]).all(axis=1))
    patches = [
        resized(pictures[owner][y0:y1, x0:x1], (size, size))
        for owner, (x0, y0, x1, y1) in zip(found.owners[inside], edges[inside], strict=True)
    ]
    return found.pick(inside), patches


def resized(picture: Image, size: tuple[int, int]) -> Image:
    """`size` is width, height; shrinking averages, so that nothing aliases."""
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
