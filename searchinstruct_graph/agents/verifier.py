"""The verifier holds a finished answer against a corpus that it may never have seen, statement by statement.

1. Citations: a cited source must be in the corpus, its quotes verbatim, and they must carry the statement.
2. Support: a statement without citations is looked up; the sentence that it restates most closely is compared with it
   word by word (`agents/rating.py`), and a number, name or negation that differs is a contradiction.
3. With a language model the critic judges support from the same passages; what code sees as a conflict caps it.

Nothing is taken from the row but its words: an answer cannot bring its own evidence.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.critic import judge_support
from searchinstruct_graph.agents.evidence import Quote, Statement, locate
from searchinstruct_graph.agents.rating import Rating, rate
from searchinstruct_graph.datasets.checks import (
    Claim,
    RowCheck,
    Source,
    StatementCheck,
    Verdict,
    asked_in,
    claims_of,
    exchanges,
)
from searchinstruct_graph.datasets.records import Record
from searchinstruct_graph.models.chat import resolve_model
from searchinstruct_graph.models.limits import Allowance, remaining
from searchinstruct_graph.models.support import DIFFERS, is_short
from searchinstruct_graph.models.usage import Usage, add_usage, no_usage
from searchinstruct_graph.text.compare import CONFLICT_CAP, Difference
from searchinstruct_graph.text.words import words
from searchinstruct_graph.tools.corpus import Corpus, Passage
from searchinstruct_graph.tools.corpus.chunks import chunks
from searchinstruct_graph.tools.reading.document import Document

PASSAGES = 5
"""Passages looked up for a statement."""

MOST_STATEMENTS = 200
"""Statements of one answer that are checked; a longer answer fails, since its rest is unknown."""

BELONGS = 0.3
"""Score below which one of several cited sources has nothing to do with the statement."""

_BATCH = 12
"""Statements that the critic judges in one call."""

_QUERY_CHARS = 1_000


@dataclass(slots=True)
class _Found:
    """A claim with what the corpus says to it, before it is judged."""

    claim: Claim
    rating: Rating
    faults: list[str]
    elsewhere: Rating | None = None
    """Where the corpus says what the cited sources do not."""


async def check_row(
    record: Record, corpus: Corpus, context: ResearchContext, allowance: Allowance | None = None
) -> tuple[RowCheck, Usage]:
    """Check one record against the corpus; returns the check and what it cost.

    With the model `offline` all is decided in code; with another one the critic's model judges support, within
    `allowance` (default: the context's limits). A failed judgement leaves its statements unsupported.

    Raises:
        ProviderError: the model's provider refuses every further call.
        UsageError: the model's name or key is missing or wrong.
    """
    claims = await asyncio.to_thread(lambda: list(islice(claims_of(record.data), MOST_STATEMENTS + 1)))
    asked = asked_in(record.data) or (claims[0].question if claims else "")
    answer = "\n\n".join(said for _, said in exchanges(record.data))
    checked = RowCheck(
        where=record.where, question=asked, answer=answer, score=0.0, passed=False, problem="", statements=[]
    )
    if not claims:
        checked["problem"] = "the answer says nothing that could be checked" if answer else "the row has no answer"
        return checked, no_usage()
    found = [await _look_up(claim, corpus, context) for claim in claims[:MOST_STATEMENTS]]
    usage = no_usage()
    if resolve_model(context.model_for("critic")) == "offline":
        statements = [_settled(each, each.rating.score, "", context.min_support) for each in found]
    else:
        statements, usage, failed = await _judged(found, context, allowance or context.limits())
        checked["problem"] = failed or ""
    if len(claims) > MOST_STATEMENTS:
        checked["problem"] = f"the answer has more than {MOST_STATEMENTS} statements; only those were checked"
    checked["statements"] = statements
    checked["score"] = min(each["score"] for each in statements)
    checked["passed"] = not checked["problem"] and all(each["verdict"] == "supported" for each in statements)
    return checked, usage


async def _look_up(claim: Claim, corpus: Corpus, context: ResearchContext) -> _Found:
    faults = [claim.fault] if claim.fault else []
    if not claim.sources:
        return _Found(claim, await _retrieved(claim, corpus, context), faults)
    cited: list[Passage] = []
    for source in claim.sources:
        passages, wrong = await _cited(source, claim, corpus)
        if len(claim.sources) > 1 and not wrong:
            alone = await asyncio.to_thread(rate, claim.text, passages, claim.question)
            if alone.score < BELONGS:
                wrong = [f"the cited source {passages[0].uri if passages else source.uri} says nothing of it"]
        cited += passages
        faults += wrong
    rating = await asyncio.to_thread(rate, claim.text, cited, claim.question)
    if not faults and rating.score >= context.min_support:
        return _Found(claim, rating, faults)
    return _Found(claim, rating, faults, await _retrieved(claim, corpus, context))


async def _retrieved(claim: Claim, corpus: Corpus, context: ResearchContext) -> Rating:
    query = f"{claim.text[:_QUERY_CHARS]} {claim.question[: _QUERY_CHARS // 3]}"
    passages = await corpus.search(query, PASSAGES, instruction=context.instruction)
    return await asyncio.to_thread(rate, claim.text, passages, claim.question)


async def _cited(source: Source, claim: Claim, corpus: Corpus) -> tuple[list[Passage], list[str]]:
    """What a cited source says, as the corpus has it, and what is wrong with the citation."""
    page = await _page(source, corpus)
    if page is None:
        return [], [f"the corpus does not have the source {source.uri or 'that is quoted'}"]
    if not source.quotes:
        return await asyncio.to_thread(_closest_chunks, page, claim), []
    found: list[Passage] = []
    faults: list[str] = []
    for quote in source.quotes:
        span = await asyncio.to_thread(locate, quote, page.text)
        if span is None:
            faults.append(f"the quote “{_short(quote)}” does not stand in {page.uri}")
        else:
            found.append(Passage(page.uri, page.title, "", span[0], span[1], page.text[span[0] : span[1]], 1.0))
    return found, faults


async def _page(source: Source, corpus: Corpus) -> Document | None:
    """The cited document: by its address, or by its content where the corpus was given under another path."""
    if source.uri:
        try:
            return await corpus.read(source.uri)
        except KeyError:
            pass
    for quote in source.quotes[:1]:
        if not quote.strip():
            continue
        for uri in dict.fromkeys(hit.uri for hit in await corpus.search(quote[:_QUERY_CHARS], PASSAGES)):
            page = await corpus.read(uri)
            if page.sha256 == source.sha256 or (not source.uri and locate(quote, page.text)):
                return page
    return None


@lru_cache(maxsize=64)
def _chunked(digest: str, text: str) -> tuple[tuple[int, int, frozenset[str]], ...]:
    return tuple((each.start, each.end, frozenset(words(text[each.start : each.end]))) for each in chunks(text)[:2_000])


def _closest_chunks(page: Document, claim: Claim) -> list[Passage]:
    wanted = set(words(f"{claim.text} {claim.question}"))
    best = sorted(_chunked(page.sha256, page.text), key=lambda each: -len(wanted & each[2]))[:PASSAGES]
    return [Passage(page.uri, page.title, "", start, end, page.text[start:end], 1.0) for start, end, _ in best]


def _line(text: str) -> str:
    return " ".join(text.split())


def _short(text: str) -> str:
    line = _line(text)
    return line if len(line) <= 80 else line[:79] + "…"


def _settled(found: _Found, score: float, said: str, min_support: float) -> StatementCheck:
    """The verdict on one statement, from numbers: `score` is what its own evidence gave, `said` a judge's words."""
    rating, reason = found.rating, said
    if found.faults:
        verdict: Verdict = "miscited"
        reason, score = found.faults[0], min(score, CONFLICT_CAP * DIFFERS)
    elif rating.contradicts and score < min_support:
        verdict, reason = "contradicted", _difference(next(each for each in rating.differences if each.held))
    elif score >= min_support:
        verdict, reason = "supported", ""
    elif found.elsewhere and found.elsewhere.score >= min_support:
        verdict, reason = "miscited", f"its citation does not carry it; {_named(found.elsewhere)} does"
    elif found.elsewhere and found.elsewhere.contradicts:
        verdict, rating = "contradicted", found.elsewhere
        reason = _difference(next(each for each in rating.differences if each.held))
    else:
        verdict = "not_found"
        reason = said or (_difference(rating.differences[0]) if rating.differences else "no passage says this")
    shown = found.elsewhere if found.elsewhere and rating.passage is None else rating
    return StatementCheck(
        text=found.claim.text,
        verdict=verdict,
        score=round(score, 4),
        reason=reason,
        uri=shown.passage.uri if shown.passage else "",
        title=shown.passage.title if shown.passage else "",
        start=shown.start,
        end=shown.end,
        passage=shown.text,
    )


def _named(rating: Rating) -> str:
    return rating.passage.uri if rating.passage else "another page"


def _difference(each: Difference) -> str:
    if not each.held:
        return f"“{_short(each.claimed)}” stands in no passage"
    return f"says “{_short(each.claimed)}” where the source says “{_short(each.held)}”"


# The critic's judgement -----------------------------------------------------------------------------------------------


async def _judged(
    found: Sequence[_Found], context: ResearchContext, allowance: Allowance
) -> tuple[list[StatementCheck], Usage, str | None]:
    """The statements as the critic's model sees them, in batches; usage, and the first call that failed."""
    settled: list[StatementCheck] = []
    usage, failure = no_usage(), None
    for at in range(0, len(found), _BATCH):
        batch = found[at : at + _BATCH]
        quotes: dict[tuple[str, int], Quote] = {}
        statements = [_statement(each, quotes) for each in batch]
        gated = {number: "no passage says this" for number, each in enumerate(statements, 1) if not each["quotes"]}
        judged, doubts, used, failed = await judge_support(
            statements, list(quotes.values()), gated, context, remaining(allowance, usage)
        )
        usage, failure = add_usage(usage, used), failure or failed
        said = iter(doubts)
        for number, (each, statement) in enumerate(zip(batch, judged, strict=True), 1):
            score = statement["support"]
            doubted = not failed and (number in gated or score < context.min_support)
            words_said = next(said, "") if doubted else failed or ""
            if any(d.held and d.kind in ("number", "negation") for d in each.rating.differences):
                score = min(score, CONFLICT_CAP)
            settled.append(_settled(each, score, words_said, context.min_support))
    return settled, usage, failure


def _statement(found: _Found, quotes: dict[tuple[str, int], Quote]) -> Statement:
    """The statement as the critic takes it; its passages join `quotes`."""
    numbers = []
    for passage in found.rating.considered[:3]:
        key = (passage.uri, passage.start)
        if key not in quotes:
            quotes[key] = _as_quote(passage)
        numbers.append(list(quotes).index(key) + 1)
    claim = found.claim
    alone = not is_short(claim.text) or not claim.question
    text = claim.text if alone else f"The answer to “{_line(claim.question)[:1_000]}” is: {claim.text}"
    return Statement(text=text[:2_000], quotes=numbers, support=0.0)


def _as_quote(passage: Passage) -> Quote:
    digest = hashlib.sha256(passage.text.encode("utf-8", "replace")).hexdigest()
    return Quote(
        uri=passage.uri,
        title=passage.title,
        text=passage.text,
        start=passage.start,
        end=passage.end,
        sha256=digest,
        retrieved_at="",
        license=None,
        points=[],
    )
