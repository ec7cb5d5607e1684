"""Writes requirements.lock: every package that requirements.txt leads to, by version and hash.

    pip install uv packaging && python .ci/lock.py

uv resolves for all supported Pythons at once. Of the hashes only those are kept that pip can need
on Linux x86-64, so that the file stays one short line a wheel. Run it after every change of
requirements.txt, and review the difference before it is committed.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from packaging.markers import Marker
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).parent.parent
PYTHONS = ("3.11", "3.12")
PLATFORMS = re.compile(r"any|manylinux.*x86_64|linux_x86_64")
HEAD = """\
# Written by `python .ci/lock.py` for Linux x86-64; do not edit. SECURITY.md states how it is used.
# torch and all that is named nvidia-, cuda- or triton are PyTorch's CUDA build, which also runs
# without a GPU. The CPU image leaves those lines out and takes PyTorch's own CPU wheels.
"""


def resolved() -> list[dict[str, Any]]:
    """uv's answer: packages with their versions, markers and files."""
    command = [
        "uv",
        "pip",
        "compile",
        "requirements.txt",
        "--universal",
        "--python-version",
        "3.11",
    ]
    command += ["--format", "pylock.toml", "--no-header", "--quiet"]
    text = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    packages: list[dict[str, Any]] = tomllib.loads(text)["packages"]
    return packages


def pythons(package: dict[str, Any]) -> list[str]:
    """Which of our Pythons need it on Linux."""
    where = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"}
    if "marker" not in package:
        return list(PYTHONS)
    marker = Marker(package["marker"])
    return [
        python
        for python in PYTHONS
        if marker.evaluate(
            {**where, "python_version": python, "python_full_version": f"{python}.9"}
        )
    ]


def usable(name: str) -> bool:
    """Whether pip takes this wheel on Linux x86-64, for Python 3.11 or 3.12."""
    for tag in parse_wheel_filename(name)[3]:
        python, abi, platform = tag.interpreter, tag.abi, tag.platform
        fits = python in ("py3", "cp311", "cp312") or (python.startswith("cp3") and abi == "abi3")
        if fits and abi in ("none", "abi3", "cp311", "cp312") and PLATFORMS.fullmatch(platform):
            return True
    return False


def hashes(package: dict[str, Any]) -> Iterator[str]:
    """The wheels' that fit; the source's where there is none."""
    files = [file for file in package.get("wheels", []) if usable(name_of(file))]
    for file in files or [package["sdist"]]:
        yield file["hashes"]["sha256"]


def name_of(file: dict[str, Any]) -> str:
    return str(file.get("name") or Path(urlsplit(file["url"]).path).name)


def main() -> None:
    lines = []
    for package in resolved():
        needed = pythons(package)
        if not needed:
            continue
        marker = "" if len(needed) == len(PYTHONS) else f" ; python_version == '{needed[0]}'"
        pins = [f"{package['name']}=={package['version']}{marker}"]
        pins += sorted(f"    --hash=sha256:{digest}" for digest in hashes(package))
        lines.append(" \\\n".join(pins) + "\n")
    (ROOT / "requirements.lock").write_text(HEAD + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
