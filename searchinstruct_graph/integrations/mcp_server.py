"""A Model Context Protocol server on standard input and output, for desktop clients (extra `mcp`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.errors import SearchInstructError, UsageError
from searchinstruct_graph.integrations.research_tool import cited, limits
from searchinstruct_graph.text.urls import without_urls

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer


def mcp_server(context: ResearchContext) -> MCPServer[Any]:
    """A server with two tools: `research` answers with citations, `search` returns passages of the corpus.

    Raises:
        UsageError: the extra `mcp` is not installed.
    """
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.server.mcpserver.exceptions import ToolError
    except ImportError as error:
        raise UsageError('the MCP server needs a package: pip install "searchinstruct-graph[mcp]"') from error
    from searchinstruct_graph.graphs.research import graph

    server: MCPServer[Any] = MCPServer(
        "searchinstruct",
        instructions="Answers with verbatim, checked quotes. Ask `research` whole questions; `search` finds passages.",
    )

    @server.tool(name="research", structured_output=False)
    async def research(question: str) -> str:
        """Answer a question from the sources; every statement is cited with verbatim quotes, or it says that they are silent."""
        try:
            return cited(await graph.ainvoke({"question": without_urls(question)}, context=context))  # type: ignore[arg-type]
        except SearchInstructError as error:
            raise ToolError(str(error)) from error

    @server.tool(name="search", structured_output=False)
    async def search(query: str, count: int = 5) -> str:
        """Passages of the corpus that fit the query, best first, each with the place where it stands."""
        from searchinstruct_graph.agents.sources import open_corpus

        try:
            corpus = await open_corpus(context)
            if corpus is None:
                return "There is no corpus here, only the web: use `research`."
            found = await corpus.find(query, max(1, min(count, 50)), instruction=context.instruction)
        except SearchInstructError as error:
            raise ToolError(str(error)) from error
        told = [f"{each.uri} ({each.start}-{each.end})\n{each.text}" for each in found.passages] or ["nothing found"]
        return "\n\n".join([*told, *limits(found.constraints)])

    return server
