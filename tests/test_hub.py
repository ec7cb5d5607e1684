"""A released file comes from the Hub as it was published, or not at all, and never late."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from detector.errors import WeightsError
from detector.model.hub import HubSource, fetch
from tests.hub_server import REPO, REVISION, serving

NAME = "fast.safetensors"
CONTENT = bytes(range(256)) * 64
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def source(endpoint: str | None, revision: str = REVISION, repo: str = REPO) -> HubSource:
    return HubSource(repo_id=repo, revision=revision, cards={}, endpoint=endpoint)


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_a_released_file_arrives_unchanged(tmp_path: Path) -> None:
    with serving({NAME: CONTENT}) as hub:
        path = fetch(source(hub.endpoint), NAME, SHA256, cache=tmp_path)
    assert path.read_bytes() == CONTENT


def test_what_was_fetched_once_needs_no_network(tmp_path: Path) -> None:
    with serving({NAME: CONTENT}) as hub:
        fetch(source(hub.endpoint), NAME, SHA256, cache=tmp_path)
        before = len(hub.requests)
        fetch(source(hub.endpoint), NAME, SHA256, cache=tmp_path)
        assert len(hub.requests) == before
    path = fetch(source(closed_port()), NAME, SHA256, cache=tmp_path)
    assert path.read_bytes() == CONTENT


def test_another_file_than_the_released_one_is_refused_and_later_replaced(tmp_path: Path) -> None:
    with serving({NAME: b"forged" + CONTENT}) as hub:
        with pytest.raises(WeightsError, match="not the released file"):
            fetch(source(hub.endpoint), NAME, SHA256, cache=tmp_path)
        hub.files[NAME] = CONTENT
        path = fetch(source(hub.endpoint), NAME, SHA256, cache=tmp_path)
    assert path.read_bytes() == CONTENT


def test_a_file_damaged_in_the_cache_is_downloaded_again(tmp_path: Path) -> None:
    with serving({NAME: CONTENT}) as hub:
        fetch(source(hub.endpoint), NAME, SHA256, cache=tmp_path).write_bytes(b"rotten")
        path = fetch(source(hub.endpoint), NAME, SHA256, cache=tmp_path)
    assert path.read_bytes() == CONTENT


def test_a_truncated_download_is_refused(tmp_path: Path) -> None:
    with (
        serving({NAME: CONTENT}, short=100) as hub,
        pytest.raises(WeightsError, match=r"(?s)broke off.*steady connection"),
    ):
        fetch(source(hub.endpoint), NAME, SHA256, cache=tmp_path)


def test_a_download_that_breaks_once_is_completed(tmp_path: Path) -> None:
    with serving({NAME: CONTENT}, breaks=1) as hub:
        path = fetch(source(hub.endpoint), NAME, SHA256, cache=tmp_path)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "missing",
    [{"revision": "f" * 40}, {"repo": "lab/gone"}],
    ids=["revision", "repository"],
)
def test_a_missing_release_is_reported_as_missing(tmp_path: Path, missing: dict[str, str]) -> None:
    with serving({NAME: CONTENT}) as hub, pytest.raises(WeightsError, match=f"has no {NAME}"):
        fetch(source(hub.endpoint, **missing), NAME, SHA256, cache=tmp_path)


def test_a_file_absent_from_the_release_is_reported_as_missing(tmp_path: Path) -> None:
    with serving({}) as hub, pytest.raises(WeightsError, match=f"has no {NAME}"):
        fetch(source(hub.endpoint), NAME, SHA256, cache=tmp_path)


def test_without_a_network_it_fails_fast_with_a_next_step(tmp_path: Path) -> None:
    """The library itself would try for 24 seconds."""
    start = time.monotonic()
    with pytest.raises(WeightsError, match=r"could not be reached\. Connect to the internet"):
        fetch(source(closed_port()), NAME, SHA256, cache=tmp_path)
    assert time.monotonic() - start < 10


def test_a_hub_that_never_responds_times_out(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        start = time.monotonic()
        with pytest.raises(WeightsError, match="could not be reached"):
            fetch(
                source(f"http://127.0.0.1:{server.getsockname()[1]}"), NAME, SHA256, cache=tmp_path
            )
        assert time.monotonic() - start < 10


@pytest.mark.parametrize("revision", ["main", "v1.0", "0123456", "F" * 40, ""])
def test_a_branch_or_short_hash_is_no_pin(revision: str) -> None:
    with pytest.raises(ValueError, match="40 hexadecimal"):
        source(None, revision=revision)


def test_hf_endpoint_and_hf_home_are_followed(tmp_path: Path) -> None:
    """As set by a person before the start; the library reads them when it is imported."""
    code = (
        "import sys; from detector.model.hub import HubSource, fetch;"
        f"source = HubSource({REPO!r}, {REVISION!r}, {{}});"
        f"print(fetch(source, {NAME!r}, {SHA256!r}))"
    )
    with serving({NAME: CONTENT}) as hub:
        environment = os.environ | {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path)}
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert ran.returncode == 0, ran.stderr
    assert Path(ran.stdout.strip()).is_relative_to(tmp_path)
