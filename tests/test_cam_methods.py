"""Other heat methods are the library's, raw: on one scale, and without a trace on the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from pytorch_grad_cam.utils.image import scale_cam_image
from torch import Tensor

from detector.heatmaps.cam_methods import heat_maps
from detector.heatmaps.gradcam import Clips
from detector.model.cnn_lstm import CnnLstm
from detector.settings import HEAT_METHODS, HEAT_TARGETS, Settings
from tests.test_gradcam import SIDE, OneClip, clips
from tests.test_gradcam import tiny as tiny  # the fixture

OTHERS = list(HEAT_METHODS)[1:]


def encoded(model: CnnLstm, pixels: Tensor, lengths: Tensor | None = None) -> Clips:
    with torch.inference_mode():
        maps = model.encode(pixels.flatten(0, 1))
    real = lengths if lengths is not None else torch.full((len(pixels),), pixels.shape[1])
    return Clips(maps, real, pixels.flatten(0, 1))


def scaled(raw: np.ndarray) -> np.ndarray:
    """As the library does to every map, twice."""
    return np.asarray(scale_cam_image(scale_cam_image(np.maximum(raw, 0), (SIDE, SIDE))))


LIBRARY: dict[str, Any] = {
    "grad_cam_plus_plus": pytorch_grad_cam.GradCAMPlusPlus,
    "hires_cam": pytorch_grad_cam.HiResCAM,
    "layer_cam": pytorch_grad_cam.LayerCAM,
}


@pytest.mark.parametrize("method", LIBRARY)
def test_a_map_is_what_the_library_draws_of_that_frame(tiny: CnnLstm, method: str) -> None:
    """The library's own way - hooks, and a pass back through the network - frame by frame."""
    clip = clips(1, 3)
    ours = heat_maps(tiny, encoded(tiny, clip), method, "frame")[0].numpy()
    for frame in range(3):
        targets = [lambda output: output[0] * 0] * 3
        targets[frame] = lambda output: output[0]
        with LIBRARY[method](OneClip(tiny, "frame"), [tiny.encoder]) as cam:
            theirs = cam(input_tensor=clip[0], targets=targets)[frame]
        assert theirs.max() > 0.9
        np.testing.assert_allclose(scaled(ours)[frame], theirs, atol=1e-3)


def test_eigen_cam_is_the_library_s_up_to_the_sign_that_it_leaves_open(tiny: CnnLstm) -> None:
    clip = clips(1, 3)
    ours = heat_maps(tiny, encoded(tiny, clip), "eigen_cam", "frame")[0].numpy()
    with torch.no_grad():
        maps = tiny.encode(clip[0]).numpy()
    cam = pytorch_grad_cam.EigenCAM(tiny, [])
    theirs = cam.get_cam_image(None, None, None, maps, None, False)
    for own, other in zip(ours, theirs, strict=True):
        assert any(
            np.allclose(own, np.maximum(sign * other, 0), atol=1e-3 * np.abs(other).max())
            for sign in (1, -1)
        )


def test_hires_cam_and_grad_cam_agree_where_the_head_pools_by_mean(tiny: CnnLstm) -> None:
    shown = encoded(tiny, clips(1, 3))
    first, second = (heat_maps(tiny, shown, name, "frame") for name in ("grad_cam", "hires_cam"))
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize("of", HEAT_TARGETS)
@pytest.mark.parametrize("method", HEAT_METHODS)
def test_no_map_is_scaled_by_itself(tiny: CnnLstm, method: str, of: str) -> None:
    """The library's pictures all reach from 0 to 1; what is handed on keeps how frames differ."""
    heat = heat_maps(tiny, encoded(tiny, clips(2, 4)), method, of)
    peaks = heat.amax(dim=(2, 3))
    assert heat.shape[:2] == (2, 4)
    assert float(heat.min()) >= 0
    assert bool(torch.isfinite(heat).all())
    assert float(peaks.max()) > 0
    assert len({round(float(peak), 6) for peak in peaks.flatten()}) > 1


def test_a_head_with_larger_weights_yields_a_hotter_map(tiny: CnnLstm) -> None:
    shown = encoded(tiny, clips(1, 2))
    before = heat_maps(tiny, shown, "layer_cam", "frame")
    tiny.still.weight.data *= 4
    tiny.frame.weight.data *= 4
    after = heat_maps(tiny, shown, "layer_cam", "frame")
    torch.testing.assert_close(after, before * 4, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("method", OTHERS)
def test_padding_changes_no_map(tiny: CnnLstm, method: str) -> None:
    batch = clips(2, 4)
    batch[1, 2:] = 0
    padded = heat_maps(tiny, encoded(tiny, batch, torch.tensor([4, 2])), method, "frame")
    alone = heat_maps(tiny, encoded(tiny, batch[1:, :2]), method, "frame")
    torch.testing.assert_close(padded[1, :2], alone[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", OTHERS)
def test_no_hook_or_gradient_remains_on_a_shared_network(tiny: CnnLstm, method: str) -> None:
    heat_maps(tiny, encoded(tiny, clips(1, 2)), method, "video")
    assert all(parameter.grad is None for parameter in tiny.parameters())
    assert not any(part._forward_hooks for part in tiny.modules())


def test_the_library_prints_no_progress_of_its_own(
    tiny: CnnLstm, capsys: pytest.CaptureFixture[str]
) -> None:
    heat_maps(tiny, encoded(tiny, clips(1, 2)), "score_cam", "frame")
    assert capsys.readouterr() == ("", "")


def test_an_unknown_method_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="grad_cam, grad_cam_plus_plus"):
        Settings(heat_method="lime")
    with pytest.raises(ValueError, match="frame or video"):
        Settings(heat_of="audio")
