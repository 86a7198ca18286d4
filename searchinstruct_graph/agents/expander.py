"""The expander turns seed questions into new ones: SearchInstruct's expansion, and its suggestions of seeds to people.

Follows arXiv 2509.10708 §3 (random subsets of seeds; each new question rewords one seed or joins several), with a higher
temperature than the reference code's 0.2, at which repeated calls on overlapping seeds give near copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt, Schema, ask_model
from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.evidence import shown_title
from searchinstruct_graph.datasets.seeds import KINDS
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.structured import Failure, Reply
from searchinstruct_graph.models.tagged import Inputs
from searchinstruct_graph.tools.corpus import Passage

TEMPERATURE = 0.7

WANTED_KINDS = tuple(kind for kind in KINDS if kind != "other")
"""Question kinds that an expansion is spread over; some of them documents seldom suggest (paper, §3.1)."""


class ExpandedQuestion(Schema):
    """A new question and what it was made from."""

    text: str = Field(min_length=1, max_length=2_000, description="The question; it stands alone.")
    operation: Literal["paraphrase", "combination", "new"]
    seeds: list[int] = Field(max_length=10, description="Numbers of the seeds it was made from.")
    kind: str = Field(max_length=20, description="Question kind, one of those wanted.")


class Expansion(Schema):
    """New questions."""

    questions: list[ExpandedQuestion] = Field(max_length=100)


EXPAND = Prompt(
    "expand",
    1,
    f"""You write questions that real people would ask. The numbered <seed>s show the domain, the intent and the tone. Write
exactly the number of new questions that <wanted> gives, in the language of the seeds: some reword one seed with other words
and details, some join several seeds into one question, some are new in the same spirit. Spread them over the kinds that
<wanted> names. Each is realistic, coherent and challenging; not trivial, not nonsense, not a repetition of a seed, of
each other or of a <known> question. Each stays in the domain, stands alone (no "this place", no "the text") and can be
answered from documents. If <passage>s are given, ask only what they answer, but never mention that there is a passage.
{DATA_RULE}""",
)


class Subtopics(Schema):
    """Parts of a domain."""

    subtopics: list[str] = Field(max_length=100)


SUBTOPICS = Prompt(
    "subtopics",
    1,
    f"""You help people who collect questions about a <domain>. Name the number of different subtopics that <wanted> gives, so
that together they cover what users of that domain ask about: common needs first, rarer ones after. Short noun phrases, in the
language of the domain's description, none twice. If <passage>s are given, name what they are about.
{DATA_RULE}""",
)


class SuggestedQuestion(Schema):
    """A question for a person to pick, change or drop."""

    text: str = Field(min_length=1, max_length=2_000)
    kind: str = Field(max_length=20)


class SeedSuggestions(Schema):
    """Questions about one subtopic."""

    questions: list[SuggestedQuestion] = Field(max_length=100)


SUGGEST = Prompt(
    "suggest_seeds",
    1,
    f"""You suggest seed questions about one <subtopic> of a <domain>, for a person to choose from. Write the number that
<wanted> gives, spread over the kinds that it names: what users would really ask, with judgement, constraints and situations
that documents do not ask of themselves ("list several examples of", "imagine this scenario", "recommend given my
constraints"). Each stands alone. If <passage>s are given, ask what they answer, but never mention that there is a passage.
{DATA_RULE}""",
)


def add_passages(inputs: Inputs, passages: Sequence[Passage]) -> Inputs:
    """Show numbered passages of the corpus."""
    for number, passage in enumerate(passages, 1):
        inputs.add("passage", passage.text, id=number, title=shown_title(passage.title))
    return inputs


def passage_id(passage: Passage) -> str:
    """Which passage: its document and span."""
    return f"{passage.uri}@{passage.start}-{passage.end}"


async def expand(
    seeds: Sequence[str],
    count: int,
    kinds: Sequence[str],
    known: Sequence[str],
    passages: Sequence[Passage],
    context: ResearchContext,
    allowance: Allowance,
    seed: int,
) -> Reply[Expansion] | Failure:
    """Ask for `count` new questions from the shown `seeds`; `known` ones must not be repeated."""
    inputs = Inputs().add_numbered("seed", seeds)
    inputs.add("wanted", "new questions", count=count, kinds=", ".join(kinds))
    if context.instruction:
        inputs.add("instruction", context.instruction)
    inputs.add_numbered("known", known)
    add_passages(inputs, passages)
    return await ask_model(
        context, "expander", EXPAND, inputs, Expansion, allowance=allowance, temperature=TEMPERATURE, seed=seed
    )


async def suggest_subtopics(
    domain: str, count: int, passages: Sequence[Passage], context: ResearchContext, allowance: Allowance
) -> Reply[Subtopics] | Failure:
    """Ask for `count` subtopics of a domain."""
    inputs = Inputs().add("domain", domain).add("wanted", "subtopics", count=count)
    add_passages(inputs, passages)
    return await ask_model(
        context, "expander", SUBTOPICS, inputs, Subtopics, allowance=allowance, temperature=TEMPERATURE
    )


async def suggest_questions(
    domain: str,
    subtopic: str,
    count: int,
    passages: Sequence[Passage],
    context: ResearchContext,
    allowance: Allowance,
) -> Reply[SeedSuggestions] | Failure:
    """Ask for `count` questions about a subtopic, for a person to pick from."""
    inputs = Inputs().add("domain", domain).add("subtopic", subtopic)
    inputs.add("wanted", "questions", count=count, kinds=", ".join(WANTED_KINDS))
    add_passages(inputs, passages)
    return await ask_model(
        context, "expander", SUGGEST, inputs, SeedSuggestions, allowance=allowance, temperature=TEMPERATURE
    )
