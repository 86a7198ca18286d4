"""A SearxNG instance, or anything else that answers `/search?q=…&format=json` as SearxNG does."""

from __future__ import annotations

from typing import Any

import httpx

from searchinstruct_graph.models.loops import PerLoop
from searchinstruct_graph.models.retry import NoReply, with_retries
from searchinstruct_graph.text.dates import iso_date
from searchinstruct_graph.tools.fetching import BadUrl, Unfetched, is_web, parse_url
from searchinstruct_graph.tools.reading import Document

from .client import service_client
from .provider import Found, Hit, WebOptions

ADDRESS = "SEARXNG_URL"
SECONDS = 30.0
"""Time for one query, retries included."""

_CATEGORIES = {"general": "general", "news": "news", "finance": "general"}


class SearxngSearch:
    """Search through the instance at `address`; its JSON format must be enabled there."""

    name = "searxng"

    def __init__(self, address: str, options: WebOptions | None = None) -> None:
        self._address = address.rstrip("/")
        self._options = options or WebOptions()
        self._clients: PerLoop[str, httpx.AsyncClient] = PerLoop()

    async def search(self, query: str, count: int, *, instruction: str = "") -> Found:
        """See SearchProvider; the instruction is not sent, SearxNG has no place for it."""
        asked = {"q": query, "format": "json", "categories": _CATEGORIES[self._options.topic]}
        if self._options.time_range:
            asked["time_range"] = self._options.time_range
        held = self._clients.here()
        client = held[""] = held.get("") or service_client(self._address)

        async def once() -> Any:
            response = await client.get("/search", params=asked)
            response.raise_for_status()
            answer = response.json()
            if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
                raise NoReply("the reply holds no list of results")
            return answer["results"]

        results = await with_retries(once, what=self.name, seconds=SECONDS, attempts=3)
        hits = [
            Hit(
                result["url"],
                str(result.get("title") or result["url"]),
                provider=self.name,
                published=iso_date(str(result.get("publishedDate") or "")),
            )
            for result in results
            if isinstance(result, dict)
            and isinstance(result.get("url"), str)
            and is_web(result["url"])
            and self._options.admits(_host(result["url"]))
        ]
        return Found(hits[:count])

    async def read(self, uri: str) -> Document | Unfetched | None:
        """Nothing is held here."""
        return None


def _host(url: str) -> str:
    try:
        return parse_url(url).host
    except BadUrl:
        return ""
