"""Everything that a run may search and read: providers asked side by side, hits merged, pages read once they are given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from searchinstruct_graph.errors import ProviderError, UsageError
from searchinstruct_graph.models.retry import CallFailed, redact
from searchinstruct_graph.text.constraints import Applied, Constraint, read_constraints
from searchinstruct_graph.tools.corpus.fusion import fuse
from searchinstruct_graph.tools.fetching import SafeFetcher, Unfetched, canonical_url, is_web
from searchinstruct_graph.tools.reading import Document

from .corpus import CORPUS
from .provider import Found, Hit, SearchProvider
from .sifting import sifted, told_apart
from .tavily import TavilySearch

GIVEN = ""
"""Provider of a page that a person gave."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One provider's part in one query."""

    provider: str
    hits: int
    credits: float
    failure: str | None
    """Why it gave nothing; None when it answered."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What all providers together found for one query, best first."""

    hits: list[Hit]
    asked: list[Asked]
    constraints: list[Applied] = field(default_factory=list)
    """What the instruction asked of sources: what was checked, what it left out, and what was left to meaning."""


class Sources:
    """The providers of a run and the fetcher that reads what they name. Safe to share among tasks.

    `fallback` reads pages that cannot be fetched from here. Raises UsageError when two providers have one name.
    """

    def __init__(
        self, providers: Sequence[SearchProvider], fetcher: SafeFetcher, *, fallback: TavilySearch | None = None
    ) -> None:
        self._providers = {provider.name: provider for provider in providers}
        if len(self._providers) < len(providers):
            raise UsageError(
                f"two search providers have one name among {', '.join(each.name for each in providers)}; name them apart, "
                "as in from_langchain(retriever, name='wiki')"
            )
        self._fetcher = fetcher
        self._fallback = fallback

    @property
    def names(self) -> list[str]:
        """The providers' names."""
        return list(self._providers)

    @property
    def reads_web(self) -> bool:
        """Whether anything beside the corpus is searched, so that pages of the web may be opened."""
        return any(name != CORPUS for name in self._providers)

    async def search(
        self,
        query: str,
        count: int,
        *,
        instruction: str = "",
        without: Sequence[str] = (),
        seconds: float | None = None,
    ) -> Answers:
        """Ask every provider, except those named in `without`; one that fails does not touch the others, nor does one that
        has not answered within `seconds`. What the instruction asks of dates, hosts and types is checked in every answer.

        Raises:
            ProviderError: every provider refuses every further query.
        """
        asked = [provider for name, provider in self._providers.items() if name not in without]
        answers = await asyncio.gather(*(_ask(provider, query, count, instruction, seconds) for provider in asked))
        refused = [answer for answer in answers if isinstance(answer, ProviderError)]
        if refused and len(refused) == len(answers):
            raise refused[0]
        wanted = read_constraints(instruction, date.today())
        found = [
            _checked(provider.name, answer, wanted.constraints) if isinstance(answer, Found) else Found()
            for provider, answer in zip(asked, answers, strict=True)
        ]
        account = [
            Asked(
                provider.name,
                len(answer.hits) if isinstance(answer, Found) else 0,
                each.credits,
                None if isinstance(answer, Found) else str(answer),
            )
            for provider, each, answer in zip(asked, found, answers, strict=True)
        ]
        applied = told_apart(wanted, [each.constraints for each in found])
        return Answers(merged([each.hits for each in found]), account, applied)

    async def read(self, uri: str, provider: str, *, seconds: float | None = None) -> Document | Unfetched:
        """The page at `uri`, which `provider` named (`GIVEN`: a person did). Never raises for what the web does."""
        try:
            async with asyncio.timeout(seconds):
                return await self._read(uri, provider)
        except TimeoutError:
            return Unfetched(uri, "timeout", "the time of the run is spent")

    async def _read(self, uri: str, provider: str) -> Document | Unfetched:
        holder = self._providers.get(provider)
        if holder and (held := await _held(holder.read(uri), uri)):
            return held
        if not is_web(uri):
            return Unfetched(uri, "url", "not a web address, and no source of this run holds it")
        page = await self._fetcher.read(uri)
        if isinstance(page, Unfetched) and self._fallback and page.problem not in ("url", "address", "robots"):
            extracted = await _held(self._fallback.extract(uri), uri)
            return extracted if isinstance(extracted, Document) else page
        return page


def _checked(provider: str, answer: Found, constraints: Sequence[Constraint]) -> Found:
    """A provider's answer under its name; hits of one that does not check the instruction itself are sifted here."""
    hits, account = [replace(hit, provider=provider) for hit in answer.hits], answer.constraints
    if constraints and provider != CORPUS:
        hits, account = sifted(hits, constraints)
    return Found(hits, answer.credits, account)


async def _held(reading: Awaitable[Document | Unfetched | None], uri: str) -> Document | Unfetched | None:
    """What a provider's own reader gives; whatever it raises is that page's outcome."""
    try:
        return await reading
    except TimeoutError:
        raise
    except Exception as error:
        return Unfetched(uri, "unreadable", redact(f"{type(error).__name__}: {error}"))


async def _ask(
    provider: SearchProvider, query: str, count: int, instruction: str, seconds: float | None
) -> Found | ProviderError | CallFailed:
    try:
        async with asyncio.timeout(seconds):
            return await provider.search(query, count, instruction=instruction)
    except (ProviderError, CallFailed) as error:
        return error
    except TimeoutError:
        return CallFailed(
            "timeout", f"no answer within {seconds:.0f} s, all that the run had left" if seconds else "timed out"
        )
    except Exception as error:
        if provider.name == CORPUS:
            raise
        # A stranger's retriever may raise anything; it is one provider among several.
        return CallFailed("provider", redact(f"{type(error).__name__}: {error}"))


def merged(rankings: Sequence[Sequence[Hit]]) -> list[Hit]:
    """The rankings as one (reciprocal rank fusion): one hit a page, told apart by canonical URL, or a part of a page."""
    hits: dict[tuple[str, tuple[int, int] | None], Hit] = {}
    keyed = []
    for ranking in rankings:
        keys: dict[tuple[str, tuple[int, int] | None], float] = {}
        for hit in ranking:
            key = (canonical_url(hit.uri), hit.span)
            hits.setdefault(key, hit)
            keys.setdefault(key, 1.0)
        keyed.append(list(keys.items()))
    scores = fuse(keyed)
    return [hits[key] for key in sorted(scores, key=lambda key: -scores[key])]
