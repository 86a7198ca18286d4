"""The query writer asks what a passage answers, as people type into a search engine: where there are passages and no queries."""

from __future__ import annotations

from pydantic import Field

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt, Schema, ask_model
from searchinstruct_graph.agents.context import AgentContext
from searchinstruct_graph.agents.evidence import locate, orders, shown_title
from searchinstruct_graph.agents.expander import TEMPERATURE
from searchinstruct_graph.agents.instructor import PASSAGE_CHARS
from searchinstruct_graph.datasets.triplets import shared_run
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.structured import Failure, Reply
from searchinstruct_graph.models.tagged import Inputs
from searchinstruct_graph.text.words import words

COPIED = 9
"""Words in a row from which a query is a piece of its passage, and nobody's question."""


class WrittenQuery(Schema):
    """A query; empty when the passage answers nothing that people ask."""

    query: str = Field(max_length=300)
    evidence: str = Field(max_length=2_000, description="Copied from the passage: the words that answer it.")


WRITE_QUERY = Prompt(
    "write_query",
    1,
    f"""You write one query that the <passage> answers, as a person types it into a search engine who has not seen the
passage: three to twelve words, a question or keywords, without politeness. It names what it is about, so that it stands
alone; it asks for one thing, which the passage says and not merely mentions; other documents could answer it as well. Never
copy a sentence, never speak of a passage, a text, a table or an author. Copy, character by character, the words of the
passage that answer it. Leave both empty when the passage answers nothing that a person would ask: a menu, a list of links,
a notice, a fragment. Write in the language of the passage.
{DATA_RULE}""",
)


def query_fault(written: WrittenQuery, passage: str) -> str:
    """Why a written query cannot be used, in one line; empty when it can. Its evidence must stand in the passage (only white
    space may differ).
    """
    if not words(written.query):
        return "the passage answers nothing that people ask"
    if orders(written.query):
        return "the query gives orders to a model"
    if locate(written.evidence, passage) is None:
        return f"the evidence does not stand in the passage: {' '.join(written.evidence.split())[:120]!r}"
    if run := shared_run(written.query, passage, COPIED):
        return f"the query is copied from the passage: {run!r}"
    return ""


async def write_query(
    passage: str, title: str, *, context: AgentContext, allowance: Allowance, seed: int
) -> Reply[WrittenQuery] | Failure:
    """Ask for a query that `passage` answers; `title` is that of its document, empty when it has none."""
    inputs = Inputs().add("passage", passage[:PASSAGE_CHARS], title=shown_title(title))
    return await ask_model(
        context,
        "query_writer",
        WRITE_QUERY,
        inputs,
        WrittenQuery,
        allowance=allowance,
        temperature=TEMPERATURE,
        seed=seed,
    )
