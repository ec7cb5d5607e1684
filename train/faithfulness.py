"""Faithfulness of heat maps: every method, measured on fakes whose masks are known.

    python -m train.faithfulness --weights weights/fast.safetensors --shards shards \\
        --out faithfulness.json

Pseudo-fakes of people outside the training set, one frame each, are scored by the network; those
above the threshold are explained by every method. Maps are compared with the exact mask (pointing
game, IoU at the mask's own size, pixel AUC) and tested on the network itself (ROAD, deletion,
insertion; a network with random weights must give another map). The winner has the best mean rank
over the measures, without those on which a map without information beats every method: they
depend on the fakes, and not on the maps. A lead within twice the standard error of the paired
difference is a draw, which the cheaper method wins. Excluded is what explains no score:
a map that is much the same for random weights, and EigenCAM, which does not depend on the score.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_grad_cam.metrics.road import ROADCombined
from torch import nn
from tqdm import tqdm

from detector.faces.crops import CropSettings, cut_face, to_tensor
from detector.heatmaps.cam_methods import heat_maps
from detector.heatmaps.gradcam import Clips
from detector.model.cnn_lstm import CnnLstm
from detector.model.weights import find_weights, load_model
from detector.records import Box, FloatArray, Image
from detector.scoring.calibration import ScoringRules, calibrate
from detector.settings import HEAT_METHODS
from train.clips import Faces
from train.fakes import make_fake
from train.metrics import auc
from train.verbs import DataError, verb, whole

RECIPES = ("self_blend", "swap", "warp", "local")
# Deletion and insertion: Petsiuk et al. 2018 (RISE). Pointing game: Zhang et al. 2018.
STEPS = 8  # of deletion and insertion; each costs a forward pass
ROAD_SHARES = [70, 90]  # percent of the pixels that are kept; solving for more takes seconds each
HIGHER_IS_BETTER = {
    "pointing": True,
    "iou": True,
    "pixel_auc": True,
    "road": True,
    "deletion": False,
    "insertion": True,
}
CONTROLS = ("random", "centre")
Measured = Mapping[str, NDArray[np.float64]]
"""A method's measures by name, each with one value per example it was taken of."""
# Sanity check of Adebayo et al. 2018; correlation, in absolute value.
# A method whose map stays this alike when the weights are random explains the picture, not them.
RANDOM_LIMIT = 0.5


@dataclass(frozen=True, slots=True)
class Example:
    """A fake as the network's input (S, S, 3), and where it is not the original's, (S, S)."""

    image: Image
    mask: NDArray[np.bool_]


def draw_examples(
    faces: Faces, model: CnnLstm, rng: np.random.Generator, count: int
) -> list[Example]:
    """`count` pseudo-fakes, every recipe equally often. Raises DataError without real faces."""
    pool = faces.videos_real + faces.stills_real + faces.crops_real
    if not pool:
        raise DataError("There are no real faces in this split to make fakes of.")
    crop = CropSettings(size=model.config.size, margin=model.config.margin)
    examples = []
    for index in tqdm(range(count), desc="fakes", leave=False):
        rows, others = (pool[int(rng.integers(len(pool)))][:1] for _ in range(2))
        real, boxes = faces.read(rows)
        fake = make_fake(real, RECIPES[index % len(RECIPES)], rng, faces.read(others)[0])
        side, cx, cy = (float(value) for value in boxes[0])
        box = Box(cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2)
        mask = np.repeat(np.rint(fake.mask[0] * 255).astype(np.uint8)[..., None], 3, axis=2)
        inside = cut_face(mask, box, crop)[..., 0]
        # Of 255: fakes whose blend is too faint to have a place are not used.
        if inside.max() >= 64:
            examples.append(
                # The mask at half of its own maximum, since blends have different strengths.
                Example(cut_face(fake.images[0], box, crop), inside >= inside.max() / 2)
            )
    return examples


@torch.inference_mode()
def logits_of(model: CnnLstm, images: Sequence[Image]) -> FloatArray:
    """The frame logit of each picture by itself, (N,)."""
    parts = [
        model(to_tensor(images[start : start + 16])[:, None]).frame[:, 0].numpy()
        for start in range(0, len(images), 16)
    ]
    return np.concatenate(parts)


@torch.inference_mode()
def encode(model: CnnLstm, images: Sequence[Image]) -> torch.Tensor:
    """The last maps (N, C, h, w) of pictures, each a clip of its own."""
    parts = [images[start : start + 16] for start in range(0, len(images), 16)]
    return torch.cat([model.encode(to_tensor(part)) for part in parts])


def maps_of(
    model: CnnLstm, maps: torch.Tensor, images: Sequence[Image], method: str
) -> list[FloatArray]:
    """The raw maps of pictures by one method, enlarged to (S, S)."""
    clips = Clips(maps, torch.ones(len(maps), dtype=torch.long), to_tensor(images))
    heat = heat_maps(model, clips, method, "frame")
    return [enlarge(row[0].numpy(), len(images[0])) for row in heat]


def enlarge(heat: FloatArray, side: int) -> FloatArray:
    return np.asarray(cv2.resize(heat, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)


def control(kind: str, side: int, rng: np.random.Generator) -> FloatArray:
    """A map without information: random cells, or the middle of every picture."""
    if kind == "random":
        # 5 x 5 cells, as coarse as the maps of the network.
        return enlarge(rng.random((5, 5)).astype(np.float32), side)
    line = np.exp(-(np.linspace(-2, 2, side) ** 2) / 2)
    return np.outer(line, line).astype(np.float32)


def against_mask(heat: FloatArray, mask: NDArray[np.bool_]) -> dict[str, float]:
    """Pointing game, IoU of the hottest pixels (as many as the mask has), pixel AUC."""
    hottest = np.zeros(heat.size, bool)
    # As many pixels as the mask has, so that no threshold of a map's own matters.
    hottest[np.argsort(-heat, axis=None, kind="stable")[: int(mask.sum())]] = True
    hot = hottest.reshape(mask.shape)
    return {
        "pointing": float(mask.flat[int(heat.argmax())]),
        "iou": float((hot & mask).sum() / (hot | mask).sum()),
        "pixel_auc": auc(mask.ravel().astype(float), heat.ravel()),
    }


def curves(
    heat: FloatArray, image: Image, score: Callable[[list[Image]], FloatArray]
) -> dict[str, float]:
    """Mean probability of fake while the hottest pixels are blurred away (deletion, low is good)
    and while a blurred picture gets them back (insertion, high is good)."""
    order = np.argsort(-heat, axis=None, kind="stable")
    # The same blur as in the product's test (`explain.occlusion.BLUR`).
    hidden = cv2.GaussianBlur(image, (0, 0), len(image) / 12).astype(np.uint8)
    deleted, inserted = [], []
    for step in range(1, STEPS + 1):
        chosen = np.zeros(heat.size, bool)
        chosen[order[: step * heat.size // STEPS]] = True
        hot = chosen.reshape(*heat.shape, 1)
        deleted.append(np.where(hot, hidden, image))
        inserted.append(np.where(hot, image, hidden))
    # One batch for both curves.
    p = score(deleted + inserted)
    return {"deletion": float(p[:STEPS].mean()), "insertion": float(p[STEPS:].mean())}


class _OneFrame(nn.Module):
    """(N, 3, S, S) RGB in [0, 1] -> (N, 1) frame logits: the shape that ROAD expects."""

    def __init__(self, model: CnnLstm) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(images[:, None]).frame
        return logits


def road(model: CnnLstm, image: Image, heat: FloatArray) -> float:
    """ROAD (arXiv 2202.00449) of the library: by how much the logit falls further when the
    hottest pixels are imputed than when the coolest are."""
    torch.manual_seed(0)  # the imputation adds noise
    peak = float(heat.max())
    # ROAD ranks pixels, so the scale does not matter; it expects [0, 1].
    cam = (heat / peak if peak > 0 else heat)[None]
    target = [lambda output: output[0]]
    with torch.inference_mode():
        metric = ROADCombined(percentiles=ROAD_SHARES)
        return float(metric(to_tensor([image]), cam, target, _OneFrame(model))[0])


def randomised(model: CnnLstm) -> CnnLstm:
    """The same network before any training."""
    torch.manual_seed(0)
    return CnnLstm(model.config).eval()


def alike(first: FloatArray, second: FloatArray) -> float:
    """Pearson's correlation of two maps; 0 where one of them is flat."""
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def measure(
    model: CnnLstm, rules: ScoringRules, examples: Sequence[Example], closely: int
) -> dict[str, Measured]:
    """All measures of all methods; ROAD, deletion and insertion on the first `closely` examples."""
    rng = np.random.default_rng(0)
    blank = randomised(model)
    images = [example.image for example in examples]
    maps, blank_maps = encode(model, images), encode(blank, images[:closely])

    def score(versions: list[Image]) -> FloatArray:
        return np.asarray(calibrate(logits_of(model, versions), rules), np.float32)

    results: dict[str, Measured] = {}
    for method in tqdm((*HEAT_METHODS, *CONTROLS), unit="method"):
        if method in CONTROLS:
            heats = [control(method, len(image), rng) for image in images]
            other = heats
        else:
            heats = maps_of(model, maps, images, method)
            other = maps_of(blank, blank_maps, images[:closely], method)
        rows = [against_mask(heat, e.mask) for heat, e in zip(heats, examples, strict=True)]
        for row, heat, image, drawn in zip(rows, heats, images, other[:closely], strict=False):
            row |= curves(heat, image, score) | {"road": road(model, image, heat)}
            if method not in CONTROLS:
                row["random_weights"] = alike(heat, drawn)
        results[method] = {
            name: np.array([row[name] for row in rows if name in row]) for name in rows[0]
        }
    return results


def clearly_better(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Whether `first` is higher on the same examples, by more than twice the standard error."""
    lead = first - second
    # Standard error of the mean of paired differences.
    error = float(lead.std(ddof=1)) / len(lead) ** 0.5 if len(lead) > 1 else 0.0
    return float(lead.mean()) > max(2 * error, 1e-6)


def informative(results: Mapping[str, Measured]) -> list[str]:
    """The measures on which no control has a better mean than every method."""
    found = []
    for name, higher in HIGHER_IS_BETTER.items():
        sign = 1 if higher else -1
        best = {
            kind: max(sign * float(results[m][name].mean()) for m in kind)
            for kind in (tuple(HEAT_METHODS), CONTROLS)
        }
        if best[tuple(HEAT_METHODS)] >= best[CONTROLS]:
            found.append(name)
    return found


def mean_ranks(results: Mapping[str, Measured]) -> dict[str, float]:
    """For each method that explains a score and draws another map for random weights (or, if none
    does, for all that explain one): its mean place over the measures, 0 if none was ever clearly
    better; draws share a place."""
    explaining = [method for method in HEAT_METHODS if HEAT_METHODS[method].explains_score]
    fit = [m for m in explaining if abs(results[m]["random_weights"].mean()) < RANDOM_LIMIT]
    methods = fit or explaining
    places = dict.fromkeys(methods, 0.0)
    measures = informative(results)
    for name in measures:
        signed = {m: results[m][name] * (1 if HIGHER_IS_BETTER[name] else -1) for m in methods}
        for method in methods:
            others = [signed[other] for other in methods if other != method]
            above = sum(clearly_better(other, signed[method]) for other in others)
            below = sum(clearly_better(signed[method], other) for other in others)
            # Draws share a place: half of the others that are neither above nor below.
            places[method] += above + (len(others) - above - below) / 2
    return {method: place / max(len(measures), 1) for method, place in places.items()}


def winner(results: Mapping[str, Measured]) -> str:
    """The method with the best mean rank; a draw goes to the earlier of `HEAT_METHODS`."""
    ranks = mean_ranks(results)
    return min(ranks, key=lambda method: ranks[method])


def means(results: Mapping[str, Measured]) -> dict[str, dict[str, float]]:
    return {m: {name: float(v.mean()) for name, v in row.items()} for m, row in results.items()}


def as_table(results: Mapping[str, Measured]) -> str:
    """The rows for the README, in Markdown."""
    names = [*HIGHER_IS_BETTER, "random_weights"]
    lines = ["| method | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for method, row in means(results).items():
        cells = [f"{row[name]:.3f}" if name in row else "" for name in names]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def read_options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.faithfulness", description=__doc__)
    parser.add_argument("--weights", required=True, help="model name or .safetensors file")
    parser.add_argument("--shards", type=Path, required=True, help="folder of train.prepare")
    parser.add_argument("--split", default="val", help="people outside the training set")
    parser.add_argument("--clips", type=int, default=400, help="fakes to draw")
    parser.add_argument("--closely", type=int, default=24, help="fakes for the costly measures")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    return parser.parse_args(argv)


@verb
def main(argv: Sequence[str] | None = None) -> int:
    options = read_options(argv)
    torch.set_num_threads(options.threads)
    found = find_weights(options.weights)
    if found is None:
        raise DataError(f"{options.weights} is not trained; there is nothing to explain.")
    loaded = load_model(found, "cpu")
    rng = np.random.default_rng(0)
    drawn = draw_examples(Faces(options.shards, options.split), loaded.model, rng, options.clips)
    rules = loaded.card.rules
    p = calibrate(logits_of(loaded.model, [example.image for example in drawn]), rules)
    called = [example for example, fake in zip(drawn, p, strict=True) if fake >= 0.5]
    if not called:
        raise DataError("The network calls none of the fakes fake, so no map explains anything.")
    methods = measure(loaded.model, rules, called, options.closely)
    best = winner(methods)
    sizes = {"drawn": len(drawn), "called_fake": len(called), "closely": options.closely}
    with whole(options.out) as part:
        summary = {
            "winner": best,
            "informative": informative(methods),
            "mean_ranks": mean_ranks(methods),
            "methods": means(methods),
        }
        part.write_text(json.dumps({**sizes, **summary}, indent=1))
    print(as_table(methods))
    print(
        f"{len(called)} of {len(drawn)} fakes were called fake; {best} wins "
        f"by {', '.join(informative(methods))}."
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
