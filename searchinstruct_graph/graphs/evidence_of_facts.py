"""What the sources say about a fact: quotes that carry its new state, or why there are none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from typing_extensions import TypedDict

from searchinstruct_graph.agents.edit_context import EditContext
from searchinstruct_graph.agents.editor import carried, speaks, standing
from searchinstruct_graph.agents.evidence import Quote, SubQuestion, merge_quotes, orders, quote_key, shown_title
from searchinstruct_graph.agents.reader import QUOTE_CHARS
from searchinstruct_graph.agents.searcher import fresh_queries, windows_of
from searchinstruct_graph.agents.sources import Connections, open_sources
from searchinstruct_graph.datasets.acceptance import Blocked
from searchinstruct_graph.datasets.facts import Fact
from searchinstruct_graph.graphs.answering import Unanswered
from searchinstruct_graph.graphs.research import unread, unsearched
from searchinstruct_graph.graphs.searcher import SearcherGraph
from searchinstruct_graph.graphs.state import SearcherInput
from searchinstruct_graph.models.chat import OFFLINE, resolve_model
from searchinstruct_graph.models.limits import Allowance, remaining, reserve
from searchinstruct_graph.models.support import Piece
from searchinstruct_graph.models.usage import Usage, add_usage, join_usage, no_usage
from searchinstruct_graph.text.compare import ENOUGH, coverage
from searchinstruct_graph.text.editing import holds
from searchinstruct_graph.text.periods import Period, fits, periods_of, year_of
from searchinstruct_graph.text.sentences import Span, sentences
from searchinstruct_graph.text.standalone import unnamed
from searchinstruct_graph.tools.fetching import Unfetched
from searchinstruct_graph.tools.reading import Document
from searchinstruct_graph.tools.search import CORPUS

ABOUT = 0.6
"""Share of the subject's content words that a quote, its page's title and address must hold to be about it, unless they name
it, be it a person by the surname: "District" alone is no district's name."""

SHOWN = 8
"""Quotes that the editor sees: those that carry the new state first."""

CARRYING = 5
"""Of them at most, that carry it."""

SPOTTED = 24
"""Sentences of the pages that were read which are weighed as quotes, though the reader did not pick them."""

PAGES, PAGE_CHARS = 3, 8_000
"""Pages beside the quotes in which neighbouring facts are looked for, and characters of each."""

KEPT_BACK = 10
"""Model calls that searching leaves for what comes after it."""

IN_TIME = 0.25
"""What it adds to a quote's support, of 1, that it speaks of the time at which the fact begins."""


EARLY = 0.05
"""What it adds at most to stand early on its page."""


class Evidence(TypedDict):
    """What the sources say about a fact; with a `reason`, why it is not taken up."""

    quotes: list[Quote]
    """Those that carry the new state first."""
    carrying: int
    """How many of them do."""
    above: list[int]
    """Of each of these the number (from 1) of the quote that is the heading of its list; 0 without one."""
    pages: list[Quote]
    """Longer passages around them."""
    reason: str
    detail: str


def question_of(fact: Fact) -> str:
    """The question that a fact is searched by: the person's own, else a plain one."""
    return fact["question"] or f"What is the {fact['relation']} of {fact['subject']}?"


async def gather_evidence(
    fact: Fact,
    context: EditContext,
    searcher: SearcherGraph,
    allowance: Allowance,
    blocked: Blocked | None = None,
    connections: Connections | None = None,
) -> tuple[Evidence, Usage]:
    """Search for the fact, at first by its question, then by its new object, until a quote about the subject names that object.

    Raises:
        Unanswered: no search was answered or no page could be read, which says nothing about the fact.
    """
    question, used = question_of(fact), no_usage()
    rounds = [
        (question, [question, f"{fact['subject']} {fact['relation']}"]),
        (
            f"{question.rstrip('?؟？ ')}: {fact['new']}?",
            [f"{fact['subject']} {fact['relation']} {fact['new']}", f"{fact['subject']} {fact['new']}"],
        ),
    ]
    quotes: list[Quote] = []
    tried: list[str] = []
    windows: list[str] = []
    read: list[str] = []
    pages: list[Document] = []
    carrying: list[Quote] = []
    for asked, queries in rounds:
        left = reserve(remaining(allowance, used), model_calls=KEPT_BACK)
        fresh = fresh_queries(queries, tried)
        if not fresh or not left["model_calls"] or not left["searches"] or not left["pages"]:
            break
        found = await searcher.ainvoke(_search_for(fact, asked, fresh, left, quotes, tried, windows), context=context)
        spent = join_usage([branch["usage"] for branch in found["branches"]])
        used = add_usage(used, spent)
        failed = unsearched(spent["providers"]) or unread(found["readings"])
        if failed and not found["evidence"]:
            raise Unanswered(failed)
        tried, windows = found["tried"], found["windows"]
        fresh_pages = [uri for uri in dict.fromkeys(found["read"]) if uri not in read]
        read += fresh_pages
        pages += await _reopened(fresh_pages, context, connections, blocked)
        quotes = [each for each in found["evidence"] if not (blocked and blocked.holds(each["uri"], each["sha256"]))]
        spotted = [quote for page in pages for quote in _spotted(fact, page)]
        carrying = merge_quotes([quote for quote in quotes if carries(fact, quote)], spotted[:SPOTTED])
        if carrying:
            break
    if not carrying:
        return _refused(quotes, *_refusal(fact, quotes, len(read))), used
    by_uri = {page.uri: page for page in pages}
    headings = {quote_key(quote): _heading(quote, by_uri.get(quote["uri"])) for quote in carrying}
    carrying, stating = ranked(fact, carrying, headings)
    if other := dated_otherwise(fact, carrying):
        return _refused(carrying, "other_period", other), used
    # Counting words cannot tell that a page says it in others; a critic that reads can, and is asked later.
    if not stating and resolve_model(context.model_for("critic")) == OFFLINE:
        what = f"{carrying[0]['uri']} names {fact['new']!r}, but no quote that does speaks of {fact['relation']!r}"
        return _refused(carrying, "unsupported", what), used
    carrying = [quote for quote in carrying if in_time(fact, quote["text"]) > -1][:CARRYING] or carrying[:1]
    tops = [headings[quote_key(quote)] for quote in carrying]
    shown = merge_quotes(carrying, [*(top for top in tops if top), *quotes])[:SHOWN]
    places = {quote_key(quote): number for number, quote in enumerate(shown, 1)}
    above = [places.get(quote_key(top), 0) if top else 0 for top in tops]
    around = _passages(carrying, by_uri)
    return Evidence(quotes=shown, carrying=len(carrying), above=above, pages=around, reason="", detail=""), used


def _refused(quotes: Sequence[Quote], reason: str, detail: str) -> Evidence:
    return Evidence(quotes=list(quotes[:SHOWN]), carrying=0, above=[], pages=[], reason=reason, detail=detail)


def _search_for(
    fact: Fact,
    asked: str,
    queries: list[str],
    allowance: Allowance,
    known: list[Quote],
    tried: list[str],
    windows: list[str],
) -> SearcherInput:
    as_of = f" as of {fact['as_of']}" if fact["as_of"] else ""
    sub_question = SubQuestion(
        text=asked,
        queries=queries,
        requires=[f"the {fact['relation']} of {fact['subject']}{as_of}"],
        status="open",
        missing=[],
    )
    return SearcherInput(
        number=1,
        question=asked,
        sub_question=sub_question,
        allowance=allowance,
        evidence=known,
        tried=tried,
        windows=windows,
    )


def about(fact: Fact, text: str, title: str, uri: str) -> bool:
    """Whether a passage is about the fact's subject, by its words or its page's name."""
    told = f"{text}\n{title}"
    return holds(told, fact["subject"], surnames=True) or coverage(fact["subject"], [f"{told}\n{uri}"]) >= ABOUT


def carries(fact: Fact, quote: Quote) -> bool:
    """Whether a quote about the subject names the new object."""
    return holds(quote["text"], fact["new"], fact["old"]) and about(fact, quote["text"], quote["title"], quote["uri"])


# Which quotes speak for it most?


def pieces(evidence: Evidence) -> list[Piece]:
    """The quotes that carry the new state, each under its page's title and the heading of its list."""
    quotes = evidence["quotes"]
    tops = [quotes[number - 1] if number else None for number in evidence["above"]]
    return [_piece(quote, top) for quote, top in zip(quotes[: evidence["carrying"]], tops, strict=True)]


def _piece(quote: Quote, heading: Quote | None = None) -> Piece:
    title = shown_title(quote["title"])
    return Piece(quote["text"], f"{title} {heading['text']}" if heading else title)


def ranked(fact: Fact, quotes: Sequence[Quote], headings: Mapping[str, Quote | None]) -> tuple[list[Quote], int]:
    """Quotes that name the new object, and how many of them speak of the relation: these first, and of them those that state
    the fact best and speak of the time at which it begins; what dates it otherwise last. `headings` are by `quote_key`.
    """
    worth: dict[str, tuple[bool, float]] = {}
    for at, quote in enumerate(sorted(quotes, key=lambda quote: (quote["uri"], quote["start"]))):
        stated = standing(fact, _piece(quote, headings.get(quote_key(quote))))
        # How something began is told before how it went on.
        early = EARLY * (1 - at / len(quotes))
        worth[quote_key(quote)] = stated > 0, stated + in_time(fact, quote["text"]) + early
    order = sorted(quotes, key=lambda quote: worth[quote_key(quote)], reverse=True)
    return order, sum(stating for stating, _ in worth.values())


def in_time(fact: Fact, text: str) -> float:
    """What a quote is worth for its time, -1 to `IN_TIME`: it gives the new object a period in which the fact begins, or names
    that year; names other years alone; or gives it other periods alone.
    """
    year = year_of(fact["as_of"])
    if year is None:
        return 0.0
    periods = periods_of(text, fact["new"], fact["old"])
    if any(fits(period, year) for period in periods) or str(year) in text:
        return IN_TIME
    return -1.0 if periods else -IN_TIME / 2 if year_of(text) else 0.0


def dated_otherwise(fact: Fact, quotes: Sequence[Quote]) -> str:
    """The words against a fact whose new object the quotes date, but never so that it held when the fact begins; empty when
    some do, or none says from when to when. A quote that opens a period later says nothing against the fact.
    """
    year = year_of(fact["as_of"])
    if year is None:
        return ""
    dated: list[tuple[Period, Quote]] = []
    for quote in quotes:
        periods = periods_of(quote["text"], fact["new"], fact["old"])
        if any(fits(period, year) for period in periods):
            return ""
        # Undated, and right in the year that is asked about: it may be what the fact rests on.
        if not periods and str(year) in quote["text"]:
            return ""
        dated += [(period, quote) for period in periods]
    if not dated:
        return ""
    (start, end), quote = dated[0]
    told = f"from {start} to {end}" if end else f"since {start}"
    return f"{quote['uri']} says {fact['new']!r} {told}, not as of {fact['as_of']}"


# What the reader did not pick.


async def _reopened(
    uris: Sequence[str], context: EditContext, connections: Connections | None, blocked: Blocked | None
) -> list[Document]:
    """The pages that were read, as they are kept."""
    sources = await open_sources(context, connections or Connections(), refresh=False)
    found: list[Document] = []
    for uri in uris:
        page = await sources.read(uri, CORPUS, seconds=context.max_seconds)
        if not isinstance(page, Unfetched) and not (blocked and blocked.holds(page.uri, page.sha256)):
            found.append(page)
    return found


def _spotted(fact: Fact, page: Document) -> Iterator[Quote]:
    """Sentences of a page that carry the fact, each with the one before where it opens with a pronoun."""
    if not holds(page.text, fact["new"], fact["old"]):
        return
    last = 0
    for span in sentences(page.text):
        text = page.text[span.start : span.end]
        first = last if unnamed(text) and span.end - last <= QUOTE_CHARS else span.start
        last = span.start
        if holds(text, fact["new"], fact["old"]):
            quote = _slice(page, Span(first, span.end))
            if len(quote["text"]) <= QUOTE_CHARS and carries(fact, quote) and not orders(quote["text"]):
                yield quote


def _slice(page: Document, span: Span) -> Quote:
    return Quote(
        uri=page.uri,
        title=page.title,
        text=page.text[span.start : span.end],
        start=span.start,
        end=span.end,
        sha256=page.sha256,
        retrieved_at=page.retrieved_at,
        license=page.license,
        points=[[1, 1]],
    )


_ITEM = re.compile(r"\s*(?:[-–—*•·‣▪]|\d{1,3}[.)]|\|)\s|\s*$")
_HEADING_CHARS, _LIST_CHARS = 300, 6_000
"""Longest heading of a list that is quoted, and how far above an item it is looked for."""


def _heading(quote: Quote, page: Document | None) -> Quote | None:
    """The line above the list in which a quote is an item: it says what the items are."""
    if page is None or page.sha256 != quote["sha256"]:
        return None
    start = page.text.rfind("\n", 0, quote["start"]) + 1
    if not _ITEM.match(page.text[start : quote["end"]]):
        return None
    while start > max(0, quote["start"] - _LIST_CHARS):
        end = start - 1
        start = page.text.rfind("\n", 0, end) + 1
        line = page.text[start:end]
        if not _ITEM.match(line):
            told = line.strip()
            at = start + line.find(told)
            if len(told) > _HEADING_CHARS or orders(told):
                return None
            return _slice(page, Span(at, at + len(told)))
    return None


def _refusal(fact: Fact, quotes: Sequence[Quote], read: int) -> tuple[str, str]:
    """Why no quote carries the new state: pages say the old one, or speak of neither."""
    told = [q for q in quotes if about(fact, q["text"], q["title"], q["uri"])]
    stale = [q for q in told if fact["old"] and holds(q["text"], fact["old"], fact["new"])]
    if stale:
        return (
            "contradicted",
            f"{stale[0]['uri']} still says {fact['old']!r}, and nothing that was read says {fact['new']!r}",
        )
    if any(holds(quote["text"], fact["new"], fact["old"]) for quote in quotes):
        return "ambiguous", f"{fact['new']!r} stands in pages that were read, but not about {fact['subject']!r}"
    pages = f"{read} page{'s' * (read != 1)} read"
    return "no_evidence", f"no page says that the {fact['relation']} of {fact['subject']} is {fact['new']} ({pages})"


def _passages(quotes: Sequence[Quote], pages: dict[str, Document]) -> list[Quote]:
    """Passages around the quotes, as long as their pages still read as they did."""
    spans: dict[str, list[Quote]] = {}
    for quote in quotes:
        spans.setdefault(quote["uri"], []).append(quote)
    found: list[Quote] = []
    for uri, of_page in list(spans.items())[:PAGES]:
        page = pages.get(uri)
        if page is None or page.sha256 != of_page[0]["sha256"]:
            continue
        hits = [(quote["start"], quote["end"]) for quote in of_page]
        for start, end in windows_of(page.text, hits, PAGE_CHARS):
            found.append(_slice(page, Span(start, end)))
    return found


# Which quotes a statement rests on.

CITED = 3
"""Quotes that a statement rests on at most."""

_WORTH_CITING = 0.02
"""Support, of 1, that a further quote must add."""


def cited(fact: Fact, statement: str, evidence: Evidence, chosen: Sequence[int]) -> list[int]:
    """The numbers (from 1) of the quotes that a statement rests on: of those that carry the new state the first that carries it
    by itself (of `chosen`, the editor's own, before others), with the heading of its list, and further ones that do. When none
    does, what together carries it best.
    """
    ours = pieces(evidence)
    held = [carried(statement, [piece]) for piece in ours]
    good = [at for at, piece in enumerate(ours) if held[at] >= ENOUGH and speaks(fact, piece)]
    first = next((at for at in good if at + 1 in chosen), next(iter(good), held.index(max(held))))
    if good:
        numbers = [n for at in [first, *good] for n in (at + 1, evidence["above"][at]) if n]
        return list(dict.fromkeys(numbers))[:CITED]
    found = [number for number in (first + 1, evidence["above"][first]) if number]
    others = [*ours, *(_piece(quote) for quote in evidence["quotes"][len(ours) :])]
    so_far = held[first]
    while so_far < ENOUGH and len(found) < min(CITED, len(others)):
        left = [number for number in range(1, len(others) + 1) if number not in found]
        more, number = max((carried(statement, [others[n - 1] for n in [*found, number]]), -number) for number in left)
        if more < so_far + _WORTH_CITING:
            break
        found, so_far = [*found, -number], more
    return found
