"""What every test stands on: strict checkpoints, a home of its own, no keys, no telemetry, loopback only (pyproject)."""

from __future__ import annotations

import os
import tempfile

from hypothesis import settings

# Nothing is timed, and the same examples are drawn every time; HYPOTHESIS=explore looks for new ones.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS", "same"))

# Before LangGraph is imported anywhere: it decides at import.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
os.environ["LANGSMITH_TRACING"] = "false"
os.environ["SEARCHINSTRUCT_HOME"] = tempfile.mkdtemp(prefix="searchinstruct-tests-")
for name in list(os.environ):
    if name.endswith("_API_KEY") or name in ("SEARCHINSTRUCT_MODEL", "SEARCHINSTRUCT_PRICES", "OPENAI_BASE_URL"):
        del os.environ[name]

pytest_plugins = ["tests.support.fixtures"]
