"""Middleware for `create_agent`: the critic holds the agent's last answer against what its tools returned."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal, NotRequired

from langchain.agents.middleware import AgentMiddleware, AgentState, hook_config
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.critic import gate_problems, judge_support
from searchinstruct_graph.agents.evidence import Quote, Statement
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.loops import finished
from searchinstruct_graph.text import compare
from searchinstruct_graph.text.digest import sha256
from searchinstruct_graph.text.sentences import sentences
from searchinstruct_graph.tools.corpus.excerpts import best_spans

REVIEWER = "grounding"
"""Name of the messages in which the critic's problems are sent back to the agent."""

MOST_STATEMENTS = 40
QUOTES_EACH = 4
"""Passages of the tools' results that each statement is held against."""

MOST_QUOTES = 60


class CheckedStatement(TypedDict):
    """A sentence of the answer and its support, 0 to 1."""

    text: str
    support: float


class Grounding(TypedDict):
    """How the last answer stands. `unchecked`: no tool returned anything, or the critic's model failed (see problems)."""

    status: Literal["grounded", "ungrounded", "unchecked"]
    retries: int
    statements: list[CheckedStatement]
    problems: list[str]


class GroundingState(AgentState[Any]):
    """The agent's state with the critic's account of its last answer."""

    grounding: NotRequired[Grounding]


class GroundingMiddleware(AgentMiddleware[GroundingState, Any]):
    """Sends an answer back, with the critic's problems, while its sentences are not carried by the tools' results.

    After `max_retries` the answer is marked instead: its message gets `response_metadata["grounding"]` and, with `mark`,
    a closing line that names what is not carried. The account stands in the state's `grounding` either way.

    Args:
        model: the critic's chat model; SEARCHINSTRUCT_MODEL, else `offline`, when not given.
        min_support: support that every sentence needs, 0.1 to 1.
        max_retries: how often an answer is sent back.
        mark: whether an answer that is still not carried says so in its own text.
    """

    state_schema = GroundingState

    def __init__(
        self, *, model: str | None = None, min_support: float = 0.7, max_retries: int = 2, mark: bool = True
    ) -> None:
        super().__init__()
        self._context = ResearchContext(model=model, min_support=min_support)
        self._max_retries = max_retries
        self._mark = mark

    @hook_config(can_jump_to=["model"])
    def after_agent(self, state: GroundingState, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """The same for agents that run without `await`."""
        return finished(self.aafter_agent(state, runtime))

    @hook_config(can_jump_to=["model"])
    async def aafter_agent(self, state: GroundingState, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """Check the last answer: let it pass, send it back, or mark it."""
        turn = _turn(state["messages"])
        answer = turn[-1] if turn else None
        if not isinstance(answer, AIMessage) or answer.tool_calls or not answer.text.strip():
            return None
        retries = sum(isinstance(message, HumanMessage) and message.name == REVIEWER for message in turn)
        checked = await self._checked(answer.text, [m for m in turn if isinstance(m, ToolMessage)], retries)
        if checked["status"] == "ungrounded" and retries < self._max_retries:
            return {
                "grounding": {**checked, "retries": retries + 1},
                "messages": [HumanMessage(_complaint(checked["problems"]), name=REVIEWER)],
                "jump_to": "model",
            }
        marked = answer.model_copy(update={"response_metadata": {**answer.response_metadata, "grounding": checked}})
        if checked["status"] == "ungrounded" and self._mark:
            marked.content = f"{answer.text}\n\nNot supported by the sources: {' '.join(checked['problems'])}"
        return {"grounding": checked, "messages": [marked]}

    async def _checked(self, answer: str, results: Sequence[ToolMessage], retries: int) -> Grounding:
        texts = [result.text for result in results if result.status == "success" and result.text.strip()]
        claims = [text for text in _sentences(answer) if not text.endswith("?")][:MOST_STATEMENTS]
        if not texts or not claims:
            return Grounding(status="unchecked", retries=retries, statements=[], problems=[])
        quotes, statements = await asyncio.to_thread(_matched, claims, "\n\n".join(texts), self._context)
        gated = gate_problems(statements, quotes)
        settled, doubts, _, failed = await judge_support(
            statements, quotes, gated, self._context, self._context.limits()
        )
        weak = [s["text"] for s in settled if s["support"] < self._context.min_support]
        said = [f"“{text}”" for text in weak]
        if failed:
            return Grounding(status="unchecked", retries=retries, statements=[], problems=[failed])
        return Grounding(
            status="ungrounded" if weak or doubts else "grounded",
            retries=retries,
            statements=[CheckedStatement(text=s["text"], support=s["support"]) for s in settled],
            problems=said or doubts,
        )


def _turn(messages: Sequence[AnyMessage]) -> Sequence[AnyMessage]:
    """The messages since the person last spoke; the reviewer is no person."""
    for at in range(len(messages) - 1, -1, -1):
        message = messages[at]
        if isinstance(message, HumanMessage) and message.name != REVIEWER:
            return messages[at + 1 :]
    return messages


def _sentences(text: str) -> list[str]:
    found = [" ".join(text[span.start : span.end].split()) for span in sentences(text)]
    return [sentence for sentence in found if compare.content(sentence)]


def _matched(claims: Sequence[str], evidence: str, context: ResearchContext) -> tuple[list[Quote], list[Statement]]:
    """The passages of the tools' results that fit each claim best, as quotes, and the claims that point to them."""
    embedder = embeddings(context.embeddings)
    places: dict[tuple[int, int], int] = {}
    statements: list[Statement] = []
    for claim in claims:
        spans = best_spans(evidence, [claim], embedder, QUOTES_EACH)
        numbers = [
            places.setdefault(span, len(places) + 1) for span in spans if span in places or len(places) < MOST_QUOTES
        ]
        statements.append(Statement(text=claim, quotes=numbers, support=0.0))
    quotes = [
        Quote(
            uri="tool",
            title="",
            text=evidence[start:end],
            start=start,
            end=end,
            sha256=sha256(evidence.encode("utf-8", "replace").decode("utf-8")),
            retrieved_at="",
            license=None,
            points=[],
        )
        for start, end in places
    ]
    return quotes, statements


def _complaint(problems: Sequence[str]) -> str:
    listed = "\n".join(f"- {problem}" for problem in problems)
    return (
        "A reviewer compared your answer with what your tools returned. These sentences are not carried by it:\n"
        f"{listed}\nAnswer again: keep what is carried, leave out or correct the rest, and look up what is missing."
    )
