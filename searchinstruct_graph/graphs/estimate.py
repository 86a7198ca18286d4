"""What a whole run would take, extrapolated from a trial of a few answers."""

from __future__ import annotations

import math
from collections.abc import Callable

from typing_extensions import TypedDict

from searchinstruct_graph.agents.build_context import BuildContext
from searchinstruct_graph.agents.extract_context import ExtractContext
from searchinstruct_graph.datasets.rows import Spent, no_spending
from searchinstruct_graph.graphs.answering import role_models
from searchinstruct_graph.graphs.build import BuildResult
from searchinstruct_graph.graphs.extraction import ExtractResult
from searchinstruct_graph.models.chat import OFFLINE, resolve_model

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


class ReadingEstimate(TypedDict):
    """A trial of an extraction and what the budget would come to; null for a cost that is not known."""

    documents: int
    budget: int
    trial_documents: int
    trial_rows: int
    rows: int
    model_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    seconds: float


def estimate_reading(trial: ExtractResult, context: ExtractContext) -> ReadingEstimate:
    """What reading the whole budget would take: everything scales by documents, but making the pile is paid once. With a model
    elsewhere, time also shrinks by the calls in flight that ten documents could not fill.
    """
    times = trial["budget"] / max(1, trial["read"])
    spent = trial["spent"]
    offline = resolve_model(context.model_for("extractor")) == OFFLINE
    filled = 1.0 if offline else min(1.0, trial["read"] / context.concurrency)
    once = trial["piling"] + trial["selecting"]
    working = (trial["seconds"] - once) * times * filled
    return ReadingEstimate(
        documents=trial["documents"],
        budget=trial["budget"],
        trial_documents=trial["read"],
        trial_rows=trial["accepted"],
        rows=round(trial["accepted"] * times),
        model_calls=round(spent["model_calls"] * times),
        input_tokens=round(spent["input_tokens"] * times),
        output_tokens=round(spent["output_tokens"] * times),
        cost_usd=None if spent["cost_usd"] is None else round(spent["cost_usd"] * times, 4),
        seconds=round(once + working, 1),
    )
