"""Evaluations: how good answers, datasets, retrieval and the critic are, in numbers that can be looked behind.

    from searchinstruct_graph.evals import figure, run_eval

    result = run_eval("answers", data=["questions.jsonl"], corpus=["docs/"])
    print(figure(result, "token_f1"))

Names are imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from searchinstruct_graph.evals.comparison import compare
    from searchinstruct_graph.evals.context import EvalContext
    from searchinstruct_graph.evals.result import figure, read_result
    from searchinstruct_graph.evals.running import evaluate, items, run_eval
    from searchinstruct_graph.evals.suites import SUITES

__all__ = ["SUITES", "EvalContext", "compare", "evaluate", "figure", "items", "read_result", "run_eval"]

_HOMES = {
    "SUITES": "suites",
    "EvalContext": "context",
    "compare": "comparison",
    "evaluate": "running",
    "figure": "result",
    "items": "running",
    "read_result": "result",
    "run_eval": "running",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
