"""`searchinstruct mcp`: the research machine as a Model Context Protocol server for desktop clients."""

from __future__ import annotations

from typing import Any

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.cli.interrupts import run
from searchinstruct_graph.cli.settings import with_settings


@with_settings
def mcp(**settings: Any) -> None:
    """Serve `research` and `search` to an MCP client over standard input and output; the options set every research."""
    from searchinstruct_graph.agents.sources import web_providers
    from searchinstruct_graph.integrations.mcp_server import mcp_server

    context = ResearchContext(**{name: value for name, value in settings.items() if value is not None})
    web_providers(context)
    run(mcp_server(context).run_stdio_async(), lambda: "stopped")
