"""The poisoner changes one meaning-bearing detail of an instruction, or of a query, so that its passage becomes wrong for it.

Follows InF-IR (arXiv 2505.21439): instruction and query are poisoned apart, each with the other left as it was.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt, Schema, ask_model
from searchinstruct_graph.agents.context import AgentContext
from searchinstruct_graph.agents.expander import TEMPERATURE
from searchinstruct_graph.agents.instructor import PASSAGE_CHARS, Neighbour, add_others
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.structured import Failure, Reply
from searchinstruct_graph.models.tagged import Inputs


class PoisonedInstruction(Schema):
    """A changed instruction; empty when no change makes the passage wrong."""

    instruction: str = Field(max_length=1_000)
    changed: str = Field(max_length=500, description="The detail before and after, in a few words.")


class PoisonedQuery(Schema):
    """A changed query; empty when no change makes the passage wrong."""

    query: str = Field(max_length=1_000)
    changed: str = Field(max_length=500, description="The detail before and after, in a few words.")


_ONE_DETAIL = """Change one meaning-bearing detail and keep wording and length as close as you can: the changed text must read as
if a person had written it in the first place, must be one that other documents could satisfy, and must not merely add or drop a
"not". Prefer a change that one of the <other> passages satisfies."""

POISON_INSTRUCTION = Prompt(
    "poison_instruction",
    1,
    f"""A person asks the <query> with an <instruction>, and the <passage> satisfies both. Write the instruction anew so that
the passage, which still answers the query, becomes false of it: another period, place, figure, source, audience,
aspect, thing to mention or thing to leave out. {_ONE_DETAIL} The query stays as it is. Leave the instruction empty
when no such change exists.
{DATA_RULE}""",
)

POISON_QUERY = Prompt(
    "poison_query",
    1,
    f"""A person asks the <query> with an <instruction>, and the <passage> satisfies both. Write the query anew so that the
passage becomes false of it, that is, does not answer it: another person, place, thing or aspect of the same kind.
{_ONE_DETAIL} The instruction stays as it is and must still make sense with the new query. Leave the query empty when
no such change exists.
{DATA_RULE}""",
)


def _shown(query: str, instruction: str, passage: str, others: Sequence[Neighbour]) -> Inputs:
    inputs = Inputs().add("query", query).add("instruction", instruction).add("passage", passage[:PASSAGE_CHARS])
    return add_others(inputs, others)


async def poison_instruction(
    query: str,
    instruction: str,
    passage: str,
    others: Sequence[Neighbour] = (),
    *,
    context: AgentContext,
    allowance: Allowance,
    seed: int,
) -> Reply[PoisonedInstruction] | Failure:
    """Ask for an instruction close to `instruction` that `passage` violates while it is still on topic for `query`."""
    return await ask_model(
        context,
        "poisoner",
        POISON_INSTRUCTION,
        _shown(query, instruction, passage, others),
        PoisonedInstruction,
        allowance=allowance,
        temperature=TEMPERATURE,
        seed=seed,
    )


async def poison_query(
    query: str,
    instruction: str,
    passage: str,
    others: Sequence[Neighbour] = (),
    *,
    context: AgentContext,
    allowance: Allowance,
    seed: int,
) -> Reply[PoisonedQuery] | Failure:
    """Ask for a query close to `query` that `passage` does not answer; `instruction` stays."""
    return await ask_model(
        context,
        "poisoner",
        POISON_QUERY,
        _shown(query, instruction, passage, others),
        PoisonedQuery,
        allowance=allowance,
        temperature=TEMPERATURE,
        seed=seed,
    )
