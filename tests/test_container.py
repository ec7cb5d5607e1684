"""What the container guarantees, read from its files; no container engine is needed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from detector.records import APP_VERSION

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def steps(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile in order, each as its word and the rest of its line."""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    lines = [line.strip() for line in re.sub(r"\\\n\s*", "", code).splitlines()]
    words = (line.partition(" ") for line in lines if line)
    return [(word.upper(), rest.strip()) for word, _, rest in words]


STEPS = steps(DOCKERFILE)


def instruction(word: str) -> list[str]:
    return [rest for name, rest in STEPS if name == word]


def admitted() -> list[str]:
    """What .dockerignore lets into the image."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*", "what is not named stays out"
    return [rule[1:] for rule in rules if rule.startswith("!")]


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    (only,) = compose["services"].values()
    return dict(only)


def test_the_service_does_not_run_as_root() -> None:
    last = instruction("USER")[-1]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last)
    order = [name for name, _ in STEPS]
    assert order.index("USER") < order.index("CMD")
    assert "RUN" not in order[order.index("USER") :]


def test_the_base_is_a_slim_python_that_we_support(service: dict[str, Any]) -> None:
    (base,) = instruction("FROM")
    version = re.fullmatch(r"python:(3\.\d+)(\.\d+)?-slim(-\w+)?", base)
    header = re.search(r'^python_version: "(3\.\d+)', README, re.MULTILINE)
    assert version is not None
    assert header is not None
    assert version[1] == header[1]


def test_nothing_floats(service: dict[str, Any]) -> None:
    for image in (*instruction("FROM"), service["image"]):
        assert ":" in image
        assert not image.endswith(":latest")
    assert service["image"].endswith(f":{APP_VERSION}")


def test_nothing_is_fetched_but_by_pip() -> None:
    assert not instruction("ADD")
    for command in instruction("RUN"):
        assert not re.search(r"\b(curl|wget|git|apt|apt-get)\b", command)
    for _, rest in STEPS:
        hosts = re.findall(r"https?://([^/:\"' ]+)", rest)
        assert set(hosts) <= {"127.0.0.1"}


def test_every_source_that_is_copied_is_there_and_admitted() -> None:
    sources = [source for rest in instruction("COPY") for source in rest.split()[:-1]]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source == "." or source in admitted(), source


def test_the_image_contains_what_the_service_needs_and_no_more() -> None:
    needed = {"app.py", "detector", "requirements.txt", "requirements.lock", "examples", "weights"}
    assert set(admitted()) == needed | {"LICENSE"}
    for path in needed - {"weights"}:  # weights come with a release
        assert (ROOT / path).exists(), path


def test_the_health_check_requests_the_address_that_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command is run unchanged, against the service's own response."""
    from starlette.testclient import TestClient

    from detector.service.health import Operation

    (health,) = instruction("HEALTHCHECK")
    command = json.loads(health.partition("CMD")[2])
    assert command[:2] == ["python", "-c"]
    requested: list[str] = []
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: requested.append(url))
    exec(command[2], {})
    (url,) = requested
    assert re.match(r"http://127\.0\.0\.1:(\d+)/", url)[1] == port()  # type: ignore[index]
    answer = TestClient(Operation(nowhere, not_ready=str)).get(url)
    assert answer.json() == {"status": "alive"}


async def nowhere(*_: object) -> None:
    raise AssertionError("health is answered before the page is requested")


def port() -> str:
    (exposed,) = instruction("EXPOSE")
    return exposed


def test_one_port_everywhere(service: dict[str, Any]) -> None:
    environment = dict(pair.split("=", 1) for rest in instruction("ENV") for pair in rest.split())
    assert environment["GRADIO_SERVER_PORT"] == port()
    assert environment["GRADIO_SERVER_NAME"] == "0.0.0.0"
    assert f"http://127.0.0.1:{port()}" in README
    assert service["ports"] == [f"127.0.0.1:{port()}:{port()}"]


def test_every_written_file_is_on_a_temporary_file_system(service: dict[str, Any]) -> None:
    environment = dict(pair.split("=", 1) for rest in instruction("ENV") for pair in rest.split())
    (mount,) = service["tmpfs"]
    folder, _, options = mount.partition(":")
    for variable in ("HOME", "TMPDIR", "GRADIO_TEMP_DIR"):
        assert Path(environment[variable]).is_relative_to(folder)
    assert {"noexec", "nosuid", "nodev"} <= set(options.split(","))
    assert service["read_only"] is True


def test_the_service_has_no_privileges_and_bounded_memory(service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "volumes"} & set(service)
    memory, files = service["mem_limit"], re.search(r"size=(\d+)g", service["tmpfs"][0])
    assert files is not None
    assert int(files[1]) < int(memory.removesuffix("g"))
    assert 0 < service["pids_limit"] <= 1024
