"""Runs networks through OpenVINO on x86 processors: PyTorch's answers, in less time.

A network is exported once, into a cache that later processes read. What comes out of the cache or
of the export is compared with PyTorch before it is used; where it differs, or where OpenVINO is
not installed, there is no engine and PyTorch computes.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import platform
import stat
import sys
import tempfile
import threading
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.records import APP_VERSION, FloatArray

log = logging.getLogger(__name__)

WEIGHTS = Path(__file__).parents[2] / "weights"
VARIABLE = "DEEPFAKE_ENGINE"
"""The environment variable that switches the engine off when it is "torch", and selects int8 when
it is "int8" (`engines.int8`)."""

MOST_DIFFERENCE = 1e-3  # of the largest output; float32 in another order differs by about 1e-5
MOST_STREAMS = 4  # parts of a batch; each stream has memory of its own
KEPT = 16  # networks in the cache; those exported earlier are deleted

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Job:
    """A network in eval mode, (N, H, W, 3) RGB uint8 -> one tensor or several, to be compiled.

    `key` names all that decides its outputs: its weights and how they are used. `size` is the
    height and width of its input; with `any_size` only of the input that it is compared at. With
    `split` parts of a batch are computed side by side.
    """

    network: nn.Module
    key: str
    size: tuple[int, int]
    any_size: bool = False
    split: bool = False

    def example(self) -> Pixels:
        """Two pictures with coarse and fine detail, always the same."""
        random = np.random.default_rng(0)
        height, width = self.size
        # Blocks of 8 pixels and noise: both low and high frequencies pass through the network.
        coarse = random.integers(0, 256, (2, -(-height // 8), -(-width // 8), 3))
        blocks = coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]
        noise = random.integers(-40, 41, (2, height, width, 3))
        pixels: Pixels = np.clip(blocks + noise, 0, 255).astype(np.uint8)
        return pixels

    def expected(self, example: Pixels) -> list[FloatArray]:
        with torch.inference_mode():
            outputs = self.network(torch.from_numpy(example))
        parts = [outputs] if isinstance(outputs, Tensor) else outputs
        return [part.numpy() for part in parts]


class Engine:
    """One compiled network, (N, H, W, 3) RGB uint8 -> its outputs; threads may share it."""

    def __init__(self, compiled: Any, kind: str = "") -> None:
        streams = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        version = openvino_or_none().__version__.partition("-")[0]
        self.name = f"OpenVINO {version} {kind}".strip()
        self._requests = [compiled.create_infer_request() for _ in range(streams)]
        self._lock = threading.Lock()

    def __call__(self, pixels: Pixels) -> list[FloatArray]:
        parts = np.array_split(pixels, min(len(self._requests), len(pixels)))
        pairs = list(zip(self._requests, parts, strict=False))
        # A request may not run twice at once.
        with self._lock:
            for request, part in pairs:
                request.start_async([part], share_inputs=True)
            for request, _ in pairs:
                request.wait()
            outputs = [[tensor.data for tensor in request.output_tensors] for request, _ in pairs]
            # The outputs lie in the requests' memory; joining copies them.
            return [np.concatenate(each) for each in zip(*outputs, strict=True)]


def available(device: str) -> bool:
    """Whether networks on `device` can have an engine on this machine."""
    if device != "cpu" or os.environ.get(VARIABLE) == "torch":
        return False
    return platform.machine().lower() in ("x86_64", "amd64") and openvino_or_none() is not None


def engine_for(job: Job) -> Engine | None:
    """The engine of a network; None where OpenVINO cannot give PyTorch's answers.

    Call it only where an engine is `available`.
    """
    library = openvino_or_none()
    # All that an export depends on; any change makes a new file.
    about = repr((job.key, job.size, job.any_size, APP_VERSION, library.__version__))
    folder = cache_folder()
    path = folder and folder / f"{hashlib.sha256(about.encode()).hexdigest()[:24]}.xml"
    failures: tuple[type[Exception], ...] = (RuntimeError, *_conversion_failures())
    for make in (_cached, exported):
        try:
            model = make(job, path)
            if model is not None and (engine := _checked(model, job)) is not None:
                return engine
        except failures as error:
            log.warning("OpenVINO cannot run this network: %s", str(error)[:300])
    return None


def cache_folder() -> Path | None:
    """Where exports are kept: beside the released weights, else with the temporary files; None
    where neither is writable and ours alone."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    places = [Path(tempfile.gettempdir()) / f"deepfake-engine-{user}"]
    if WEIGHTS.is_dir():
        places.insert(0, WEIGHTS / ".engine")
    for place in places:
        with suppress(OSError):
            place.mkdir(mode=0o700, exist_ok=True)
            about = place.lstat()
            if not stat.S_ISDIR(about.st_mode) or not os.access(place, os.W_OK):
                continue
            # Not writable by group or others (0o022): what is there is loaded and run.
            if os.name == "nt" or (about.st_uid == user and not about.st_mode & 0o022):
                return place
    return None


def _cached(_: Job, path: Path | None) -> Any:
    if path is None or not path.is_file():
        return None
    return openvino_or_none().Core().read_model(path)


def exported(job: Job, path: Path | None) -> Any:
    """Traces the network, and stores what comes of it where there is a cache."""
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    example = torch.from_numpy(job.example())
    # Warnings about Python values that a trace makes constant: sizes, which do not change.
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings(action="ignore"):
        traced = torch.jit.trace(job.network, example, check_trace=False)  # type: ignore[no-untyped-call]
        decoder = TorchScriptPythonDecoder(traced, shared_memory=False)
        frontend = FrontEndManager().load_by_framework("pytorch")
        model = frontend.convert(frontend.load(decoder))  # which calls back into `decoder`
    # -1 is a dynamic dimension: batches of any size, and for PNet pictures of any size.
    model.reshape([-1, *((-1, -1) if job.any_size else job.size), 3])
    if path is not None:
        with suppress(OSError, RuntimeError):  # the next process exports it again
            _store(model, path)
    return model


def _store(model: Any, path: Path) -> None:
    """Both files appear whole; a pair of unlike halves would be noticed when it is compared."""
    with tempfile.TemporaryDirectory(dir=path.parent) as name:
        part = Path(name) / path.name
        openvino_or_none().save_model(model, part, compress_to_fp16=False)
        # Weights before the graph, whose file is what a reader opens.
        for suffix in (".bin", ".xml"):
            part.with_suffix(suffix).replace(path.with_suffix(suffix))
    exports = sorted(path.parent.glob("*.xml"), key=lambda export: export.stat().st_mtime)
    for old in exports[:-KEPT]:
        old.unlink(missing_ok=True)
        old.with_suffix(".bin").unlink(missing_ok=True)


def compiled(model: Any, *, split: bool = False) -> Any:
    """For the processor, in float32 unless the model itself declares another type.

    With `split` each thread has a part of the batch. Threads that share every layer wait for each
    other at its end, and longest where the decoder has one of the cores: there ten crops take a
    tenth less time split. MTCNN's pyramids are too small to gain.
    """
    threads = torch.get_num_threads()
    options = {
        "INFERENCE_PRECISION_HINT": "f32",  # the default is bfloat16 where the processor has it
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": min(threads, MOST_STREAMS) if split else 1,
        "ENABLE_CPU_PINNING": False,  # shared cores
    }
    return openvino_or_none().Core().compile_model(model, "CPU", options)


def _checked(model: Any, job: Job) -> Engine | None:
    engine = Engine(compiled(model, split=job.split))
    example = job.example()
    pairs = list(zip(engine(example), job.expected(example), strict=True))
    off = max(
        float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-6))
        for ours, theirs in pairs
    )
    if off <= MOST_DIFFERENCE:
        return engine
    log.warning("OpenVINO differs from PyTorch by %.1e of the largest output.", off)
    return None


@functools.cache
def openvino_or_none() -> Any:
    """OpenVINO; None where it is not installed.

    Its own import reports to Intel that it was imported, unless somebody has objected. The part
    that does so converts models on a command line and is not needed, so its import is blocked.
    """
    tools = "openvino.tools.ovc"
    absent = tools not in sys.modules
    if absent:
        sys.modules[tools] = None  # type: ignore[assignment]  # None blocks an import
    try:
        import openvino
    except ImportError:
        return None
    finally:
        if absent:
            del sys.modules[tools]
    return openvino


def _conversion_failures() -> tuple[type[Exception], ...]:
    from openvino import frontend

    return (
        frontend.GeneralFailure,
        frontend.InitializationFailure,
        frontend.NotImplementedFailure,
        frontend.OpConversionFailure,
        frontend.OpValidationFailure,
    )
