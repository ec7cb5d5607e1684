"""An int8 version of published weights for OpenVINO, released only if it ranks as the float32 one.

    pip install nncf
    python -m train.quantise --weights weights/fast.safetensors --shards shards

Static post-training quantisation (Jacob et al. 2018, arXiv 1712.05877) by NNCF, with crops of the
training split as calibration set. The first layers lose in int8 the fine texture that distinguishes
fakes, so they stay in float32: as few of them as keep the AUC on the validation split within
`MOST_LOSS`. What comes out is used where DEEPFAKE_ENGINE is int8.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from detector.engines.int8 import INT8, about_file, store
from detector.engines.openvino import Engine, Job, compiled, exported
from detector.faces.crops import CropSettings
from detector.inference import FromPixels
from detector.model.cnn_lstm import CnnLstm, pool
from detector.model.weights import find_weights, load_model
from detector.records import FloatArray
from train.clips import Faces
from train.metrics import auc
from train.scores import cut_frames, spread
from train.verbs import DataError, verb

MOST_LOSS = 0.003
"""AUC on crops and on videos of the validation split that int8 may cost: a tenth of what two seeds
differ by."""
SHARES = (0.0, 0.15, 0.33, 0.5)
"""Of the convolutions, from the input on, that stay in float32; the first that passes is kept."""
CALIBRATION = 320  # crops; NNCF's own default is 300
FRAMES = 8  # of each video

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


class Validation:
    """The validation crops of a split, cut once, and how an engine's maps score them."""

    def __init__(self, model: CnnLstm, faces: Faces, every: int) -> None:
        self.model = model
        videos = (faces.videos_real + faces.videos_fake)[::every]
        crops = (faces.crops_real + faces.crops_fake)[::every]
        settings = CropSettings(model.config.size, model.config.margin)
        cuts = [cut_frames(faces, spread(rows, FRAMES), settings) for rows in videos]
        self.videos = [np.stack(cut) for cut in cuts]
        self.crops = np.stack([cut_frames(faces, rows[:1], settings)[0] for rows in crops])
        self.fake = {
            "videos": np.repeat([0, 1], [len(faces.videos_real), len(faces.videos_fake)])[::every],
            "crops": np.repeat([0, 1], [len(faces.crops_real), len(faces.crops_fake)])[::every],
        }

    def logits(self, engine: Engine) -> dict[str, FloatArray]:
        """The log-odds of each video, the mean of its frames', and of each crop."""
        videos = np.array([self._still(engine, cut).mean() for cut in self.videos], np.float32)
        return {"videos": videos, "crops": self._still(engine, self.crops)}

    def aucs(self, logits: dict[str, FloatArray]) -> dict[str, float]:
        return {name: auc(self.fake[name], values) for name, values in logits.items()}

    @torch.inference_mode()
    def _still(self, engine: Engine, pixels: Pixels) -> FloatArray:
        parts = [pixels[start : start + 20] for start in range(0, len(pixels), 20)]
        maps = torch.cat([torch.from_numpy(engine(part)[0]) for part in parts])
        still: FloatArray = self.model.still(pool(maps)).squeeze(-1).numpy()
        return still


def calibration_set(model: CnnLstm, faces: Faces, count: int) -> Iterator[Pixels]:
    """Single crops (1, S, S, 3), of real and fake videos, crops and portraits in turn."""
    random = np.random.default_rng(0)
    settings = CropSettings(model.config.size, model.config.margin)
    pools = (faces.videos_real, faces.videos_fake, faces.crops_real, faces.crops_fake)
    filled = [each for each in (*pools, faces.stills_real) if each]
    for k in range(count):
        rows = filled[k % len(filled)][int(random.integers(len(filled[k % len(filled)])))]
        yield np.stack(cut_frames(faces, rows[int(random.integers(len(rows))) :][:1], settings))


def quantised(model: Any, calibration: Sequence[Pixels], share: float) -> Any:
    """`model` in int8 but for the first `share` of its convolutions."""
    import nncf

    layers = [
        node.get_friendly_name()
        for node in model.get_ordered_ops()
        if node.get_type_name() in ("Convolution", "GroupConvolution")
    ]
    kept = nncf.IgnoredScope(names=layers[: round(share * len(layers))])
    return nncf.quantize(
        model.clone(),
        nncf.Dataset(calibration),
        subset_size=len(calibration),
        preset=nncf.QuantizationPreset.MIXED,  # activations after ReLU6 are never negative
        ignored_scope=kept,
    )


def milliseconds(engine: Engine, pixels: Pixels) -> float:
    """Processor time for one picture."""
    engine(pixels)
    begun = time.process_time()
    for _ in range(5):
        engine(pixels)
    return 1000 * (time.process_time() - begun) / (5 * len(pixels))


@verb
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.quantise", description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="published .safetensors")
    parser.add_argument("--shards", type=Path, required=True, help="folder of train.prepare")
    parser.add_argument("--every", type=int, default=1, help="evaluate each so-many-th only")
    options = parser.parse_args(argv)
    if importlib.util.find_spec("nncf") is None:
        raise DataError("Quantisation needs NNCF: pip install nncf.")
    found = find_weights(options.weights)
    if found is None:
        raise DataError(f"{options.weights} is not trained.")
    network = load_model(found, "cpu").model
    size = network.config.size
    model = exported(Job(FromPixels(network), found.card.sha256, (size, size)), None)
    train = Faces(options.shards, "train")
    calibration = list(calibration_set(network, train, CALIBRATION))
    validation = Validation(network, Faces(options.shards, "val"), options.every)
    float32 = Engine(compiled(model))
    before = validation.logits(float32)
    facts: dict[str, Any] = {
        "weights_sha256": found.card.sha256,
        "float32": validation.aucs(before),
    }
    batch = np.concatenate(calibration[:10])
    for share in SHARES:
        small = quantised(model, calibration, share)
        engine = Engine(compiled(small), INT8)
        after = validation.logits(engine)
        facts |= {
            "kept_float32": share,
            "int8": validation.aucs(after),
            "largest_change": {k: float(np.abs(after[k] - before[k]).max()) for k in after},
            "milliseconds": [milliseconds(float32, batch), milliseconds(engine, batch)],
        }
        print(facts, flush=True)
        if all(facts["float32"][k] - facts["int8"][k] < MOST_LOSS for k in after):
            store(small, about_file(found.card.id, options.weights.parent), facts)
            return 0
    raise DataError(f"Every int8 version costs {MOST_LOSS} of AUC or more; none was written.")


if __name__ == "__main__":
    raise SystemExit(main())
