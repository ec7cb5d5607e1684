"""The lock file pins what the readable requirements list, by version and hash."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
# What PyTorch's CPU wheels replace, or do without.
CUDA = re.compile(r"torch|torchvision|triton|nvidia-.+|cuda-.+")


def pins(text: str) -> list[tuple[Requirement, list[str]]]:
    """Each pinned package with its hashes."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [
        (Requirement(line.split("--hash")[0].strip()), re.findall(r"--hash=(\S+)", line))
        for line in joined
    ]


def required() -> list[Requirement]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    bare = (line.partition("#")[0].strip() for line in lines)
    return [Requirement(line) for line in bare if line]


@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_the_lock_satisfies_every_requirement(python: str) -> None:
    locked = {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin, _ in pins(LOCK)
        if pin.marker is None or pin.marker.evaluate({"python_version": python})
    }
    for requirement in required():
        version = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), requirement


def test_every_package_has_one_exact_version_and_a_hash() -> None:
    for pin, hashes in pins(LOCK):
        assert re.fullmatch(r"==[^*,]+", str(pin.specifier)), pin
        assert hashes, pin
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes)


def test_the_lock_names_no_place_to_fetch_from_and_stays_readable() -> None:
    assert not re.search(r"://|--(extra-)?index-url|--find-links", LOCK)
    assert len(LOCK.splitlines()) < 500


def test_the_cpu_image_leaves_out_cuda_and_nothing_else(tmp_path: Path) -> None:
    """The Dockerfile's own command is run on the lock."""
    command = re.search(r"awk '.+?' requirements\.lock", (ROOT / "Dockerfile").read_text())
    assert command is not None
    rest = subprocess.check_output(command[0], shell=True, cwd=ROOT, text=True)
    everything = {pin.name for pin, _ in pins(LOCK)}
    kept = {pin.name for pin, _ in pins(rest)}
    assert everything - kept == {name for name in everything if CUDA.fullmatch(name)}
    assert {"torch", "torchvision"} <= everything - kept
