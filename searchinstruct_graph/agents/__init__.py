"""The roles: planner, searcher, writer, critic. One file a role: its promise, output schema, prompt, checks and node."""
