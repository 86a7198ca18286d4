"""Tavily (https://tavily.com): web search made for models, and its reader for pages that cannot be fetched from here."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from searchinstruct_graph.errors import ProviderError
from searchinstruct_graph.models.loops import PerLoop
from searchinstruct_graph.models.retry import CallFailed, NoReply, with_retries
from searchinstruct_graph.text.dates import iso_date
from searchinstruct_graph.text.digest import sha256
from searchinstruct_graph.tools.fetching import Unfetched, is_web
from searchinstruct_graph.tools.reading import Document

from .client import service_client
from .provider import Found, Hit, WebOptions

if TYPE_CHECKING:
    from tavily import AsyncTavilyClient

KEY = "TAVILY_API_KEY"
BASE_URL = "TAVILY_BASE_URL"
"""Where the service is reached, for those who have a gateway of their own."""

MOST_HITS = 20
QUERY_CHARS = 400
SECONDS = 40.0
"""Time for one query, retries included."""

# The client raises classes of its own, without the status that tells a fault from a refusal.
_STATUS = {
    "InvalidAPIKeyError": 401,
    "ForbiddenError": 403,
    "BadRequestError": 400,
    "UsageLimitExceededError": 429,
}


class _Refused(Exception):
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status_code = status


class TavilySearch:
    """Search with `tavily-python`. `read_pages` lets Tavily fetch the pages of its hits, for credits."""

    name = "tavily"

    def __init__(self, key: str, options: WebOptions | None = None, *, read_pages: bool = False) -> None:
        self._key = key
        self._options = options or WebOptions()
        self._read_pages = read_pages
        self._clients: PerLoop[str, AsyncTavilyClient] = PerLoop()

    def _client(self) -> AsyncTavilyClient:
        held = self._clients.here()
        if not held:
            from tavily import AsyncTavilyClient

            base = os.environ.get(BASE_URL) or "https://api.tavily.com"
            client = service_client(base, {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"})
            held[""] = AsyncTavilyClient(api_key=self._key, client=client)
        return held[""]

    async def search(self, query: str, count: int, *, instruction: str = "") -> Found:
        """See SearchProvider; the instruction is not sent, Tavily has no place for it."""
        options = self._options
        answer = await self._asked(
            lambda: self._client().search(
                query[:QUERY_CHARS],
                max_results=max(1, min(count, MOST_HITS)),
                topic=options.topic,
                time_range=options.time_range,
                include_domains=options.include_domains or None,
                exclude_domains=options.exclude_domains or None,
                include_usage=True,
            )
        )
        hits = [
            Hit(
                result["url"],
                str(result.get("title") or result["url"]),
                provider=self.name,
                published=iso_date(str(result.get("published_date") or "")),
            )
            for result in answer["results"]
            if isinstance(result, dict) and isinstance(result.get("url"), str) and is_web(result["url"])
        ]
        return Found(hits[:count], _credits(answer))

    async def read(self, uri: str) -> Document | Unfetched | None:
        """The page as Tavily's reader gives it; None unless `read_pages` is set."""
        return await self.extract(uri) if self._read_pages else None

    async def extract(self, uri: str) -> Document | Unfetched:
        """Have Tavily fetch the page at `uri`. Its text is Markdown."""
        try:
            answer = await self._asked(lambda: self._client().extract(uri, format="markdown", include_usage=True))
        except (CallFailed, ProviderError) as error:
            return Unfetched(uri, "network", f"tavily: {error}")
        for result in answer["results"]:
            text = str(result.get("raw_content") or "").encode("utf-8", "replace").decode("utf-8").strip()
            if text:
                heading = text.partition("\n")[0]
                own = heading.lstrip("# ") if heading.startswith("#") else ""
                title = " ".join(str(result.get("title") or own or uri).split())[:300]
                now = datetime.now(UTC).isoformat(timespec="seconds")
                return Document(uri, title, text, sha256(text), None, now)
        return Unfetched(uri, "unreadable", "tavily: no text could be extracted")

    async def _asked(self, call: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
        async def once() -> dict[str, Any]:
            try:
                answer = await call()
            except (AttributeError, TypeError) as error:
                # The client takes whatever is valid JSON for an object.
                raise NoReply("the reply is no JSON object") from error
            except Exception as error:
                kind = type(error)
                if kind.__module__ == "tavily.errors" and kind.__name__ == "TimeoutError":
                    raise TimeoutError(str(error)) from error
                for name in [each.__name__ for each in kind.__mro__]:
                    if name in _STATUS:
                        raise _Refused(_STATUS[name], str(error) or name) from error
                raise
            if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
                raise NoReply("the reply holds no list of results")
            return dict(answer)

        return await with_retries(once, what=self.name, seconds=SECONDS, attempts=3)


def _credits(answer: dict[str, Any]) -> float:
    usage = answer.get("usage")
    spent = usage.get("credits") if isinstance(usage, dict) else None
    return float(spent) if isinstance(spent, int | float) else 1.0
