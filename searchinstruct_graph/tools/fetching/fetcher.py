"""Fetching one page: the URL is read strictly, the address is pinned, the site is asked, and everything has an end."""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpcore

from searchinstruct_graph.models.loops import PerLoop
from searchinstruct_graph.tools.reading import Document, Unreadable

from .cache import PageCache, pages_folder
from .content import kind_of, license_of, read_content
from .network import GuardedBackend, RefusedAddress, Resolver, system_resolver
from .result import FetchedPage, FetchProblem, Unfetched
from .robots import LONGEST, Answered, Robots
from .transfer import Answer, BadCoding, Limits, TooLarge, get
from .urls import BadUrl, Url, join_url, parse_url

AGENT = "searchinstruct-graph"
"""The name that robots.txt rules are looked up under; also the start of the User-Agent header."""

MAX_REDIRECTS = 5
FRESH_SECONDS = 3_600.0
"""How long a page is used without asking again when its server does not say."""

MOST_FRESH_SECONDS = 86_400.0
PER_HOST = 2
"""Requests to one host at a time."""

AT_ONCE = 16
"""Requests to all hosts at a time."""

_ACCEPT = "text/html,application/xhtml+xml,text/markdown,text/plain,application/pdf,application/json;q=0.9,*/*;q=0.1"
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_MAX_AGE = re.compile(r"max-age=(\d{1,9})")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)


class _Refusal(Exception):
    """A hop that ends the fetch with a typed problem."""

    def __init__(self, problem: FetchProblem, detail: str) -> None:
        super().__init__(detail)
        self.problem: FetchProblem = problem


@dataclass
class _Host:
    """One host's turn-taking on one event loop."""

    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PER_HOST))
    next_at: float = 0.0
    users: int = 0


class SafeFetcher:
    """Fetches pages of the public web. Safe to share among tasks and event loops.

    Args:
        resolver: host and port to IP addresses; the system's when not given.
        allow_loopback: admit 127.0.0.0/8 and ::1. There is no other switch for it: no variable, no setting.
        ports: ports that may be dialled.
        ssl_context: whom to trust; the usual authorities when not given.
        seconds: all the time that one fetch may take on the wire, redirects and robots.txt included.
        limits: bytes of one page, as they travel and unpacked.
        own_sites: hosts whose robots.txt is not asked, because they are one's own.
        cache: folder of the page cache; the user's cache folder when not given, none when False.
    """

    def __init__(
        self,
        *,
        resolver: Resolver = system_resolver,
        allow_loopback: bool = False,
        ports: Iterable[int] = (80, 443),
        ssl_context: ssl.SSLContext | None = None,
        seconds: float = 20.0,
        limits: Limits | None = None,
        own_sites: Iterable[str] = (),
        cache: Path | bool = True,
    ) -> None:
        self._backend = GuardedBackend(resolver, frozenset(ports), loopback=allow_loopback)
        self._trust = ssl_context
        self._seconds = seconds
        self._limits = limits or Limits()
        self._own = frozenset(host.lower() for host in own_sites)
        self._cache = None if cache is False else PageCache(pages_folder() if cache is True else cache)
        self._robots = Robots(AGENT)
        self._hosts: PerLoop[str, _Host] = PerLoop()
        self._same: PerLoop[str, asyncio.Lock] = PerLoop()
        self._turns: PerLoop[str, asyncio.Semaphore] = PerLoop()

    async def read(self, url: str) -> Document | Unfetched:
        """The text of the page at `url`; its URI is where redirects led. Never raises for what the web does."""
        page = await self.fetch(url)
        if isinstance(page, Unfetched):
            return page
        return await asyncio.to_thread(_document, page)

    async def fetch(self, url: str) -> FetchedPage | Unfetched:
        """The bytes at `url`, from the cache while they are fresh. Never raises for what the web does."""
        try:
            address = parse_url(url)
        except BadUrl as error:
            return Unfetched(url, "url", str(error))
        same = self._same.here()
        try:
            # Two sub-questions often choose one page: the second finds it in the cache.
            async with same.setdefault(str(address), asyncio.Lock()):
                return await self._fetched(address, url)
        finally:
            same.pop(str(address), None)

    async def _fetched(self, address: Url, url: str) -> FetchedPage | Unfetched:
        known = await asyncio.to_thread(self._cache.get, str(address)) if self._cache else None
        if known and time.time() < known.fresh_until:
            return known
        try:
            page = await self._follow(address, known)
        except _Refusal as refusal:
            return Unfetched(url, refusal.problem, str(refusal))
        if self._cache and page.stored:
            await asyncio.to_thread(self._cache.put, str(address), page)
        return page

    async def _follow(self, url: Url, known: FetchedPage | None) -> FetchedPage:
        """Hop by hop to the page. Every hop is checked like the first."""
        deadline = _Deadline(self._seconds)
        chain = [str(url)]
        async with self._pool() as pool:
            while True:
                if url.host not in self._own:
                    rules = partial(self._robots_txt, deadline)
                    if refusal := await self._robots.refusal(url.origin, str(url), rules):
                        raise _Refusal(*refusal)
                headers = {"Accept": _ACCEPT}
                if known and len(chain) == 1 and known.chain == (str(url),):
                    headers |= _validators(known)
                answer = await self._hop(pool, url, headers, deadline)
                if answer.status == 304 and known and len(headers) > 1:
                    now = datetime.now(UTC).isoformat(timespec="seconds")
                    return replace(known, fetched_at=now, fresh_until=_fresh_until(answer.headers))
                if answer.status not in _REDIRECTS:
                    return _page(answer, url, chain)
                url = _next_hop(url, answer, chain)
                chain.append(str(url))

    async def _hop(
        self, pool: httpcore.AsyncConnectionPool, url: Url, headers: dict[str, str], deadline: _Deadline, cut: int = 0
    ) -> Answer:
        """One request in its turn; whatever goes wrong becomes a typed refusal."""
        sent = {
            "User-Agent": f"{AGENT}/1 (+https://github.com/searchinstruct-graph)",
            "Accept-Encoding": "gzip",
            **headers,
        }
        limits = Limits(cut, cut) if cut else self._limits
        async with self._turn(url):
            try:
                async with deadline:
                    return await get(pool, url, sent, limits, seconds=self._seconds, cut=bool(cut))
            except RefusedAddress as error:
                raise _Refusal("address", str(error)) from error
            except TooLarge as error:
                raise _Refusal("too_large", str(error)) from error
            except BadCoding as error:
                raise _Refusal("type", str(error)) from error
            except (TimeoutError, httpcore.TimeoutException) as error:
                raise _Refusal("timeout", str(error) or f"no whole page within {self._seconds:g} s") from error
            except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
                cause = error.__cause__ or error.__context__
                if isinstance(cause, ssl.SSLError) or isinstance(error, ssl.SSLError):
                    raise _Refusal("tls", _words(cause or error)) from error
                raise _Refusal("network", _words(error)) from error

    @asynccontextmanager
    async def _turn(self, url: Url) -> AsyncIterator[None]:
        """Wait for a place among all requests and at this host, and for the pause that the host asks for."""
        hosts = self._hosts.here()
        host = hosts.setdefault(url.host, _Host())
        turns = self._turns.here().setdefault("", asyncio.Semaphore(AT_ONCE))
        host.users += 1
        try:
            async with host.slots:
                pause = 0.0 if url.host in self._own else self._robots.delay(url.origin)
                now = time.monotonic()
                wait = max(0.0, host.next_at - now)
                host.next_at = now + wait + pause
                if pause and wait:
                    await asyncio.sleep(wait)
                async with turns:
                    yield
        finally:
            host.users -= 1
            # A run may see any number of hosts; nothing of them stays behind.
            if not host.users and host.next_at <= time.monotonic():
                hosts.pop(url.host, None)

    async def _robots_txt(self, whole: _Deadline, url: str) -> Answered:
        """A robots.txt, following redirects: within half of a fetch's time, and `whole` is the fetch's."""
        deadline = _Deadline(self._seconds / 2, whole)
        try:
            address = parse_url(url)
            chain = [url]
            async with self._pool() as pool:
                while True:
                    answer = await self._hop(pool, address, {"Accept": "text/plain"}, deadline, cut=LONGEST)
                    if answer.status not in _REDIRECTS:
                        return answer.status, answer.body, None
                    address = _next_hop(address, answer, chain)
                    chain.append(str(address))
        except _Refusal as refusal:
            if refusal.problem == "timeout" and whole.left < 0.01:
                # The fetch came here late; that says nothing of this site.
                raise
            # What is wrong with the host is wrong with its pages too; the rest is about robots.txt alone.
            whose = "" if refusal.problem in ("address", "network", "tls", "timeout") else "robots.txt: "
            return 0, b"", (refusal.problem, f"{whose}{refusal}")

    def _pool(self) -> httpcore.AsyncConnectionPool:
        """Connections of one fetch. None is kept for another: each host's certificate is checked for each host."""
        if self._trust is None:
            import httpx

            self._trust = httpx.create_ssl_context(trust_env=False)
        return httpcore.AsyncConnectionPool(
            ssl_context=self._trust, network_backend=self._backend, max_keepalive_connections=0, http2=False, retries=0
        )


class _Deadline:
    """A wall-clock limit on the time spent inside its blocks, all of them together; waiting for a turn is outside."""

    def __init__(self, seconds: float, whole: _Deadline | None = None) -> None:
        self._left = seconds
        self._whole = whole

    @property
    def left(self) -> float:
        """Seconds left, of the limit that this one is a part of as well."""
        return min(self._left, self._whole.left) if self._whole else self._left

    def _spend(self, seconds: float) -> None:
        self._left -= seconds
        if self._whole:
            self._whole._spend(seconds)

    async def __aenter__(self) -> None:
        self._began = time.monotonic()
        self._timeout = asyncio.timeout(max(0.0, self.left))
        await self._timeout.__aenter__()

    async def __aexit__(self, *raised: object) -> None:
        self._spend(time.monotonic() - self._began)
        await self._timeout.__aexit__(*raised)  # type: ignore[arg-type]


def _next_hop(url: Url, answer: Answer, chain: list[str]) -> Url:
    if len(chain) > MAX_REDIRECTS:
        raise _Refusal("redirect", f"more than {MAX_REDIRECTS} redirects")
    try:
        after = join_url(url, answer.headers.get("location", ""))
    except BadUrl as error:
        raise _Refusal("redirect", f"redirected to what is no URL to open: {error}") from error
    if url.scheme == "https" and after.scheme == "http":
        raise _Refusal("redirect", "redirected from https to http")
    if str(after) in chain:
        raise _Refusal("redirect", "redirected in a circle")
    return after


def _page(answer: Answer, url: Url, chain: list[str]) -> FetchedPage:
    if answer.status != 200:
        raise _Refusal("status", f"status {answer.status}")
    header = answer.headers.get("content-type", "")
    kind = header.partition(";")[0].strip().lower()
    if kind_of(kind, answer.body) is None:
        raise _Refusal("type", f"{kind or 'untyped'} data that is no text by its header and its bytes")
    charset = _CHARSET.search(header)
    return FetchedPage(
        url=str(url),
        chain=tuple(chain),
        content_type=kind,
        charset=charset[1] if charset else None,
        body=answer.body,
        fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
        etag=answer.headers.get("etag", ""),
        last_modified=answer.headers.get("last-modified", ""),
        fresh_until=_fresh_until(answer.headers),
        stored="no-store" not in answer.headers.get("cache-control", "").lower(),
    )


def _fresh_until(headers: dict[str, str]) -> float:
    said = headers.get("cache-control", "").lower()
    if "no-cache" in said:
        return 0.0
    age = _MAX_AGE.search(said)
    return time.time() + min(float(age[1]) if age else FRESH_SECONDS, MOST_FRESH_SECONDS)


def _validators(known: FetchedPage) -> dict[str, str]:
    """Headers that ask whether the page has changed."""
    named = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in named.items() if value.isascii() and value.isprintable() and value}


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _document(page: FetchedPage) -> Document | Unfetched:
    reading = read_content(page)
    if isinstance(reading, Unreadable):
        return Unfetched(page.url, "unreadable", reading.detail)
    # What UTF-8 cannot carry cannot be hashed or stored.
    text = reading.text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode("utf-8")
    if not text.strip():
        return Unfetched(page.url, "unreadable", "no text on the page")
    title = " ".join(reading.title.split())[:300] or page.url
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Document(
        page.url,
        title,
        text,
        digest,
        license_of(page),
        page.fetched_at,
        reading.published,
        language=reading.language or "",
    )
