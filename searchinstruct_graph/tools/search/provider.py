"""What a search provider is: a query in, hits out. A new provider is one new file beside this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from searchinstruct_graph.text.constraints import Applied
from searchinstruct_graph.tools.fetching import Unfetched
from searchinstruct_graph.tools.reading import Document


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result: a page, or the part of a page that fits."""

    uri: str
    title: str
    span: tuple[int, int] | None = None
    """The part, as offsets into the page's text (half-open); None when the provider names the page alone."""
    provider: str = ""
    published: str = ""
    """When the provider says that it was published: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; empty when it does not say."""


@dataclass(frozen=True, slots=True)
class Found:
    """The hits of one query, best first, and what the provider says they cost (credits; 0 when it charges nothing)."""

    hits: Sequence[Hit] = ()
    credits: float = 0.0
    constraints: Sequence[Applied] = ()
    """What a provider that checks an instruction itself made of it, in the order of `read_constraints`."""


class SearchProvider(Protocol):
    """Somewhere to search."""

    @property
    def name(self) -> str:
        """A short name, unique among the providers of a run; it stands in the run's account."""
        ...

    async def search(self, query: str, count: int, *, instruction: str = "") -> Found:
        """Up to `count` hits for `query`, best first. `instruction` says in words what kind of source is wanted.

        Raises:
            ProviderError: it refuses every further query (key, credit).
            CallFailed: this query failed for good.
        """
        ...

    async def read(self, uri: str) -> Document | Unfetched | None:
        """The page at `uri`, one of its hits, as far as the provider itself holds it; None leaves it to the fetcher."""
        ...


@dataclass(frozen=True, slots=True)
class WebOptions:
    """What to ask of web search: the fields of ResearchContext of the same names."""

    topic: str = "general"
    time_range: str | None = None
    include_domains: tuple[str, ...] = ()
    exclude_domains: tuple[str, ...] = ()

    def admits(self, host: str) -> bool:
        """Whether a host is inside the domains that were asked for; providers that cannot filter are filtered by this."""

        def within(domains: Sequence[str]) -> bool:
            return any(host == domain or host.endswith(f".{domain}") for domain in map(str.lower, domains))

        return not within(self.exclude_domains) and (not self.include_domains or within(self.include_domains))
