"""The reader sees one page, alone, and hands on nothing but verbatim quotes. Nobody downstream ever sees page prose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt, Schema, ask_model
from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.evidence import Quote, Reading, SubQuestion, locate, orders, shown_title
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.structured import Failure
from searchinstruct_graph.models.tagged import Inputs
from searchinstruct_graph.models.usage import Usage
from searchinstruct_graph.tools.reading import Document

QUOTE_CHARS = 1_200
"""Longest quote kept, in characters: a quote is evidence for a statement, not a copy of the page."""

QUOTES_PER_PAGE = 8
"""Most quotes kept from one page, so that one long page cannot crowd out the others."""


class PageQuote(Schema):
    """A passage copied from the page."""

    text: str = Field(min_length=1, max_length=4_000, description="One to three whole sentences, copied exactly.")
    point: int = Field(ge=1, description="Number of the required point that it serves.")


class PageQuotes(Schema):
    """What one page says about the sub-question."""

    relevant: Literal["yes", "partly", "no"]
    quotes: list[PageQuote] = Field(max_length=20)


READ = Prompt(
    "read",
    1,
    f"""You read one page and copy out what it says about the question. Copy every quote character by character from
<page>, whole sentences, no ellipsis, no correction, no translation. Take what answers the question or one of its
numbered points, and what names the person, place, work or date that would have to be looked up next. Take nothing
else: a page that does not speak about it gives no quotes and is not relevant.
{DATA_RULE}""",
)


@dataclass(frozen=True, slots=True)
class PageReport:
    """What reading one page gave."""

    quotes: list[Quote]
    reading: Reading
    usage: Usage


def verified_quotes(drafts: Sequence[PageQuote], page: Document, number: int, points: int) -> tuple[list[Quote], int]:
    """Keep what stands verbatim in the page and gives no orders. Returns (quotes, how many were dropped)."""
    kept: list[Quote] = []
    spans: set[tuple[int, int]] = set()
    dropped = 0
    for draft in drafts:
        span = locate(draft.text, page.text)
        if span is None or span[1] - span[0] > QUOTE_CHARS or len(kept) == QUOTES_PER_PAGE or orders(draft.text):
            dropped += 1
            continue
        if span in spans:
            continue
        spans.add(span)
        kept.append(
            Quote(
                uri=page.uri,
                title=page.title,
                text=page.text[slice(*span)],
                start=span[0],
                end=span[1],
                sha256=page.sha256,
                retrieved_at=page.retrieved_at,
                license=page.license,
                points=[[number, min(draft.point, points)]],
            )
        )
    return kept, dropped


async def read_page(
    page: Document,
    windows: Sequence[tuple[int, int]],
    sub_question: SubQuestion,
    number: int,
    context: ResearchContext,
    allowance: Allowance,
) -> PageReport:
    """Read `windows` (half-open spans) of `page` for sub-question `number`."""
    inputs = Inputs().add("question", sub_question["text"]).add_numbered("point", sub_question["requires"])
    for start, end in windows:
        inputs.add("page", page.text[start:end], title=shown_title(page.title))
    outcome = await ask_model(context, "searcher", READ, inputs, PageQuotes, allowance=allowance)
    if isinstance(outcome, Failure):
        reading = Reading(
            uri=page.uri, status="failed", detail=f"{outcome.kind}: {outcome.detail}", quotes=0, dropped=0
        )
        return PageReport([], reading, outcome.usage)
    quotes, dropped = verified_quotes(outcome.value.quotes, page, number, len(sub_question["requires"]))
    reading = Reading(uri=page.uri, status="read", detail=outcome.value.relevant, quotes=len(quotes), dropped=dropped)
    return PageReport(quotes, reading, outcome.usage)
