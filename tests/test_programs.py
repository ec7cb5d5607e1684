"""Programs ask: the snippets of the page as they stand there, and a real MCP client."""

from __future__ import annotations

import ast
import asyncio
import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from mcp.types import CallToolResult, TextContent, Tool

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
def test_a_snippet_of_the_page_runs_as_it_stands(url: str, tmp_path: Path, title: str) -> None:
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
        "explain_frame",
        "robustness",
        "model_info",
        "limits",
    }
    asked = schemas["analyze_video"]["properties"]
    kinds = {name: part["type"] for name, part in asked.items()}
    assert kinds["n_frames"] == kinds["max_faces"] == "integer"
    assert kinds["threshold"] == "number"
    assert schemas["analyze_video"]["required"] == ["video"]
    assert "grad_cam" in asked["heat_method"]["enum"]
    assert all(part.get("description") for part in asked.values())
    assert all(tool.description for tool in tools)


def test_an_agent_gets_the_same_report_as_everybody(
    url: str, detector: Detector, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", plain(12))
    video = "data:video/mp4;base64," + base64.b64encode(clip.read_bytes()).decode()
    _, answer = asyncio.run(session(url, "analyze_video", video=video, n_frames=8))
    assert answer is not None
    assert not answer.isError
    assert isinstance(answer.content[0], TextContent)
    report = ast.literal_eval(answer.content[0].text)  # Gradio writes a dict as Python does
    json.dumps(report)
    assert not faults(report, SCHEMA)
    assert report["status"] == "no_face"
    assert report["model"]["sha256"] == detector.info.sha256
