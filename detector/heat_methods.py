"""The methods for heat maps: each is one row here, and its function.

Terminal, API, page, report, schema and training read this table, and torch is imported when the
first map is drawn. To add a method, write its function in `heatmaps` and one row.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class HeatMethod:
    """`name` is a proper name and the same in every language.

    `function` is "module:function" of (model, clips, of) -> raw heat (B, T, h, w) >= 0.
    `log_odds`: its cells are log-odds that they add, to first order, so that one scale has a
    meaning; others only compare cells and frames. `uses_pixels`: it runs the CNN again on
    the crops, so its cost is many times the score's. `explains_score`: it depends on the score; a
    map that does not may only claim what the CNN responds to.
    """

    name: str
    function: str
    log_odds: bool = False
    uses_pixels: bool = False
    explains_score: bool = True

    def compute(self) -> Callable[..., Any]:
        found: Callable[..., Any] = pkgutil.resolve_name(self.function)
        return found


_CAM = "detector.heatmaps.cam_methods"
HEAT_METHODS = {
    # exact here at hardly any cost
    "grad_cam": HeatMethod("Grad-CAM", "detector.heatmaps.gradcam:grad_cam", log_odds=True),
    "grad_cam_plus_plus": HeatMethod("Grad-CAM++", f"{_CAM}:grad_cam_plus_plus"),
    # equal to Grad-CAM, because the head gets the maps through their mean
    "hires_cam": HeatMethod("HiResCAM", f"{_CAM}:hires_cam", log_odds=True),
    "layer_cam": HeatMethod("LayerCAM", f"{_CAM}:layer_cam", log_odds=True),
    # the strongest direction of the last maps, whatever is to be explained
    "eigen_cam": HeatMethod("EigenCAM", f"{_CAM}:eigen_cam", explains_score=False),
    "score_cam": HeatMethod("Score-CAM", f"{_CAM}:score_cam", uses_pixels=True),
}
DEFAULT_METHOD = "grad_cam"
