"""The searcher: START → search → read (one branch a page) → assess → search again | report → END."""

from __future__ import annotations

import time
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Overwrite, Send

from searchinstruct_graph.agents.context import ResearchContext, settings
from searchinstruct_graph.agents.evidence import Quote, Reading
from searchinstruct_graph.agents.progress import progress
from searchinstruct_graph.agents.reader import read_page
from searchinstruct_graph.agents.searcher import (
    assess,
    choose_hits,
    fresh_queries,
    open_corpus,
    run_queries,
    window_key,
    windows_of,
)
from searchinstruct_graph.graphs.state import (
    Branch,
    PageTask,
    SearcherInput,
    SearcherOutput,
    SearcherState,
    Window,
)
from searchinstruct_graph.models.limits import remaining, reserve, shares, spent
from searchinstruct_graph.models.usage import add_usage, join_usage, no_usage

SearcherGraph = CompiledStateGraph[SearcherState, ResearchContext, SearcherInput, SearcherOutput]


async def search(state: SearcherState, runtime: Runtime[ResearchContext]) -> dict[str, Any]:
    """Send the fresh queries and choose pages."""
    context, say, began = settings(runtime), runtime.stream_writer, time.monotonic()
    hop = state.get("hop", 0) + 1
    left = remaining(state["allowance"], state.get("usage") or no_usage())
    proposed = state["queries"] if hop > 1 else state["sub_question"]["queries"]
    queries = fresh_queries(proposed, state["tried"])[: left["searches"]]
    corpus = await open_corpus(context, refresh=hop == 1)
    ranked = await run_queries(corpus, queries, context)
    # Every page costs a call, and one call is kept for `assess`.
    room = min(context.hits, left["pages"], max(0, left["model_calls"] - 1))
    chosen = choose_hits(ranked, state["windows"], room)
    for query, hits in zip(queries, ranked, strict=True):
        say(progress("search", f"searched: {query}", query=query, hits=len(hits), sub_question=state["number"]))
    usage = {**no_usage(), "searches": len(queries), "seconds": time.monotonic() - began}
    return {
        "hop": hop,
        "tried": queries,
        "chosen": [
            Window(uri=uri, title=hits[0].title, hits=[[h.start, h.end] for h in hits]) for uri, hits in chosen.items()
        ],
        "usage": usage,
        "page_usage": Overwrite([]),
    }


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


async def read(state: PageTask, runtime: Runtime[ResearchContext]) -> dict[str, Any]:
    """Read one page in quarantine: verbatim quotes come out, nothing else."""
    context, chosen = settings(runtime), state["page"]
    corpus = await open_corpus(context, refresh=False)
    try:
        page = await corpus.read(chosen["uri"])
    except KeyError:
        gone = Reading(uri=chosen["uri"], status="failed", detail="vanished from the corpus", quotes=0, dropped=0)
        return {"readings": [gone], "problems": [f"{chosen['uri']}: vanished from the corpus"]}
    windows = windows_of(page.text, [(start, end) for start, end in chosen["hits"]], context.page_chars)
    report = await read_page(page, windows, state["sub_question"], state["number"], context, state["allowance"])
    reading = report.reading
    runtime.stream_writer(
        progress(
            "read",
            f"read: {page.title or page.uri} ({len(report.quotes)} quotes)",
            sub_question=state["number"],
            **reading,
        )
    )
    failed = [f"{page.uri}: {reading['detail']}"] if reading["status"] == "failed" else []
    return {
        "evidence": report.quotes,
        "read": [] if failed else [page.uri],
        "windows": [window_key(page.uri, *window) for window in windows],
        "readings": [reading],
        "problems": failed,
        "page_usage": [{**report.usage, "pages": 1}],
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


def build_searcher() -> SearcherGraph:
    """The searcher as a compiled graph of its own."""
    graph = StateGraph(
        SearcherState, context_schema=ResearchContext, input_schema=SearcherInput, output_schema=SearcherOutput
    )
    graph.add_node("search", search)
    graph.add_node("read", read)
    graph.add_node("assess", assess_evidence)
    graph.add_node("report", report)
    graph.add_edge(START, "search")
    graph.add_conditional_edges("search", fan_out, ["read", "assess"])
    graph.add_edge("read", "assess")
    graph.add_conditional_edges("assess", next_step, ["search", "report"])
    graph.add_edge("report", END)
    return graph.compile(name="searcher")
