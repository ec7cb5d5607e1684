"""The training loop: first the CNN on single faces, then the LSTM on clips.

    python -m train.fit --shards shards --out runs/fast --stage frames --init imagenet.pth
    python -m train.fit --shards shards --out runs/fast --stage clips

The same command again continues where the last one stopped. On several GPUs, or in several
processes: accelerate launch -m train.fit ..., where every process takes pairs of its own.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from detector.model.cnn_lstm import CnnLstm, pool
from train.clips import (
    CLIP_MIX,
    FAMILY_OF,
    FRAME_MIX,
    Batch,
    ClipConfig,
    Draws,
    Faces,
    Pairs,
    collate,
)
from train.device import Pictures, render
from train.distillation import Teacher
from train.left_out import left_out
from train.metrics import auc
from train.origin import origin_of, write_config
from train.plans import Plans
from train.run import (
    FAST,
    FitConfig,
    Loss,
    Run,
    check_backbone,
    config_of,
    cross_entropy,
    load_cnn,
    load_earlier,
    load_hub,
    load_imagenet,
    set_trainable,
    train_on,
    zero_heads,
)
from train.scores import score_crops, score_videos
from train.sequences import (
    Sequences,
    clip_loss,
    clips_of,
    encode_clips,
    encode_pairs,
    fit_sequences,
    fit_together,
    measure_change,
    together_loss,
)
from train.verbs import DataError, verb

MANY = 10**7
"""Steps of a run that ends by its minutes."""


def frame_loss(
    model: CnnLstm, batch: Batch, config: FitConfig, teacher: Teacher | None = None
) -> Tensor:
    """Cross-entropy of single frames, plus that of the coarse blend mask where it is known, and
    that of the family among fakes; and the distance from a teacher's output."""
    # (2N, 3, S, S) in [0, 1], from uint8 on the device that trains.
    images = batch.clips[:, 0].to(memory_format=torch.channels_last).float() / 255
    maps = model.encode(images)
    features = model.dropout(pool(maps))
    logits = model.still(features).squeeze(-1)
    loss = cross_entropy(logits, batch.fake[:, 0], config)
    if teacher is not None:
        loss = loss + config.teacher_weight * teacher.distance(maps, logits, images)
    if model.family is not None:
        # Sum over the fakes, divided by their number below: reals have family -1 and no loss.
        kinds = functional.cross_entropy(
            model.family(features), batch.family, ignore_index=-1, reduction="sum"
        )
        loss = loss + config.family_weight * kinds / (batch.family >= 0).sum().clamp(min=1)
    # To the maps' own resolution, (2N, 1, h, w); area averaging keeps the share that is blended.
    masks = functional.interpolate(batch.mask[:, None], size=maps.shape[2:], mode="area")
    wrong = functional.binary_cross_entropy_with_logits(model.mask(maps), masks, reduction="none")
    # Unknown masks have weight 0, not "no blend".
    known = batch.known[:, None, None, None]
    return loss + config.mask_weight * (wrong * known).mean()


def fit_frames(
    run: Run, faces: Faces, val: Faces, workers: int, *, on_device: bool = False
) -> None:
    """Stage one: single faces, made by the CPU or on the device that trains."""
    clip = clip_config(run.config, 1, run.config.mix or FRAME_MIX)
    steps = (device_steps_of if on_device else steps_of)(run, faces, clip, workers)
    train_on(run, steps, lambda model: validation_auc(model, val))


def validation_auc(model: CnnLstm, val: Faces) -> float:
    """Mean AUC over single crops and over videos of the validation split."""
    crops = score_crops(model, val, every=4)
    videos = score_videos(model, val)
    areas = [auc(part.fake, part.still) for part in (crops, videos) if len(set(part.fake)) == 2]
    print(json.dumps({"auc of crops and videos": [round(area, 4) for area in areas]}), flush=True)
    return float(np.mean(areas))


def steps_of(run: Run, faces: Faces, clip: ClipConfig, workers: int) -> Iterator[list[Batch]]:
    """This process's batches, step by step, from the run's step on; each pair depends on its
    number alone."""
    batches = iter(_loader(run, Pairs(faces, clip, _count(run)), collate, workers))
    return iter(lambda: list(islice(batches, run.config.accumulate)), [])


def device_steps_of(
    run: Run, faces: Faces, clip: ClipConfig, workers: int
) -> Iterator[list[Batch]]:
    """The same, of pictures that are in the device's memory and are altered there."""
    device = run.accelerator.device
    plans = iter(_loader(run, Plans(faces, clip, _count(run)), list, workers))
    pictures = Pictures(faces, device)
    print(json.dumps({"pictures on the device": len(pictures)}), flush=True)
    # All batches have one shape, so the search for the fastest kernels pays.
    torch.backends.cudnn.benchmark = True
    # TF32 keeps float32's range and 10 bits of the fraction; enough for training.
    torch.backends.cuda.matmul.allow_tf32 = True
    generator = torch.Generator(device)
    while some := list(islice(plans, run.config.accumulate)):
        # A tuple of ints has the same hash in every process, unlike strings.
        generator.manual_seed(hash((run.config.seed, run.step, run.accelerator.process_index)))
        yield [render(pictures, each, clip, generator) for each in some]


def _count(run: Run) -> int:
    config = run.config
    return config.steps * config.accumulate * config.pairs * int(run.accelerator.num_processes)


def _loader(run: Run, examples: Draws[Any], join: Callable[[Any], Any], workers: int) -> Any:
    """This process's batches from the run's step on."""
    config, processes = run.config, int(run.accelerator.num_processes)
    # Numbers of batches, from the first that this run has not had.
    blocks = range(run.step * config.accumulate, config.steps * config.accumulate)
    starts = ((k * processes + run.accelerator.process_index) * config.pairs for k in blocks)
    return DataLoader(
        examples,
        config.pairs,
        # The sampler gives numbers of pairs; each pair depends on its number alone.
        sampler=(start + k for start in starts for k in range(config.pairs)),
        num_workers=workers,
        collate_fn=join,
        prefetch_factor=4 if workers else None,
    )


def fit_clips(run: Run, faces: Faces, val: Faces, count: int, workers: int) -> None:
    """Stage two, on top of the best CNN of stage one."""
    stage_one = run.folder / "frames.best.safetensors"
    if run.step == 0:
        if not stage_one.exists():
            raise DataError(f"{stage_one} does not exist; run --stage frames first.")
        load_cnn(run.model, stage_one)
    config = run.config
    clip = clip_config(config, config.frames, config.mix or CLIP_MIX)
    # A fifth as many pairs as for training.
    some = Pairs(val, clip, max(count // 5, 4))
    if config.cnn_rate:
        if config.model.motion and run.step == 0:
            few = Pairs(faces, clip, len(some))
            measure_change(run.model, encode_pairs(run.model.eval(), few, workers=workers))
        best = fit_together(
            run,
            steps_of(run, faces, clip, workers),
            lambda model: beside_crops(model, encode_pairs(model, some, workers=workers), val),
        )
        encode_clips(best, some, clips_of(run.folder), workers=workers)
        return
    encoder = run.model.eval()
    with run.accelerator.main_process_first():
        pairs = Pairs(faces, clip, count)
        train = encode_clips(encoder, pairs, clips_of(run.folder, "train"), workers=workers)
        clips = encode_clips(encoder, some, clips_of(run.folder), workers=workers)
    validation = beside_crops(encoder, clips, val)
    set_trainable(run.model, config)
    fit_sequences(run, train, validation)


def beside_crops(encoder: CnnLstm, clips: Sequences, val: Faces) -> list[Sequences]:
    """Validation data of stage two: clips and, if there are any, labelled crops as clips of one."""
    # One frame has no motion, and such an LSTM adds nothing to it.
    if not val.crops_fake or encoder.config.motion:
        return [clips]
    crops = score_crops(encoder, val)
    single = crops.features[:, None]
    return [clips, Sequences(single.clone(), torch.tensor(crops.fake)[:, None])]


def clip_config(config: FitConfig, frames: int, mix: Mapping[str, float]) -> ClipConfig:
    """The examples of a run, `frames` long."""
    model = config.model
    histories = config.uploads, config.real_uploads, config.altered
    return ClipConfig(
        model.size, model.margin, frames, config.seed, *histories, mix, config.same_source
    )


def loss_of(config: FitConfig) -> Loss:
    """The loss of a run, by its stage."""
    if config.stage == "clips":
        return together_loss if config.cnn_rate else clip_loss
    return partial(frame_loss, teacher=teacher_of(config)) if config.teacher else frame_loss


def teacher_of(config: FitConfig) -> Teacher:
    return Teacher(Path(config.teacher), PartialState().device)


def begin(model: CnnLstm, init: str | None) -> None:
    """Weights to start from, as `--init` names them; those of a new network without it, whose LSTM
    adds nothing yet. Stage one leaves the LSTM as it is."""
    zero_heads(model)
    if init == "hub":
        load_hub(model)
    elif init and init.endswith(".safetensors"):
        load_earlier(model, Path(init))
    elif init:
        load_imagenet(model, Path(init))


def share_of(text: str) -> tuple[str, float]:
    """One recipe and how often it is drawn, as in video=0.4. Raises ArgumentTypeError else."""
    name, _, share = text.partition("=")
    if name not in FAMILY_OF:
        raise argparse.ArgumentTypeError(f"a recipe is one of {', '.join(FAMILY_OF)}, not {name!r}")
    return name, float(share)


def _add_network(parser: argparse.ArgumentParser) -> None:
    """What `ModelConfig` is made of."""
    parser.add_argument("--backbone", default=FAST.backbone, help="timm name")
    parser.add_argument("--size", type=int, default=FAST.size, help="side of the crop in pixels")
    parser.add_argument("--margin", type=float, default=FAST.margin, help="of the crop")
    parser.add_argument(
        "--motion", type=int, nargs="*", default=[], help="early stages for the LSTM's input"
    )
    parser.add_argument("--dropout", type=float, default=FAST.dropout)
    parser.add_argument("--hidden", type=int, default=FAST.hidden, help="the LSTM's width")


def _add_steps(parser: argparse.ArgumentParser) -> None:
    """How a step is taken, and when the run ends before its last."""
    parser.add_argument("--accumulate", type=int, default=1, help="batches per step")
    parser.add_argument("--sam", type=float, default=0.0, help="radius; 0.05 is usual, 0 is off")
    parser.add_argument("--schedule", choices=("cosine", "plateau"), default="cosine")
    parser.add_argument(
        "--patience",
        type=int,
        default=2,
        help="evaluations without a better one until the rate is halved",
    )
    parser.add_argument(
        "--stop-after", type=int, default=0, help="evaluations without a better one"
    )


def _add_pairs(parser: argparse.ArgumentParser) -> None:
    """What pairs of a real and a fake are made of, and how they count."""
    parser.add_argument(
        "--same-source",
        type=float,
        default=FitConfig.same_source,
        help="share of labelled fake videos beside a real one of their source",
    )
    parser.add_argument("--fake-weight", type=float, default=1.0, help="of a fake beside a real")
    parser.add_argument("--uploads", type=float, default=FitConfig.uploads, help="share of pairs")
    parser.add_argument(
        "--real-uploads", type=float, default=0.0, help="share of pairs: the real face alone"
    )
    parser.add_argument("--altered", type=float, default=1.0, help="share of pairs with a history")


def _add_gpu(parser: argparse.ArgumentParser) -> None:
    """What a GPU for a few minutes needs."""
    parser.add_argument("--minutes", type=float, default=0.0, help="end after them instead")
    parser.add_argument(
        "--device-data",
        choices=("auto", "yes", "no"),
        default="auto",
        help="stage one: pictures in the device's memory, altered there in batches; auto: on CUDA",
    )
    parser.add_argument("--teacher", default="", help=".safetensors whose outputs are targets too")
    parser.add_argument("--teacher-weight", type=float, default=1.0, help="of that loss")


def read_options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.fit", description=__doc__)
    parser.add_argument("--shards", type=Path, required=True, help="folder of train.prepare")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and log")
    parser.add_argument("--stage", choices=("frames", "clips"), default="frames")
    parser.add_argument(
        "--init",
        help="hub (timm's ImageNet weights), a file with an ImageNet state dict, or .safetensors "
        "of an earlier run, whose LSTM stage one keeps; from scratch without it",
    )
    parser.add_argument("--steps", type=int, help=f"{FitConfig.steps} unless --minutes is given")
    parser.add_argument("--pairs", type=int, default=FitConfig.pairs, help="pairs per step")
    parser.add_argument("--rate", type=float, default=FitConfig.rate)
    parser.add_argument("--freeze", type=int, default=FitConfig.freeze, help="stages kept as is")
    _add_network(parser)
    parser.add_argument("--tune", choices=("all", "vectors"), default="all", help="see FitConfig")
    parser.add_argument("--clips", type=int, default=1500, help="pairs of clips in stage two")
    parser.add_argument("--frames", type=int, default=FitConfig.frames, help="frames per clip")
    parser.add_argument(
        "--cnn-rate",
        type=float,
        default=0.0,
        help="stage two: the CNN's learning rate, as a share of --rate; 0 is frozen",
    )
    parser.add_argument(
        "--mix", type=share_of, nargs="+", metavar="RECIPE=SHARE", help="see train.clips"
    )
    _add_steps(parser)
    parser.add_argument(
        "--leave-out", default="", metavar="K/N", help="train without that fold of video sources"
    )
    _add_pairs(parser)
    parser.add_argument("--precision", choices=("auto", "float32", "bf16"), default="auto")
    parser.add_argument(
        "--evaluate-every",
        "--judge-every",  # its name in commands that were recorded earlier
        type=int,
        default=FitConfig.evaluate_every,
        metavar="STEPS",
    )
    _add_gpu(parser)
    parser.add_argument("--seed", type=int, default=0, help="other pairs, another beginning")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(argv)
    if options.steps is None:
        options.steps = MANY if options.minutes else FitConfig.steps
    return options


@verb
def main(argv: Sequence[str] | None = None) -> int:
    options = read_options(argv)
    # More threads than cores wait for each other at every layer.
    torch.set_num_threads(options.threads)
    model = replace(
        config_of(options.backbone, options.size),
        margin=options.margin,
        motion=tuple(options.motion),
        hidden=options.hidden,
        dropout=options.dropout,
    )
    names = {each.name for each in fields(FitConfig)}
    options.mix = dict(options.mix) if options.mix else None
    given = {name: value for name, value in vars(options).items() if name in names}
    config = FitConfig(model=model, **given)
    options.out.mkdir(parents=True, exist_ok=True)
    stage = options.out / config.stage
    origin = origin_of(options.init, options.shards, clips=options.clips)
    write_config(
        stage.with_suffix(".config.json"),
        asdict(config) | {"origin": origin},
        resumed=stage.with_suffix(".checkpoint.safetensors").exists(),
    )
    run = Run(options.out, config, loss_of(config))
    if config.minutes and run.accelerator.num_processes > 1:
        raise DataError("--minutes is for one process: many would not end at the same step.")
    check_backbone(run.model)
    begin(run.model, options.init)
    if config.teacher and not options.init:
        teacher_of(config).copy_heads(run.model)
    run.start()
    faces = left_out(Faces(options.shards, "train"), config.leave_out)
    val = Faces(options.shards, "val")
    try:
        if config.stage == "frames":
            on_device = options.device_data == "yes" or (
                options.device_data == "auto" and run.accelerator.device.type == "cuda"
            )
            fit_frames(run, faces, val, options.workers, on_device=on_device)
        else:
            fit_clips(run, faces, val, options.clips, options.workers)
    except KeyboardInterrupt:
        run.save()
        raise
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
