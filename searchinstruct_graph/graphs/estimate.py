"""What a whole run would take, extrapolated from a trial of a few answers."""

from __future__ import annotations

import math

from typing_extensions import TypedDict

from searchinstruct_graph.agents.build_context import BuildContext
from searchinstruct_graph.graphs.build import BuildResult

# `yield` is a word of Python's own, so the class syntax cannot name the field.
Estimate = TypedDict(
    "Estimate",
    {
        "target": int,
        "trial_answers": int,
        "trial_rows": int,
        "yield": float | None,
        "answers": int | None,
        "model_calls": int | None,
        "input_tokens": int | None,
        "output_tokens": int | None,
        "cost_usd": float | None,
        "seconds": float | None,
    },
)
"""A trial and what it would come to; null where the trial says nothing, and for a cost that is not known."""


def estimate(trial: BuildResult, context: BuildContext) -> Estimate:
    """Scale the trial's answers, calls, tokens, cost and seconds to the target by the share that became rows."""
    funnel, spent = trial["funnel"], trial["spent"]
    decided, rows = funnel["answered"], funnel["accepted"] + funnel["surplus"]
    share = rows / decided if decided else 0.0
    if not share:
        none: dict[str, None] = dict.fromkeys(
            ("yield", "answers", "model_calls", "input_tokens", "output_tokens", "cost_usd", "seconds")
        )
        return {"target": context.target, "trial_answers": decided, "trial_rows": rows, **none}  # type: ignore[typeddict-item]
    answers = math.ceil(context.target / share)
    scale = answers / decided
    cost = spent["cost_usd"]
    return {
        "target": context.target,
        "trial_answers": decided,
        "trial_rows": rows,
        "yield": round(share, 4),
        "answers": answers,
        "model_calls": round(spent["model_calls"] * scale),
        "input_tokens": round(spent["input_tokens"] * scale),
        "output_tokens": round(spent["output_tokens"] * scale),
        "cost_usd": None if cost is None else round(cost * scale, 4),
        "seconds": round(trial["seconds"] * scale, 1),
    }
