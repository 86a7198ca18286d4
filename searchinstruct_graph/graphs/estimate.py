"""What a whole run would take, extrapolated from a trial of a few answers."""

from __future__ import annotations

import math
from collections.abc import Callable

from typing_extensions import TypedDict

from searchinstruct_graph.agents.build_context import BuildContext
from searchinstruct_graph.datasets.rows import Spent, no_spending
from searchinstruct_graph.graphs.answering import role_models
from searchinstruct_graph.graphs.build import BuildResult
from searchinstruct_graph.models.chat import OFFLINE

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
    """What the target would take. Answers scale by the share that became rows, proposals by the instructions that they gave;
    keywords and the start are paid once. With a model elsewhere, time also shrinks by the calls in flight that ten answers
    could not fill.
    """
    funnel, spent = trial["funnel"], trial["spent"]
    decided, rows = funnel["answered"], funnel["accepted"] + funnel["surplus"]
    share = rows / decided if decided else 0.0
    if not share:
        none: dict[str, None] = dict.fromkeys(
            ("yield", "answers", "model_calls", "input_tokens", "output_tokens", "cost_usd", "seconds")
        )
        return {"target": context.target, "trial_answers": decided, "trial_rows": rows, **none}  # type: ignore[typeddict-item]
    answers = math.ceil(context.target / share)
    once, proposing = trial["for_keywords"], trial["roles"].get("expander", no_spending())

    def whole(count: Callable[[Spent], float]) -> float:
        fixed = count(once)
        proposals = (count(proposing) - fixed) / max(1, funnel["admitted"])
        return fixed + answers * (proposals + (count(spent) - count(proposing)) / decided)

    known = spent["cost_usd"] is not None
    filled = 1.0 if set(role_models(context).values()) == {OFFLINE} else min(1.0, decided / context.concurrency)
    working = (trial["seconds"] - trial["starting"]) * answers / decided * filled
    return {
        "target": context.target,
        "trial_answers": decided,
        "trial_rows": rows,
        "yield": round(share, 4),
        "answers": answers,
        "model_calls": round(whole(lambda part: part["model_calls"])),
        "input_tokens": round(whole(lambda part: part["input_tokens"])),
        "output_tokens": round(whole(lambda part: part["output_tokens"])),
        "cost_usd": round(whole(lambda part: part["cost_usd"] or 0.0), 4) if known else None,
        "seconds": round(trial["starting"] + working, 1),
    }
