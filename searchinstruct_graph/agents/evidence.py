"""The data that agents hand to each other: plain typed dicts, safe in a checkpoint under strict msgpack."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NotRequired

from typing_extensions import TypedDict

from searchinstruct_graph.models.tagged import disarm
from searchinstruct_graph.text.constraints import Applied
from searchinstruct_graph.text.orders import orders as orders

SubStatus = Literal["open", "sufficient", "insufficient"]


class SubQuestion(TypedDict):
    """One part of the plan. `requires` are the points that a quote must carry before it counts as answered."""

    text: str
    queries: list[str]
    requires: list[str]
    status: SubStatus
    missing: list[str]
    instruction: NotRequired[str]
    """What kind of source this part needs, where the question says so; plans of earlier versions have none."""


class Plan(TypedDict):
    """What will be investigated."""

    restatement: str
    sub_questions: list[SubQuestion]


class Quote(TypedDict):
    """A verbatim slice of a page: `text == page[start:end]`, offsets in code points of the page's extracted text.

    `points` maps it to what it serves: [sub-question number, point number], both from 1.
    """

    uri: str
    title: str
    text: str
    start: int
    end: int
    sha256: str
    retrieved_at: str
    license: str | None
    points: list[list[int]]


class Statement(TypedDict):
    """One sentence of a draft with the numbers (from 1) of the evidence quotes that carry it; support is 0 to 1."""

    text: str
    quotes: list[int]
    support: float


class Reading(TypedDict):
    """What happened to one page: read, not fetched (with the reason), or a model failure (with its kind)."""

    uri: str
    status: Literal["read", "unfetched", "failed"]
    detail: str
    quotes: int
    dropped: int


def quote_key(quote: Quote) -> str:
    """What makes two quotes the same: the page and the span."""
    return f"{quote['uri']}@{quote['start']}-{quote['end']}"


def merge_quotes(known: Sequence[Quote], new: Sequence[Quote]) -> list[Quote]:
    """Reducer: quotes in order of arrival, each span once, its points joined. Idempotent, so a re-sent list is harmless."""
    merged = {quote_key(quote): quote for quote in known}
    for quote in new:
        key = quote_key(quote)
        held = merged.get(key)
        if held is None:
            merged[key] = quote
        elif extra := [point for point in quote["points"] if point not in held["points"]]:
            merged[key] = {**held, "points": [*held["points"], *extra]}
    return list(merged.values())


def merge_unique(known: Sequence[str], new: Iterable[str]) -> list[str]:
    """Reducer: strings in order of arrival, each once."""
    return list(dict.fromkeys([*known, *new]))


def merge_applied(known: Sequence[Applied], new: Iterable[Applied]) -> list[Applied]:
    """Reducer: what became of the parts of instructions, each part once, with the most that one search has left out."""
    merged = {(each["kind"], each["text"]): each for each in known}
    for each in new:
        held = merged.get((each["kind"], each["text"]), each)
        merged[each["kind"], each["text"]] = {
            **each,
            "dropped": max(held["dropped"], each["dropped"]),
            "unknown": max(held["unknown"], each["unknown"]),
        }
    return list(merged.values())


_SPACE = re.compile(r"\s+")


def locate(quote: str, page: str) -> tuple[int, int] | None:
    """Where `quote` stands verbatim in `page`, as (start, end); None when it does not.

    Only white space may differ (models fold line breaks); every other character must match. The caller keeps
    `page[start:end]`, never the model's spelling of it.
    """
    wanted = quote.strip()
    if not wanted:
        return None
    shown = disarm(page)
    at = shown.find(wanted)
    if at >= 0:
        return at, at + len(wanted)
    pieces = [re.escape(piece) for piece in _SPACE.split(wanted)]
    if len(pieces) > 2_000:
        return None
    found = re.search(r"\s+".join(pieces), shown)
    return found.span() if found else None


TITLE_CHARS = 150
"""Longest title shown to a model."""


def shown_title(title: str) -> str:
    """A page's title as models see it: bounded, and empty when it gives orders. A title is a stranger's text too."""
    return "" if orders(title) else " ".join(title.split())[:TITLE_CHARS]
