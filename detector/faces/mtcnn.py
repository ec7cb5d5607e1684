"""Finds the faces in pictures: the networks of MTCNN, driven over many pictures at once."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.engines.openvino import Job, available, engine_for
from detector.faces.candidates import Found, added, part_of, patches_of, resized
from detector.faces.geometry import square_around
from detector.records import Box, Face, FloatArray, Image

_Net = Callable[[NDArray[np.uint8]], list[FloatArray]]

# From the MTCNN paper, section III: the input sizes, and thresholds as the authors' code has them.
_CELL, _STRIDE = 12, 2  # the window of the first network, and the step between windows
_REFINE_SIZE, _OUTPUT_SIZE = 24, 48  # pixels, of the second and the third network
_PYRAMID_STEP = 0.709  # the root of 1/2: halves the area from level to level
_PROPOSE_AT, _REFINE_AT, _OUTPUT_AT = 0.6, 0.7, 0.7  # least probability of a face, by stage

# Bounds memory: pyramids of 8 pictures at a time, and 256 patches per pass of a network.
_PICTURES_AT_ONCE = 8
_PATCHES_AT_ONCE = 256


@dataclass(frozen=True)
class Search:
    """The scale at which faces are searched.

    Pictures are shrunk until their longer side is at most `long_side`; faces whose shorter
    side is below about `min_face` pixels on the shrunk picture are not searched for. With the
    defaults faces 50 pixels wide in a 720p picture are found, and 70 in a 1080p one.
    """

    long_side: int = 640
    min_face: int = 40


# The second pass: twice the resolution, half the face, so faces a quarter as wide in the picture.
FINER = Search(long_side=1280, min_face=20)
# At half its size a face of 40 pixels is found as often as a large one (28 of 30 in pictures of
# 720p to 4K); up to `CLEAR_SIDE` the first pass finds it as well.
CLOSE_SCALE, CLOSE_FACE, CLEAR_SIDE = 0.5, 32, 900
# Margins of the crops over which `uprightness` averages, from tighter than the box to wider.
AROUND = (-0.1, 0.05, 0.2)


class FaceFinder:
    """MTCNN (Zhang et al. 2016, arXiv 1604.02878) with the weights of facenet-pytorch.

    Its only state is the three networks, so threads may share it. The driver is ours:
    8-bit pyramids of shrunk pictures, each level and each stage one batch over all pictures.
    `long_side` and `min_face` as in `Search`; without `retry` there is no second pass.
    """

    def __init__(
        self, device: str = "cpu", *, long_side: int = 640, min_face: int = 40, retry: bool = True
    ) -> None:
        self._device = device
        self._search = Search(long_side, min_face)
        self._retry = retry
        self._propose_net = self._ready(PNet(), 2 * _REFINE_SIZE)
        self._refine_net = self._ready(RNet(), _REFINE_SIZE)
        self._output_net = self._ready(ONet(), _OUTPUT_SIZE)

    def find(
        self, images: Sequence[Image], detected: Sequence[list[Face] | None] = ()
    ) -> list[list[Face]]:
        """The faces of each image of one shot, largest first, in that image's own pixels.

        A face cut by the picture's border keeps its whole box, which then reaches outside.
        A second pass at a finer scale is made over the first image if it is large, for faces from
        40 pixels on beside larger ones, or if no image shows a face; and over the others if it
        found one. So a shot costs at most one such pass in vain. `detected` are results of
        `detect`, which replace the first pass.

        Raises ValueError for an image that is not RGB uint8 (H, W, 3).
        """
        known = [*detected, *[None] * (len(images) - len(detected))]
        missing = [k for k, faces in enumerate(known) if faces is None]
        searched = dict(zip(missing, self.detect([images[k] for k in missing]), strict=True))
        found = [searched[k] if faces is None else faces for k, faces in enumerate(known)]
        if not self._retry or not images:
            return found
        closer = self._closer(images[0]) if any(found) else FINER
        if closer is None:
            return found
        more = self._detect(images[:1], closer)
        if not added(found[0], more[0]):
            return found
        more += self._detect(images[1:], closer)
        return [
            sorted([*faces, *added(faces, others)], key=lambda face: -face.box.area)
            for faces, others in zip(found, more, strict=True)
        ]

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """As `find`, by the first pass alone."""
        for image in images:
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
                raise ValueError(f"need RGB uint8 (H, W, 3), got {image.dtype} {image.shape}")
        # `image.shape` has the 3 channels, too, which never are the maximum.
        small = [k for k, image in enumerate(images) if max(image.shape) <= CLEAR_SIDE]
        search = replace(self._search, min_face=min(CLOSE_FACE, self._search.min_face))
        found = dict(
            zip(small, self._detect([images[k] for k in small], self._search), strict=True)
        )
        rest = [k for k in range(len(images)) if k not in found]
        found.update(zip(rest, self._detect([images[k] for k in rest], search), strict=True))
        return [found[k] for k in range(len(images))]

    def closer(self, image: Image) -> Callable[[Image], list[Face]] | None:
        """Finds faces of 40 pixels, too, in one picture as large as `image`; None where `detect`
        does."""
        search = self._closer(image)
        return None if search is None else lambda picture: self._detect([picture], search)[0]

    def _closer(self, image: Image) -> Search | None:
        """The search that finds faces of 40 pixels; None where the first pass does."""
        long_side = round(max(image.shape[:2]) * CLOSE_SCALE)
        return Search(long_side, CLOSE_FACE) if long_side > self._search.long_side else None

    def uprightness(self, image: Image, boxes: Sequence[Box]) -> FloatArray:
        """(N, 4) log-odds that each box contains a face, were the image turned counter-clockwise by
        0, 90, 180 and 270 degrees. Much cheaper than a search; for boxes that one has found."""
        if not boxes:
            return np.empty((0, 4), np.float32)
        parts = [
            part_of(image, square_around(box, margin), _OUTPUT_SIZE)
            for box in boxes
            for margin in AROUND
        ]
        patches = [np.rot90(part, turns) for part in parts for turns in range(4)]
        *_places, faceness = _run(self._output_net, [np.ascontiguousarray(p) for p in patches])
        # Softmax outputs reach 0 in float32; 1e-7 bounds the log-odds at about 16.
        odds = np.log(np.maximum(faceness, 1e-7))
        # log p - log (1 - p), since the two columns of a softmax sum to 1; mean over the margins.
        means: FloatArray = (odds[:, 1] - odds[:, 0]).reshape(len(boxes), len(AROUND), 4).mean(1)
        return means

    def _ready(self, net: nn.Module, size: int) -> _Net:
        net = net.to(self._device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        pixels = _FromPixels(net)
        if available(self._device):
            # The hash names the compiled network in the engine's cache.
            weights = b"".join(value.numpy().tobytes() for value in net.state_dict().values())
            key = f"{type(net).__name__} {hashlib.sha256(weights).hexdigest()}"
            whole = isinstance(net, PNet)  # which slides over pictures of any size
            engine = engine_for(Job(pixels, key, (size, size), any_size=whole))
            if engine is not None:
                return engine
        return partial(_by_torch, pixels, self._device)

    def _detect(self, images: Sequence[Image], search: Search) -> list[list[Face]]:
        same_size = defaultdict(list)
        for index, image in enumerate(images):
            same_size[image.shape].append(index)
        faces: list[list[Face]] = [[] for _ in images]
        for members in same_size.values():
            for start in range(0, len(members), _PICTURES_AT_ONCE):
                batch = members[start : start + _PICTURES_AT_ONCE]
                for index, face in self._cascade([images[k] for k in batch], search):
                    faces[batch[index]].append(face)
        return [sorted(found, key=lambda face: -face.box.area) for found in faces]

    def _cascade(self, images: list[Image], search: Search) -> Iterator[tuple[int, Face]]:
        """Each face with the index of its image; all images have one size."""
        height, width = images[0].shape[:2]
        scale = min(1.0, search.long_side / max(height, width, 1))
        size = round(width * scale), round(height * scale)
        # Smaller than the window of the first network: there is nothing to slide.
        if min(size) < _CELL:
            return
        pictures = [resized(image, size) for image in images]
        proposals = self._propose(pictures, search.min_face)
        found, landmarks = self._confirm(pictures, self._refine(pictures, proposals))
        to_original = np.array([width / size[0], height / size[1]], np.float32)
        boxes = found.boxes * np.tile(to_original, 2)
        for owner, box, score, points in zip(
            found.owners, boxes, found.scores, landmarks * to_original, strict=True
        ):
            face = Face(Box(*box.tolist()), points, float(score))
            centre_x, centre_y = face.box.centre
            if 0 <= centre_x < width and 0 <= centre_y < height:
                yield int(owner), face

    def _propose(self, pictures: list[Image], min_face: int) -> Found:
        """First stage: every 12-pixel window of every pyramid level that may contain a face."""
        height, width = pictures[0].shape[:2]
        levels = [Found.nothing()]
        # At this scale a face of `min_face` pixels fills the window of 12.
        scale = _CELL / min_face
        while min(height, width) * scale >= _CELL:
            size = round(width * scale), round(height * scale)
            # From the level above, not from the original, which is cheaper.
            pictures = [resized(picture, size) for picture in pictures]
            shifts, faceness = _run(self._propose_net, pictures)
            owners, rows, columns = np.nonzero(faceness[:, 1] >= _PROPOSE_AT)
            # The output map has one cell per step of 2 pixels; a cell's window is 12 x 12 from
            # there.
            corners = np.stack([columns, rows], axis=1).astype(np.float32) * _STRIDE
            to_picture = np.array([width / size[0], height / size[1]] * 2, np.float32)
            windows = np.concatenate([corners, corners + _CELL], axis=1) * to_picture
            found = Found(windows, faceness[owners, 1, rows, columns], owners)
            # IoU limits of MTCNN's non-maximum suppression: 0.5 within a level, 0.7 between levels
            # and stages.
            keep = found.distinct(0.5)
            found = found.pick(keep)
            levels.append(found.moved(shifts[owners, :, rows, columns][keep]))
            scale *= _PYRAMID_STEP
        merged = Found(*(np.concatenate(parts) for parts in zip(*levels, strict=True)))
        return merged.pick(merged.distinct(0.7)).squared()

    def _refine(self, pictures: list[Image], found: Found) -> Found:
        """Second stage: drops most proposals and moves the rest."""
        found, patches = patches_of(pictures, found, _REFINE_SIZE)
        if not patches:
            return found
        shifts, faceness = _run(self._refine_net, patches)
        sure = np.flatnonzero(faceness[:, 1] > _REFINE_AT)
        found = found.pick(sure)._replace(scores=faceness[sure, 1])
        keep = found.distinct(0.7)
        return found.pick(keep).moved(shifts[sure[keep]]).squared()

    def _confirm(self, pictures: list[Image], found: Found) -> tuple[Found, FloatArray]:
        """Third stage: the final boxes and their landmarks (N, 5, 2)."""
        found, patches = patches_of(pictures, found, _OUTPUT_SIZE)
        if not patches:
            return found, np.empty((0, 5, 2), np.float32)
        shifts, places, faceness = _run(self._output_net, patches)
        sure = np.flatnonzero(faceness[:, 1] > _OUTPUT_AT)
        found = found.pick(sure)._replace(scores=faceness[sure, 1])
        corners, sides = found.boxes[:, None, :2], found.sides[:, None]
        # (N, 10) is x of all five points, then y of all; as shares of the box before it is moved.
        landmarks = corners + sides * places[sure].reshape(-1, 2, 5).transpose(0, 2, 1)
        found = found.moved(shifts[sure])
        keep = found.not_nested(0.7)
        return found.pick(keep), landmarks[keep].astype(np.float32)


class _FromPixels(nn.Module):
    """(N, H, W, 3) uint8 -> the outputs of `net`."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        # MTCNN was trained on pixels in about [-1, 1): (x - 127.5) / 128.
        outputs: tuple[Tensor, ...] = self.net((pixels.permute(0, 3, 1, 2).float() - 127.5) / 128)
        return outputs


@torch.inference_mode()
def _by_torch(net: nn.Module, device: str, pixels: Image) -> list[FloatArray]:
    return [output.cpu().numpy() for output in net(torch.from_numpy(pixels).to(device))]


def _run(net: _Net, pictures: list[Image]) -> list[FloatArray]:
    """The outputs of `net` for pictures of one size."""
    starts = range(0, len(pictures), _PATCHES_AT_ONCE)
    parts = [net(np.stack(pictures[start : start + _PATCHES_AT_ONCE])) for start in starts]
    return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]
