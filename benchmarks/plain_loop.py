"""The baseline: search, read, answer. Same model, same search, same page budget; no planner, no critic, no second round."""

from __future__ import annotations

import asyncio
from typing import Any

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.evidence import Quote, Statement
from searchinstruct_graph.agents.planner import plain_plan
from searchinstruct_graph.agents.reader import read_page
from searchinstruct_graph.agents.searcher import choose_hits, run_queries, windows_of
from searchinstruct_graph.agents.sources import Connections, open_sources
from searchinstruct_graph.agents.writer import shown_quotes, write_answer
from searchinstruct_graph.graphs.result import cite
from searchinstruct_graph.tools.reading import Document
from searchinstruct_graph.tools.search import CORPUS


async def plain_loop(question: str, context: ResearchContext) -> dict[str, Any]:
    """Answer `question` with one search over as many pages as the graph may read. Result keys as the graph's."""
    opened = await open_sources(context, Connections(), refresh=True)
    limits, plan = context.limits(), plain_plan(question)
    answers = await run_queries(opened, [question], question, [], context)
    chosen = choose_hits([answer.hits for answer in answers], [], context.max_pages)
    quotes: list[Quote] = []

    async def read(uri: str, spans: list[tuple[int, int]]) -> list[Quote]:
        page = await opened.read(uri, CORPUS)
        assert isinstance(page, Document)
        windows = windows_of(page.text, spans, context.page_chars)
        return (await read_page(page, windows, plan["sub_questions"][0], 1, context, limits)).quotes

    for found in await asyncio.gather(
        *(read(uri, [hit.span for hit in hits if hit.span]) for uri, hits in chosen.items())
    ):
        quotes.extend(found)
    shown = shown_quotes(quotes, plan)
    draft: list[Statement] = []
    if shown:
        draft, _, _ = await write_answer(question, plan, shown, [], context, limits)
    draft = [s for s in draft if s["quotes"] and all(1 <= n <= len(shown) for n in s["quotes"])]
    statements, sources = cite(draft, shown)
    return {
        "question": question,
        "status": "answered" if statements else "insufficient_evidence",
        "statements": statements,
        "sources": sources,
        "read": list(chosen),
    }
