"""Faces redrawn by a latent decoder, whose traces diffusion heads and edits leave in every picture.

    python -m train.neural --shards shards --encoder taef2_encoder.safetensors \\
        --decoder taef2_decoder.safetensors --stills 150 --videos 100

Real faces go through the autoencoder once and are stored beside their originals, as shards of the
kind "neural"; training blends them in anew at each draw. Encoding and decoding alone leaves the
decoder's trace and nothing else (aligned reconstruction: Rajan et al. 2024, arXiv 2410.11835);
noise on the latents changes skin and eyes as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from tqdm import tqdm

from detector.faces.crops import to_tensor
from train.augment import Clip, to_bytes
from train.clips import Faces
from train.verbs import DataError, verb, whole

NOISES = ("none", "clip", "frame", "frozen")
"""Latent noise: none, drawn once per clip, anew for each frame, or with some frames' latents
repeated, as video models repeat them."""
DEVIATION = 0.3
"""Of the noise, about a third of the latents' own: skin and eyes change, the person stays."""
CHUNK = 20
"""Clips per stored shard; a restart loses at most one."""


# The autoencoder is TAESD's, whose weights `--encoder` and `--decoder` name.
class ResidualBlock(nn.Module):
    """Three 3 x 3 convolutions beside the input; with `pooled`, global context is added first."""

    def __init__(self, pooled: bool) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(64, 64, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 64, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 64, kernel_size=3, padding=1),
        )
        self.pool: nn.Sequential | None = None
        if pooled:
            self.pool = nn.Sequential(
                nn.Conv2d(64, 256, kernel_size=1, bias=False),
                nn.GroupNorm(num_groups=4, num_channels=256),
                nn.ReLU(),
                nn.Conv2d(256, 64, kernel_size=1, bias=False),
            )

    def forward(self, maps: Tensor) -> Tensor:
        if self.pool is not None:
            maps = maps + self.pool(maps)
        return torch.relu(maps + self.conv(maps))


class Clamp(nn.Module):
    """Keeps latents within (-3, 3), softly."""

    def forward(self, latents: Tensor) -> Tensor:
        return torch.tanh(latents / 3) * 3


def encoder() -> nn.Sequential:
    """RGB (N, 3, H, W) in [0, 1]  ->  latents (N, 32, H / 8, W / 8)."""
    parts: list[nn.Module] = [nn.Conv2d(3, 64, kernel_size=3, padding=1), ResidualBlock(False)]
    for stage in range(3):
        parts.append(nn.Conv2d(64, 64, kernel_size=3, stride=2, padding=1, bias=False))
        parts += [ResidualBlock(pooled=stage == 2) for _ in range(3)]
    return nn.Sequential(*parts, nn.Conv2d(64, 32, kernel_size=3, padding=1))


def decoder() -> nn.Sequential:
    """The way back, not clipped to [0, 1]."""
    parts: list[nn.Module] = [Clamp(), nn.Conv2d(32, 64, kernel_size=3, padding=1), nn.ReLU()]
    for stage in range(3):
        parts += [ResidualBlock(pooled=stage == 0) for _ in range(3)]
        parts.append(nn.Upsample(scale_factor=2))
        parts.append(nn.Conv2d(64, 64, kernel_size=3, padding=1, bias=False))
    return nn.Sequential(
        *parts, ResidualBlock(pooled=False), nn.Conv2d(64, 3, kernel_size=3, padding=1)
    )


def load_part(network: nn.Sequential, path: Path) -> nn.Sequential:
    """`network` with the tensors of `path`. Raises DataError if they are of another network."""
    try:
        network.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    except RuntimeError as error:
        raise DataError(f"{path.name} does not fit this autoencoder: {error}") from error
    return network.eval()


@torch.inference_mode()
def redraw(
    clip: Clip, parts: tuple[nn.Sequential, nn.Sequential], noise: str, rng: np.random.Generator
) -> Clip:
    """A clip (T, H, W, 3), H and W multiples of 8, as the decoder draws it."""
    images = to_tensor(list(clip)).to(memory_format=torch.channels_last)
    # (T, 32, H / 8, W / 8).
    latents = parts[0](images)
    T = len(latents)
    if noise == "frozen" and T > 1:
        # Every so-many-th latent lasts until the next one.
        step = int(rng.integers(2, 5))
        # Indices such as 0 0 0 3 3 3: a latent and its repetitions.
        latents = latents[torch.arange(T) // step * step]
    if noise != "none":
        count = T if noise == "frame" else 1
        drawn = rng.standard_normal((count, *latents.shape[1:]), dtype=np.float32)
        # (1, ...) is broadcast to all frames: noise that moves with nothing.
        latents = latents + DEVIATION * rng.uniform(0.3, 1.0) * torch.from_numpy(drawn)
    pictures = parts[1](latents).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    return to_bytes(pictures * 255)


def chosen_clips(
    faces: Faces, stills: int, videos: int, frames: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Rows of real faces: `stills` portraits, and `frames` consecutive frames of `videos` clips,
    sources evenly."""
    rows = [faces.draw(faces.stills_real, rng) for _ in range(stills)] if stills else []
    for _ in range(videos):
        clip = faces.draw(faces.videos_real, rng)
        start = int(rng.integers(0, max(len(clip) - frames, 0) + 1))
        rows.append(clip[start : start + frames])
    return rows


def write_neural(
    faces: Faces, rows: Sequence[NDArray[np.int64]], parts: tuple[nn.Sequential, nn.Sequential],
    stem: Path, rng: np.random.Generator,
) -> None:  # fmt: skip
    """`rows` redrawn as the shard `stem`; the columns `of_shard`, `of_place` name the originals."""
    images: list[Clip] = []
    entries: list[pd.DataFrame] = []
    for number, chosen in enumerate(rows):
        real, _ = faces.read(chosen)
        # The autoencoder halves the size three times.
        side = real.images.shape[1] // 8 * 8
        clip = np.stack([cv2.resize(image, (side, side)) for image in real.images])
        noise = str(rng.choice(NOISES))
        drawn = redraw(clip.astype(np.uint8), parts, noise, rng)
        part = faces.table.iloc[chosen]
        entries.append(
            part.assign(
                of_shard=part["shard"], of_place=part["place"], kind="neural", label="FAKE",
                method=f"latent decoder, noise: {noise}", clip=number,
                place=np.arange(len(chosen)) + sum(map(len, images)),
            ).drop(columns="shard")
        )  # fmt: skip
        full = real.images.shape[1]
        images.append(np.stack([cv2.resize(image, (full, full)) for image in drawn]))
    with whole(stem.with_suffix(".npy")) as path:
        np.save(path, np.concatenate(images).astype(np.uint8))
    # Written last: a shard without it was cut short, and is made again.
    with whole(stem.with_suffix(".parquet")) as path:
        pd.concat(entries, ignore_index=True).to_parquet(path)


@verb
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.neural", description=__doc__)
    parser.add_argument("--shards", type=Path, required=True, help="folder of train.prepare")
    parser.add_argument("--encoder", type=Path, required=True, help=".safetensors")
    parser.add_argument("--decoder", type=Path, required=True, help=".safetensors")
    parser.add_argument("--stills", type=int, default=150, help="portraits to redraw")
    parser.add_argument("--videos", type=int, default=100, help="runs of frames to redraw")
    parser.add_argument("--frames", type=int, default=2, help="frames of each run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    parts = load_part(encoder(), options.encoder), load_part(decoder(), options.decoder)
    faces = Faces(options.shards, "train")
    rng = np.random.default_rng(options.seed)
    rows = chosen_clips(faces, options.stills, options.videos, options.frames, rng)
    for start in tqdm(range(0, len(rows), CHUNK), unit="shard"):
        stem = options.shards / f"neural-{options.seed}-{start:06d}"
        if not stem.with_suffix(".parquet").exists():
            # By the shard's number, so that a restart draws the same noise.
            own = np.random.default_rng((options.seed, start))
            write_neural(faces, rows[start : start + CHUNK], parts, stem, own)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
