"""What a run searches: its corpus, the web providers that are set up, and one fetcher for the pages they name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from searchinstruct_graph.agents.context import AgentContext, ResearchContext
from searchinstruct_graph.agents.evidence import Quote
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.words import words
from searchinstruct_graph.tools.corpus import PYDOC, Corpus, is_page
from searchinstruct_graph.tools.corpus.sources import printable
from searchinstruct_graph.tools.fetching import SafeFetcher, is_web
from searchinstruct_graph.tools.search import CorpusSearch, SearchProvider, SearxngSearch, Sources, TavilySearch
from searchinstruct_graph.tools.search.provider import WebOptions
from searchinstruct_graph.tools.search.searxng import ADDRESS
from searchinstruct_graph.tools.search.tavily import KEY

MOST_OPEN = 16
"""Corpora that a process keeps open."""

PRIVATE_RUN = 6
"""Words in a row that a query for the web may not share with a private document."""

_SET_UP = {"tavily": KEY, "searxng": ADDRESS}
_opened: dict[tuple[tuple[str, ...], str, str | None], Corpus] = {}


@dataclass(frozen=True, slots=True)
class Connections:
    """What an application gives a graph when it builds it: search providers beside the corpus in place of the
    settings' web providers, and a fetcher in place of the usual one.
    """

    providers: tuple[SearchProvider, ...] = ()
    fetcher: SafeFetcher | None = None


async def open_corpus(
    context: ResearchContext, connections: Connections | None = None, *, refresh: bool = True
) -> Corpus | None:
    """The run's corpus, brought up to date with its sources when `refresh` is set; None when the run has none.

    Looking for changes costs a `stat` a file, so a searcher refreshes once, at its first query, and the pages that it
    then reads come from the same state of the index.
    """
    connections = connections or Connections()
    named = tuple(context.corpus) or (() if context.web or connections.providers else (PYDOC,))
    if not named:
        return None
    key = (named, context.embeddings, context.index)
    if refresh or key not in _opened:
        fetcher = connections.fetcher or fetcher_for(context) if any(map(is_page, named)) else None
        _opened[key] = await Corpus.open(named, embedding=context.embeddings, index_dir=context.index, fetcher=fetcher)
        while len(_opened) > MOST_OPEN:
            del _opened[next(iter(_opened))]
    return _opened[key]


def fetcher_for(context: AgentContext) -> SafeFetcher:
    """The fetcher of a run with these settings; runs with the same settings share one."""
    return _fetcher(tuple(context.own_sites))


@lru_cache(maxsize=8)
def _fetcher(own_sites: tuple[str, ...]) -> SafeFetcher:
    return SafeFetcher(own_sites=own_sites)


def web_providers(context: ResearchContext) -> list[SearchProvider]:
    """The web search providers that the settings ask for and that are set up.

    Raises:
        UsageError: none is, or one that was asked for by name is not; the message says what to set.
    """
    if not context.web:
        return []
    chosen: Sequence[str] = context.search_providers or [
        name for name, variable in _SET_UP.items() if os.environ.get(variable)
    ]
    if not chosen:
        raise UsageError(
            f"web search needs a provider: set {KEY} (a key from tavily.com) or {ADDRESS} (the address of a SearxNG)"
        )
    for name in chosen:
        if not os.environ.get(_SET_UP[name]):
            raise UsageError(f"search provider {name} is not set up: set {_SET_UP[name]}")
        if name == "searxng" and not is_web(os.environ[ADDRESS]):
            raise UsageError(f"{ADDRESS} must be the address of a SearxNG, such as http://localhost:8888")
    options = WebOptions(
        context.topic, context.time_range, tuple(context.include_domains), tuple(context.exclude_domains)
    )
    return [_provider(name, os.environ[_SET_UP[name]], options, context.extract == "always") for name in chosen]


def web_left_out(context: ResearchContext) -> str:
    """Which providers are not asked and what to set for them; empty when none is missing or some were chosen by name."""
    if not context.web or context.search_providers:
        return ""
    missing = [f"{name} (set {variable})" for name, variable in _SET_UP.items() if not os.environ.get(variable)]
    return ", ".join(missing)


@lru_cache(maxsize=32)
def _provider(name: str, access: str, options: WebOptions, read_pages: bool) -> SearchProvider:
    return TavilySearch(access, options, read_pages=read_pages) if name == "tavily" else SearxngSearch(access, options)


async def open_sources(context: ResearchContext, connections: Connections, *, refresh: bool) -> Sources:
    """Everything that the run may search and read. Raises UsageError as `web_providers` and `Corpus.open` do."""
    corpus = await open_corpus(context, connections, refresh=refresh)
    web = connections.providers or web_providers(context)
    readers = [each for each in web if isinstance(each, TavilySearch)] if context.extract == "fallback" else []
    return Sources(
        [*([CorpusSearch(corpus)] if corpus else []), *web],
        connections.fetcher or fetcher_for(context),
        fallback=readers[0] if readers else None,
    )


def repeats_private(query: str, question: str, quotes: Sequence[Quote], files: Sequence[str]) -> bool:
    """Whether `query` holds `PRIVATE_RUN` words in a row of a quote out of the person's own `files` that the question itself
    does not hold: such a query would carry them to a stranger.
    """
    places = tuple(printable(file).rstrip("/") for file in files)
    private = [quote for quote in quotes if quote["uri"].startswith(places)] if places else []
    if not private:
        return False
    asked, known = words(query), f" {' '.join(words(question))} "
    runs = [f" {' '.join(asked[at : at + PRIVATE_RUN])} " for at in range(len(asked) - PRIVATE_RUN + 1)]
    held = [f" {' '.join(words(quote['text']))} " for quote in private]
    return any(run in text for run in runs if run not in known for text in held)
