"""The training loop: first the CNN on single faces, then the LSTM on clips.

    python -m train.fit --shards shards --out runs/fast --stage frames --init imagenet.pth
    python -m train.fit --shards shards --out runs/fast --stage clips

The same command again continues where the last one stopped. On several GPUs, or in several
processes: accelerate launch -m train.fit ..., where every process takes pairs of its own.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader
from tqdm import tqdm

from detector.model import CnnLstm, pool
from train.clips import CLIP_MIX, Batch, ClipConfig, Faces, Pairs, collate
from train.judge import judge_crops
from train.metrics import auc
from train.run import (
    FAST,
    FitConfig,
    Run,
    config_of,
    cross_entropy,
    load_earlier,
    load_hub,
    load_imagenet,
    note,
    set_trainable,
)
from train.sequences import Sequences, clip_loss, encode_clips, fit_sequences
from train.verbs import DataError, verb


def frame_loss(model: CnnLstm, batch: Batch, config: FitConfig) -> Tensor:
    """Cross-entropy of single frames, plus that of the coarse blend mask where it is known, and
    that of the family among fakes."""
    images = batch.clips[:, 0].to(memory_format=torch.channels_last).float() / 255
    maps = model.encode(images)
    features = model.dropout(pool(maps))
    loss = cross_entropy(model.still(features).squeeze(-1), batch.fake[:, 0], config)
    if model.family is not None:
        kinds = functional.cross_entropy(
            model.family(features), batch.family, ignore_index=-1, reduction="sum"
        )
        loss = loss + config.family_weight * kinds / (batch.family >= 0).sum().clamp(min=1)
    masks = functional.interpolate(batch.mask[:, None], size=maps.shape[2:], mode="area")
    wrong = functional.binary_cross_entropy_with_logits(model.mask(maps), masks, reduction="none")
    known = batch.known[:, None, None, None]
    return loss + config.mask_weight * (wrong * known).mean()


def fit_frames(run: Run, faces: Faces, judges: Faces, workers: int) -> None:
    """Train until `config.steps`; judge and store every `judge_every`."""
    config = run.config
    losses: list[float] = []
    batches = frame_batches(faces, run, workers)
    with tqdm(
        total=config.steps,
        initial=run.step,
        unit="step",
        mininterval=10,
        disable=not run.leads,
    ) as bar:
        while not run.finished:
            losses.append(run.learn(list(islice(batches, config.accumulate))))
            bar.update()
            bar.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}", refresh=False)
            if run.step % config.judge_every == 0 or run.step == config.steps:
                note(run, float(np.mean(losses)), lambda model: judged_auc(model, judges))
                losses.clear()


def judged_auc(model: CnnLstm, judges: Faces) -> float:
    """AUC of single crops of the split kept for judging."""
    judged = judge_crops(model, judges)
    return auc(judged.fake, judged.still)


def frame_batches(faces: Faces, run: Run, workers: int) -> Iterator[Batch]:
    """This process's batches from the run's step on; each pair depends on its number alone."""
    config, processes = run.config, int(run.accelerator.num_processes)
    clip = ClipConfig(config.model.size, config.model.margin, seed=config.seed)
    blocks = range(run.step * config.accumulate, config.steps * config.accumulate)
    starts = [(k * processes + run.accelerator.process_index) * config.pairs for k in blocks]
    return iter(
        DataLoader(
            Pairs(faces, clip, config.steps * config.accumulate * processes * config.pairs),
            config.pairs,
            sampler=[start + k for start in starts for k in range(config.pairs)],
            num_workers=workers,
            collate_fn=collate,
            prefetch_factor=4 if workers else None,
        )
    )


def fit_clips(run: Run, faces: Faces, judges: Faces, count: int, workers: int) -> None:
    """Stage two, on top of the best CNN of stage one."""
    best = run.folder / "frames.best.safetensors"
    if run.step == 0:
        if not best.exists():
            raise DataError(f"{best} does not exist; run --stage frames first.")
        run.model.load_state_dict(load_file(best))
    encoder = run.model.eval()
    config = run.config
    clip = ClipConfig(config.model.size, config.model.margin, config.frames, config.seed, CLIP_MIX)
    folder = run.folder / "features"
    with run.accelerator.main_process_first():
        train = encode_clips(encoder, Pairs(faces, clip, count), folder / "train", workers=workers)
        some = Pairs(judges, clip, max(count // 5, 4))
        val = encode_clips(encoder, some, folder / "val", workers=workers)
    crops = judge_crops(encoder, judges)
    alone = Sequences(crops.features[:, None].clone(), torch.from_numpy(crops.fake)[:, None])
    set_trainable(run.model, config)
    fit_sequences(run, train, [val, alone] if judges.crops_fake else [val])


def begin(model: CnnLstm, init: str | None) -> None:
    """Weights to start from, as `--init` names them; those of a new network without it."""
    if init == "hub":
        load_hub(model)
    elif init and init.endswith(".safetensors"):
        load_earlier(model, Path(init))
    elif init:
        load_imagenet(model, Path(init))


def read_options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.fit", description=__doc__)
    parser.add_argument("--shards", type=Path, required=True, help="folder of train.prepare")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and log")
    parser.add_argument("--stage", choices=("frames", "clips"), default="frames")
    parser.add_argument(
        "--init",
        help="hub (timm's ImageNet weights), a file with an ImageNet state dict, or .safetensors "
        "of an earlier run; from scratch without it",
    )
    parser.add_argument("--backbone", default=FAST.backbone, help="timm name")
    parser.add_argument("--size", type=int, default=FAST.size, help="side of the crop in pixels")
    parser.add_argument("--steps", type=int, default=FitConfig.steps)
    parser.add_argument("--pairs", type=int, default=FitConfig.pairs, help="pairs per step")
    parser.add_argument("--rate", type=float, default=FitConfig.rate)
    parser.add_argument("--freeze", type=int, default=FitConfig.freeze, help="stages kept as is")
    parser.add_argument("--clips", type=int, default=1500, help="pairs of clips in stage two")
    parser.add_argument("--frames", type=int, default=FitConfig.frames, help="frames per clip")
    parser.add_argument("--accumulate", type=int, default=1, help="batches per step")
    parser.add_argument("--sam", type=float, default=0.0, help="radius; 0.05 is usual, 0 is off")
    parser.add_argument("--schedule", choices=("cosine", "plateau"), default="cosine")
    parser.add_argument("--patience", type=int, default=2, help="judgements until a plateau ends")
    parser.add_argument("--stop-after", type=int, default=0, help="judgements without a better one")
    parser.add_argument("--fake-weight", type=float, default=1.0, help="of a fake beside a real")
    parser.add_argument("--precision", choices=("auto", "float32", "bf16"), default="auto")
    parser.add_argument("--judge-every", type=int, default=FitConfig.judge_every, metavar="STEPS")
    parser.add_argument("--seed", type=int, default=0, help="other pairs, another beginning")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args(argv)


@verb
def main(argv: Sequence[str] | None = None) -> int:
    options = read_options(argv)
    torch.set_num_threads(options.threads)
    model = config_of(options.backbone, options.size)
    names = {each.name for each in fields(FitConfig)}
    asked = {name: value for name, value in vars(options).items() if name in names}
    config = FitConfig(model=model, **asked)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{config.stage}.config.json").write_text(json.dumps(asdict(config), indent=1))
    run = Run(options.out, config, frame_loss if config.stage == "frames" else clip_loss)
    begin(run.model, options.init)
    run.start()
    faces, judges = Faces(options.shards, "train"), Faces(options.shards, "val")
    try:
        if config.stage == "frames":
            fit_frames(run, faces, judges, options.workers)
        else:
            fit_clips(run, faces, judges, options.clips, options.workers)
    except KeyboardInterrupt:
        run.save()
        raise
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
