"""Pictures whose lines come from two moments, odd and even, become pictures of one moment.

Interlaced video shows half of the lines, then the other half; stored as one picture, whatever
moved between the two is combed. A flag may mark that, and is missing after careless editing; it
also stands on pictures of one moment that were merely stored in halves, which nothing needs to
be done to. So each picture is measured, and only one that is combed is changed.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from numpy.typing import NDArray

# A point is combed where it differs from both its neighbours above and below by more than this (of
# 255) in one direction, and from those beyond them, which are of its own moment, by less than half.
TOOTH = 5
COLUMNS = 4  # every fourth one is used, which is enough and four times as fast
BAND = 8  # rows of cells at a time: little memory is the fastest
CELL, TEETH = 16, 8  # of so many points one above the other so many are combed at a moving edge
# The share of such cells. In progressive clips it was 0 but for one; stripes and tiles could
# comb some, so without a flag a higher share is required.
FLAGGED, UNFLAGGED = 0.0001, 0.001


def is_combed(frame: VideoFrame) -> bool:
    """Whether the picture's lines come from two moments between which something moved."""
    luma = _luma(frame)
    if luma is None or min(luma.shape) < 2 * CELL:
        return False
    return combing(luma) > (FLAGGED if frame.interlaced_frame else UNFLAGGED)


def combing(luma: NDArray[np.uint8]) -> float:
    """The share of cells of (H, W) that are combed, in [0, 1]."""
    rows = (len(luma) - 4) // CELL
    # Two more lines on either side of a band are compared with its own.
    bands = [luma[at * CELL : min(at + BAND, rows) * CELL + 4] for at in range(0, rows, BAND)]
    return float(np.concatenate([_teeth(band) >= TEETH for band in bands]).mean())


def _teeth(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How many points of each cell are combed, (rows of cells, W)."""
    line, above, below = luma[2:-2], luma[1:-3], luma[3:-1]
    # Of bytes, without wrapping: how far a point is above both its neighbours, or below both; 0
    # where it is between them.
    high, low = np.maximum(above, below), np.minimum(above, below)
    tooth = np.maximum(np.maximum(line, high) - high, low - np.minimum(line, low))
    # Lines two apart belong to the same field.
    own = np.maximum(_apart(line, luma[:-4]), _apart(line, luma[4:]))
    # Less than half, rounded up: twice a byte may be more than a byte.
    combed = (tooth > TOOTH) & (own < tooth - (tooth >> 1))
    # (rows, CELL, columns): a moving edge combs many lines one above the other, noise does not.
    teeth: NDArray[np.uint8] = combed.reshape(-1, CELL, combed.shape[1]).sum(axis=1, dtype=np.uint8)
    return teeth


def _apart(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.maximum(a, b) - np.minimum(a, b)


def _luma(frame: VideoFrame) -> NDArray[np.uint8] | None:
    """Every few columns of the brightness, 0 to 255; None where it has no plane of its own."""
    component = frame.format.components[0]
    if not component.is_luma or component.plane != 0 or not 8 <= component.bits <= 16:
        return None
    plane = frame.planes[0]
    kind = np.uint8 if component.bits == 8 else np.dtype("<u2")
    rows = np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)
    # One plane for several components, as in YUY2: every second byte is colour.
    if component.bits == 8 and len(frame.format.components) > 1 and len(frame.planes) == 1:
        return None  # packed: brightness and colour side by side
    sampled = rows[:, : plane.width : COLUMNS]  # `line_size` may exceed the width
    if component.bits > 8:  # 10 and 12 bits are reduced to 8
        sampled = np.minimum(np.right_shift(sampled, component.bits - 8), 255)
    luma: NDArray[np.uint8] = np.ascontiguousarray(sampled, np.uint8)
    return luma


class FirstField:
    """Takes every second line, which are of one moment; scaling restores the height."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._made_for: tuple[str, int, int] | None = None

    def of(self, frame: VideoFrame) -> VideoFrame:
        """The lines of the first moment, as a picture of half the height."""
        shape = frame.format.name, frame.width, frame.height
        if self._graph is None or shape != self._made_for:
            self._graph, self._made_for = _graph_for(frame), shape
        self._graph.vpush(frame)
        return self._graph.vpull()


def _graph_for(frame: VideoFrame) -> Graph:
    graph = Graph()
    # Frames arrive one at a time, and each one must come out at once.
    graph.threads = 1
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 90_000),
    )
    graph.link_nodes(source, graph.add("field", "top"), graph.add("buffersink")).configure()
    return graph
