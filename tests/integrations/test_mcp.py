"""The MCP server as a desktop client starts it: a child process on standard input and output."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mcp import ClientSession, StdioServerParameters, stdio_client

from tests.support import island


async def test_a_client_finds_and_calls_the_tools(tmp_path: Path) -> None:
    program = StdioServerParameters(
        command=sys.executable,
        args=[
            "-m",
            "searchinstruct_graph",
            "mcp",
            "--corpus",
            island.write_island(tmp_path),
            "--samples",
            "1",
            "--instruction",
            "only sources after 2015",
        ],
        env={**os.environ, "SEARCHINSTRUCT_MODEL": "offline", "SEARCHINSTRUCT_HOME": str(tmp_path / "home")},
    )
    async with stdio_client(program) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert set(tools) == {"research", "search"}
        answer = await session.call_tool("research", {"question": "How much do tickets for the ferry cost?"})
        assert "12 crowns" in answer.content[0].text  # type: ignore[union-attr]
        assert "ferry.md" in answer.content[0].text  # type: ignore[union-attr]
        found = await session.call_tool("search", {"query": "goats seaweed", "count": 1})
        assert "goats.md" in found.content[0].text  # type: ignore[union-attr]
        for said in (answer, found):
            assert "Limits on the sources:\n- checked “only sources after 2015”" in said.content[0].text  # type: ignore[union-attr]
        wrong = await session.call_tool("research", {"question": ""})
        assert wrong.is_error
        assert "the question is empty" in wrong.content[0].text  # type: ignore[union-attr]
