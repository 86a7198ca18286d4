"""One document becomes question-answer pairs with verified quotes, or faults with their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from searchinstruct_graph.agents.extract_context import ExtractContext
from searchinstruct_graph.agents.extractor import ExtractedPair, Located, extract, located, refine
from searchinstruct_graph.datasets.ledger import Fault, Outcome
from searchinstruct_graph.datasets.rows import Critic, Rejected, RowQuote, RowSource, RowStatement
from searchinstruct_graph.graphs.answering import Unanswered, language_of_pair, spent_on
from searchinstruct_graph.models.limits import Allowance, remaining, shares
from searchinstruct_graph.models.loops import together
from searchinstruct_graph.models.structured import Failure
from searchinstruct_graph.models.usage import Usage, add_usage, join_usage, no_usage
from searchinstruct_graph.text.compare import support
from searchinstruct_graph.text.sentences import sentences
from searchinstruct_graph.text.standalone import faults
from searchinstruct_graph.tools.corpus import Section

PASSING = ("provider", "timeout")
"""Failures that say nothing about the document: it is read again."""


class FoundPair(NamedTuple):
    """A pair as it was found; with a fault in its outcome, one that does not hold."""

    question: str
    level: str
    """One of the six Bloom levels."""
    outcome: Outcome


class ReadDocument(NamedTuple):
    """What reading one document gave. `failure` is empty unless no pair could be asked for."""

    pairs: list[FoundPair]
    failure: str
    usage: Usage


async def read_document(
    section: Section, form: str, context: ExtractContext, allowance: Allowance | None = None
) -> ReadDocument:
    """Ask one document for pairs, let each be refined, and hold it against the document; within `allowance`, else the limits of
    the settings.

    The call that read the document is on the account of its first pair.

    Raises:
        Unanswered: the provider failed, which says nothing about the document.
        ProviderError: it refuses every further call.
    """
    allowance = allowance or context.limits()
    reply = await extract(
        section.text,
        section.title,
        domain=context.domain,
        form=form,
        count=context.pairs_per_document,
        context=context,
        allowance=allowance,
        seed=section.index,
    )
    if isinstance(reply, Failure):
        if reply.kind in PASSING:
            raise Unanswered(f"{reply.kind}: {reply.detail}")
        return ReadDocument([], f"{reply.kind}: {reply.detail}", reply.usage)
    asked = reply.value.pairs[: context.pairs_per_document]
    # What is left after the reading is for the second looks, in equal parts.
    parts = shares(remaining(allowance, reply.usage), max(1, len(asked)))
    made = await together(_settled(pair, section, context, part) for pair, part in zip(asked, parts, strict=False))
    spent = [usage for _, usage in made]
    if spent:
        spent[0] = add_usage(reply.usage, spent[0])
    pairs = [
        pair._replace(outcome={**pair.outcome, "usage": spent_on(usage)})
        for (pair, _), usage in zip(made, spent, strict=True)
    ]
    return ReadDocument(pairs, "", join_usage(spent) if spent else reply.usage)


async def _settled(
    pair: ExtractedPair, section: Section, context: ExtractContext, allowance: Allowance
) -> tuple[FoundPair, Usage]:
    """A pair after its refinement, with everything that code can say of it."""
    if not context.refine:
        return _found(pair, section, context, [], 1), no_usage()
    reply = await refine(section.text, section.title, pair, context=context, allowance=allowance)
    if isinstance(reply, Failure):
        if reply.kind in PASSING:
            raise Unanswered(f"{reply.kind}: {reply.detail}")
        return _found(pair, section, context, [], 1, ("unrefined", f"{reply.kind}: {reply.detail}")), reply.usage
    refined = reply.value
    if refined.verdict == "reject":
        return _found(pair, section, context, [], 2, ("refined_away", refined.reason)), reply.usage
    if refined.verdict == "keep":
        return _found(pair, section, context, [], 2), reply.usage
    better = pair.model_copy(
        update={"question": refined.question, "answer": refined.answer, "evidence": refined.evidence}
    )
    corrected = better.question == pair.question and better.answer != pair.answer
    replaced = [Rejected(answer=pair.answer, reason=refined.reason or "corrected")] if corrected else []
    return _found(better, section, context, replaced, 2), reply.usage


def _found(
    pair: ExtractedPair,
    section: Section,
    context: ExtractContext,
    rejected: list[Rejected],
    rounds: int,
    refusal: tuple[str, str] | None = None,
) -> FoundPair:
    """The pair with its quotes placed in the whole document, its statements, and the first thing that is wrong with it."""
    held = located(pair, section.text)
    answer = pair.answer.strip()
    texts = [quote["text"] for quote in held.quotes]
    statements = _statements(answer, texts)
    least = min((statement["support"] for statement in statements), default=None)
    refusal = refusal or _fault(pair, held, least, context)
    quotes = [
        RowQuote(text=quote["text"], start=section.start + quote["start"], end=section.start + quote["end"])
        for quote in held.quotes
    ]
    source = RowSource(
        id=1,
        uri=section.uri,
        title=section.title,
        retrieved_at=section.retrieved_at,
        sha256=section.sha256,
        license=section.license,
        quotes=quotes,
    )
    outcome = Outcome(
        answer=answer,
        language=language_of_pair(pair.question, answer),
        grounding="quotes",
        statements=statements,
        sources=[source] if quotes else [],
        critic=Critic(
            verdict="reject" if refusal else "accept",
            confidence=None,
            support=least,
            agreement=None,
            samples=0,
            rounds=rounds,
            problems=[],
        ),
        vote=None,
        rejected=rejected,
        usage=spent_on(no_usage()),
        fault=Fault(reason=refusal[0], detail=refusal[1][:2_000], quarantined=False) if refusal else None,
    )
    return FoundPair(" ".join(pair.question.split()), pair.level, outcome)


def _fault(pair: ExtractedPair, held: Located, least: float | None, context: ExtractContext) -> tuple[str, str] | None:
    if not held.quotes:
        return "not_verbatim", held.reason
    if why := faults(pair.question, pair.answer, [quote["text"] for quote in held.quotes]):
        return "does_not_stand", why
    if least is None or least < context.min_support:
        return "unsupported", f"a sentence of the answer has a support of {least or 0:.2f} from its quotes"
    return None


def _statements(answer: str, quotes: Sequence[str]) -> list[RowStatement]:
    """The sentences of the answer, each with the quotes that carry it."""
    if not quotes:
        return []
    made = []
    for span in sentences(answer):
        text = answer[span.start : span.end]
        whole = support(text, quotes)
        # A quote that carries the sentence alone is enough; else all together do.
        alone = [number for number, quote in enumerate(quotes) if support(text, [quote]) >= whole]
        carrying = alone[:1] or range(len(quotes))
        made.append(
            RowStatement(text=text, citations=[1], quotes=[[1, number] for number in carrying], support=round(whole, 4))
        )
    return made
