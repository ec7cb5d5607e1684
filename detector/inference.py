"""Runs the network on crops of people, and returns scored clips."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from detector.engines.int8 import int8_engine, is_selected
from detector.engines.openvino import WEIGHTS, Engine, Job, available, engine_for
from detector.engines.zero_gpu import on_gpu
from detector.faces.crops import to_tensor
from detector.faces.mtcnn import FaceFinder
from detector.heat_methods import HEAT_METHODS
from detector.heatmaps.cam_methods import heat_maps
from detector.heatmaps.gradcam import Clips
from detector.model.cnn_lstm import CnnLstm, Encoded, Logits, ModelConfig
from detector.model.weights import Loaded
from detector.progress import Stopwatch
from detector.records import Face, Image, ModelInfo, Quality
from detector.scoring.calibration import ScoringRules
from detector.scoring.verdict import ScoredClip
from detector.settings import Settings
from detector.video import Limits

log = logging.getLogger(__name__)

# Crops per pass through the CNN: enough to fill the machine, few enough to stay in its memory
# and to stop soon after a request.
BATCH = {"cpu": 10, "cuda": 160}


# Three frames at 25 a second, the widest step that the LSTM was trained on, and some slack. Frames
# further apart differ by more than motion: there it is given no change.
WIDEST_STEP = 0.15


Scored = tuple[list[tuple[int, ScoredClip]], dict[str, float]]
"""A (person, clip) per cut, and the milliseconds that each stage took."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One person's T faces in one clip, ready for the network.

    `crops` are the network's inputs (S, S, 3), in the order of time.
    """

    person: int
    seconds: tuple[float, ...]
    faces: tuple[Face, ...]
    crops: tuple[Image, ...]
    qualities: tuple[Quality, ...]

    @property
    def step(self) -> float:
        """The usual time between two neighbours in seconds; 0 for a single face."""
        return float(np.median(np.diff(self.seconds))) if len(self.seconds) > 1 else 0.0


class LoadedDetector(Protocol):
    """What analysis and explanation use of a `Detector`; nothing of it changes meanwhile."""

    device: str
    finder: FaceFinder
    network: Network | None
    config: ModelConfig
    rules: ScoringRules
    info: ModelInfo
    limits: Limits
    isolate: bool


class Network:
    """A loaded model on its device."""

    def __init__(self, loaded: Loaded, device: str) -> None:
        self.model = loaded.model
        self.card = loaded.card
        self.device = device
        self.batch = BATCH[device]
        self.engine: Engine | None = None
        if available(device):
            card, size = self.card, self.card.model.size
            if is_selected():
                self.engine = int8_engine(card.id, card.sha256, WEIGHTS)
            key = f"{card.sha256} {card.model}"
            job = Job(FromPixels(self.model), key, (size, size), split=True)
            self.engine = self.engine or engine_for(job)
        # On ZeroGPU the GPU part runs in a forked process; elsewhere this is `_score_here` itself.
        self._score_anywhere = on_gpu(self._score_on_gpu, self._score_here)

    @property
    def computed_by(self) -> str:
        """What runs the CNN here, with its version."""
        return self.engine.name if self.engine else f"PyTorch {torch.__version__}"

    def score(
        self, cuts: Sequence[Cut], *, settings: Settings, spent: Stopwatch
    ) -> Iterator[tuple[int, ScoredClip]]:
        """One (person, clip) per cut, in order; clips of unlike length are padded together."""
        clips, milliseconds = self._score_anywhere(cuts, settings)
        spent.add(milliseconds)
        yield from clips

    def _score_on_gpu(self, cuts: Sequence[Cut], settings: Settings) -> Scored:
        """In a process that ZeroGPU forked, with a GPU; what changes here, changes here only."""
        torch.set_num_threads(1)  # OpenMP's threads did not come along
        if self.device != "cuda":
            self.device, self.batch, self.engine = "cuda", BATCH["cuda"], None
            self.model.to("cuda")
        return self._score_here(cuts, settings)

    def _score_here(self, cuts: Sequence[Cut], settings: Settings) -> Scored:
        spent = Stopwatch()
        lengths = torch.tensor([len(cut.crops) for cut in cuts])
        crops = [crop for cut in cuts for crop in cut.crops]
        with spent("cnn"):
            encoded = self.encode_with_early(crops)
        padded = _padded(encoded.maps, lengths)
        with spent("lstm"):
            early = tuple(_padded(maps, lengths).flatten(0, 1) for maps in encoded.early)
            shape = (len(lengths), int(lengths.max()))
            features = self.model.describe(Encoded(padded.flatten(0, 1), early), shape)
            sparse = [index for index, cut in enumerate(cuts) if cut.step > WIDEST_STEP]
            # NaN marks unknown change, see `CnnLstm.classify`.
            features[sparse, :, self.model.width :] = torch.nan
            logits = self.classify(features, lengths)
        heats = None
        if settings.heat:
            with spent(settings.heat_method):
                heats = self._heat(padded, lengths, crops, settings)
        scored = []
        for index, cut in enumerate(cuts):
            clip = self._clip(cut, Logits(*(part[index] for part in logits)))
            T = len(cut.crops)
            heat = None if heats is None else heats[index, :T].float().cpu().numpy()
            features_here = features[index, :T].cpu().numpy()
            scored.append((cut.person, replace(clip, heats=heat, features=features_here)))
        return scored, spent.spent

    def _heat(
        self, maps: Tensor, lengths: Tensor, crops: Sequence[Image], settings: Settings
    ) -> Tensor:
        images = torch.empty(0)
        if HEAT_METHODS[settings.heat_method].uses_pixels:
            images = _padded(to_tensor(crops).to(self.device), lengths).flatten(0, 1)
        clips = Clips(maps.flatten(0, 1), lengths, images)
        return heat_maps(self.model, clips, settings.heat_method, settings.heat_of)

    def encode(self, crops: Sequence[Image]) -> Tensor:
        """The last maps (N, C, h, w) of crops (S, S, 3)."""
        return self.encode_with_early(crops).maps

    @torch.inference_mode()
    def encode_with_early(self, crops: Sequence[Image]) -> Encoded:
        """The maps of crops (S, S, 3), float32."""
        parts = []
        start = 0
        while start < len(crops):
            batch = crops[start : start + self.batch]
            try:
                parts.append(self._encode_batch(batch))
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise
                self.batch = len(batch) // 2  # from now on
                log.warning("The GPU's memory is small: %s crops at once from now on.", self.batch)
                torch.cuda.empty_cache()
            else:
                start += len(batch)
        maps, *early = (torch.cat(stage) for stage in zip(*parts, strict=True))
        return Encoded(maps, tuple(early))

    def _encode_batch(self, batch: Sequence[Image]) -> list[Tensor]:
        if self.engine is not None:
            return [torch.from_numpy(maps) for maps in self.engine(np.stack(batch))]
        # (n, 3, S, S), in the memory format of the weights.
        images = to_tensor(batch).to(self.device).contiguous(memory_format=torch.channels_last)
        # bfloat16 has float32's exponent, so no activation overflows; maps are float32 again below.
        with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda"):
            encoded = self.model.encode_with_early(images)
        return [maps.float() for maps in (encoded.maps, *encoded.early)]

    @torch.inference_mode()
    def classify(self, features: Tensor, lengths: Tensor) -> Logits:
        """Features (B, T, C + M) of `CnnLstm.describe` -> `Logits`."""
        return self.model.classify(features, lengths)

    def _clip(self, cut: Cut, logits: Logits) -> ScoredClip:
        """One clip as plain numbers; of its crops only the most suspicious one stays."""
        T = len(cut.crops)
        frame = logits.frame[:T].float().cpu().numpy()
        worst = int(np.argmax(frame))
        # Probabilities over the families, given that the clip is fake.
        odds = logits.family.float().softmax(0).tolist()
        return ScoredClip(
            logit=float(logits.clip),
            frame_logits=frame,
            still_logits=logits.still[:T].float().cpu().numpy(),
            seconds=cut.seconds,
            boxes=[face.box for face in cut.faces],
            landmarks=np.stack([face.landmarks for face in cut.faces]),
            qualities=cut.qualities,
            crops=[crop if k == worst else None for k, crop in enumerate(cut.crops)],
            families=dict(zip(self.card.model.families, odds, strict=True)),
        )


class FromPixels(nn.Module):
    """(N, S, S, 3) uint8 -> the last maps (N, C, h, w), then the early ones."""

    def __init__(self, model: CnnLstm) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        encoded = self.model.encode_with_early(pixels.permute(0, 3, 1, 2).float() / 255)
        return (encoded.maps, *encoded.early)


def _padded(maps: Tensor, lengths: Tensor) -> Tensor:
    """(N, C, h, w), N = sum of `lengths`  ->  (B, T, C, h, w), zeros behind each clip's end."""
    B, T = len(lengths), int(lengths.max())
    padded = torch.zeros(B, T, *maps.shape[1:], dtype=maps.dtype, device=maps.device)
    # A boolean mask in row order: the N crops fill the real frames clip by clip.
    padded[(torch.arange(T)[None] < lengths[:, None]).to(maps.device)] = maps
    return padded
