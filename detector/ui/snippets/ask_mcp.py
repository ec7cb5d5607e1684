import asyncio
import base64
from pathlib import Path

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


async def main() -> None:
    video = "data:video/mp4;base64," + base64.b64encode(Path("clip.mp4").read_bytes()).decode()
    async with streamablehttp_client("http://127.0.0.1:7860/gradio_api/mcp/") as (read, write, _):
        async with ClientSession(read, write) as session:
            await session.initialize()
            answer = await session.call_tool("analyze_video", {"video": video})
            print(answer.content[0].text)


asyncio.run(main())
