"""The respondent answers an instruction several times over, in the form that the task fixes; code takes the vote.

Follows DS²-Instruct, stage E (arXiv 2603.12932): K answers at cycling temperatures, the most frequent final answer, kept
when enough of the samples give it. Drawing ends as soon as the outcome is settled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import Field
from typing_extensions import TypedDict

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt, Schema, ask_model
from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.evidence import shown_title
from searchinstruct_graph.datasets.rows import Vote
from searchinstruct_graph.datasets.voting import decided, open_vote, tally, temperatures
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.limits import Allowance, remaining, shares
from searchinstruct_graph.models.loops import together
from searchinstruct_graph.models.structured import Failure, Reply
from searchinstruct_graph.models.tagged import Inputs
from searchinstruct_graph.models.usage import Usage, add_usage, join_usage, no_usage
from searchinstruct_graph.text.answers import FORMS, Form, final_answer

RESPONSE_CHARS = 20_000


class Response(Schema):
    """A full answer."""

    response: str = Field(max_length=RESPONSE_CHARS, description="The answer; empty when it cannot be known.")


RESPOND = Prompt(
    "respond",
    1,
    f"""Answer the <question> accurately, completely and no longer than it needs. If a <form> is given, keep to it exactly. If
<quote>s are given, use nothing that they do not say. When the answer cannot be known, leave the response empty: that is
better than a guess.
{DATA_RULE}""",
)


class QuotedText(TypedDict):
    """A quote to answer from."""

    text: str
    title: str


class Responses(TypedDict):
    """What K samples gave: the responses in order (None: the call failed), the vote, and which response it chose."""

    responses: list[str | None]
    vote: Vote | None
    chosen: str
    failure: str
    usage: Usage


async def _respond(
    question: str,
    form: Form,
    quotes: Sequence[QuotedText],
    number: int,
    temperature: float,
    context: ResearchContext,
    allowance: Allowance,
) -> Reply[Response] | Failure:
    inputs = Inputs().add("question", question)
    if suffix := FORMS[form].suffix:
        inputs.add("form", suffix)
    for at, quote in enumerate(quotes, 1):
        inputs.add("quote", quote["text"], id=at, title=shown_title(quote["title"]))
    return await ask_model(
        context, "respondent", RESPOND, inputs, Response, allowance=allowance, temperature=temperature, seed=number
    )


async def respond(
    question: str,
    form: Form,
    options: Sequence[str],
    quotes: Sequence[QuotedText],
    context: ResearchContext,
    allowance: Allowance,
    threshold: float,
) -> Responses:
    """Answer `question` `context.samples` times, at least once, and vote. With one sample there is no vote."""
    wanted = max(1, context.samples)
    cycle = temperatures(wanted) if wanted > 1 else [0.0]
    drawn: list[Reply[Response] | Failure] = []
    used = no_usage()
    # No fewer can settle it; the rest is drawn only when they do not.
    steps = [wanted] if wanted == 1 or form == "open" else [min(wanted, max(1, math.ceil(threshold * wanted))), wanted]
    for step in steps:
        numbers = range(len(drawn), step)
        if not numbers:
            continue
        parts = shares(remaining(allowance, used), len(numbers))
        replies = await together(
            (
                _respond(question, form, quotes, n + 1, cycle[n], context, part)
                for n, part in zip(numbers, parts, strict=True)
            )
        )
        used = add_usage(used, join_usage([reply.usage for reply in replies]))
        drawn += replies
        if len(drawn) < wanted and decided(_finals(drawn, form, options), wanted, threshold, form):
            break
    texts = [reply.value.response.strip() if isinstance(reply, Reply) else None for reply in drawn]
    failures = [f"{reply.kind}: {reply.detail}" for reply in drawn if isinstance(reply, Failure)]
    made = Responses(responses=texts, vote=None, chosen="", failure="", usage=used)
    if len(failures) == len(drawn):
        return {**made, "failure": failures[0]}
    if wanted == 1:
        return {**made, "chosen": texts[0] or ""}
    vote, chosen = _voted(texts, _finals(drawn, form, options), form, context, threshold)
    return {**made, "vote": vote, "chosen": chosen}


def _finals(drawn: Sequence[Reply[Response] | Failure], form: Form, options: Sequence[str]) -> list[str | None]:
    return [final_answer(reply.value.response, form, options) if isinstance(reply, Reply) else None for reply in drawn]


def _voted(
    texts: Sequence[str | None],
    finals: Sequence[str | None],
    form: Form,
    context: ResearchContext,
    threshold: float,
) -> tuple[Vote, str]:
    counted = open_vote(finals, embeddings(context.embeddings)) if form == "open" else tally(finals, form)
    vote = Vote(
        answers=list(finals), majority=counted.majority, agreement=counted.share, rule=form, threshold=threshold
    )
    chosen = texts[counted.index] if counted.majority is not None else ""
    return vote, chosen or ""
