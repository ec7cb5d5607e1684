"""An engine gives PyTorch's answers, or there is none."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from detector import Detector
from detector.engines import openvino as engine
from detector.engines.openvino import Job, available, engine_for
from detector.faces.crops import to_tensor
from detector.faces.geometry import iou
from detector.faces.mtcnn import FaceFinder
from detector.settings import Settings
from tests.clips import portrait

pytestmark = pytest.mark.skipif(not available("cpu"), reason="no OpenVINO for this machine")
RANDOM = np.random.default_rng(0)


class Brightness(nn.Module):
    """The mean of each picture, times `factor`."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.float().mean(dim=(1, 2, 3)) * self.factor


class Tokens(nn.Module):
    """A transformer, which takes normalised pictures channels first."""

    def __init__(self) -> None:
        super().__init__()
        self.vit = timm.create_model("test_vit", num_classes=0, global_pool="")

    def forward(self, pixels: Tensor) -> Tensor:
        tokens: Tensor = self.vit(pixels.permute(0, 3, 1, 2).float() / 255)
        return tokens


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(engine, "WEIGHTS", tmp_path)
    return tmp_path / ".engine"


def pictures(count: int, side: int) -> engine.Pixels:
    return RANDOM.integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def brightness(factor: float, key: str = "brightness") -> engine.Engine:
    made = engine_for(Job(Brightness(factor).eval(), key, (8, 8)))
    assert made is not None
    return made


def test_maps_are_those_of_pytorch_however_many_crops_there_are(weights: Path) -> None:
    network = Detector.load(weights / "tiny.safetensors", "cpu").network
    assert network is not None
    assert network.computed_by.startswith("OpenVINO")
    for count in (1, 5, 13):
        crops = list(pictures(count, 64))
        with torch.inference_mode():
            expected = network.model.encode(to_tensor(crops))
        torch.testing.assert_close(network.encode(crops), expected, rtol=1e-3, atol=1e-4)


def test_reports_agree_with_those_of_pytorch(
    weights: Path, talking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_engine = Detector.load(weights / "tiny.safetensors", "cpu").analyze(talking, Settings(8))
    monkeypatch.setenv(engine.VARIABLE, "torch")
    detector = Detector.load(weights / "tiny.safetensors", "cpu")
    by_torch = detector.analyze(talking, Settings(8))
    assert detector.describe()["engine"].startswith("PyTorch")
    assert len(by_torch.people[0].scores) == 8
    for ours, theirs in zip(by_engine.people[0].scores, by_torch.people[0].scores, strict=True):
        assert ours.fake == pytest.approx(theirs.fake, abs=0.002)
        assert ours.heat is not None
        assert theirs.heat is not None
        np.testing.assert_allclose(ours.heat, theirs.heat, atol=0.01 * by_torch.heat_scale)


def test_a_transformer_can_be_exported() -> None:
    torch.manual_seed(0)
    network = Tokens().eval()
    made = engine_for(Job(network, "tokens", (160, 160)))
    assert made is not None
    inputs = pictures(3, 160)
    with torch.inference_mode():
        expected = network(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(made(inputs)[0], expected, atol=1e-3)


def test_faces_are_found_where_pytorch_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    images = [portrait(360), np.pad(portrait(200), ((40, 120), (300, 10), (0, 0)), mode="edge")]
    by_engine = FaceFinder().find(images)
    monkeypatch.setenv(engine.VARIABLE, "torch")
    for ours, theirs in zip(by_engine, FaceFinder().find(images), strict=True):
        assert len(ours) == len(theirs) == 1
        assert iou(ours[0].box, theirs[0].box) > 0.99


def test_a_network_is_exported_once(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = brightness(2.0)
    assert len(list(empty_cache.glob("*.xml"))) == len(list(empty_cache.iterdir())) / 2 == 1
    monkeypatch.setattr(torch.jit, "trace", pytest.fail)
    inputs = pictures(4, 8)
    np.testing.assert_array_equal(brightness(2.0)(inputs)[0], first(inputs)[0])


@pytest.mark.parametrize("suffix", [".xml", ".bin"])
def test_a_damaged_export_is_made_again(
    empty_cache: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    brightness(2.0)
    (export,) = empty_cache.glob(f"*{suffix}")
    export.write_bytes(export.read_bytes()[: export.stat().st_size // 2])
    assert brightness(2.0)(np.full((1, 8, 8, 3), 10, np.uint8))[0] == 20.0
    monkeypatch.setattr(torch.jit, "trace", pytest.fail)
    assert brightness(2.0)(np.full((1, 8, 8, 3), 10, np.uint8))[0] == 20.0


def test_an_export_of_other_weights_is_not_used(empty_cache: Path) -> None:
    """Whatever the cache contains, the outputs are those of the weights."""
    brightness(3.0, "the same key")
    assert brightness(2.0, "the same key")(np.full((1, 8, 8, 3), 10, np.uint8))[0] == 20.0


def test_a_network_that_cannot_be_exported_stays_with_pytorch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Spectrum(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return torch.linalg.eigvals(pixels[..., 0].float()).abs()

    assert engine_for(Job(Spectrum().eval(), "spectrum", (8, 8))) is None
    assert "cannot run" in caplog.text


def test_without_a_place_for_exports_the_engine_works_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".engine").touch()  # no folder can be made
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    assert engine.cache_folder() is None
    assert brightness(2.0)(np.full((1, 8, 8, 3), 10, np.uint8))[0] == 20.0


def test_if_the_weights_folder_is_read_only_exports_are_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "WEIGHTS", tmp_path / "absent")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place = engine.cache_folder()
    assert place is not None
    assert place.parent == tmp_path
    assert place.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX permissions")
def test_a_folder_that_others_may_write_to_is_not_used(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty_cache.mkdir()
    empty_cache.chmod(0o777)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    assert engine.cache_folder() is None


def test_the_cache_does_not_grow_without_end(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "KEPT", 2)
    for number in range(4):
        brightness(2.0, f"key {number}")
    assert len(list(empty_cache.glob("*.xml"))) == len(list(empty_cache.glob("*.bin"))) == 2


def test_threads_may_share_an_engine() -> None:
    made = brightness(2.0)
    values = [10, 20, 30, 40] * 8
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda value: made(np.full((1, 8, 8, 3), value, np.uint8)), values))
    assert [float(each[0][0]) for each in found] == pytest.approx([2.0 * v for v in values])


def test_importing_openvino_sends_no_telemetry() -> None:
    """The library's own import reports to its maker, by a package named openvino_telemetry."""
    code = (
        "import sys; from detector.engines.openvino import available; assert available('cpu');"
        "assert 'openvino' in sys.modules; assert 'openvino_telemetry' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
