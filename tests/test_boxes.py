"""Where a box is between sightings: one rule for drawn videos and for a live page."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from detector.faces.geometry import between
from detector.records import Box
from detector.render.boxes import BoxPath, Knot
from tests import reports

FRAME = 0.04
SIGHTINGS = {
    "steady": ([0.2, 0.24, 0.28], [0.2, 0.24, 0.28]),
    "sparse": ([1.0, 3.5, 4.0], [1.0, 3.5, 4.0]),
    "too far apart": ([0.0, 0.2, 6.0, 6.2], [0.0, 0.2, 6.0, 6.2]),
    "missed in between": ([0.0, 0.2, 1.6], [0.0, 0.2, 0.9, 1.6]),
    "looked for afterwards": ([0.5, 1.0], [0.1, 0.5, 1.0, 1.5]),
    "once": ([2.0], [2.0]),
}


def shown(runs: list[list[Knot]], second: float) -> tuple[Box, bool] | None:
    """What a page makes of the runs at a moment without a detection."""
    for run in runs:
        for a, b in itertools.pairwise(run):
            if a.second <= second <= b.second and b.second > a.second:
                return between(a.box, b.box, (second - a.second) / (b.second - a.second)), a.steady
    return None


@pytest.mark.parametrize(("detected", "sampled"), SIGHTINGS.values(), ids=SIGHTINGS.keys())
def test_the_runs_of_a_page_are_the_boxes_of_the_drawn_video(
    detected: list[float], sampled: list[float]
) -> None:
    person = reports.person(1, detected, lambda _: 0.5)
    path = BoxPath(person, sampled)
    runs = path.runs()
    for second in np.arange(0.0, 9.0, 0.013):
        if (
            min(abs(second - moment) for moment in [*detected, detected[0] - 2, detected[-1] + 2])
            < FRAME
        ):
            continue
        drawn = path.at(float(second), FRAME)
        live = shown(runs, float(second))
        assert (drawn is None) == (live is None), second
        if drawn is not None and live is not None:
            np.testing.assert_allclose(live[0], drawn.box)
            assert live[1] == drawn.found


def test_no_face_means_no_box() -> None:
    nobody = reports.person(1, [0.0], lambda _: 0.5)
    path = BoxPath(nobody, [0.0, 0.5])
    path.faces, path.seconds = [], []
    assert path.runs() == []


def test_a_box_is_not_interpolated_across_frames_without_detection() -> None:
    """Two seconds apart in two places: the way between is not known."""
    scores = reports.person(1, [0.2, 2.2], lambda _: 0.5).scores
    here, there = Box(0, 0, 50, 60), Box(200, 0, 250, 60)
    moved = tuple(replace(s, box=box) for s, box in zip(scores, (here, there), strict=True))
    person = replace(reports.person(1, [0.2, 2.2], lambda _: 0.5), scores=moved)
    path = BoxPath(person, [0.2, 2.2])
    assert path.at(1.2, FRAME) is None
    found = path.at(2.2, FRAME)
    assert found is not None
    assert found.box == there
    near = replace(person, scores=(moved[0], replace(moved[1], box=Box(30, 0, 80, 60))))
    assert BoxPath(near, [0.2, 2.2]).at(1.2, FRAME) is not None
