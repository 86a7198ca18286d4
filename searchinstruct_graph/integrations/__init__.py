"""Doors into other people's applications: a LangChain tool, a retriever, agent middleware, an MCP server."""
