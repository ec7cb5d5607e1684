"""A contact sheet of training pairs, for a check by eye before hours are spent on them.

    python -m train.sheet --shards shards --out sheet.png

One row per recipe: real above, fake below. It shows real people: keep it to yourself.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from train.augment import Clip
from train.clips import CLIP_MIX, ClipConfig, Faces, Pairs
from train.verbs import verb


def draw_sheet(faces: Faces, recipe: str, config: ClipConfig, columns: int) -> Clip:
    """`columns` pairs of one recipe side by side: (2 S, columns * S, 3); a clip's middle frame."""
    pairs = Pairs(faces, config, columns)
    # (2, S, S, 3): real and fake.
    drawn = [pairs[k].images[:, config.frames // 2] for k in range(columns)]
    sheet: Clip = np.concatenate([np.concatenate(list(pair), axis=0) for pair in drawn], axis=1)
    return sheet


@verb
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.sheet", description=__doc__)
    parser.add_argument("--shards", type=Path, required=True, help="folder of train.prepare")
    parser.add_argument("--out", type=Path, required=True, help="picture to write")
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--size", type=int, default=160)
    options = parser.parse_args(argv)
    faces = Faces(options.shards, "train")
    rows = [
        draw_sheet(
            faces, name, ClipConfig(options.size, frames=5, mix={name: 1.0}), options.columns
        )
        for name in CLIP_MIX
    ]
    cv2.imwrite(str(options.out), cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR))
    print(f"{options.out}: from top to bottom {', '.join(CLIP_MIX)}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
