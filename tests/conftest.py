"""What many tests share: a tiny random network in a weights folder, a detector, a clip."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from xdist.scheduler import LoadFileScheduling

from detector import Detector
from detector.records import Report
from detector.settings import Settings
from tests.clips import moving_portrait, write_clip
from tests.tiny import tiny_weights

ROOT = Path(__file__).parent.parent


class OneBrowser(LoadFileScheduling):
    """`--dist loadfile`, with all that opens a browser in one process: two browsers and their
    servers on two cores wait for each other until they exceed their time limits."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "browser" if _opens_browser(file) else file


@lru_cache
def _opens_browser(file: str) -> bool:
    return "playwright" in (ROOT / file).read_text(encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneBrowser | None:
    return OneBrowser(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`-m gpu` on a machine without one is skipped with the reason."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="there is no CUDA device"))


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder with one model, `tiny`: random, so its scores mean nothing."""
    return tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def detector(weights: Path) -> Detector:
    return Detector.load(weights / "tiny.safetensors", device="cpu")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where Gradio keeps uploads and answers, for the servers of one module."""
    folder = tmp_path_factory.mktemp("gradio")
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    yield folder
    del os.environ["GRADIO_TEMP_DIR"]


@pytest.fixture(scope="session")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of one face that drifts, with sound."""
    path = tmp_path_factory.mktemp("clips") / "talking.mp4"
    return write_clip(path, moving_portrait(50), audio=True)


@pytest.fixture(scope="session")
def report(detector: Detector, talking: Path) -> Report:
    return detector.analyze(talking, Settings(frames=10))
