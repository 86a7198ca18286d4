"""The instructor writes the instruction of a triplet: criteria that narrow a query and that its passage satisfies.

Follows InF-IR (arXiv 2505.21439), whose prompts are not published; these are ours. It sees other passages near the query as
well, because a criterion narrows only what some of them fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt, Schema, ask_model
from searchinstruct_graph.agents.context import AgentContext
from searchinstruct_graph.agents.evidence import locate, orders, shown_title
from searchinstruct_graph.agents.expander import TEMPERATURE
from searchinstruct_graph.agents.triplet_context import OTHERS
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.structured import Failure, Reply
from searchinstruct_graph.models.tagged import Inputs

PASSAGE_CHARS = 4_000
"""Characters of one passage that writers are shown, and judges of search hits; the validator sees it whole."""

CriterionKind = Literal[
    "time", "place", "quantity", "source", "style", "length", "audience", "mention", "exclusion", "aspect", "other"
]


class Neighbour(NamedTuple):
    """Another passage near a query: what a search found, or the passage of another given query."""

    text: str
    uri: str = ""
    title: str = ""
    query: str = ""
    """A query that this passage is known to answer; empty when none is known."""


class WrittenInstruction(Schema):
    """An instruction; empty when none can be written that the passage satisfies."""

    instruction: str = Field(max_length=1_000, description="One or two sentences to a search engine.")
    kind: CriterionKind = Field(description="What it narrows by.")
    evidence: str = Field(max_length=2_000, description="Copied from the passage: what shows that it satisfies it.")


INSTRUCT = Prompt(
    "instruct_retrieval",
    1,
    f"""You write instructions to a search engine. A person asks the <query>, and the <passage> is what they hope to find.
Write one or two sentences that say what kind of result they want beyond the query: its scope, time, place, figures,
source, style, length, audience, something it must speak of, or something that it must leave out. The <passage> must
satisfy all of it; someone who reads the passage can check each criterion. Choose a criterion that at least one
<other> passage does not satisfy. Say what is wanted in general words, as a person would who has not seen the passage:
copy no phrase from it, do not give away its answer, do not repeat the query, do not mention a passage number. Vary
the wording; a criterion is as often an exclusion as a demand. Name the kind, and copy, character by character, the
words of the passage that show that it satisfies the instruction; leave them empty when it satisfies it by what it
does not say. Leave the instruction empty when no criterion fits. Write in the language of the query.
{DATA_RULE}""",
)


def add_others(inputs: Inputs, others: Sequence[Neighbour]) -> Inputs:
    """Show up to `OTHERS` other passages, numbered from 1, each with its title and the query that it is known to answer."""
    for number, other in enumerate(others[:OTHERS], 1):
        title, query = shown_title(other.title), " ".join(other.query.split())
        inputs.add("other", other.text[:PASSAGE_CHARS], id=number, title=title, query="" if orders(query) else query)
    return inputs


def written_fault(written: WrittenInstruction, passage: str) -> str:
    """Why a written instruction cannot be used, in one line; empty when it can.

    Its evidence must stand in the passage (only white space may differ); an instruction that the passage satisfies by what it
    does not say has none. Further checks are those of the triplet (`datasets.triplets.triplet_faults`).
    """
    if not written.instruction.strip():
        return "no instruction fits the passage"
    if orders(written.instruction):
        return "the instruction gives orders to a model"
    if written.evidence.strip() and locate(written.evidence, passage) is None:
        return f"the evidence does not stand in the passage: {' '.join(written.evidence.split())[:120]!r}"
    return ""


async def write_instruction(
    query: str,
    passage: str,
    others: Sequence[Neighbour] = (),
    *,
    context: AgentContext,
    allowance: Allowance,
    seed: int,
) -> Reply[WrittenInstruction] | Failure:
    """Ask for an instruction that narrows `query` and that `passage` satisfies, and some of the `others` do not."""
    inputs = add_others(Inputs().add("query", query).add("passage", passage[:PASSAGE_CHARS]), others)
    return await ask_model(
        context,
        "instructor",
        INSTRUCT,
        inputs,
        WrittenInstruction,
        allowance=allowance,
        temperature=TEMPERATURE,
        seed=seed,
    )
