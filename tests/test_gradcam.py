"""A heat map is Grad-CAM, of the frame's own score, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from torch import Tensor, nn

from detector.heatmaps.gradcam import clip_heat, frame_heat
from detector.model.cnn_lstm import CnnLstm, ModelConfig

SIDE = 128


class OneClip(nn.Module):
    """(T, 3, H, W) -> (T, 1): the shape that the library expects."""

    def __init__(self, model: CnnLstm, head: str) -> None:
        super().__init__()
        self.model, self.head = model, head

    def forward(self, images: Tensor) -> Tensor:
        logits = self.model(images[None])
        return logits.frame.T if self.head == "frame" else logits.clip.expand(len(images), 1)


@pytest.fixture
def tiny() -> CnnLstm:
    """Random, with heads turned up so that cells differ and time weighs in every slope."""
    torch.manual_seed(1)
    model = CnnLstm(ModelConfig(backbone="test_resnet", size=SIDE, hidden=8)).eval()
    nn.init.normal_(model.still.weight)
    nn.init.normal_(model.frame.weight, std=3.0)
    nn.init.normal_(model.narrow.weight, std=0.3)
    return model


def clips(count: int, frames: int) -> Tensor:
    """Patches of random colour: every cell of the map has another input."""
    random = torch.Generator().manual_seed(2)
    patches = torch.rand(count * frames, 3, 6, 6, generator=random)
    return nn.functional.interpolate(patches, SIDE).unflatten(0, (count, frames))


def heat_of(model: CnnLstm, pixels: Tensor, lengths: Tensor | None = None) -> Tensor:
    with torch.inference_mode():
        maps = model.encode(pixels.flatten(0, 1))
    real = lengths if lengths is not None else torch.full((len(pixels),), pixels.shape[1])
    return frame_heat(model, maps, real)


def library_heat(model: CnnLstm, clip: Tensor, chosen: int, *, head: str = "frame") -> np.ndarray:
    """The library's raw (T, h, w) maps of the score of frame `chosen`, not normalised."""
    counts = [1.0 if index == chosen else 0.0 for index in range(len(clip))]
    targets = [lambda output, count=count: output[0] * count for count in counts]
    with GradCAM(model=OneClip(model, head), target_layers=[model.encoder]) as cam:
        cam(input_tensor=clip, targets=targets)
        maps = cam.activations_and_grads.activations[0].numpy()
        slopes = cam.activations_and_grads.gradients[0].numpy()
        raw = cam.get_cam_image(clip, model.encoder, targets, maps, slopes)
    return np.maximum(raw, 0)


def test_every_map_is_the_library_s_gradcam_of_that_frame_s_own_score(tiny: CnnLstm) -> None:
    clip = clips(1, 5)
    ours = heat_of(tiny, clip)[0].numpy()
    for index in range(5):
        theirs = library_heat(tiny, clip[0], index)[index]
        assert theirs.max() > 1e-3  # a map of zeros would agree with anything
        np.testing.assert_allclose(ours[index], theirs, rtol=1e-4, atol=1e-6)


def test_after_the_library_s_own_scaling_the_pictures_agree_as_well(tiny: CnnLstm) -> None:
    clip = clips(1, 3)
    with GradCAM(model=OneClip(tiny, "frame"), target_layers=[tiny.encoder]) as cam:
        targets = [lambda output: output[0], *[lambda output: output[0] * 0] * 2]
        theirs = cam(input_tensor=clip[0], targets=targets)[0]
    ours = scale_cam_image(heat_of(tiny, clip)[0].numpy(), (SIDE, SIDE))[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_the_map_of_the_whole_clip_is_the_library_s_too(tiny: CnnLstm) -> None:
    clip = clips(1, 4)
    with torch.inference_mode():
        maps = tiny.encode(clip[0])
    ours = clip_heat(tiny, maps, torch.tensor([4]))[0].numpy()
    np.testing.assert_allclose(ours, library_heat(tiny, clip[0], 0, head="clip"), atol=1e-6)


def test_time_has_its_part_in_the_map(tiny: CnnLstm) -> None:
    """Another first frame changes how the last one is weighed; its own pixels are the same."""
    clip = clips(1, 4)
    changed = clip.clone()
    changed[:, 0] = 1 - changed[:, 0]
    before, after = heat_of(tiny, clip)[0, -1], heat_of(tiny, changed)[0, -1]
    assert float((before - after).abs().max()) > 1e-3 * float(before.max())


def test_a_padded_clip_keeps_its_maps(tiny: CnnLstm) -> None:
    batch = clips(2, 6)
    batch[1, 4:] = 0
    padded = heat_of(tiny, batch, torch.tensor([6, 4]))
    torch.testing.assert_close(padded[1, :4], heat_of(tiny, batch[1:, :4])[0], atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(padded[0], heat_of(tiny, batch[:1])[0], atol=1e-6, rtol=1e-4)


def test_heat_is_plain_numbers_and_never_negative(tiny: CnnLstm) -> None:
    heat = heat_of(tiny, clips(2, 5), torch.tensor([5, 3]))
    assert heat.shape[:2] == (2, 5)
    assert not heat.requires_grad
    assert float(heat.min()) >= 0


def test_the_caller_may_already_be_in_inference_mode(tiny: CnnLstm) -> None:
    clip = clips(1, 3)
    outside = heat_of(tiny, clip)
    with torch.inference_mode():
        torch.testing.assert_close(heat_of(tiny, clip), outside)


def test_no_gradient_is_left_on_the_network(tiny: CnnLstm) -> None:
    heat_of(tiny, clips(1, 3))
    assert all(parameter.grad is None for parameter in tiny.parameters())


def test_a_network_in_training_mode_is_refused(tiny: CnnLstm) -> None:
    with pytest.raises(ValueError, match="eval mode"):
        heat_of(tiny.train(), clips(1, 3))


@pytest.mark.gpu
def test_on_a_gpu_the_maps_are_the_same(tiny: CnnLstm) -> None:
    """cuDNN's LSTM refuses a backward pass in eval mode; ours must not go through it."""
    batch, lengths = clips(2, 5), torch.tensor([5, 3])
    expected = heat_of(tiny, batch, lengths)
    there = heat_of(tiny.cuda(), batch.cuda(), lengths)
    torch.testing.assert_close(there.cpu(), expected, atol=1e-3, rtol=1e-2)
