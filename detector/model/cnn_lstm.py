"""The CNN-LSTM: clips of one face in, log-odds of manipulation out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import timm
import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """All that is needed to build the network and its input; stored in the weights' card.

    `backbone` is a timm name. `size` is the side of the square crop in pixels and `margin` how
    much wider than the face box it is cut. `mean` and `std` normalise RGB in [0, 1]. `hidden`
    is the LSTM's width per direction. `families` names the kinds of manipulation that the
    family head classifies (none: no head). `depths` are the blocks of a vision transformer,
    counted from 0, whose patch tokens become the maps, side by side; empty for a CNN.
    `motion` are early stages of a CNN, counted as timm counts them: how much their maps change
    from frame to frame is the LSTM's input. Empty: its input is how the pooled features depart
    from their mean over the clip.
    """

    # EfficientNet-B0 (Tan & Le 2019) is trained at 224 px; other sizes work, since it is
    # convolutional.
    backbone: str = "efficientnet_b0"
    size: int = 224
    margin: float = 0.3
    # Mean and standard deviation of ImageNet's RGB, on which timm's pretrained weights rely.
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    hidden: int = 128
    dropout: float = 0.2
    families: tuple[str, ...] = ()
    depths: tuple[int, ...] = ()
    motion: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """Inverse of `to_dict`, also from JSON. Unknown keys raise TypeError."""
        # JSON has no tuples, and a frozen dataclass with lists would not compare equal.
        lists: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**lists)


class Logits(NamedTuple):
    """Log-odds, above 0 means fake.

    frame   (B, T)     each frame, in the context of its clip
    still   (B, T)     each frame by itself: the logit of a detector without time
    clip    (B,)       the clip as a whole
    family  (B, F)     unnormalised scores of the manipulation families, given that the clip is
                       fake; F may be 0
    """

    frame: Tensor
    still: Tensor
    clip: Tensor
    family: Tensor


class Encoded(NamedTuple):
    """N encoded images: the CNN's last `maps` (N, C, h, w), and the `early` maps of the stages in
    `ModelConfig.motion`, each (N, C_k, h_k, w_k)."""

    maps: Tensor
    early: tuple[Tensor, ...]


class CnnLstm(nn.Module):
    """A CNN encodes every frame, a bidirectional LSTM their sequence.

    forward: (B, T, 3, H, W) RGB in [0, 1]  ->  `Logits`

    T runs over consecutive frames of one face of one video. The LSTM's output is added to the
    frame's own, so that time corrects a frame classifier and does not have to replace it. Its
    input is how each frame's features depart from their mean over the clip: what changes, not the
    person's identity.
    """

    mean: Tensor
    std: Tensor
    change_mean: Tensor
    change_std: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        # A transformer takes any size, its positions interpolated.
        options: dict[str, Any] = {"dynamic_img_size": True} if config.depths else {}
        # No classifier and no pooling: the maps keep their positions, which Grad-CAM needs.
        self.encoder = timm.create_model(
            config.backbone, pretrained=False, num_classes=0, global_pool="", **options
        )
        # What comes out without a classifier; some networks widen their maps at the very end.
        width = int(self.encoder.head_hidden_size)  # type: ignore[arg-type]
        width *= max(len(config.depths), 1)  # maps of several depths side by side
        self.still = nn.Linear(in_features=width, out_features=1)
        self.width = width
        stages: Any = self.encoder.feature_info
        change = sum(int(stages[k]["num_chs"]) for k in config.motion)
        if config.motion:
            self.norm = nn.LayerNorm(change)
            # Statistics of the training clips; buffers, so that they are stored with the weights.
            self.register_buffer("change_mean", torch.zeros(change))
            self.register_buffer("change_std", torch.ones(change))
        # Narrow before the LSTM: its cost, and that of explaining it, then hardly counts.
        self.narrow = nn.Linear(in_features=change or width, out_features=config.hidden)
        self.lstm = nn.LSTM(
            input_size=config.hidden,
            hidden_size=config.hidden,
            num_layers=1,
            batch_first=True,
            # Both directions (Schuster & Paliwal 1997): the whole clip is known when it is scored.
            bidirectional=True,
        )
        self.dropout = nn.Dropout(p=config.dropout)
        # Training starts these two heads at zero, so that the LSTM first adds nothing
        # (`train.sequences`).
        self.frame = nn.Linear(in_features=2 * config.hidden, out_features=1)
        self.clip = nn.Linear(in_features=2 * config.hidden, out_features=1)
        self.family: nn.Linear | None = None
        if config.families:
            self.family = nn.Linear(in_features=width, out_features=len(config.families))
        # Where the blend is, learned from masks in training; not needed for any score.
        self.mask = nn.Conv2d(in_channels=width, out_channels=1, kernel_size=1)
        # Not persistent: they come from the card, and the weights file need not repeat them.
        self.register_buffer("mean", torch.tensor(config.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(3, 1, 1), persistent=False)

    def forward(self, clips: Tensor, lengths: Tensor | None = None) -> Logits:
        """`lengths` (B,) counts the real frames of each clip; what follows them is ignored."""
        B, T = clips.shape[:2]
        # The CNN runs on all frames as one batch, (B * T, 3, H, W).
        features = self.describe(self.encode_with_early(clips.flatten(0, 1)), (B, T))
        return self.classify(features, lengths)

    def encode(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1]  ->  maps (N, C, h, w): the last convolutional ones, or the
        normalised patch tokens of the chosen blocks."""
        return self.encode_normalised((images - self.mean) / self.std)

    def encode_normalised(self, images: Tensor) -> Tensor:
        """`encode` for images that `mean` and `std` have normalised."""
        if not self.config.depths:
            maps: Tensor = self.encoder(images)  # (N, C, h, w)
            return maps
        # Patch tokens after the final norm, reshaped to maps; class tokens are left out.
        tokens: list[Tensor] = self.encoder.forward_intermediates(  # type: ignore[operator]
            images, indices=list(self.config.depths), norm=True, intermediates_only=True
        )
        return torch.cat(tokens, dim=1)  # (N, len(depths) * C, h, w)

    def encode_with_early(self, images: Tensor) -> Encoded:
        """`encode`, with the early maps from which motion is computed."""
        if not self.config.motion:
            return Encoded(self.encode(images), ())
        maps, early = self.encoder.forward_intermediates(  # type: ignore[operator]
            (images - self.mean) / self.std, indices=list(self.config.motion)
        )
        return Encoded(maps, tuple(early))

    def describe(self, encoded: Encoded, shape: tuple[int, int]) -> Tensor:
        """B * T images of B clips  ->  features (B, T, C + M): the pooled maps, and the change from
        the frame before in M channels of early maps, as the logarithm of its mean size within the
        face's box: around it the camera and the background move.

        A clip's first frame repeats the change of its second. M is 0 for a network without motion,
        and for clips of one frame.
        """
        B, T = shape
        parts = [pool(encoded.maps).view(B, T, -1)]  # (B, T, C)
        for maps in encoded.early if T > 1 else ():
            inside = inside_box(maps, self.config.margin)
            # float32: a difference of nearly equal values loses its digits in half precision.
            clips = inside.float().view(B, T, *inside.shape[1:])
            change = (clips[:, 1:] - clips[:, :-1]).abs().mean(dim=(3, 4))  # (B, T - 1, C_k)
            # + 0.001 bounds the logarithm below where nothing moves, as in a still repeated as a
            # clip.
            parts.append(torch.cat([change[:, :1], change], dim=1).add(1e-3).log())
        return torch.cat(parts, dim=-1)

    def classify(self, features: Tensor, lengths: Tensor | None = None) -> Logits:
        """(B, T, C + M) features  ->  `Logits`; differentiable in `features`.

        Frames beyond `lengths` get the logit of their own features, and affect no other. In a
        network with motion the LSTM adds nothing to a clip of one frame, nor where the change is
        not known: M = 0, or NaN.
        """
        B, T = features.shape[:2]
        change = features[..., self.width :]  # (B, T, M)
        features = self.dropout(features[..., : self.width])  # (B, T, C)
        real = lengths if lengths is not None else torch.full((B,), T)
        here = (torch.arange(T)[None] < real.cpu()[:, None]).to(features)  # (B, T)
        count = here.sum(1)  # (B,)
        # Masked mean: padded frames have weight 0, and every clip has at least one frame.
        middle = (features * here[..., None]).sum(1) / count[:, None]  # (B, C)
        still = self.still(features).squeeze(-1)  # (B, T)
        timed = here  # where the LSTM adds to the frame's own logit
        if self.config.motion:
            if change.shape[-1] == 0:
                change = torch.full((B, T, len(self.change_mean)), torch.nan).to(features)
            # The mean in place of NaN: 0 * NaN would be NaN, so masking alone is not enough.
            known = change[:, 0].isfinite().all(dim=1)  # (B,)
            change = torch.where(known[:, None, None], change, self.change_mean)
            timed = here * ((count > 1) & known).to(here)[:, None]
        states = self._states(features - middle[:, None], change, real)  # (B, T, 2D)
        frame = still + self.frame(states).squeeze(-1) * timed  # (B, T)
        summary = (states * here[..., None]).sum(1) / count[:, None]  # (B, 2D)
        # Mean pooling of the frames' logits, corrected by a head on the LSTM's mean state.
        clip = (frame * here).sum(1) / count + self.clip(summary).squeeze(-1) * timed[:, 0]  # (B,)
        family = middle[:, :0] if self.family is None else self.family(middle)  # (B, F)
        return Logits(frame=frame, still=still, clip=clip, family=family)

    def _states(self, departures: Tensor, change: Tensor, real: Tensor) -> Tensor:
        """The LSTM's states (B, T, 2D): of the change in a network with motion, else of the
        departures."""
        T = departures.shape[1]
        if self.config.motion:
            # Standardised with statistics of training clips, then layer norm (Ba et al. 2016).
            series = self.norm((change - self.change_mean) / self.change_std)
            narrow = torch.tanh(self.narrow(self.dropout(series)))
        else:
            narrow = self.narrow(departures)  # (B, T, D)
        # Packed, so that the backward direction starts at the last real frame; lengths must be on
        # the CPU.
        packed = pack_padded_sequence(narrow, real.cpu(), batch_first=True, enforce_sorted=False)
        padded = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=T)
        states: Tensor = self.dropout(padded[0])
        return states


def pool(maps: Tensor) -> Tensor:
    """Global average: (N, C, h, w) -> (N, C). Linear, which makes Grad-CAM exact and cheap."""
    return maps.mean(dim=(2, 3))


def inside_box(maps: Tensor, margin: float) -> Tensor:
    """The cells of (N, C, h, w) that lie in the face's box, where the crop is wider by `margin`."""
    height, width = maps.shape[2:]
    share = (1 - 1 / (1 + margin)) / 2  # of the side, beyond the box at each end
    y, x = round(height * share), round(width * share)
    return maps[:, :, y : height - y, x : width - x]


def fold_norms(network: nn.Module, example: Tensor) -> None:
    """Makes each batch norm part of the convolution before it: same output, less to compute.

    The pairs are those of a pass over `example`, an input of any size. For inference
    only: `network` must be in eval mode, where a norm is a fixed scale and shift, or ValueError
    is raised.
    """
    if network.training:
        raise ValueError("batch norms can be folded in eval mode only")
    # Outputs are kept, not their ids: a freed tensor's id could be given to another one.
    made: list[tuple[nn.Conv2d, Tensor]] = []
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []

    def note(conv: nn.Conv2d, _: tuple[Tensor, ...], output: Tensor) -> None:
        made.append((conv, output))

    def match(norm: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
        pairs.extend((conv, norm) for conv, output in made if output is inputs[0])

    convs = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    hooks = [conv.register_forward_hook(note) for conv in convs]
    hooks += [norm.register_forward_pre_hook(match) for norm in norms]
    with torch.inference_mode():
        network(example)
    for hook in hooks:
        hook.remove()
    names = {part: name for name, part in network.named_modules()}
    for conv, norm in pairs:
        # w' = w g / sqrt(var + eps), b' = (b - mean) g / sqrt(var + eps) + beta (Jacob et al. 2018,
        # 3.2).
        network.set_submodule(names[conv], fuse_conv_bn_eval(conv, norm))
        network.set_submodule(names[norm], _what_follows(norm))


def _what_follows(norm: nn.BatchNorm2d) -> nn.Module:
    """timm's norms may end in an activation, which stays."""
    if isinstance(norm, BatchNormAct2d):
        return nn.Sequential(norm.drop, norm.act)
    return nn.Identity()
