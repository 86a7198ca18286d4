"""robots.txt (RFC 9309): whether a site wants a page read by us, and how slowly.

protego matches the rules; status codes, size and caching are ours: 4xx allows, 5xx and silence forbid.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from searchinstruct_graph.models.loops import PerLoop

from .result import FetchProblem

if TYPE_CHECKING:
    from protego import Protego

LONGEST = 500_000
"""Bytes of a robots.txt that are read (RFC 9309, section 2.5)."""

KEPT_SECONDS = 3_600.0
"""How long a site's rules are believed; after a failure a tenth of that."""

MOST_DELAY = 10.0
"""Longest Crawl-delay that is honoured by waiting; a site that asks for more is not read."""

MOST_SITES = 1_000


@dataclass(frozen=True, slots=True)
class Rules:
    """What one origin said. `rules` is None when it said nothing; `closed` says why nothing may be read there."""

    rules: Protego | None
    closed: Refusal | None
    until: float


Refusal = tuple[FetchProblem, str]
"""Why a page must not be read: the kind, and in words."""

Answered = tuple[int, bytes, Refusal | None]
"""Status and text of a robots.txt; without an answer the status is 0 and the refusal says why there was none."""

Fetch = Callable[[str], Awaitable[Answered]]


class Robots:
    """The rules of the sites asked so far."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._known: dict[str, Rules] = {}
        self._asking: PerLoop[str, asyncio.Lock] = PerLoop()

    async def refusal(self, origin: str, url: str, fetch: Fetch) -> Refusal | None:
        """Why `url` must not be read; None when it may be. `fetch` gets a robots.txt; what it raises is not kept."""
        site = await self._site(origin, fetch)
        if site.closed:
            return site.closed
        if site.rules is None:
            return None
        if not site.rules.can_fetch(url, self._agent):
            return "robots", "robots.txt asks not to read this page"
        delay = self._delay(site)
        return ("robots", f"robots.txt asks for {delay:g} s between pages") if delay > MOST_DELAY else None

    def delay(self, origin: str) -> float:
        """Seconds between two pages that the site asks for, as far as it is known."""
        site = self._known.get(origin)
        return self._delay(site) if site else 0.0

    def _delay(self, site: Rules) -> float:
        return float((site.rules and site.rules.crawl_delay(self._agent)) or 0.0)

    async def _site(self, origin: str, fetch: Fetch) -> Rules:
        # Several pages of a new site are often wanted at once; its rules are asked for once.
        asking = self._asking.here()
        try:
            async with asking.setdefault(origin, asyncio.Lock()):
                known = self._known.get(origin)
                if known and time.monotonic() < known.until:
                    return known
                site = self._read(*await fetch(f"{origin}/robots.txt"))
                self._known.pop(origin, None)
                self._known[origin] = site
        finally:
            asking.pop(origin, None)
        while len(self._known) > MOST_SITES:
            self._known.pop(next(iter(self._known)))
        return site

    def _read(self, status: int, body: bytes, unanswered: Refusal | None) -> Rules:
        now = time.monotonic()
        if status == 200:
            from protego import Protego

            rules = Protego.parse(body[:LONGEST].decode("utf-8-sig", "replace"))
            return Rules(rules, None, now + KEPT_SECONDS)
        if 400 <= status < 500:
            return Rules(None, None, now + KEPT_SECONDS)
        # RFC 9309, section 2.3.1.4: an unreachable robots.txt forbids all.
        forbidden: Refusal = ("robots", f"robots.txt could not be read (status {status}), which forbids reading")
        return Rules(None, unanswered or forbidden, now + KEPT_SECONDS / 10)
