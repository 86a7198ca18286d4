"""Search: one small protocol, a provider a file, and `Sources`, which asks them all and reads what they name."""

from __future__ import annotations

from .corpus import CORPUS, CorpusSearch
from .provider import Found, Hit, SearchProvider, WebOptions
from .searxng import SearxngSearch
from .sifting import outside_of
from .sources import GIVEN, Answers, Asked, Sources, merged
from .tavily import TavilySearch

__all__ = [
    "CORPUS",
    "GIVEN",
    "Answers",
    "Asked",
    "CorpusSearch",
    "Found",
    "Hit",
    "SearchProvider",
    "SearxngSearch",
    "Sources",
    "TavilySearch",
    "WebOptions",
    "merged",
    "outside_of",
]
