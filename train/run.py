"""What a training run is: its settings, its state, and how both survive a restart."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from detector.model import CnnLstm, ModelConfig

FAST = ModelConfig(
    backbone="tf_efficientnet_lite0",
    size=160,
    margin=0.0,
    mean=(127 / 255, 127 / 255, 127 / 255),
    std=(128 / 255, 128 / 255, 128 / 255),
)


@dataclass(frozen=True)
class FitConfig:
    """`freeze` counts the backbone's first stages that keep their weights, stem included;
    `average` is the decay of the running mean of weights that is judged and kept."""

    stage: str = "frames"
    steps: int = 3500
    pairs: int = 16
    frames: int = 8
    rate: float = 6e-4
    warmup: int = 150
    weight_decay: float = 0.05
    smoothing: float = 0.02
    mask_weight: float = 0.3
    correction_price: float = 0.1
    freeze: int = 2
    average: float = 0.997
    judge_every: int = 400
    seed: int = 0
    model: ModelConfig = field(default_factory=lambda: FAST)


class Run:
    """Everything that must survive a restart, and how it is stored."""

    def __init__(self, folder: Path, config: FitConfig) -> None:
        self.folder, self.config = folder, config
        torch.manual_seed(config.seed)
        self.model = CnnLstm(config.model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.step, self.best = 0, -1.0
        self.history: list[dict[str, Any]] = []
        self.began = time.monotonic()
        self.average: dict[str, Tensor] = {}
        self.optimiser: torch.optim.Optimizer

    def start(self) -> None:
        """Begin, or continue from this stage's checkpoint."""
        self.average = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.choose_parameters()
        self.resume()

    def learn(self, loss: Tensor, rate: float) -> None:
        """One step down `loss`, and the running mean after it."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        self.follow()

    def choose_parameters(self) -> None:
        """Only what this stage trains asks for gradients; biases and norms do not decay."""
        set_trainable(self.model, self.config)
        named = [p for p in self.model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in named if p.ndim > 1], "weight_decay": self.config.weight_decay},
            {"params": [p for p in named if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=self.config.rate)

    def follow(self) -> None:
        """Move the running mean of weights towards the weights."""
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        for name, value in self.model.state_dict().items():
            mean = self.average[name]
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)

    def averaged(self) -> CnnLstm:
        """A copy of the model with the mean weights, ready to judge."""
        model = CnnLstm(self.config.model)
        model.load_state_dict(self.average)
        return ready(model)

    def save(self) -> None:
        """Write the checkpoint; the old one is replaced only by a complete new one."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.items()}
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": value for name, value in state.items()}
        kept = {name: value.detach().clone().contiguous() for name, value in tensors.items()}
        notes = {"step": self.step, "best": self.best, "history": self.history}
        part = self.folder / f"{self.config.stage}.part"
        save_file(kept, part, metadata={"notes": json.dumps(notes)})
        part.rename(self.folder / f"{self.config.stage}.checkpoint.safetensors")

    def resume(self) -> bool:
        """Take up the checkpoint of this stage; False if there is none."""
        path = self.folder / f"{self.config.stage}.checkpoint.safetensors"
        if not path.exists():
            return False
        tensors = load_file(path)
        self.model.load_state_dict(_below(tensors, "model."))
        self.average = _below(tensors, "average.")
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in _below(tensors, "adam.").items():
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = value
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})
        notes = _notes_of(path)
        self.step, self.best, self.history = notes["step"], notes["best"], notes["history"]
        return True


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}


def _notes_of(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        notes: dict[str, Any] = json.loads(file.metadata()["notes"])
    return notes


def set_trainable(model: CnnLstm, config: FitConfig) -> None:
    """Stage `frames` trains the CNN above the frozen stages, `clips` what comes after it."""
    model.train()
    clips = config.stage == "clips"
    early = _early_stages(model, config.freeze)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    for module in [model.encoder, model.still, model.mask] if clips else early:
        module.requires_grad_(False)
        module.eval()


def _early_stages(model: CnnLstm, count: int) -> list[nn.Module]:
    names = ("conv_stem", "bn1") if hasattr(model.encoder, "conv_stem") else ("conv1", "bn1")
    blocks = getattr(model.encoder, "blocks", None)
    if count == 0:
        return []
    stem = [getattr(model.encoder, name) for name in names if hasattr(model.encoder, name)]
    return stem + (list(blocks[:count]) if blocks is not None else [])


def load_imagenet(model: CnnLstm, path: Path) -> None:
    """ImageNet weights into the encoder from a state dict whose tensors stand in timm's order,
    under whatever names. Raises ValueError if a shape differs."""
    loaded = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251 - tensors only
    values = [value for name, value in loaded.items() if "num_batches" not in name]
    own = {k: v for k, v in model.encoder.state_dict().items() if "num_batches" not in k}
    values = values[: len(own)]
    for (name, place), value in zip(own.items(), values, strict=True):
        if place.shape != value.shape:
            raise ValueError(f"{path.name} does not fit {name}: {value.shape}, not {place.shape}.")
    model.encoder.load_state_dict(dict(zip(own, values, strict=True)), strict=False)


def rate_at(step: int, config: FitConfig) -> float:
    """Linear warm-up, level, and half a cosine down to a hundredth over the last 45 %.

    Level for long, so that a run may be made longer while it is under way.
    """
    if step < config.warmup:
        return config.rate * (step + 1) / config.warmup
    share = (step / max(config.steps, 1) - 0.55) / 0.45
    return config.rate * (
        0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * min(max(share, 0.0), 1.0))))
    )


def smooth(fake: Tensor, amount: float) -> Tensor:
    """Labels 0 and 1 moved towards each other by `amount`."""
    return fake * (1 - 2 * amount) + amount


def note(run: Run, loss: float | None, score: float) -> None:
    """Log, store the checkpoint, and keep the best weights apart."""
    seconds = round(time.monotonic() - run.began)
    entry = {"stage": run.config.stage, "step": run.step, "loss": loss, "auc": score}
    run.history.append(entry | {"seconds": seconds})
    with (run.folder / "log.jsonl").open("a") as file:
        file.write(json.dumps(run.history[-1]) + "\n")
    print(json.dumps(run.history[-1]), flush=True)
    if score > run.best:
        run.best = score
        weights = {name: value.contiguous() for name, value in run.average.items()}
        save_file(weights, run.folder / f"{run.config.stage}.best.safetensors")
    run.save()


def load_run(folder: Path) -> CnnLstm:
    """The best network of the last stage that was trained in `folder`. Raises ValueError if
    there is none."""
    for stage in ("clips", "frames"):
        path = folder / f"{stage}.best.safetensors"
        if path.exists():
            config = json.loads((folder / f"{stage}.config.json").read_text())
            model = CnnLstm(ModelConfig.from_dict(config["model"]))
            model.load_state_dict(load_file(path))
            if stage == "frames":  # an LSTM that never learned must not speak
                for layer in (model.frame, model.clip):
                    nn.init.zeros_(layer.weight)
                    nn.init.zeros_(layer.bias)
            return ready(model)
    raise ValueError(f"{folder} holds no trained network; run python -m train.fit first.")


def ready(model: CnnLstm) -> CnnLstm:
    """In eval mode, in the memory format that CPUs like."""
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.eval()
