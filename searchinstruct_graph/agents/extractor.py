"""The extractor reads one document and hands on questions with the answers that stand in it, each with its evidence.

Follows EQUAL (arXiv 2505.12250): pairs are extracted from selected documents, then refined one by one. The wording of its
prompts is not published; these are ours. The model is told the domain and the form of the target in words, never its
items, so that extracted pairs cannot copy them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt, Schema, ask_model
from searchinstruct_graph.agents.context import AgentContext
from searchinstruct_graph.agents.evidence import locate, orders, shown_title
from searchinstruct_graph.agents.reader import QUOTE_CHARS
from searchinstruct_graph.datasets.rows import RowQuote
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.structured import Failure, Reply
from searchinstruct_graph.models.tagged import Inputs
from searchinstruct_graph.text.standalone import faults as faults

MOST_PAIRS = 5
"""Pairs that are asked of one document at most, as in the note on the method: more are poor ones."""

QUOTES = 3
"""Quotes that may carry one answer."""

Level = Literal["remember", "understand", "apply", "analyze", "evaluate", "create"]


class ExtractedPair(Schema):
    """A question that a document answers."""

    question: str = Field(min_length=1, max_length=2_000, description="The question; it stands alone.")
    answer: str = Field(min_length=1, max_length=8_000, description="The complete answer, as the document has it.")
    evidence: list[str] = Field(
        min_length=1, max_length=10, description="One to three passages, copied exactly, that carry the answer."
    )
    level: Level = Field(description="Level of Bloom's taxonomy that the question asks for.")


class ExtractedPairs(Schema):
    """What one document answers; empty when nothing in it makes a good pair."""

    pairs: list[ExtractedPair] = Field(max_length=20)


class RefinedPair(Schema):
    """A pair after a second look. A rejected pair may leave everything but the reason empty."""

    verdict: Literal["keep", "correct", "reject"]
    question: str = Field(max_length=2_000)
    answer: str = Field(max_length=8_000)
    evidence: list[str] = Field(max_length=10, description="One to three passages, copied exactly.")
    reason: str = Field(max_length=1_000, description="What was corrected, or why the pair is rejected; else empty.")


EXTRACT = Prompt(
    "extract",
    1,
    f"""You make training pairs out of one <document>: questions, each with its complete answer found in the document. Write
none to at most the number of pairs that <wanted> gives; none rather than poor ones: a document that only lists, advertises or
navigates gives none. The <domain> and <form> say what the pairs are for: ask what people of that domain would ask, in that form,
in the language of the document.
Each question is self-contained: it names what it asks about, so that a reader who has never seen the document understands it and
could look the answer up elsewhere. Never mention a text: no "the text", "this study", "the passage", "the author", "the table
above", no "he", "it" or "this" without its name. Each answer is complete, says only what the document says, with its numbers,
units, names, conditions and negations, and needs nothing but the question to be understood. Ask nothing twice.
For each pair copy one to three evidence passages character by character from the document, whole sentences, no ellipsis, no
correction, no translation, which together carry every sentence of the answer; and give its level: remember, understand, apply,
analyze, evaluate or create.
{DATA_RULE}""",
)

REFINE = Prompt(
    "refine",
    1,
    f"""You check one training pair, a <question> with its <answer> and the numbered <evidence>, against the <document> that it
was made of. Keep it as it is when nothing is wrong. Correct it when it can be saved: mend the format, fill in missing parts of
the answer from the document, correct what the document says otherwise, name what the question leaves unnamed, take out mentions
of a text ("the text", "this study", "the author"). Reject it when the question does not stand alone, when the document does not
answer it, or when nobody would ask it. Use nothing but the document. With every kept or corrected pair give the whole question,
the whole answer, and one to three evidence passages copied character by character from the document; say in the reason what you
corrected or why you reject.
{DATA_RULE}""",
)


class Located(NamedTuple):
    """The evidence of a pair as it stands in its document."""

    quotes: list[RowQuote]
    """Verbatim slices, in order of position, none twice; empty when the pair must be dropped."""
    reason: str
    """Why the pair is dropped; empty when it is not."""


def located(pair: ExtractedPair | RefinedPair, text: str) -> Located:
    """Find every evidence quote of `pair` in the document's `text`; only white space may differ.

    Quotes that do not stand there, are longer than a quote may be (`QUOTE_CHARS`), or give orders to a model are left out; a
    pair without any other is dropped. Offsets are code points of `text`.
    """
    spans: set[tuple[int, int]] = set()
    absent: str | None = None
    for quote in pair.evidence:
        span = locate(quote, text)
        if span is None:
            absent = absent if absent is not None else " ".join(quote.split())[:120]
        elif span[1] - span[0] <= QUOTE_CHARS and not orders(quote):
            spans.add(span)
    if spans:
        return Located([RowQuote(text=text[a:b], start=a, end=b) for a, b in sorted(spans)[:QUOTES]], "")
    if absent is not None:
        return Located([], f"the evidence does not stand in the document: {absent!r}")
    return Located([], "the evidence is too long or gives orders" if pair.evidence else "the pair has no evidence")


async def extract(
    text: str,
    title: str,
    *,
    domain: str,
    form: str,
    count: int,
    context: AgentContext,
    allowance: Allowance,
    seed: int,
) -> Reply[ExtractedPairs] | Failure:
    """Ask for at most `count` pairs of one document. `domain` and `form` describe the target in words; either may be empty."""
    inputs = Inputs()
    if domain:
        inputs.add("domain", domain)
    if form:
        inputs.add("form", form)
    inputs.add("wanted", "pairs", count=count).add("document", text, title=shown_title(title))
    return await ask_model(context, "extractor", EXTRACT, inputs, ExtractedPairs, allowance=allowance, seed=seed)


async def refine(
    text: str,
    title: str,
    pair: ExtractedPair,
    *,
    context: AgentContext,
    allowance: Allowance,
) -> Reply[RefinedPair] | Failure:
    """Ask whether a pair is to be kept, corrected or rejected, given the document that it was made of."""
    inputs = Inputs().add("question", pair.question).add("answer", pair.answer)
    inputs.add_numbered("evidence", pair.evidence).add("document", text, title=shown_title(title))
    return await ask_model(context, "extractor", REFINE, inputs, RefinedPair, allowance=allowance)
