"""The searcher goes round: query, read, is it enough?, another query, until the evidence suffices or the budget ends.

"Enough" is the model's verdict *and* a floor in code: a verbatim quote for every required point, from at least
`min_sources` different sources. No query is sent twice and no part of a page is read twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pydantic import Field

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt, Schema, ask_model
from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.evidence import Quote, SubQuestion, shown_title
from searchinstruct_graph.agents.sources import repeats_private
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.structured import Failure
from searchinstruct_graph.models.tagged import Inputs
from searchinstruct_graph.models.usage import Usage
from searchinstruct_graph.text.constraints import read_constraints
from searchinstruct_graph.text.urls import urls_in, without_urls
from searchinstruct_graph.tools.fetching import canonical_url
from searchinstruct_graph.tools.search import CORPUS, Answers, Hit, Sources

SEARCH_DEPTH = 4
"""Hits asked for per page that will be read: the rest show where else in the same pages to look."""


class Coverage(Schema):
    """Which quotes carry one required point."""

    point: int = Field(ge=1)
    quotes: list[int] = Field(max_length=50, description="Numbers of the quotes that state it; empty when none does.")


class Sufficiency(Schema):
    """Is the evidence enough, and if not, what to search for next."""

    sufficient: bool
    covered: list[Coverage] = Field(max_length=20)
    missing: list[str] = Field(max_length=5, description="What no quote states yet.")
    next_queries: list[str] = Field(max_length=3, description="New queries; names found in the quotes are good ones.")


ASSESS = Prompt(
    "assess",
    1,
    f"""You judge whether quotes are enough to answer the question. For every numbered point list the quotes that state
it outright; a quote on the same subject that does not state it does not count. `sufficient` is true only when each
point is covered. Otherwise name what is missing and give up to three new search queries, different from the tried
ones. When a quote names the person, place, work or organisation that the question describes without naming, ask about
that name next.
{DATA_RULE}""",
)


def fresh_queries(proposed: Sequence[str], tried: Sequence[str]) -> list[str]:
    """The proposed queries that were not sent yet, compared without case and spacing; at most three."""
    known = {" ".join(query.split()).casefold() for query in tried}
    fresh: dict[str, str] = {}
    for query in proposed:
        spaced = " ".join(query.split())
        if spaced and spaced.casefold() not in known:
            fresh.setdefault(spaced.casefold(), spaced)
    return list(fresh.values())[:3]


def windows_of(text: str, hits: Sequence[tuple[int, int]], page_chars: int) -> list[tuple[int, int]]:
    """The spans of a page to read: all of it when short, else the hits, each widened to the paragraphs around it, best
    first, as far as `page_chars` goes.

    Spans are disjoint, in page order, inside the page, and together at most `page_chars` long.
    """
    if len(text) <= page_chars:
        return [(0, len(text))]
    margin = page_chars // (8 * max(1, len(hits)))
    taken: list[tuple[int, int]] = []
    room = page_chars
    for hit_start, hit_end in hits:
        start, end = _widened(text, hit_start, hit_end, margin)
        if end - start <= room:
            room -= end - start
            taken.append((start, end))
    if not taken:
        start, end = hits[0]
        taken = [(start, min(end, start + page_chars))]
    joined: list[tuple[int, int]] = []
    for start, end in sorted(taken):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _widened(text: str, start: int, end: int, margin: int) -> tuple[int, int]:
    """The span and up to `margin` characters on each side, cut at a paragraph, else a line, so that no sentence is torn."""
    low, high = max(0, start - margin), min(len(text), end + margin)
    if low:
        at = max(text.find("\n\n", low, start), text.find("\n", low, start) if "\n\n" not in text[low:start] else -1)
        low = at + 1 if at >= 0 else start
    if high < len(text):
        at = text.rfind("\n\n", end, high)
        at = at if at >= 0 else text.rfind("\n", end, high)
        high = at if at >= 0 else end
    return low, high


def window_key(uri: str, start: int, end: int) -> str:
    """Names a part of a page that was read."""
    return f"{uri}@{start}-{end}"


def windows_by_page(keys: Sequence[str]) -> dict[str, list[tuple[int, int]]]:
    """The spans read of each page, from their keys."""
    found: dict[str, list[tuple[int, int]]] = {}
    for key in keys:
        uri, _, span = key.rpartition("@")
        start, _, end = span.partition("-")
        found.setdefault(uri, []).append((int(start), int(end)))
    return found


@dataclass(frozen=True, slots=True)
class Proposals:
    """What a model wants next, sorted: queries to send, pages to open that were given, and pages that nobody gave."""

    queries: list[str]
    pages: list[str]
    refused: list[str]


def sorted_proposals(proposed: Sequence[str], tried: Sequence[str], given: Sequence[str]) -> Proposals:
    """Take the web addresses out of the proposed queries.

    An address is opened only when a person or a search result gave it: one that a model has composed could carry what
    it has read to a stranger.
    """
    known = {canonical_url(url): url for url in given}
    wanted = [url for text in proposed for url in urls_in(text)]
    return Proposals(
        queries=fresh_queries([without_urls(text) for text in proposed], tried),
        pages=list(dict.fromkeys(known[canonical_url(url)] for url in wanted if canonical_url(url) in known)),
        refused=[url for url in dict.fromkeys(wanted) if canonical_url(url) not in known],
    )


def instruction_for(sub_question: SubQuestion, context: ResearchContext) -> str:
    """What kind of source a sub-question needs: what the person has set, and what the plan adds for this part.

    What the plan adds gives way where it excludes what the person has set.
    """
    said, planned = context.instruction.strip(), sub_question.get("instruction", "").strip()
    both = "; ".join(dict.fromkeys(filter(None, (said, planned))))
    if said and planned:
        today = date.today()
        if read_constraints(both, today).contradictory != read_constraints(said, today).contradictory:
            return said
    return both


async def run_queries(
    sources: Sources,
    queries: Sequence[str],
    question: str,
    quotes: Sequence[Quote],
    context: ResearchContext,
    *,
    instruction: str = "",
    seconds: float | None = None,
) -> list[Answers]:
    """What every source found for each query. A query that repeats a private document goes to the corpus alone."""
    depth = context.hits * SEARCH_DEPTH
    web = [name for name in sources.names if name != CORPUS]
    return await asyncio.gather(
        *(
            sources.search(
                query,
                depth,
                instruction=instruction,
                without=web if web and repeats_private(query, question, quotes, context.files) else (),
                seconds=seconds,
            )
            for query in queries
        )
    )


def choose_hits(ranked: Sequence[Sequence[Hit]], read: Sequence[str], pages: int) -> dict[str, list[Hit]]:
    """The best `pages` pages over several rankings, with their hits outside what was `read` (window keys) before.

    Rankings take turns, so that every query gets its first choice before any gets its second. A hit without a span
    stands for a whole page, which is chosen once.
    """
    known: dict[str, list[tuple[int, int]]] = {}
    for uri, spans in windows_by_page(read).items():
        known.setdefault(canonical_url(uri), []).extend(spans)
    chosen: dict[str, list[Hit]] = {}
    for rank in range(max((len(hits) for hits in ranked), default=0)):
        for hit in (hits[rank] for hits in ranked if rank < len(hits)):
            page = canonical_url(hit.uri)
            seen, span = known.get(page, []), hit.span
            if (seen and span is None) or (span and any(s <= span[0] and span[1] <= e for s, e in seen)):
                continue
            if page in chosen:
                if hit not in chosen[page]:
                    chosen[page].append(hit)
            elif len(chosen) < pages:
                chosen[page] = [hit]
    return {hits[0].uri: hits for hits in chosen.values()}


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is known after a round of reading."""

    sufficient: bool
    missing: list[str]
    next_queries: list[str]
    usage: Usage
    problem: str | None = None


def floor_missing(
    points: Sequence[str], covered: Sequence[Coverage], quotes: Sequence[Quote], min_sources: int
) -> list[str]:
    """What the floor in code still lacks: points without a real quote, and sources too few."""
    valid: dict[int, set[int]] = {}
    for entry in covered:
        valid.setdefault(entry.point, set()).update(number for number in entry.quotes if 1 <= number <= len(quotes))
    missing = [point for number, point in enumerate(points, 1) if not valid.get(number)]
    sources = {quotes[number - 1]["uri"] for numbers in valid.values() for number in numbers}
    if not missing and len(sources) < min_sources:
        missing.append(f"{min_sources - len(sources)} more independent source(s)")
    return missing


async def assess(
    sub_question: SubQuestion,
    quotes: Sequence[Quote],
    tried: Sequence[str],
    context: ResearchContext,
    allowance: Allowance,
) -> Assessment:
    """Is the evidence enough for `sub_question`? A failed call counts as "no" and proposes nothing."""
    inputs = Inputs().add("question", sub_question["text"]).add_numbered("point", sub_question["requires"])
    for number, quote in enumerate(quotes, 1):
        inputs.add("quote", quote["text"], id=number, title=shown_title(quote["title"]))
    inputs.add_numbered("tried", tried)
    outcome = await ask_model(context, "searcher", ASSESS, inputs, Sufficiency, allowance=allowance)
    if isinstance(outcome, Failure):
        problem = f"searcher: {outcome.kind}: {outcome.detail}"
        return Assessment(False, list(sub_question["requires"]), [], outcome.usage, problem)
    judged = outcome.value
    lacking = floor_missing(sub_question["requires"], judged.covered, quotes, context.min_sources)
    enough = judged.sufficient and not lacking
    missing = [] if enough else list(dict.fromkeys([*judged.missing, *lacking]))[:5]
    return Assessment(enough, missing, judged.next_queries, outcome.usage)
