"""The writer answers from quotes alone: statements, each with the numbers of the quotes that carry it."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt, Schema, ask_model
from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.evidence import Plan, Quote, Statement, shown_title
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.structured import Failure
from searchinstruct_graph.models.tagged import Inputs
from searchinstruct_graph.models.usage import Usage

EVIDENCE_QUOTES = 60
"""Most quotes shown to writer and critic: beyond this, models lose the middle of their input."""


class StatementDraft(Schema):
    """One claim of the answer."""

    text: str = Field(min_length=1, max_length=2_000, description="One sentence; says no more than its quotes say.")
    quotes: list[int] = Field(max_length=10, description="Numbers of the quotes that carry it.")


class AnswerDraft(Schema):
    """The answer; no statements means that the quotes do not answer the question."""

    statements: list[StatementDraft] = Field(max_length=40)


WRITE = Prompt(
    "write",
    1,
    f"""You answer the question from the numbered quotes and from nothing else: no knowledge of your own, no guess. Write
short statements, each one sentence that stands alone, the direct answer first; give with each the numbers of the quotes
that state it. Keep names, numbers, dates and negations exactly as quoted. Where quotes disagree, say so and cite both.
Leave out what the question does not ask. Write no links, no markup, no citation marks in the text. When the quotes do
not answer the question, return no statements: that is a good answer. If <problem>s are given, a reviewer found them in your last
draft: mend exactly those.
{DATA_RULE}""",
)


def shown_quotes(quotes: Sequence[Quote], plan: Plan) -> list[Quote]:
    """The quotes that writer and critic see: sub-questions take turns, so that none is crowded out."""
    if len(quotes) <= EVIDENCE_QUOTES:
        return list(quotes)
    queues = [
        [q for q in quotes if any(p[0] == n for p in q["points"])] for n in range(1, len(plan["sub_questions"]) + 1)
    ]
    picked: list[Quote] = []
    for rank in range(max(map(len, queues), default=0)):
        for queue in queues:
            if rank < len(queue) and queue[rank] not in picked:
                picked.append(queue[rank])
    return picked[:EVIDENCE_QUOTES]


def add_quotes(inputs: Inputs, quotes: Sequence[Quote]) -> Inputs:
    """Show numbered quotes with the titles of their pages."""
    for number, quote in enumerate(quotes, 1):
        inputs.add("quote", quote["text"], id=number, title=shown_title(quote["title"]))
    return inputs


async def write_answer(
    question: str,
    plan: Plan,
    quotes: Sequence[Quote],
    problems: Sequence[str],
    context: ResearchContext,
    allowance: Allowance,
) -> tuple[list[Statement], Usage, str | None]:
    """Draft an answer. Returns (statements with support 0, usage, problem); citations are not yet checked."""
    inputs = Inputs().add("question", question)
    inputs.add_numbered("part", [part["text"] for part in plan["sub_questions"]])
    if context.instruction:
        inputs.add("instruction", context.instruction)
    add_quotes(inputs, quotes).add_numbered("problem", problems)
    outcome = await ask_model(context, "writer", WRITE, inputs, AnswerDraft, allowance=allowance)
    if isinstance(outcome, Failure):
        return [], outcome.usage, f"writer: {outcome.kind}: {outcome.detail}"
    return (
        [
            Statement(text=" ".join(s.text.split()), quotes=list(dict.fromkeys(s.quotes)), support=0.0)
            for s in outcome.value.statements
        ],
        outcome.usage,
        None,
    )
