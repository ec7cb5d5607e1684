"""What a training run is: its settings, its state, a step of it, and how it survives a restart."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from detector.model.cnn_lstm import CnnLstm, ModelConfig
from train.clips import FAMILIES, SAME_SOURCE
from train.stages import early_stages
from train.verbs import DataError, whole

FAST = ModelConfig(
    backbone="tf_efficientnet_lite0",
    size=160,
    margin=0.0,
    # EfficientNet-Lite's weights expect (x - 127) / 128 of bytes.
    mean=(127 / 255, 127 / 255, 127 / 255),
    std=(128 / 255, 128 / 255, 128 / 255),
    families=FAMILIES,
)


TRANSFORMER_DEPTHS = (3, 7, 11)
"""Blocks of a small vision transformer whose tokens are used: traces of decoders and blends are
texture, which late blocks no longer represent."""

LAST_FIRST = "clips", "frames"
"""The stages of training, the last one first."""

Loss = Callable[[CnnLstm, Any, "FitConfig"], Tensor]
"""The loss of a model on a batch of tensors, under a config."""


@dataclass(frozen=True)
class FitConfig:
    """`freeze` counts the backbone's first stages that keep their weights, stem included; of the
    others "all" weights are tuned, or `tune` "vectors" only: the norms' scales and all biases,
    which keeps the features of a large pretrained backbone (arXiv 2508.06248 tunes the norms).
    `average` is the decay of the running mean of weights that is evaluated and kept. A step uses
    `accumulate` batches of `pairs` in each process. `sam` is the radius of sharpness-aware
    minimisation (arXiv 2010.01412), 0 for none. `schedule` is "cosine", or "plateau": halved
    after `patience` evaluations without a better one. After `stop_after` of those the run ends
    (0: never). `fake_weight` is what a fake weighs beside a real; `uploads` the share of pairs
    that were uploaded to a social network, `real_uploads` that in which only the real face was;
    only a share of `altered` has any history. `mix` is how often each recipe of `train.clips` is
    drawn, None for the stage's own. `precision` is "float32", "bf16", or "auto": bf16 where there
    is CUDA. `cnn_rate` is the CNN's learning rate in stage `clips`, as a share of `rate`; 0 freezes
    it, and its features are computed once. A run of `minutes` ends after them, its rate by then at
    the floor, however many steps those were (0: after `steps`). `teacher` names weights whose
    outputs are targets beside the labels, weighted by `teacher_weight`. `leave_out` is the fold of
    the videos' sources that training lacks, as in "2/5"; "" for none."""

    stage: str = "frames"
    steps: int = 3500
    pairs: int = 16
    frames: int = 8
    rate: float = 6e-4
    warmup: int = 150
    weight_decay: float = 0.05
    smoothing: float = 0.02
    mask_weight: float = 0.3
    family_weight: float = 0.2
    correction_price: float = 0.1
    freeze: int = 2
    tune: str = "all"
    average: float = 0.997
    evaluate_every: int = 400
    accumulate: int = 1
    sam: float = 0.0
    schedule: str = "cosine"
    patience: int = 2
    stop_after: int = 0
    fake_weight: float = 1.0
    uploads: float = 0.2
    real_uploads: float = 0.0
    altered: float = 1.0
    cnn_rate: float = 0.0
    precision: str = "auto"
    minutes: float = 0.0
    teacher: str = ""
    teacher_weight: float = 1.0
    leave_out: str = ""
    same_source: float = SAME_SOURCE
    seed: int = 0
    mix: dict[str, float] | None = None
    model: ModelConfig = field(default_factory=lambda: FAST)


class Objective(nn.Module):
    """A loss as a module: calling it is what makes many processes share their gradients."""

    def __init__(self, model: CnnLstm, loss: Loss, config: FitConfig) -> None:
        super().__init__()
        self.model, self.loss, self.config = model, loss, config

    def forward(self, batch: Any) -> Tensor:
        return self.loss(self.model, batch, self.config)


class Run:
    """Everything that must survive a restart, and how it is stored.

    The same on a CPU, on a GPU, and in many processes under `accelerate launch`, of which the
    main one evaluates and writes.
    """

    def __init__(self, folder: Path, config: FitConfig, loss: Loss) -> None:
        self.folder, self.config, self.loss = folder, config, loss
        self.accelerator = Accelerator(mixed_precision=_precision(config.precision))
        # Before the network is built: its initial weights depend on it.
        torch.manual_seed(config.seed)
        self.model = CnnLstm(config.model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.step, self.best = 0, -1.0
        self.history: list[dict[str, Any]] = []
        self.began = time.monotonic()
        self.seconds_before = 0.0  # of this run, in earlier processes
        self.speed = 0.0  # pairs a second, validation left out
        self.average: dict[str, Tensor] = {}
        self.optimiser: torch.optim.Optimizer
        self.objective: nn.Module

    @property
    def is_main(self) -> bool:
        """Whether this is the process that evaluates, prints and writes."""
        return bool(self.accelerator.is_main_process)

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or training stops early (`FitConfig.stop_after`)."""
        limit = self.config.stop_after
        return self.progress >= 1 or 0 < limit <= since_best(self.history)

    @property
    def elapsed(self) -> float:
        """Seconds of this run, those before a restart included."""
        return self.seconds_before + time.monotonic() - self.began

    @property
    def progress(self) -> float:
        """How much is done: of the steps or, where more is, of the minutes."""
        done = self.step / max(self.config.steps, 1)
        limit = 60 * self.config.minutes
        return max(done, self.elapsed / limit) if limit else done

    @cached_property
    def board(self) -> SummaryWriter:
        return SummaryWriter(str(self.folder / "tensorboard"))

    def start(self) -> None:
        """Begin, or continue from this stage's checkpoint."""
        self.choose_parameters()
        self.average = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.resume()

    @property
    def rate(self) -> float:
        return rate_at(self.step, self.config, self.history, self.progress)

    def train_step(self, batches: Sequence[Any]) -> float:
        """One step down the mean loss over `batches`, and the running mean after it; returns
        the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * group["share"]
        loss = self._backward(batches)
        if self.config.sam:
            # SAM: gradients at w + e(w) (Foret et al. 2021, eq. 2 and 3), applied at w.
            moved = self._ascend()
            with frozen_norm_statistics(self.model):
                self._backward(batches)
            for parameter, shift in moved:
                parameter.data -= shift
        # Norm 5 (Pascanu et al. 2013): bounds single steps, of which most are smaller.
        self.accelerator.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        self.update_average()
        return loss

    def _backward(self, batches: Sequence[Any]) -> float:
        """Gradients of the mean loss over `batches`."""
        self.optimiser.zero_grad()
        process = int(self.accelerator.process_index)
        # Dropout of a step is repeatable after a restart, and differs between processes.
        torch.manual_seed(self.config.seed + self.step + 1_000_003 * process)
        total = 0.0
        for batch in batches:
            here = type(batch)(*(tensor.to(self.accelerator.device) for tensor in batch))
            # Gradients of the batches add up, so this is the gradient of the mean.
            loss = self.objective(here) / len(batches)
            self.accelerator.backward(loss)
            total += float(loss.detach())
        return total

    def _ascend(self) -> list[tuple[nn.Parameter, Tensor]]:
        """To the highest loss within the radius, to first order; returns the shifted parameters."""
        moving = [p for p in self.model.parameters() if p.grad is not None]
        # Norm over all parameters as one vector; 1e-12 avoids a division by zero.
        norm = torch.stack([p.grad.norm() for p in moving if p.grad is not None]).norm()
        scale = self.config.sam / (norm + 1e-12)
        moved = [(p, p.grad * scale) for p in moving if p.grad is not None]
        for parameter, shift in moved:
            parameter.data += shift
        return moved

    def choose_parameters(self) -> None:
        """Only what this stage trains requires gradients; biases and norms do not decay."""
        set_trainable(self.model, self.config)
        named = [(n, p) for n, p in self.model.named_parameters() if p.requires_grad]
        slow = {n for n, _ in named if self.config.stage == "clips" and is_cnn(n)}
        groups = [
            {
                # Four groups: CNN or not, matrix or vector; vectors do not decay.
                "params": [p for n, p in named if (n in slow, p.ndim > 1) == kind],
                "weight_decay": self.config.weight_decay if kind[1] else 0.0,
                "share": self.config.cnn_rate if kind[0] else 1.0,
            }
            for kind in itertools.product((False, True), (True, False))
        ]
        self.objective = self.accelerator.prepare(Objective(self.model, self.loss, self.config))
        # Decoupled weight decay (Loshchilov & Hutter 2019).
        self.optimiser = torch.optim.AdamW(groups, lr=self.config.rate)

    def update_average(self) -> None:
        """Move the running mean of weights towards the weights."""
        # A smaller decay at first, so that the initial weights weigh little; TensorFlow's rule.
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        for name, value in self.model.state_dict().items():
            mean = self.average[name]
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                # Counters, such as `num_batches_tracked`, have no mean.
                mean.copy_(value)

    def averaged(self) -> CnnLstm:
        """A copy of the model with the mean weights, in eval mode."""
        model = CnnLstm(self.config.model)
        model.load_state_dict(self.average)
        return ready(model.to(self.accelerator.device))

    def save(self) -> None:
        """Write the checkpoint; the old one is replaced only by a complete new one."""
        if not self.is_main:
            return
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.items()}
        for index, state in self.optimiser.state_dict()["state"].items():
            # Both moments and the step of each parameter, by its number.
            tensors |= {f"adam.{index}.{name}": value for name, value in state.items()}
        kept = {name: value.detach().clone().contiguous() for name, value in tensors.items()}
        notes = {"step": self.step, "best": self.best, "history": self.history}
        notes["seconds"] = self.elapsed
        with whole(self.folder / f"{self.config.stage}.checkpoint.safetensors") as part:
            save_file(kept, part, metadata={"notes": json.dumps(notes)})

    def resume(self) -> bool:
        """Take up the checkpoint of this stage; False if there is none."""
        path = self.folder / f"{self.config.stage}.checkpoint.safetensors"
        if not path.exists():
            return False
        tensors = load_file(path, device=str(self.accelerator.device))
        self.model.load_state_dict(_below(tensors, "model."))
        self.average = _below(tensors, "average.")
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in _below(tensors, "adam.").items():
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = value
        # Settings come from the config, state from the file.
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})
        notes = _notes_of(path)
        self.step, self.best, self.history = notes["step"], notes["best"], notes["history"]
        self.seconds_before = notes.get("seconds", 0.0)
        return True


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}


def _notes_of(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        notes: dict[str, Any] = json.loads(file.metadata()["notes"])
    return notes


@contextmanager
def frozen_norm_statistics(model: nn.Module) -> Iterator[None]:
    """Batch norms keep their running statistics: those at shifted weights are not the network's."""
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        norm.track_running_stats = False
    yield
    for norm in norms:
        norm.track_running_stats = True


def set_trainable(model: CnnLstm, config: FitConfig) -> None:
    """Stage `frames` trains the CNN above the frozen stages, `clips` what comes after it."""
    model.train()
    model.requires_grad_(True)
    after = [model.narrow, model.lstm, model.frame, model.clip]
    frozen = [*early_stages(model, config.freeze), *after]
    if config.stage == "clips":
        early = early_stages(model, config.freeze)
        frozen = [model.mask, *(early if config.cnn_rate else [model.encoder, model.still])]
        frozen += [model.family] if model.family is not None else []
        # Batch norms use their statistics: clips of one person would shift them.
        model.encoder.eval()
    for module in frozen:
        module.requires_grad_(False)
        # Frozen norms must not update their running statistics either.
        module.eval()
    if config.tune == "vectors":
        for parameter in model.encoder.parameters():
            parameter.requires_grad_(parameter.requires_grad and parameter.ndim == 1)


def is_cnn(name: str) -> bool:
    """Whether a parameter belongs to what stage `frames` trains."""
    return name.startswith(("encoder.", "still."))


def config_of(backbone: str, size: int) -> ModelConfig:
    """`FAST` with another backbone, which receives what its ImageNet weights expect."""
    if backbone == FAST.backbone:
        return replace(FAST, size=size)
    known: Any = timm.get_pretrained_cfg(backbone)
    if known is None:
        alike = ", ".join(timm.list_models(f"*{backbone}*")[:4])
        hint = f"; it has {alike}" if alike else ""
        raise DataError(f"timm has no backbone {backbone!r}{hint}.")
    mean, std = tuple(known.mean), tuple(known.std)
    depths = TRANSFORMER_DEPTHS if backbone.startswith("vit_small") else ()
    return replace(FAST, backbone=backbone, size=size, mean=mean, std=std, depths=depths)


def check_backbone(model: CnnLstm) -> None:
    """Raises DataError unless the backbone makes maps (N, C, h, w) of a picture of this size."""
    config = model.config
    reason, training = "", model.training
    try:
        with torch.no_grad():
            maps = model.eval().encode(torch.zeros(1, 3, config.size, config.size))
        if maps.ndim != 4 or maps.shape[1] != model.width:
            reason = f"its output is {tuple(maps.shape)}"
    except (AssertionError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
    model.train(training)
    if reason:
        raise DataError(
            f"{config.backbone} does not make maps (N, C, h, w) of pictures of {config.size} px: "
            f"{reason}. Take a CNN, or a vit_small as DINOv2 has it."
        )


def load_hub(model: CnnLstm) -> None:
    """ImageNet weights into the encoder, as timm fetches them from the Hub."""
    name = model.config.backbone
    pretrained = timm.create_model(name, pretrained=True, num_classes=0, global_pool="")
    model.encoder.load_state_dict(pretrained.state_dict())


def load_imagenet(model: CnnLstm, path: Path) -> None:
    """ImageNet weights into the encoder from a state dict whose tensors stand in timm's order,
    under whatever names. Raises ValueError if a shape differs."""
    # weights_only admits tensors and plain containers, and runs no code.
    loaded = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251 - tensors only
    values = [value for name, value in loaded.items() if "num_batches" not in name]
    own = {k: v for k, v in model.encoder.state_dict().items() if "num_batches" not in k}
    # The classifier's tensors come last, and are left out.
    values = values[: len(own)]
    for (name, place), value in zip(own.items(), values, strict=True):
        if place.shape != value.shape:
            raise DataError(f"{path.name} does not fit {name}: {value.shape}, not {place.shape}.")
    model.encoder.load_state_dict(dict(zip(own, values, strict=True)), strict=False)


def zero_heads(model: CnnLstm) -> None:
    """Makes an untrained LSTM add nothing to the frames' logits."""
    for layer in (model.frame, model.clip):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)


def load_earlier(model: CnnLstm, path: Path) -> None:
    """The weights of an earlier run, at any input size, or of the backbone alone under timm's
    names. A family head for other families than `model`'s stays out. Raises ValueError if anything
    else does not fit."""
    weights = load_file(path)
    # Exactly the encoder's names: weights of a backbone alone.
    if set(weights) == set(model.encoder.state_dict()):
        model.encoder.load_state_dict(weights)
        return
    own = model.state_dict()
    fits = {k: v for k, v in weights.items() if not k.startswith("family.") or _same(own, k, v)}
    answer = model.load_state_dict(fits, strict=False)
    wrong = [*answer.unexpected_keys, *(k for k in answer.missing_keys if "family." not in k)]
    if wrong:
        raise DataError(f"{path.name} is of another network: {wrong[0]} does not fit.")


def load_cnn(model: CnnLstm, path: Path) -> None:
    """All of an earlier run but what follows the CNN, which may have another shape here."""
    after = tuple(f"{name}." for name in ("narrow", "lstm", "frame", "clip", "norm"))
    weights = load_file(path)
    kept = {k: v for k, v in weights.items() if not k.startswith((*after, "change_"))}
    missing = model.load_state_dict(kept, strict=False).missing_keys
    wrong = [k for k in missing if not k.startswith((*after, "change_"))]
    if wrong:
        raise DataError(f"{path.name} is of another network: {wrong[0]} is missing.")


def _same(own: Mapping[str, Tensor], name: str, value: Tensor) -> bool:
    return name in own and own[name].shape == value.shape


def rate_at(
    step: int,
    config: FitConfig,
    history: Sequence[Mapping[str, Any]] = (),
    progress: float | None = None,
) -> float:
    """Linear warm-up, in a run of minutes over their first twentieth, then level. "cosine": half a
    cosine down to a hundredth over the last 45 %, so late that a run may be made longer while it is
    under way. "plateau": see `FitConfig`."""
    progress = step / max(config.steps, 1) if progress is None else progress
    # Warm-up (Goyal et al. 2017): Adam's moments are unreliable at first.
    warm = progress / 0.05 if config.minutes else (step + 1) / max(config.warmup, 1)
    if warm < 1:
        # Not 0, at which the first step would do nothing.
        return config.rate * max(warm, 0.01)
    if config.schedule == "plateau":
        return config.rate * 0.5 ** (since_best(history) // max(config.patience, 1))
    # Half a cosine (Loshchilov & Hutter 2017) from 1 to 0.01 over what is left.
    share = (progress - 0.55) / 0.45
    return config.rate * (
        0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * min(max(share, 0.0), 1.0))))
    )


def since_best(history: Sequence[Mapping[str, Any]]) -> int:
    """How many evaluations in a row had no better AUC."""
    scores = [entry["auc"] for entry in history]
    return len(scores) - 1 - int(np.argmax(scores)) if scores else 0


def _precision(name: str) -> str:
    if name == "auto":
        name = "bf16" if torch.cuda.is_available() else "float32"
    return "no" if name == "float32" else name


def cross_entropy(logits: Tensor, fake: Tensor, config: FitConfig) -> Tensor:
    """Of labels in {0, 1} moved towards each other by `smoothing`, fakes weighing `fake_weight`."""
    # Label smoothing (Szegedy et al. 2016): targets s and 1 - s.
    smooth = fake * (1 - 2 * config.smoothing) + config.smoothing
    # 1 for reals, `fake_weight` for fakes.
    weight = 1 + (config.fake_weight - 1) * fake
    return functional.binary_cross_entropy_with_logits(logits, smooth, weight=weight)


def validate(run: Run, loss: float | None, evaluate: Callable[[CnnLstm], float]) -> None:
    """Evaluate the mean weights, broadcast the score to all processes, log it, store the
    checkpoint, and store the best weights separately."""
    scores = [evaluate(run.averaged()) if run.is_main else 0.0]
    broadcast_object_list(scores)
    score = float(scores[0])
    entry = {"stage": run.config.stage, "step": run.step, "loss": loss, "auc": score}
    entry["rate"] = run.rate
    entry["pairs_per_second"] = round(run.speed, 1)
    entry["processes"] = int(run.accelerator.num_processes)
    run.history.append(entry | {"seconds": round(time.monotonic() - run.began)})
    better = score > run.best
    run.best = max(run.best, score)
    if run.is_main:
        _log(run, better)
    run.save()


def train_on(
    run: Run, batches: Iterator[Sequence[Any]], evaluate: Callable[[CnnLstm], float]
) -> None:
    """Step after step until the run is finished, evaluated and stored every `evaluate_every`."""
    config = run.config
    pairs = config.pairs * config.accumulate * int(run.accelerator.num_processes)
    losses: list[float] = []
    began = time.monotonic()
    total = None if config.minutes else config.steps
    with tqdm(
        total=total, initial=run.step, unit="step", mininterval=2, disable=not run.is_main
    ) as bar:
        while not run.finished:
            losses.append(run.train_step(next(batches)))
            bar.update()
            # Mean of the last 50: single batches are too noisy to read.
            bar.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}", refresh=False)
            if run.finished or validation_due(run):
                run.speed = len(losses) * pairs / (time.monotonic() - began)
                validate(run, float(np.mean(losses)), evaluate)
                losses.clear()
                began = time.monotonic()


def validation_due(run: Run) -> bool:
    """Whether to validate now; near the end of its minutes only once more, at the end."""
    near = run.config.minutes > 0 and run.progress > 0.85
    return run.step % run.config.evaluate_every == 0 and not near


def _log(run: Run, better: bool) -> None:
    entry = run.history[-1]
    with (run.folder / "log.jsonl").open("a") as file:
        file.write(json.dumps(entry) + "\n")
    print(json.dumps(entry), flush=True)
    for name in ("loss", "auc", "rate"):
        if entry[name] is not None:
            run.board.add_scalar(f"{run.config.stage}/{name}", entry[name], run.step)
    run.board.flush()
    if better:
        weights = {name: value.contiguous() for name, value in run.average.items()}
        with whole(run.folder / f"{run.config.stage}.best.safetensors") as part:
            save_file(weights, part)


def load_run(folder: Path) -> CnnLstm:
    """The best network of the last stage that was trained in `folder`. Raises ValueError if
    there is none."""
    for stage in LAST_FIRST:
        path = folder / f"{stage}.best.safetensors"
        if path.exists():
            config = json.loads((folder / f"{stage}.config.json").read_text())
            model = CnnLstm(ModelConfig.from_dict(config["model"]))
            model.load_state_dict(load_file(path))
            return ready(model)
    raise DataError(f"{folder} contains no trained network; run python -m train.fit first.")


def ready(model: CnnLstm) -> CnnLstm:
    """In eval mode, and in the memory format that is fastest on CPUs."""
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.eval()
