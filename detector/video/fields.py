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


def combing(luma: NDArray[np.int16]) -> float:
    """The share of cells of (H, W) 0 to 255 that are combed, in [0, 1]."""
    line, above, below = luma[2:-2], luma[1:-3], luma[3:-1]
    # int16: differences of bytes have signs.
    up, down = line - above, line - below
    tooth = np.minimum(np.abs(up), np.abs(down))
    # Lines two apart belong to the same field.
    own = np.maximum(np.abs(line - luma[:-4]), np.abs(line - luma[4:]))
    combed = (tooth > TOOTH) & ((up > 0) == (down > 0)) & (2 * own < tooth)
    # (rows, CELL, columns): a moving edge combs many lines one above the other, noise does not.
    rows = len(combed) // CELL
    teeth = combed[: rows * CELL].reshape(rows, CELL, -1).sum(axis=1)
    return float((teeth >= TEETH).mean())


def _luma(frame: VideoFrame) -> NDArray[np.int16] | None:
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
    # `line_size` may exceed the width; 10 and 12 bits are reduced to 8.
    looked_at = rows[:, : plane.width : COLUMNS].astype(np.int32) >> (component.bits - 8)
    luma: NDArray[np.int16] = looked_at.astype(np.int16)
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
