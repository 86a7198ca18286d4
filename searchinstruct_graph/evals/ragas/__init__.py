"""Our side of ragas: any chat model and embedding as its judge, its metrics as ours, the graph as what it experiments on.

ragas is the extra `evals`. Whoever imports this package needs it; nothing else of ours does, so import it inside functions.
"""

from __future__ import annotations

import importlib
import os

from searchinstruct_graph.errors import UsageError

INSTALL = 'pip install "searchinstruct-graph[evals]"'

# ragas reports to its maker unless it is told not to, and looks once.
os.environ.setdefault("RAGAS_DO_NOT_TRACK", "true")


def require_ragas() -> None:
    """See that ragas can be imported. Raises UsageError, saying what to install, when it cannot."""
    try:
        importlib.import_module("ragas.metrics.collections")
    except ImportError as error:
        raise UsageError(_advice(error)) from error


def _advice(error: ImportError) -> str:
    missing = error.name or ""
    if missing.partition(".")[0] == "ragas" or not missing:
        return f"metrics that ask a judge need ragas; install it with: {INSTALL}"
    if missing.startswith("langchain_community"):
        return f"ragas does not import beside this langchain-community ({missing} is gone); mend it with: {INSTALL}"
    return f"ragas does not import: {missing} is missing; mend it with: {INSTALL}"


require_ragas()
