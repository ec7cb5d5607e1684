import asyncio

import httpx
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

HERE = "http://127.0.0.1:7860/gradio_api"


async def main() -> None:
    with open("clip.mp4", "rb") as file:
        [video] = httpx.post(f"{HERE}/upload", files={"files": file}, timeout=600).json()
    async with streamablehttp_client(f"{HERE}/mcp/") as (read, write, _):
        async with ClientSession(read, write) as session:
            await session.initialize()
            answer = await session.call_tool("analyze_video", {"video": video})
            print(answer.content[0].text)


asyncio.run(main())
