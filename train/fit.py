"""The training loop: first the CNN on single faces, then the LSTM on clips.

    python -m train.fit --shards shards --out runs/fast --stage frames --init imagenet.pth
    python -m train.fit --shards shards --out runs/fast --stage clips

The same command again continues where the last one stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from detector.model import CnnLstm, pool
from train.clips import CLIP_MIX, Batch, ClipConfig, Faces, Pairs, collate
from train.judge import judge_crops
from train.metrics import auc
from train.run import FAST, FitConfig, Run, load_imagenet, note, rate_at, smooth
from train.sequences import Sequences, encode_clips, fit_sequences


def frame_loss(model: CnnLstm, batch: Batch, config: FitConfig) -> Tensor:
    """Cross-entropy of single frames, plus that of the coarse blend mask where it is known."""
    images = batch.clips[:, 0].to(memory_format=torch.channels_last).float() / 255
    maps = model.encode(images)
    logits = model.still(model.dropout(pool(maps))).squeeze(-1)
    fake = smooth(batch.fake[:, 0], config.smoothing)
    loss = functional.binary_cross_entropy_with_logits(logits, fake)
    masks = functional.interpolate(batch.mask[:, None], size=maps.shape[2:], mode="area")
    wrong = functional.binary_cross_entropy_with_logits(model.mask(maps), masks, reduction="none")
    known = batch.known[:, None, None, None]
    return loss + config.mask_weight * (wrong * known).mean()


def fit_frames(run: Run, faces: Faces, judges: Faces, workers: int) -> None:
    """Train until `config.steps`; judge and store every `judge_every`."""
    config = run.config
    losses: list[float] = []
    batches = frame_batches(faces, config, run.step, workers)
    with tqdm(total=config.steps, initial=run.step, unit="step", mininterval=10) as bar:
        for batch in batches:
            torch.manual_seed(config.seed + run.step)
            loss = frame_loss(run.model, batch, config)
            run.learn(loss, rate_at(run.step, config))
            losses.append(float(loss.detach()))
            bar.update()
            bar.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}", refresh=False)
            if run.step % config.judge_every == 0 or run.step == config.steps:
                judged = judge_crops(run.averaged(), judges)
                note(run, float(np.mean(losses)), auc(judged.fake, judged.still))
                losses.clear()


def frame_batches(faces: Faces, config: FitConfig, start: int, workers: int) -> Iterator[Batch]:
    """Batches from step `start` on; each pair depends on its number alone."""
    clip = ClipConfig(config.model.size, config.model.margin, seed=config.seed)
    total = config.steps * config.pairs
    rest = Subset(Pairs(faces, clip, total), range(start * config.pairs, total))
    ahead = 4 if workers else None
    return iter(
        DataLoader(
            rest, config.pairs, num_workers=workers, collate_fn=collate, prefetch_factor=ahead
        )
    )


def fit_clips(run: Run, faces: Faces, judges: Faces, count: int, workers: int) -> None:
    """Stage two, on top of the best CNN of stage one."""
    best = run.folder / "frames.best.safetensors"
    if run.step == 0:
        if not best.exists():
            raise ValueError(f"{best} does not exist; run --stage frames first.")
        run.model.load_state_dict(load_file(best))
    encoder = run.model.eval()
    config = run.config
    clip = ClipConfig(config.model.size, config.model.margin, config.frames, config.seed, CLIP_MIX)
    folder = run.folder / "features"
    train = encode_clips(encoder, Pairs(faces, clip, count), folder / "train", workers=workers)
    some = Pairs(judges, clip, max(count // 5, 4))
    val = encode_clips(encoder, some, folder / "val", workers=workers)
    crops = judge_crops(encoder, judges)
    alone = Sequences(crops.features[:, None].clone(), torch.from_numpy(crops.fake)[:, None])
    run.choose_parameters()
    fit_sequences(run, train, [val, alone] if judges.crops_fake else [val])


def read_options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.fit", description=__doc__)
    parser.add_argument("--shards", type=Path, required=True, help="folder of train.prepare")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and log")
    parser.add_argument("--stage", choices=("frames", "clips"), default="frames")
    parser.add_argument("--init", type=Path, help="ImageNet state dict for the backbone")
    parser.add_argument("--backbone", default=FAST.backbone, help="timm name")
    parser.add_argument("--size", type=int, default=FAST.size, help="side of the crop in pixels")
    parser.add_argument("--steps", type=int, default=FitConfig.steps)
    parser.add_argument("--pairs", type=int, default=FitConfig.pairs, help="pairs per step")
    parser.add_argument("--rate", type=float, default=FitConfig.rate)
    parser.add_argument("--freeze", type=int, default=FitConfig.freeze, help="stages kept as is")
    parser.add_argument("--clips", type=int, default=1500, help="pairs of clips in stage two")
    parser.add_argument("--frames", type=int, default=FitConfig.frames, help="frames per clip")
    parser.add_argument("--judge-every", type=int, default=FitConfig.judge_every, metavar="STEPS")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    options = read_options(argv)
    torch.set_num_threads(options.threads)
    names = ("stage", "steps", "pairs", "rate", "freeze", "frames", "judge_every")
    model = replace(FAST, backbone=options.backbone, size=options.size)
    config = FitConfig(model=model, **{name: getattr(options, name) for name in names})
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{config.stage}.config.json").write_text(json.dumps(asdict(config), indent=1))
    run = Run(options.out, config)
    if options.init:
        load_imagenet(run.model, options.init)
    run.start()
    faces, judges = Faces(options.shards, "train"), Faces(options.shards, "val")
    try:
        if config.stage == "frames":
            fit_frames(run, faces, judges, options.workers)
        else:
            fit_clips(run, faces, judges, options.clips, options.workers)
    except KeyboardInterrupt:
        run.save()
        print(f"Stopped after step {run.step}; the same command continues.")
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
