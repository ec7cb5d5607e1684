"""The score of a clip depends on the order of its frames, and on no other clip."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from detector.model.cnn_lstm import CnnLstm, Encoded, ModelConfig, fold_norms

TINY = ModelConfig(backbone="test_resnet", size=32, hidden=8, families=("swap", "drift"))


MOTION = replace(TINY, motion=(1, 2))


@pytest.fixture
def tiny() -> CnnLstm:
    torch.manual_seed(1)
    return CnnLstm(TINY).eval()


@pytest.fixture
def moving() -> CnnLstm:
    """A network whose LSTM receives how early maps change from frame to frame."""
    torch.manual_seed(1)
    return CnnLstm(MOTION).eval()


def clips(count: int, frames: int = 6) -> torch.Tensor:
    return torch.rand(count, frames, 3, 32, 32, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def test_an_early_face_moves_the_last_score(tiny: CnnLstm) -> None:
    """If it does not, the LSTM ignores time and this is only a frame classifier."""
    clip = clips(1)
    changed = clip.clone()
    changed[:, 0] = 1 - changed[:, 0]
    assert not torch.equal(tiny(clip).frame[:, -1], tiny(changed).frame[:, -1])


@torch.no_grad()
def test_the_order_of_frames_matters_to_the_clip(tiny: CnnLstm) -> None:
    clip = clips(1)
    assert not torch.allclose(tiny(clip).clip, tiny(clip.flip(1)).clip, atol=1e-6)


@torch.no_grad()
def test_only_what_changes_reaches_the_lstm(tiny: CnnLstm) -> None:
    """A person's identity is constant in a clip; a network that receives it would learn faces."""
    width = tiny.still.in_features
    features = torch.rand(1, 6, width)
    before, after = tiny.classify(features), tiny.classify(features + torch.rand(1, 1, width))
    torch.testing.assert_close(before.frame - before.still, after.frame - after.still)


@torch.no_grad()
def test_the_score_of_a_single_frame_is_independent_of_its_neighbours(tiny: CnnLstm) -> None:
    clip = clips(1)
    changed = clip.clone()
    changed[:, 0] = 1 - changed[:, 0]
    torch.testing.assert_close(tiny(clip).still[:, 1:], tiny(changed).still[:, 1:])


@torch.no_grad()
def test_a_clip_scores_the_same_alone_and_in_a_batch(tiny: CnnLstm) -> None:
    batch = clips(3)
    together = tiny(batch)
    for index, clip in enumerate(batch):
        alone = tiny(clip[None])
        for one, many in zip(alone, together, strict=True):
            torch.testing.assert_close(one[0], many[index], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_padding_changes_nothing(tiny: CnnLstm) -> None:
    clip = clips(1, frames=4)
    padded = torch.cat([clip, torch.ones(1, 3, 3, 32, 32)], dim=1)
    short, long = tiny(clip), tiny(padded, torch.tensor([4]))
    torch.testing.assert_close(long.frame[:, :4], short.frame)
    torch.testing.assert_close(long.clip, short.clip)
    torch.testing.assert_close(long.family, short.family)


@torch.no_grad()
def test_one_frame_is_a_clip_too(tiny: CnnLstm) -> None:
    logits = tiny(clips(1, frames=1))
    assert logits.frame.shape == (1, 1)
    assert logits.clip.isfinite().all()


@pytest.mark.parametrize(
    ("backbone", "width"),
    [
        ("resnext50_32x4d", 2048),
        ("legacy_xception", 2048),
        ("efficientnet_b0", 1280),
        ("tf_efficientnet_lite0", 1280),
    ],
)
@torch.no_grad()
def test_every_backbone_of_the_field_fits(backbone: str, width: int) -> None:
    model = CnnLstm(ModelConfig(backbone=backbone, size=64, hidden=8)).eval()
    maps = model.encode(torch.rand(1, 3, 64, 64))
    assert maps.shape == (1, width, 2, 2)
    assert model(torch.rand(1, 2, 3, 64, 64)).frame.shape == (1, 2)


def test_a_config_survives_json() -> None:
    assert ModelConfig.from_dict(json.loads(json.dumps(TINY.to_dict()))) == TINY


@pytest.mark.parametrize("backbone", ["resnext50_32x4d", "legacy_xception", "efficientnet_b0"])
def test_folding_takes_every_norm_and_leaves_the_maps_as_they_were(backbone: str) -> None:
    torch.manual_seed(1)
    model = CnnLstm(ModelConfig(backbone=backbone)).eval()
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):  # a fresh norm does nothing that could be lost
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, std=0.1)
            nn.init.normal_(part.running_mean, std=0.1)
            nn.init.uniform_(part.running_var, 0.5, 2.0)
    pixels = torch.rand(2, 3, 96, 96)
    with torch.inference_mode():
        before = model.encode(pixels)
        fold_norms(model.encoder, pixels[:1, :, :64, :64])
        after = model.encode(pixels)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in model.modules())
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-5 * float(before.abs().max()))


def test_folding_is_refused_while_norms_are_in_training_mode() -> None:
    with pytest.raises(ValueError, match="eval mode"):
        fold_norms(CnnLstm(TINY).train().encoder, torch.zeros(1, 3, 32, 32))


@torch.no_grad()
def test_motion_reaches_the_lstm_in_its_order(moving: CnnLstm) -> None:
    clip = clips(1)
    order = torch.tensor([0, 3, 1, 4, 2, 5])
    added = [out.clip - out.still.mean(1) for out in (moving(clip), moving(clip[:, order]))]
    assert not torch.allclose(*added, atol=1e-6)


@torch.no_grad()
def test_still_frames_have_another_motion_input_than_moving_ones(moving: CnnLstm) -> None:
    clip = clips(1)
    frozen = clip[:, :1].expand_as(clip)
    added = [out.clip - out.still.mean(1) for out in (moving(clip), moving(frozen))]
    assert not torch.allclose(*added, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("heard", [False, True], ids=["around the face", "in the face"])
def test_motion_is_measured_in_the_face_and_not_around_it(heard: bool) -> None:
    """A wide crop also shows a background, which moves with the camera."""
    model = CnnLstm(replace(MOTION, margin=0.5)).eval()
    encoded = model.encode_with_early(clips(1, frames=1).expand(1, 6, -1, -1, -1).flatten(0, 1))
    changing = []
    for maps in encoded.early:
        # Of a crop 1.5 times as wide as the box a sixth lies beyond it at each side.
        side, beyond = maps.shape[-1], round(maps.shape[-1] / 6)
        shown = torch.full((side, side), not heard)
        shown[beyond : side - beyond, beyond : side - beyond] = heard
        changing.append(maps + torch.rand(6, 1, side, side) * shown)
    still = model.describe(encoded, (1, 6))
    moved = model.describe(Encoded(encoded.maps, tuple(changing)), (1, 6))
    assert torch.equal(still, moved) is not heard


@torch.no_grad()
def test_one_frame_has_no_motion_and_is_scored_by_itself(moving: CnnLstm) -> None:
    """Alone, and in a batch beside a longer clip."""
    alone = moving(clips(1, frames=1))
    torch.testing.assert_close(alone.clip, alone.still[:, 0])
    together = moving(clips(2), lengths=torch.tensor([6, 1]))
    torch.testing.assert_close(together.clip[1], together.still[1, 0])


@torch.no_grad()
def test_a_moving_clip_scores_the_same_alone_and_padded(moving: CnnLstm) -> None:
    batch = clips(2)
    padded = moving(batch, lengths=torch.tensor([6, 4]))
    torch.testing.assert_close(padded.clip[1], moving(batch[1:, :4]).clip[0])


def test_a_vision_transformer_returns_maps_of_its_patches() -> None:
    config = ModelConfig(backbone="test_vit", size=32, hidden=8, depths=(1, 3))
    model = CnnLstm(config).eval()
    with torch.no_grad():
        maps = model.encode(clips(1).flatten(0, 1))
        assert maps.shape[1] == 2 * model.encoder.num_features
        assert maps.shape[2] == maps.shape[3] > 1
        assert model(clips(2)).clip.shape == (2,)


@torch.no_grad()
def test_an_unknown_change_adds_zero(moving: CnnLstm) -> None:
    """As of pictures seconds apart; the score of the clip beside it is unchanged."""
    batch = clips(2)
    features = moving.describe(moving.encode_with_early(batch.flatten(0, 1)), (2, 6))
    both = moving.classify(features)
    features[0, :, moving.width :] = torch.nan
    half = moving.classify(features)
    torch.testing.assert_close(half.clip[0], half.still[0].mean())
    torch.testing.assert_close(half.clip[1], both.clip[1])
    without = moving.classify(features[..., : moving.width])
    torch.testing.assert_close(without.clip, without.still.mean(1))
