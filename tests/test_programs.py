"""Clients of the API: the snippets of the page unchanged, and a real MCP client."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from mcp.types import CallToolResult, ImageContent, TextContent, Tool

from detector import Detector
from detector.render.document import SCHEMA
from detector.ui.tabs.help import SNIPPETS, snippet
from detector.video import Limits
from tests.clips import plain, write_clip
from tests.server import serving
from tests.test_document import faults


@pytest.fixture(scope="module")
def url(detector: Detector, cache: Path) -> Iterator[str]:
    with serving({"tiny": Detector(detector.loaded, "cpu")}, Limits()) as address:
        yield address


@pytest.mark.parametrize("title", SNIPPETS)
def test_a_snippet_of_the_page_runs_unchanged(url: str, tmp_path: Path, title: str) -> None:
    name, _ = SNIPPETS[title]
    if name.endswith(".sh") and shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    write_clip(tmp_path / "clip.mp4", plain(12))
    (tmp_path / name).write_text(snippet(name, url))
    program = "bash" if name.endswith(".sh") else sys.executable
    done = subprocess.run(
        [program, name], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "no_face" in done.stdout
    assert "working" not in done.stdout


async def session(
    url: str, tool: str = "", **given: Any
) -> tuple[list[Tool], CallToolResult | None]:
    async with (
        streamablehttp_client(f"{url}gradio_api/mcp/") as (read, write, _),
        ClientSession(read, write) as client,
    ):
        await client.initialize()
        tools = (await client.list_tools()).tools
        return tools, await client.call_tool(tool, given) if tool else None


def test_an_agent_finds_every_public_endpoint_with_a_typed_schema(url: str) -> None:
    tools, _ = asyncio.run(session(url))
    schemas = {tool.name: tool.inputSchema for tool in tools}
    assert set(schemas) == {
        "analyze_video",
        "analyze_video_full",
        "verify_report",
        "compare",
        "explain_frame",
        "robustness",
        "model_info",
        "limits",
    }
    properties = schemas["analyze_video"]["properties"]
    kinds = {name: part["type"] for name, part in properties.items()}
    assert kinds["n_frames"] == kinds["max_faces"] == "integer"
    assert kinds["threshold"] == "number"
    assert schemas["analyze_video"]["required"] == ["video"]
    assert "grad_cam" in properties["heat_method"]["enum"]
    assert all(part.get("description") for part in properties.values())
    assert all(tool.description for tool in tools)


def uploaded(url: str, path: Path) -> str:
    """As the schema describes: the path of the uploaded file."""
    files = {"files": (path.name, path.read_bytes())}
    (place,) = httpx.post(f"{url}gradio_api/upload", files=files, timeout=60).json()
    return str(place)


def test_the_tool_description_explains_how_to_upload_a_file(url: str) -> None:
    tools, _ = asyncio.run(session(url))
    for tool in tools:
        properties = tool.inputSchema["properties"]
        for name in properties.keys() & {"video", "other", "report"}:
            assert "/gradio_api/upload" in properties[name]["format"]
            assert "/gradio_api/upload" in (tool.description or "")
        assert "upload_file_to_gradio" not in (tool.description or "")


@pytest.mark.parametrize("as_url", [False, True], ids=["path", "url"])
def test_an_agent_sends_a_file_of_twenty_megabytes(
    url: str, tmp_path: Path, *, as_url: bool
) -> None:
    clip = write_clip(tmp_path / "large clip.mp4", plain(12))
    with clip.open("ab") as file:  # a box that players skip
        file.write((20 * 2**20).to_bytes(4) + b"free" + bytes(20 * 2**20 - 8))
    place = uploaded(url, clip)
    video = f"{url}gradio_api/file={quote(place)}" if as_url else place
    _, answer = asyncio.run(session(url, "analyze_video", video=video, n_frames=8))
    report = report_of(answer)
    assert report["status"] == "no_face"
    assert report["video"]["sha256"] == hashlib.sha256(clip.read_bytes()).hexdigest()


@pytest.mark.parametrize("video", ["/etc/hostname", "http://127.0.0.1:9/x.mp4", "clip.mp4"])
def test_an_agent_can_name_no_other_file_or_address(url: str, video: str) -> None:
    _, answer = asyncio.run(session(url, "analyze_video", video=video))
    assert answer is not None
    assert answer.isError
    assert isinstance(answer.content[0], TextContent)
    assert "/gradio_api/upload" in answer.content[0].text


def report_of(answer: CallToolResult | None) -> dict[str, Any]:
    """The report in a tool's answer."""
    assert answer is not None
    assert not answer.isError, answer.content
    assert isinstance(answer.content[0], TextContent)
    report = json.loads(answer.content[0].text)
    assert isinstance(report, dict)
    return report


def test_an_mcp_client_gets_the_same_report_as_the_api(
    url: str, detector: Detector, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", plain(12))
    video = "data:video/mp4;base64," + base64.b64encode(clip.read_bytes()).decode()
    _, answer = asyncio.run(session(url, "analyze_video", video=video, n_frames=8))
    report = report_of(answer)
    json.dumps(report)
    assert not faults(report, SCHEMA)
    assert report["status"] == "no_face"
    assert report["model"]["sha256"] == detector.info.sha256


def test_an_agent_compares_two_files_it_has_uploaded(url: str, tmp_path: Path) -> None:
    first, second = (
        uploaded(url, write_clip(tmp_path / f"{name}.mp4", plain(12))) for name in ("one", "two")
    )
    _, answer = asyncio.run(session(url, "compare", video=first, other=second, n_frames=8))
    assert [one["video"]["name"] for one in report_of(answer)["answers"]] == ["one.mp4", "two.mp4"]


def test_an_agent_may_leave_the_second_file_out(url: str, tmp_path: Path) -> None:
    """One model alone then compares nothing, which is said."""
    video = uploaded(url, write_clip(tmp_path / "one.mp4", plain(12)))
    tools, answer = asyncio.run(session(url, "compare", video=video))
    (tool,) = (tool for tool in tools if tool.name == "compare")
    assert tool.inputSchema["required"] == ["video"]
    assert answer is not None
    assert answer.isError
    assert "two files, or two models" in str(answer.content)


def test_an_agent_is_given_the_heat_map_as_a_picture(url: str, talking: Path) -> None:
    _, answer = asyncio.run(session(url, "explain_frame", video=uploaded(url, talking)))
    assert report_of(answer)["status"] == "ok"
    assert answer is not None
    picture = answer.content[1]
    assert isinstance(picture, ImageContent)
    assert base64.b64decode(picture.data)


def test_an_agent_is_given_the_address_of_every_file(url: str, talking: Path) -> None:
    given = {"video": uploaded(url, talking), "n_frames": 8}
    _, answer = asyncio.run(session(url, "analyze_video_full", **given))
    assert report_of(answer)["status"] == "ok"
    assert answer is not None
    addresses = [part.text for part in answer.content[1:] if isinstance(part, TextContent)]
    assert [Path(address).suffix for address in addresses] == [".mp4", ".html", ".csv"]
    assert all(httpx.get(address).status_code == 200 for address in addresses)


@pytest.mark.parametrize("tool", ["model_info", "limits"])
def test_an_agent_is_given_json_of_what_is_not_queued(url: str, tool: str) -> None:
    _, answer = asyncio.run(session(url, tool))
    assert report_of(answer)
