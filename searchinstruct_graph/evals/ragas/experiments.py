"""The graph in ragas' own terms: what an experiment calls, and its results as samples.

    from ragas import Dataset, experiment

    ask = experiment()(research_target(ResearchContext(corpus=["docs/"])))
    rows = await ask.arun(Dataset(...))

Rows go in and fields come out; which metrics are taken of them is the application's choice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from ragas.dataset_schema import MultiTurnSample, SingleTurnSample
from ragas.messages import ToolCall
from typing_extensions import TypedDict

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.progress import Progress
from searchinstruct_graph.datasets.checks import asked_in
from searchinstruct_graph.errors import ProviderError, UsageError
from searchinstruct_graph.evals.answering import Call, fields_of, researched, trajectory
from searchinstruct_graph.evals.questions import references
from searchinstruct_graph.evals.ragas.judging import messages_of
from searchinstruct_graph.graphs.state import ResearchOutput
from searchinstruct_graph.models.loops import PerLoop
from searchinstruct_graph.models.retry import redact
from searchinstruct_graph.text.digest import sha256


class TargetRow(TypedDict):
    """What the graph has made of one row, in ragas' names where it has one."""

    id: str
    """The row's own `id`, else 16 hex digits of its question: ragas gives rows back in the order in which they end."""
    user_input: str
    response: str
    """Empty when the graph has withheld an answer, or failed."""
    retrieved_contexts: list[str]
    """The quotes that the answer rests on."""
    reference: str
    status: str
    """As the graph has it (`answered`, `insufficient_evidence`, ...); `failed` when it could not answer at all."""
    failure: str
    """How it failed (`provider`, `timeout`, `malformed`, `usage`, `error`); empty when it did not."""
    reason: str


Target = Callable[[Any], Awaitable[TargetRow]]


def research_target(context: ResearchContext | None = None, *, concurrency: int = 4) -> Target:
    """The graph as a function from a row to its fields, for ragas' `experiment` or inside of a function of your own.

    A row is a mapping or a pydantic model with a question under any usual name. At most `concurrency` questions are in work
    at once: ragas begins all rows together. It never raises for a row, since ragas drops a row that does: what went wrong
    stands in `failure` and `reason`, so as many rows come out as went in.
    """
    if concurrency < 1:
        raise UsageError(f"concurrency must be at least 1, not {concurrency}")
    settings = context or ResearchContext()
    gates: PerLoop[str, asyncio.Semaphore] = PerLoop()

    async def target(row: Any) -> TargetRow:
        made = _row(row)
        async with gates.here().setdefault("gate", asyncio.Semaphore(concurrency)):
            try:
                result, _ = await researched(made["user_input"], settings)
            except Exception as error:
                return {**made, "failure": _kind(error), "reason": redact(f"{error}" or type(error).__name__)}
        fields = fields_of(result)
        if "failure" in fields:
            return {**made, "failure": fields["failure"], "reason": fields["reason"]}
        return {
            **made,
            "response": fields["response"],
            "retrieved_contexts": fields["retrieved_contexts"],
            "status": fields["status"],
            "reason": fields["stop_reason"],
        }

    return target


def _kind(error: Exception) -> str:
    if isinstance(error, UsageError):
        return "usage"
    return "provider" if isinstance(error, ProviderError) else "error"


def _row(row: Any) -> TargetRow:
    """A row before it is answered."""
    data = row.model_dump() if isinstance(row, BaseModel) else dict(row) if isinstance(row, Mapping) else {}
    question, answers = asked_in(data), references(data)
    return TargetRow(
        id=str(data.get("id") or sha256(question)[:16]),
        user_input=question,
        response="",
        retrieved_contexts=[],
        reference=answers[0] if answers else "",
        status="failed",
        failure="",
        reason="",
    )


def ragas_sample(result: ResearchOutput | Mapping[str, Any], reference: str | None = None) -> SingleTurnSample:
    """A result of the graph as ragas' `SingleTurnSample`: question, answer without markers, cited quotes, page addresses.

    An answer that was withheld has no `response`.
    """
    fields = fields_of(result)  # type: ignore[arg-type]
    return SingleTurnSample(
        user_input=result["question"],
        response=fields.get("response") or None,
        retrieved_contexts=fields.get("retrieved_contexts") or None,
        retrieved_context_ids=[source["uri"] for source in result["sources"]] or None,
        reference=reference,
    )


def ragas_trajectory(
    result: ResearchOutput | Mapping[str, Any],
    events: Iterable[Progress | Mapping[str, Any]] = (),
    *,
    reference: str | None = None,
    reference_tool_calls: Iterable[Call | Mapping[str, Any]] | None = None,
) -> MultiTurnSample:
    """A run of the graph as ragas' `MultiTurnSample`: the question, calls of `search` and `read` with what came, the answer.

    `events` are those of the graph's `custom` stream; without them the planned queries and the pages read are told.
    """
    calls = None if reference_tool_calls is None else [ToolCall.model_validate(call) for call in reference_tool_calls]
    messages = messages_of([dict(message) for message in trajectory(result, events)])  # type: ignore[arg-type]
    return MultiTurnSample(user_input=messages, reference=reference, reference_tool_calls=calls)
