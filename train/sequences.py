"""The second stage: the LSTM is trained on the features that the CNN gives for clips.

With the CNN frozen, clips go through it once, and an epoch is a matter of seconds; the drawback is
that each clip has one history only. With the CNN trained further, every step has new clips.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset
from tqdm import tqdm

from detector.model.cnn_lstm import CnnLstm
from detector.records import FloatArray
from train.clips import Batch, Pair, Pairs, collate
from train.metrics import auc, fit_calibration
from train.run import FitConfig, Run, cross_entropy, train_on, validate, zero_heads
from train.verbs import DataError, whole

CHUNK = 100
"""Pairs per stored part; a restart loses at most one part."""


class Sequences(NamedTuple):
    """features (N, T, C), fake (N, T); row 2k is the real partner of row 2k + 1."""

    features: Tensor
    fake: Tensor


def encode_clips(model: CnnLstm, pairs: Pairs, folder: Path, *, workers: int = 0) -> Sequences:
    """All `pairs` of clips as features, kept in `folder` part by part."""
    folder.mkdir(parents=True, exist_ok=True)
    count = len(pairs)
    parts = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    for part in tqdm(parts, unit="part", desc=f"encoding {folder.name}"):
        path = folder / f"{part.start:06d}.safetensors"
        if not path.exists():
            encoded = encode_pairs(model, Subset(pairs, part), workers=workers)
            with whole(path) as place:
                save_file(encoded._asdict(), place)
    return read_sequences(folder)


@torch.inference_mode()
def encode_pairs(model: CnnLstm, pairs: Dataset[Pair], *, workers: int = 0) -> Sequences:
    """All `pairs` of clips as features."""
    # Four pairs of clips at a time, 8 * T pictures through the CNN.
    loader = DataLoader(pairs, 4, num_workers=workers, collate_fn=collate)
    encoded = [(encode(model, batch.clips), batch.fake) for batch in loader]
    features, fake = (torch.cat(column) for column in zip(*encoded, strict=True))
    return Sequences(features, fake)


def clips_of(run: Path, split: str = "val") -> Path:
    """Where `train.fit --stage clips` stores the features of a run's clips of a split."""
    return run / "features" / split


def read_sequences(folder: Path) -> Sequences:
    """What `encode_clips` stored. Raises ValueError if that is nothing."""
    stored = [load_file(path) for path in sorted(folder.glob("*.safetensors"))]
    if not stored:
        raise DataError(f"{folder} contains no encoded clips; run train.fit --stage clips first.")
    return Sequences(
        torch.cat([part["features"] for part in stored]).float(),
        torch.cat([part["fake"] for part in stored]),
    )


def encode(model: CnnLstm, clips: Tensor) -> Tensor:
    """Clips (B, T, 3, S, S) uint8  ->  pooled features (B, T, C)."""
    B, T = clips.shape[:2]
    # uint8 is a quarter of the transfer; converted on the device.
    images = clips.flatten(0, 1).to(model.mean.device).float() / 255
    encoded = model.encode_with_early(images.to(memory_format=torch.channels_last))
    return model.describe(encoded, (B, T)).cpu()


def fit_sequences(run: Run, train: Sequences, validation: Sequence[Sequences]) -> None:
    """Train what follows the CNN, on clips of random length. The best by the mean AUC over
    `validation` is kept, weighed against the frames' own logits as is best for them."""
    if run.config.model.motion and run.step == 0:
        measure_change(run.model, train)
    start_from_zero_heads(run, lambda model: validation_auc(model, validation))
    train_on(run, windows(run, train), lambda model: validation_auc(model, validation))
    if run.is_main:
        set_weight(run.folder / "clips.best.safetensors", run.averaged(), validation)


def fit_together(
    run: Run, batches: Iterator[list[Batch]], validation: Callable[[CnnLstm], Sequence[Sequences]]
) -> CnnLstm:
    """The same, with the CNN trained further; `validation` computes its features of the validation
    clips. Returns the best network."""
    path = run.folder / "clips.best.safetensors"

    def evaluate(model: CnnLstm) -> float:
        return validation_auc(model, validation(model))

    start_from_zero_heads(run, evaluate)
    train_on(run, batches, evaluate)
    best = run.averaged()
    if run.is_main:
        best.load_state_dict(load_file(path))
        set_weight(path, best, validation(best))
        best.load_state_dict(load_file(path))
    return best


def measure_change(model: CnnLstm, clips: Sequences) -> None:
    """Mean and deviation of each channel of change, by which the LSTM's input is normalised."""
    change = clips.features[..., model.width :].flatten(0, 1)
    model.change_mean.copy_(change.mean(dim=0))
    # 1e-6: a channel that never changes must not divide by zero.
    model.change_std.copy_(change.std(dim=0) + 1e-6)


def start_from_zero_heads(run: Run, evaluate: Callable[[CnnLstm], float]) -> None:
    """Zero-initialises the LSTM's two heads: training then fits a correction of mean pooling, and
    mean pooling itself is the first candidate."""
    if run.step:
        return
    # Weights and biases: the LSTM's input then has no gradient in the first step, the heads do.
    zero_heads(run.model)
    run.average = {name: value.clone() for name, value in run.model.state_dict().items()}
    validate(run, None, evaluate)


# Even steps from no temporal score to all of it.
FACTORS = (0.0, 0.25, 0.5, 0.75, 1.0)
MOTION_FACTORS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
"""What the LSTM's outputs may be multiplied by; those of motion are smaller than a frame's."""
WORTH = 0.005
"""Factors whose AUC differs by less are equals: a sixth of what two seeds differ by."""


def set_weight(path: Path, model: CnnLstm, validation: Sequence[Sequences]) -> None:
    """Multiplies the LSTM's outputs in the weights at `path` by the factor with the best
    validation AUC, the smallest of equals: trained without the frame's own logit, they have no
    common scale with it."""
    weights = load_file(path)
    outputs = [name for name in weights if name.startswith(("frame.", "clip."))]

    def at(factor: float) -> dict[str, Tensor]:
        return weights | {name: weights[name] * factor for name in outputs}

    def area(factor: float) -> float:
        model.load_state_dict(at(factor))
        # Rounded, so that equal factors compare as equal.
        return round(validation_auc(model, validation), 4)

    factors = MOTION_FACTORS if model.config.motion else FACTORS
    areas = {factor: area(factor) for factor in factors}
    # The smallest factor among equals: less of what does not help.
    best = min(factor for factor in factors if areas[factor] >= max(areas.values()) - WORTH)
    print(json.dumps({"weight of the LSTM": best, "auc": areas}), flush=True)
    with whole(path) as place:
        save_file({name: value.contiguous() for name, value in at(best).items()}, place)


def windows(run: Run, clips: Sequences) -> Iterator[list[Sequences]]:
    """This process's batches from the run's step on."""
    processes = int(run.accelerator.num_processes)
    for step in itertools.count(run.step):
        part = step * processes + int(run.accelerator.process_index)
        yield [draw_windows(clips, run.config, part)]


def draw_windows(clips: Sequences, config: FitConfig, step: int) -> Sequences:
    """Some pairs, all cut to the same window: of any length, or of five frames as in the
    product's clips."""
    rng = np.random.default_rng((config.seed, step))
    chosen = rng.integers(0, len(clips.features) // 2, 2 * config.pairs)
    # Real and fake of each pair side by side, as in `Sequences`.
    rows = torch.from_numpy(np.stack([2 * chosen, 2 * chosen + 1], 1).ravel())
    T = clips.features.shape[1]
    # Any length for half of the steps, since the product's clips may lose frames.
    length = int(rng.integers(1, T + 1)) if rng.random() < 0.5 else min(5, T)
    start = int(rng.integers(0, T - length + 1))
    window = slice(start, start + length)
    return Sequences(clips.features[rows, window], clips.fake[rows, window])


def clip_loss(model: CnnLstm, clips: Sequences, config: FitConfig) -> Tensor:
    """Cross-entropy of the clip and of each frame in it, and the price of every departure from
    mean pooling.

    For half of the clips the frames' own logits are left out. They are right for nearly everybody
    whom the CNN was trained on, so beside them the LSTM would have little to learn. An LSTM whose
    input is motion is trained without them: its evidence is of another kind, and is weighed against
    theirs afterwards (`set_weight`).
    """
    logits = model.classify(clips.features)
    if model.config.motion:
        # What the LSTM alone adds to the clip's logit.
        own = logits.clip - logits.still.mean(dim=1)
        whole = cross_entropy(own, clips.fake.amax(dim=1), config)
        return whole + cross_entropy(logits.frame - logits.still, clips.fake, config)
    kept = torch.rand(len(clips.fake), 1, device=clips.fake.device) < 0.5
    removed = logits.still * ~kept  # (B, T)
    whole = cross_entropy(logits.clip - removed.mean(dim=1), clips.fake.amax(dim=1), config)
    each = cross_entropy(logits.frame - removed, clips.fake, config)
    # Squared departure from mean pooling, priced below.
    correction = (logits.clip - logits.still.mean(dim=1)).square().mean()
    return whole + each + config.correction_price * correction


def together_loss(model: CnnLstm, batch: Batch, config: FitConfig) -> Tensor:
    """`clip_loss` of clips that go through the CNN in this step."""
    B, T = batch.clips.shape[:2]
    images = batch.clips.flatten(0, 1).to(memory_format=torch.channels_last).float() / 255
    features = model.describe(model.encode_with_early(images), (B, T))
    return clip_loss(model, Sequences(features, batch.fake), config)


def validation_auc(model: CnnLstm, validation: Sequence[Sequences]) -> float:
    """Mean over `validation` of the AUC of its clips, cut short as in the product."""
    return float(np.mean([auc(*score_short(model, clips)) for clips in validation]))


def scale_of(model: CnnLstm, clips: Sequences) -> tuple[float, float]:
    """Temperature and bias that calibrate the network on labelled clips, cut short as in the
    product (`train.metrics.fit_calibration`): so logits of several networks get one scale."""
    return fit_calibration(*score_short(model, clips))


@torch.inference_mode()
def score_short(model: CnnLstm, clips: Sequences, length: int = 5) -> tuple[FloatArray, FloatArray]:
    """Of each clip's first `length` frames the label (N,) in {0, 1}, and the log-odds (N,)."""
    logits = model.classify(clips.features[:, :length].to(model.mean.device))
    return clips.fake[:, :length].amax(dim=1).numpy(), logits.clip.cpu().numpy()


@torch.inference_mode()
def time_matters(model: CnnLstm, clips: Sequences, seed: int = 0) -> dict[str, float]:
    """The ablation of time: AUC of mean pooling, of the LSTM, and of the LSTM with
    the frames of each clip shuffled."""
    fake = clips.fake.amax(dim=1).numpy()
    T = clips.features.shape[1]
    # One order for all clips, the same at each call.
    order = torch.randperm(T, generator=torch.Generator().manual_seed(seed))
    ordered, shuffled = model.classify(clips.features), model.classify(clips.features[:, order])
    return {
        "mean_pooling": auc(fake, ordered.still.mean(dim=1).numpy()),
        "lstm": auc(fake, ordered.clip.numpy()),
        "lstm_shuffled": auc(fake, shuffled.clip.numpy()),
    }
