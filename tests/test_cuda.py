"""A GPU gives the CPU's answers, and one that fails is no reason for an error."""

from __future__ import annotations

import logging
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from detector.engines.zero_gpu import VARIABLE, declare
from detector.inference import Network
from detector.model.cnn_lstm import CnnLstm, ModelConfig
from detector.model.weights import find_weights, load_model, pick_device
from detector.pipeline import Detector
from detector.progress import Stopwatch
from detector.settings import Settings
from tests.bench.device import measure
from tests.bench.scene import HD, scene
from tests.clips import write_clip
from tests.shards import drawn_shards, faces
from tests.test_gradcam import clips, heat_of, library_heat
from tests.tiny import tiny_weights
from train.clips import ClipConfig, Faces
from train.device import Pictures, render
from train.plans import Plans

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.mp4"))


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Network:
    monkeypatch.setenv("DEEPFAKE_ENGINE", "torch")
    return network_in(tmp_path)


def network_in(folder: Path) -> Network:
    found = find_weights(tiny_weights(folder) / "tiny.safetensors")
    assert found is not None
    return Network(load_model(found, "cpu"), "cpu")


def crops(count: int) -> list[np.ndarray]:
    return list(faces(count, 64, fake=False, seed=1))


class SmallMemory:
    """`Network._encode_batch` on a device with memory for `most` pictures."""

    def __init__(self, real: Callable[[Any], Any], most: int) -> None:
        self.real, self.most = real, most
        self.sizes: list[int] = []

    def __call__(self, batch: list[np.ndarray]) -> Any:
        self.sizes.append(len(batch))
        if len(batch) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self.real(batch)


def test_where_memory_is_short_fewer_crops_go_at_once(
    network: Network, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = network.encode(crops(10))
    memory = SmallMemory(network._encode_batch, most=3)
    monkeypatch.setattr(network, "_encode_batch", memory)
    torch.testing.assert_close(network.encode(crops(10)), expected)
    assert memory.sizes == [10, 5, 2, 2, 2, 2, 2]
    assert "memory is small" in caplog.text
    network.encode(crops(4))
    assert memory.sizes[-2:] == [2, 2]  # later batches are as small


def test_memory_too_small_for_one_crop_is_an_error(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "_encode_batch", SmallMemory(network._encode_batch, most=0))
    with pytest.raises(torch.OutOfMemoryError):
        network.encode(crops(3))


def test_a_driver_that_is_too_old_leaves_the_cpu_and_a_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def is_available() -> bool:
        warnings.warn("CUDA initialization: The NVIDIA driver is too old", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", is_available)
    assert pick_device("auto") == "cpu"
    assert "driver is too old" in caplog.text


def test_a_gpu_that_computes_nothing_leaves_the_cpu_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def zeros(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: no kernel image is available\nmore")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "zeros", zeros)
    assert pick_device("auto") == "cpu"
    assert "no kernel image is available" in caplog.text


def test_a_machine_without_a_gpu_is_not_worth_a_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    caplog.set_level(logging.INFO)
    assert pick_device("auto") == "cpu"
    assert not caplog.text


class Lender:
    """Replaces the package `spaces`: notes what is decorated and called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.decorated: list[str] = []
        self.calls: list[str] = []
        self.quota = True
        module: Any = types.ModuleType("spaces")
        module.GPU = self.gpu
        module.__spec__ = types.SimpleNamespace(name="spaces")
        monkeypatch.setitem(sys.modules, "spaces", module)
        monkeypatch.setattr(torch.nn.Module, "to", lambda model, *_, **__: model)  # no GPU is here

    def gpu(self, task: Callable[..., Any], duration: int | None = None) -> Callable[..., Any]:
        self.decorated.append(task.__name__)

        def call(*arguments: Any) -> Any:
            if not self.quota:
                raise pytest.importorskip("gradio").Error("You have exceeded your quota")
            self.calls.append(task.__name__)
            return task(*arguments)

        return call


def cuts_of(clip: Path, folder: Path) -> list[Any]:
    """What an analysis of a drawn clip gives to the network."""
    recorded: list[Any] = []
    detector = Detector.load(folder / "tiny.safetensors", "cpu")
    assert detector.network is not None
    real = detector.network._score_anywhere

    def note(cuts: Any, settings: Settings) -> Any:
        recorded.extend(cuts)
        return real(cuts, settings)

    detector.network._score_anywhere = note
    detector.analyze(clip, Settings(frames=8))
    return recorded


def test_on_zerogpu_only_the_networks_pass_borrows_the_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it gives the answer of the CPU, where a visitor has no quota left as well."""
    monkeypatch.setenv("DEEPFAKE_ENGINE", "torch")
    plain = network_in(tmp_path)
    cuts = cuts_of(write_clip(tmp_path / "clip.mp4", scene(12, HD)), tmp_path)
    lender = Lender(monkeypatch)
    monkeypatch.setenv(VARIABLE, "true")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto") == "cpu"  # the worker itself has no GPU
    network = network_in(tmp_path)
    assert lender.decorated == ["_score_on_gpu"]
    monkeypatch.setattr(network, "_score_on_gpu", None)  # only the decorated one is called
    answers = []
    for quota, each in ((False, network), (True, plain)):
        lender.quota = quota
        spent = Stopwatch()
        answers.append(list(each.score(cuts, settings=Settings(), spent=spent)))
        assert spent.spent["cnn"] > 0
    assert lender.calls == []
    assert [clip.logit for _, clip in answers[0]] == [clip.logit for _, clip in answers[1]]


def test_the_borrowed_pass_is_called_with_what_can_be_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pickle

    cuts = cuts_of(write_clip(tmp_path / "clip.mp4", scene(12, HD)), tiny_weights(tmp_path))
    lender = Lender(monkeypatch)
    monkeypatch.setenv(VARIABLE, "true")
    network = network_in(tmp_path)
    network.device = "cuda"  # as if a child had moved it before
    monkeypatch.setattr(network, "_encode_batch", lambda batch: [torch.rand(len(batch), 64, 2, 2)])
    monkeypatch.setattr(network, "_score_here", lambda *sent: pickle.loads(pickle.dumps(sent)))
    sent = network._score_anywhere(cuts, Settings())
    assert lender.calls == ["_score_on_gpu"]
    assert sent[1] == Settings()
    assert len(sent[0]) == len(cuts)


def test_the_server_declares_its_calls_and_elsewhere_nothing_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lender = Lender(monkeypatch)
    monkeypatch.delenv(VARIABLE, raising=False)
    declare()
    assert lender.decorated == []
    monkeypatch.setenv(VARIABLE, "1")
    declare()
    assert lender.decorated == ["_declared"]


@pytest.mark.gpu
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_bf16_scores_are_those_of_float32_on_the_cpu(example: Path) -> None:
    reports = [Detector.load("fast", device).analyze(example) for device in ("cpu", "cuda")]
    here, there = ([person.fake for person in report.people] for report in reports)
    assert len(here) == len(there)
    for mine, other in zip(here, there, strict=True):
        assert (mine is None) == (other is None)
        assert mine is None or other is None or abs(mine - other) < 0.01


@pytest.mark.gpu
def test_a_heat_map_of_the_gpu_is_the_librarys() -> None:
    torch.manual_seed(1)
    model = CnnLstm(ModelConfig(backbone="test_resnet", size=128, hidden=8)).eval()
    torch.nn.init.normal_(model.still.weight)
    clip = clips(1, 5)
    expected = [library_heat(model, clip[0], index)[index] for index in range(5)]
    ours = heat_of(model.cuda(), clip.cuda())[0].cpu().numpy()
    np.testing.assert_allclose(ours, np.stack(expected), atol=1e-3)


@pytest.mark.gpu
def test_cudnn_differentiates_an_lstm_in_training_mode_alone() -> None:
    """As documented; so training does, and heat maps do not go through it."""
    model = CnnLstm(ModelConfig(backbone="test_resnet", size=64, hidden=8)).cuda()
    features = torch.rand(2, 4, model.width, device="cuda", requires_grad=True)
    model.train().classify(features).clip.sum().backward()
    assert features.grad is not None
    with pytest.raises(RuntimeError, match="training mode"):
        model.eval().classify(features).clip.sum().backward()


@pytest.mark.gpu
def test_pairs_made_on_the_gpu_are_those_made_on_the_cpu(tmp_path: Path) -> None:
    train = Faces(drawn_shards(tmp_path, clips=3, frames=2), "train")
    config = ClipConfig(size=64, altered=0.0)
    plans = [Plans(train, config, 12)[k] for k in range(12)]
    batches = [
        render(Pictures(train, torch.device(name)), plans, config, torch.Generator(name)).clips
        for name in ("cpu", "cuda")
    ]
    assert (batches[0].float() - batches[1].cpu().float()).abs().mean() < 0.5


@pytest.mark.gpu
def test_a_hundred_frames_take_half_a_second_on_a_large_card(tmp_path: Path) -> None:
    if not any(name in torch.cuda.get_device_name() for name in ("H100", "H200", "B200")):
        pytest.skip("this card is smaller")
    clip = write_clip(tmp_path / "clip.mp4", scene(150, HD), fps=30.0)
    measured = measure(Detector.load("fast", "cuda"), clip, 100)
    assert measured["seconds"] <= 0.5, measured
