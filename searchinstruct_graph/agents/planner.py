"""The planner turns a question into what must be found out. It sees the question alone, never the text of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt, Schema, ask_model
from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.evidence import Plan, SubQuestion
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.structured import Failure
from searchinstruct_graph.models.tagged import Inputs
from searchinstruct_graph.models.usage import Usage


class PlannedQuestion(Schema):
    """A part of the question that can be looked up on its own."""

    text: str = Field(
        min_length=1, max_length=2_000, description="The sub-question; it stands alone, without pronouns."
    )
    queries: list[str] = Field(min_length=1, max_length=3, description="First search queries, each different.")
    requires: list[str] = Field(
        max_length=5, description="Facts that a quote must state before this counts as answered."
    )
    instruction: str = Field(
        default="",
        max_length=500,
        description="What kind of source this part needs, in the question's own words; empty when it asks for none.",
    )


class QuestionPlan(Schema):
    """What must be found out to answer the question."""

    restatement: str = Field(min_length=1, max_length=4_000, description="The question in one's own words, complete.")
    sub_questions: list[PlannedQuestion] = Field(min_length=1, max_length=20)


PLAN = Prompt(
    "plan",
    3,
    f"""You plan research. Restate the question, then split it into the fewest sub-questions that can each be looked up
on their own: one when the question is simple, one for each thing compared, one for each link of a chain whose next
link is already named. Do not split off what only a found document can name; the searcher follows such links itself.
For every sub-question give one to three short search queries (key terms and names, no sentences) and the facts that
an answer must contain. You know nothing about the answer: invent no names, dates or facts.
Where the question itself limits what a source may be ("studies since 2015", "for beginners", "without using a library", "in
the Python documentation"), write that limit as the sub-question's instruction: criteria alone, no subject, in the question's own
words. A year or a place that is asked about ("what has changed since 2015") limits no source. Most questions limit nothing; then
it is empty. Do not repeat what <instruction> says already.
If <earlier> messages of a chat are given, the question may continue them: restate it so that it can be understood without
them, with the names that it leaves out, and plan that.
If <instruction> is given, it says what kind of source or answer is wanted. If <failed> parts are given, an earlier
plan found nothing for them: plan differently, with other terms.
{DATA_RULE}""",
)


def plain_plan(question: str) -> Plan:
    """The plan that needs no model: the question itself."""
    return Plan(restatement=question, sub_questions=[_open(question, [question], [question])])


def _open(text: str, queries: Sequence[str], requires: Sequence[str], instruction: str = "") -> SubQuestion:
    asked = [query.strip() for query in queries if query.strip()] or [text]
    needed = [point.strip() for point in requires if point.strip()] or [text]
    return SubQuestion(
        text=text.strip(),
        queries=asked,
        requires=needed,
        status="open",
        missing=[],
        instruction=" ".join(instruction.split()),
    )


def plan_from(draft: QuestionPlan, most: int) -> Plan:
    """A draft as a plan of at most `most` different sub-questions."""
    distinct = {part.text.strip().casefold(): part for part in reversed(draft.sub_questions)}
    kept = [part for part in draft.sub_questions if distinct.get(part.text.strip().casefold()) is part]
    return Plan(
        restatement=draft.restatement.strip(),
        sub_questions=[_open(part.text, part.queries, part.requires, part.instruction) for part in kept[:most]],
    )


def reviewed_plan(answer: Any, plan: Plan, most: int) -> Plan:
    """The plan after a person's review: `True`/None accepts it, a mapping with `sub_questions` replaces it.

    Raises:
        ValueError: the edited plan does not fit the schema (pydantic's message says where).
    """
    if answer is True or answer is None or answer == {}:
        return plan
    if not isinstance(answer, dict):
        raise ValueError(f"a reviewed plan is true or an object with sub_questions, not {type(answer).__name__}")
    edited = answer.get("plan", answer)
    drafted = edited.get("sub_questions") if isinstance(edited, dict) else None
    if not isinstance(drafted, list) or not all(isinstance(part, str | dict) for part in drafted):
        raise ValueError(
            "a reviewed plan has sub_questions: a list of texts or of objects with text, queries, requires, instruction"
        )
    parts = [
        {"text": part, "queries": [part], "requires": []}
        if isinstance(part, str)
        else {
            "text": part.get("text", ""),
            "queries": part.get("queries") or [part.get("text", "")],
            "requires": part.get("requires") or [],
            "instruction": part.get("instruction") or "",
        }
        for part in drafted
    ]
    draft = QuestionPlan.model_validate(
        {"restatement": edited.get("restatement") or plan["restatement"], "sub_questions": parts}
    )
    return plan_from(draft, most)


async def make_plan(
    question: str,
    context: ResearchContext,
    allowance: Allowance,
    *,
    failed: Sequence[str] = (),
    earlier: Sequence[str] = (),
) -> tuple[Plan, Usage, str | None]:
    """Plan `question`, which may continue the messages of a chat before it.

    Returns (plan, usage, problem); with a failed call the plan is the question itself.
    """
    inputs = Inputs()
    for message in earlier:
        inputs.add("earlier", message)
    inputs.add("question", question)
    if context.instruction:
        inputs.add("instruction", context.instruction)
    inputs.add_numbered("failed", failed)
    outcome = await ask_model(context, "planner", PLAN, inputs, QuestionPlan, allowance=allowance)
    if isinstance(outcome, Failure):
        return plain_plan(question), outcome.usage, f"planner: {outcome.kind}: {outcome.detail}"
    return plan_from(outcome.value, context.max_sub_questions), outcome.usage, None
