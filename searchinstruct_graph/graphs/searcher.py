"""The searcher: START → search → read (one branch a page) → assess → search again | report → END."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Overwrite, Send

from searchinstruct_graph.agents.context import ResearchContext, settings
from searchinstruct_graph.agents.evidence import Quote, Reading, merge_applied
from searchinstruct_graph.agents.progress import progress
from searchinstruct_graph.agents.reader import read_page
from searchinstruct_graph.agents.searcher import (
    SEARCH_DEPTH,
    assess,
    choose_hits,
    fresh_queries,
    instruction_for,
    run_queries,
    sorted_proposals,
    window_key,
    windows_of,
)
from searchinstruct_graph.agents.sources import Connections, open_sources
from searchinstruct_graph.graphs.state import (
    Branch,
    PageTask,
    SearcherInput,
    SearcherOutput,
    SearcherState,
    Window,
)
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.limits import remaining, reserve, shares, spent
from searchinstruct_graph.models.usage import ProviderUsage, add_usage, join_usage, no_usage
from searchinstruct_graph.text.constraints import read_constraints
from searchinstruct_graph.text.urls import urls_in
from searchinstruct_graph.tools.corpus.excerpts import best_spans
from searchinstruct_graph.tools.fetching import Unfetched, is_web
from searchinstruct_graph.tools.search import CORPUS, GIVEN, Asked, Hit, outside_of

SearcherGraph = CompiledStateGraph[SearcherState, ResearchContext, SearcherInput, SearcherOutput]


async def search(
    state: SearcherState, runtime: Runtime[ResearchContext], *, connections: Connections
) -> dict[str, Any]:
    """Send the fresh queries and choose pages; at first also the pages that the person named in the question."""
    context, say, began = settings(runtime), runtime.stream_writer, time.monotonic()
    hop = state.get("hop", 0) + 1
    left = remaining(state["allowance"], state.get("usage") or no_usage())
    sources = await open_sources(context, connections, refresh=hop == 1)
    given = urls_in(state["question"]) if sources.reads_web else []
    proposed = state["queries"] if hop > 1 else state["sub_question"]["queries"]
    wanted = sorted_proposals(proposed, state["tried"], [*given, *state.get("offered", [])])
    queries = wanted.queries[: left["searches"]]
    answers = await run_queries(
        sources,
        queries,
        state["question"],
        state["evidence"],
        context,
        instruction=instruction_for(state["sub_question"], context),
        seconds=left["seconds"],
    )
    # Every page costs a call, and one call is kept for `assess`.
    room = min(context.hits, left["pages"], max(0, left["model_calls"] - 1))
    named = [Hit(url, url, provider=GIVEN) for url in [*(given if hop == 1 else []), *wanted.pages]]
    chosen = choose_hits([named, *(answer.hits for answer in answers)], state["windows"], room)
    for query, answer in zip(queries, answers, strict=True):
        failed = [f"{each.provider} failed" for each in answer.asked if each.failure]
        said = f"searched: {query}" + (f" ({', '.join(failed)})" if failed else "")
        say(progress("search", said, query=query, hits=len(answer.hits), sub_question=state["number"]))
    problems = [f"not opened, because no search result and no person gave it: {url[:200]}" for url in wanted.refused]
    problems += [f"{each.provider}: {each.failure}" for answer in answers for each in answer.asked if each.failure]
    return {
        "hop": hop,
        "tried": [*queries, *wanted.refused],
        "offered": [hit.uri for answer in answers for hit in answer.hits if is_web(hit.uri)],
        "chosen": [
            Window(
                uri=uri,
                provider=hits[0].provider,
                hits=[list(hit.span) for hit in hits if hit.span],
                queries=queries or [state["sub_question"]["text"]],
            )
            for uri, hits in chosen.items()
        ],
        "problems": list(dict.fromkeys(problems)),
        "constraints": merge_applied([], [each for answer in answers for each in answer.constraints]),
        "usage": {
            **no_usage(),
            "searches": len(queries),
            "seconds": time.monotonic() - began,
            "providers": search_usage([each for answer in answers for each in answer.asked]),
        },
        "page_usage": Overwrite([]),
    }


def search_usage(asked: Sequence[Asked]) -> dict[str, ProviderUsage]:
    """The account of some queries, by provider."""
    account: dict[str, ProviderUsage] = {}
    for each in asked:
        held = account.setdefault(each.provider, ProviderUsage(searches=0, failed=0, credits=0.0))
        held["searches"] += 1
        held["failed"] += each.failure is not None
        held["credits"] += each.credits
    return account


def fan_out(state: SearcherState) -> list[Send] | Literal["assess"]:
    """One reading branch a page; each may spend an equal part of what is left, after a call kept for `assess`."""
    pages = state["chosen"]
    left = remaining(state["allowance"], state["usage"])
    # The last search and the last page are there to be used: only what a call needs must be left.
    if not pages or spent({**left, "searches": 1, "pages": 1}):
        return "assess"
    parts = shares(reserve(left, model_calls=1), len(pages))
    return [
        Send("read", PageTask(number=state["number"], sub_question=state["sub_question"], allowance=part, page=page))
        for page, part in zip(pages, parts, strict=True)
    ]


async def read(state: PageTask, runtime: Runtime[ResearchContext], *, connections: Connections) -> dict[str, Any]:
    """Read one page in quarantine: verbatim quotes come out, nothing else. A page that cannot be had is an outcome."""
    context, chosen, began = settings(runtime), state["page"], time.monotonic()
    sources = await open_sources(context, connections, refresh=False)
    page = await sources.read(chosen["uri"], chosen["provider"], seconds=state["allowance"]["seconds"])
    if not isinstance(page, Unfetched) and is_web(page.uri) and chosen["provider"] not in (GIVEN, CORPUS):
        # A page tells more of itself than the search that found it.
        told = read_constraints(instruction_for(state["sub_question"], context), date.today())
        if told.constraints and (broken := await asyncio.to_thread(outside_of, page, told.constraints)):
            page = Unfetched(page.uri, "outside", f"left out: {broken.text!r} does not hold for it")
    if isinstance(page, Unfetched):
        reading = Reading(uri=chosen["uri"], status="unfetched", detail=page.detail, quotes=0, dropped=0)
        runtime.stream_writer(
            progress("read", f"not read: {page.url} ({page.detail})", sub_question=state["number"], **reading)
        )
        return {
            # Remembered like a page that was read: it is not tried again.
            "windows": [window_key(chosen["uri"], 0, 0)],
            "readings": [reading],
            "problems": [f"{page.url}: {page.detail}"],
            "page_usage": [{**no_usage(), "pages": 1, "seconds": time.monotonic() - began}],
        }
    hits = [(start, end) for start, end in chosen["hits"]]
    if not hits and len(page.text) > context.page_chars:
        wanted = [state["sub_question"]["text"], *chosen["queries"]]
        embedder = await asyncio.to_thread(embeddings, context.embeddings)
        hits = await asyncio.to_thread(best_spans, page.text, wanted, embedder, context.hits * SEARCH_DEPTH)
    windows = windows_of(page.text, hits, context.page_chars)
    fetching = time.monotonic() - began
    report = await read_page(page, windows, state["sub_question"], state["number"], context, state["allowance"])
    reading = report.reading
    quotes = len(report.quotes)
    runtime.stream_writer(
        progress(
            "read",
            f"read: {page.title or page.uri} ({quotes} quote{'s' * (quotes != 1)})",
            sub_question=state["number"],
            **reading,
        )
    )
    failed = [f"{page.uri}: {reading['detail']}"] if reading["status"] == "failed" else []
    return {
        "evidence": report.quotes,
        "read": [] if failed else [page.uri],
        # Both where it was asked for and where redirects led count as read.
        "windows": [window_key(uri, *window) for uri in dict.fromkeys((chosen["uri"], page.uri)) for window in windows],
        "readings": [reading],
        "problems": failed,
        "page_usage": [{**report.usage, "pages": 1, "seconds": report.usage["seconds"] + fetching}],
    }


def _own(quotes: list[Quote], number: int) -> list[Quote]:
    return [quote for quote in quotes if any(point[0] == number for point in quote["points"])]


async def assess_evidence(state: SearcherState, runtime: Runtime[ResearchContext]) -> dict[str, Any]:
    """Is it enough for this sub-question? Reports the branch when the search ends here."""
    context = settings(runtime)
    pages = join_usage(state["page_usage"])
    left = remaining(remaining(state["allowance"], state["usage"]), pages)
    quotes = _own(state["evidence"], state["number"])
    verdict = await assess(state["sub_question"], quotes, state["tried"], context, left)
    queries = fresh_queries(verdict.next_queries, state["tried"])
    lacking = f"missing: {'; '.join(verdict.missing)}" if verdict.missing else "not enough yet"
    runtime.stream_writer(
        progress(
            "assess",
            f"sub-question {state['number']}: {'enough evidence' if verdict.sufficient else lacking}",
            sub_question=state["number"],
            sufficient=verdict.sufficient,
            missing=verdict.missing,
        )
    )
    return {
        "usage": add_usage(pages, verdict.usage),
        "page_usage": Overwrite([]),
        "sufficient": verdict.sufficient,
        "missing": verdict.missing,
        "queries": queries,
        "problems": [verdict.problem] if verdict.problem else [],
    }


def next_step(state: SearcherState, runtime: Runtime[ResearchContext]) -> Literal["search", "report"]:
    """Go round while something is missing, a fresh query is at hand and the budget lasts."""
    left = remaining(state["allowance"], state["usage"])
    done = state["sufficient"] or not state["queries"] or state["hop"] >= settings(runtime).max_rounds
    return "report" if done or spent(left) else "search"


def report(state: SearcherState) -> dict[str, Any]:
    """Tell the parent how this sub-question ended and what it cost."""
    branch = Branch(
        number=state["number"],
        status="sufficient" if state["sufficient"] else "insufficient",
        missing=state["missing"],
        usage=state["usage"],
    )
    return {"branches": [branch]}


def build_searcher(connections: Connections | None = None) -> SearcherGraph:
    """The searcher as a compiled graph of its own."""
    connections = connections or Connections()
    graph = StateGraph(
        SearcherState, context_schema=ResearchContext, input_schema=SearcherInput, output_schema=SearcherOutput
    )
    graph.add_node("search", partial(search, connections=connections), input_schema=SearcherState)
    graph.add_node("read", partial(read, connections=connections), input_schema=PageTask)
    graph.add_node("assess", assess_evidence)
    graph.add_node("report", report)
    graph.add_edge(START, "search")
    graph.add_conditional_edges("search", fan_out, ["read", "assess"])
    graph.add_edge("read", "assess")
    graph.add_conditional_edges("assess", next_step, ["search", "report"])
    graph.add_edge("report", END)
    return graph.compile(name="searcher")
