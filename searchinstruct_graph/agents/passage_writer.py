"""Hard negatives: one that the corpus has is better than one that is invented, so hits are judged before anything is written.

A hard negative fits one pair of query and instruction (its target) and is wrong for another (the avoided pair), though it looks
like the passage that is right there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from pydantic import Field

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt, Schema, ask_model
from searchinstruct_graph.agents.context import AgentContext
from searchinstruct_graph.agents.evidence import locate
from searchinstruct_graph.agents.expander import TEMPERATURE
from searchinstruct_graph.agents.instructor import PASSAGE_CHARS, Neighbour, add_others
from searchinstruct_graph.agents.triplet_context import OTHERS
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.structured import Failure, Reply
from searchinstruct_graph.models.tagged import Inputs
from searchinstruct_graph.text.words import same_text, words


class Pair(NamedTuple):
    """A query with its instruction."""

    query: str
    instruction: str


class PassageFit(Schema):
    """How one passage stands to the two pairs."""

    passage: int = Field(ge=1, description="Number of the passage.")
    fits: float = Field(
        ge=0, le=1, description="How surely it answers the target's query and satisfies its instruction."
    )
    avoids: float = Field(ge=0, le=1, description="How surely it fails the avoided query or instruction.")
    quote: str = Field(max_length=2_000, description="Copied from the passage: what shows that it fits.")


class PassageFits(Schema):
    """How passages stand to the two pairs, one entry each."""

    passages: list[PassageFit] = Field(max_length=20)


class WrittenPassage(Schema):
    """A passage; empty when none can be written."""

    passage: str = Field(max_length=8_000)


FIT = Prompt(
    "fit_passages",
    1,
    f"""You judge search results. For each numbered <other> passage say how surely (0 to 1) it fits the <target>: it answers
the query and satisfies every criterion of the instruction; and how surely it fails the <avoided> pair: it does not
answer that query, or does not satisfy that instruction. Judge by what the passage says alone, with no knowledge of
your own. Copy, character by character, the words that show that it fits; leave them empty when it fits by what it
does not say.
{DATA_RULE}""",
)

WRITE_PASSAGE = Prompt(
    "write_passage",
    1,
    f"""You write one passage as it could stand in a document. It answers the query of the <target> and satisfies every
criterion of its instruction, and it fails the <avoided> pair: where the queries are the same, it violates that
instruction; else it does not answer that query. The <passage> is the model of its style: similar length, vocabulary
and layout, so that only a careful reader can tell which pair it fits. Where the <other> passages hold what is needed,
use their facts. Never mention the instruction, the query, or that something is left out. Leave it empty when it
cannot be written.
{DATA_RULE}""",
)


def _pairs(target: Pair, avoided: Pair) -> Inputs:
    inputs = Inputs()
    for name, pair in (("target", target), ("avoided", avoided)):
        inputs.add(name, pair.instruction, query=" ".join(pair.query.split()))
    return inputs


async def judge_passages(
    target: Pair, avoided: Pair, hits: Sequence[Neighbour], *, context: AgentContext, allowance: Allowance
) -> Reply[PassageFits] | Failure:
    """Ask how up to `OTHERS` search hits stand to the pair that is wanted and the pair that is to be failed."""
    inputs = add_others(_pairs(target, avoided), hits)
    return await ask_model(context, "validator", FIT, inputs, PassageFits, allowance=allowance)


def unused(hits: Sequence[Neighbour], taken: Collection[str]) -> list[Neighbour]:
    """The hits in order, each text once, without those that the triplet holds already or that say nothing, at most `OTHERS`."""
    seen = {same_text(text) for text in taken}
    kept: list[Neighbour] = []
    for hit in hits:
        if words(hit.text) and (key := same_text(hit.text)) not in seen:
            seen.add(key)
            kept.append(hit)
    return kept[:OTHERS]


def mined(hits: Sequence[Neighbour], judged: PassageFits, least_score: float = 0.5) -> Neighbour | None:
    """The hit that fits the target and fails the avoided pair most surely, or None.

    Both scores must reach `least_score`, and a quote must stand in its passage. Of equals the first hit wins: it is the one that
    search took for the nearest, and so the hardest.
    """
    best: tuple[float, int] | None = None
    for fit in judged.passages:
        at = fit.passage - 1
        if at >= len(hits) or (fit.quote.strip() and locate(fit.quote, hits[at].text) is None):
            continue
        sure = min(fit.fits, fit.avoids)
        if sure >= least_score and (best is None or (sure, -at) > best):
            best = sure, -at
    return hits[-best[1]] if best else None


async def write_passage(
    target: Pair,
    avoided: Pair,
    style: str,
    others: Sequence[Neighbour] = (),
    *,
    context: AgentContext,
    allowance: Allowance,
    seed: int,
) -> Reply[WrittenPassage] | Failure:
    """Ask for a passage in the style of `style` that fits `target` and fails `avoided`; `others` are material."""
    inputs = add_others(_pairs(target, avoided).add("passage", style[:PASSAGE_CHARS]), others)
    return await ask_model(
        context,
        "passage_writer",
        WRITE_PASSAGE,
        inputs,
        WrittenPassage,
        allowance=allowance,
        temperature=TEMPERATURE,
        seed=seed,
    )
