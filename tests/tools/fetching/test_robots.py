"""Sites are asked before they are read (RFC 9309), once, and slowly where they ask for it."""

import asyncio
import socket
import threading
import time
from itertools import pairwise

import pytest

from searchinstruct_graph.tools.fetching import FetchedPage, Unfetched
from searchinstruct_graph.tools.fetching import robots as robots_module
from searchinstruct_graph.tools.fetching.fetcher import PER_HOST
from tests.support.web import Page, Request, ScriptedWeb, Silent, gzipped, redirect


def text(rules: str) -> Page:
    return Page(rules, type="text/plain")


async def asks(web: ScriptedWeb, robots: Page | None, *paths: str) -> list[str]:
    """The outcome of each path at a site with these rules: `read`, or the problem."""
    web.pages = {f"a.example{path}": Page("text") for path in paths}
    if robots:
        web.pages = {**web.pages, "a.example/robots.txt": robots}
    fetcher = web.fetcher()
    found = [await fetcher.fetch(web.url(f"a.example{path}")) for path in paths]
    return [each.problem if isinstance(each, Unfetched) else "read" for each in found]


RULES = {
    "User-agent: *\nDisallow: /private": ["read", "robots", "robots", "read"],
    "User-agent: *\nDisallow: /": ["robots"] * 4,
    "User-agent: *\nDisallow:": ["read"] * 4,
    "": ["read"] * 4,
    "\ufeffUser-agent: *\nDisallow: /": ["robots"] * 4,
    # The longest match wins; Allow wins a tie.
    "User-agent: *\nDisallow: /\nAllow: /private/x": ["robots", "robots", "read", "robots"],
    "User-agent: *\nDisallow: /private\nAllow: /private": ["read"] * 4,
    # Wildcards and ends.
    "User-agent: *\nDisallow: /*.pdf$": ["read", "read", "read", "robots"],
    "User-agent: *\nDisallow: /*/x": ["read", "read", "robots", "read"],
    # Our own group alone, in any case.
    "User-agent: *\nDisallow: /\n\nUser-agent: SearchInstruct-Graph\nDisallow: /private/x": [
        "read",
        "read",
        "robots",
        "read",
    ],
    "User-agent: Googlebot\nDisallow: /": ["read"] * 4,
    "User-agent: Googlebot\nUser-agent: searchinstruct-graph\nDisallow: /": ["robots"] * 4,
    "<html><body>User-agent: *</body></html>": ["read"] * 4,
    "User-agent: *\r\nDisallow: / # all of it\r\n": ["robots"] * 4,
    "\x00\xff\nUser-agent: *\nDisallow: /[(*\nCrawl-delay: soon\nCrawl-delay: nan\nRequest-rate: 1/0": ["read"] * 4,
}


@pytest.mark.parametrize(("rules", "outcomes"), RULES.items())
async def test_rules(web: ScriptedWeb, rules: str, outcomes: list[str]) -> None:
    assert await asks(web, text(rules), "/", "/private", "/private/x", "/b.pdf") == outcomes
    assert [each.path for each in web.requests].count("/robots.txt") == 1
    assert web.requests[0].path == "/robots.txt"
    assert all(each.headers["user-agent"].startswith("searchinstruct-graph/") for each in web.requests)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429])
async def test_no_rules_allow_all(web: ScriptedWeb, status: int) -> None:
    assert await asks(web, Page("User-agent: *\nDisallow: /", status=status), "/") == ["read"]


@pytest.mark.parametrize("status", [500, 502, 503, 599])
async def test_a_failing_site_forbids_all(web: ScriptedWeb, status: int) -> None:
    assert await asks(web, Page("", status=status), "/", "/b") == ["robots", "robots"]
    assert [each.path for each in web.requests] == ["/robots.txt"]


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        (Page(raw=b"nonsense\r\n\r\n"), "network"),
        (redirect("file:///etc/passwd"), "redirect"),
        (redirect("/robots.txt"), "redirect"),
        (redirect("http://10.0.0.1/robots.txt"), "address"),
        (Page("x", headers={"content-encoding": "br"}), "type"),
        (Page("x", headers={"x-large": "x" * 300_000}), "too_large"),
    ],
)
async def test_rules_that_cannot_be_read_forbid_all(web: ScriptedWeb, page: Page, problem: str) -> None:
    web.addresses["10.0.0.1"] = ["10.0.0.1"]
    assert await asks(web, page, "/") == [problem]
    assert web.asked() == []


async def test_rules_behind_a_redirect(web: ScriptedWeb) -> None:
    web.pages = {
        "a.example/robots.txt": redirect(web.url("b.example/rules", "https")),
        "b.example/rules": text("User-agent: *\nDisallow: /"),
        "a.example/": Page("text"),
    }
    result = await web.fetcher().fetch(web.url("a.example/"))
    assert isinstance(result, Unfetched)
    assert result.problem == "robots"
    assert web.asked() == ["b.example/rules"]


async def test_a_redirect_is_checked_by_the_rules_of_where_it_leads(web: ScriptedWeb) -> None:
    web.pages = {
        "a.example/": redirect(web.url("b.example/private")),
        "b.example/robots.txt": text("User-agent: *\nDisallow: /private"),
        "b.example/private": "text",
    }
    result = await web.fetcher().fetch(web.url("a.example/"))
    assert isinstance(result, Unfetched)
    assert result.problem == "robots"
    assert web.asked() == ["a.example/"]


@pytest.mark.parametrize("packed", [False, True])
async def test_a_huge_file_is_read_as_far_as_the_limit(web: ScriptedWeb, packed: bool) -> None:
    lines = "".join(f"Disallow: /n{number:06}\n" for number in range(120_000)).encode()
    rules = b"User-agent: *\nDisallow: /early\n" + lines + b"Disallow: /late\n"
    assert len(rules) > 2_000_000
    page = gzipped(rules, "text/plain") if packed else Page(rules, type="text/plain")
    assert await asks(web, page, "/early", "/late", "/n000001", "/n119999") == ["robots", "read", "robots", "read"]


async def test_hostile_patterns_take_no_time(web: ScriptedWeb) -> None:
    rules = "User-agent: *\n" + "".join(f"Disallow: /{'*a' * size}*b\n" for size in range(2, 400))
    started = time.monotonic()
    assert await asks(web, text(rules), "/" + "a" * 1_900) == ["read"]
    assert time.monotonic() - started < 15


async def test_own_sites_are_not_asked(web: ScriptedWeb) -> None:
    web.pages = {"a.example/robots.txt": text("User-agent: *\nDisallow: /"), "a.example/": "text"}
    assert isinstance(await web.fetcher(own_sites=["A.example"]).fetch(web.url("a.example/")), FetchedPage)
    assert [each.path for each in web.requests] == ["/"]


async def test_rules_are_kept_by_origin_and_asked_for_once(web: ScriptedWeb) -> None:
    web.pages = {f"a.example/{number}": "text" for number in range(6)}
    fetcher = web.fetcher()
    await asyncio.gather(*(fetcher.fetch(web.url(f"a.example/{number}")) for number in range(6)))
    assert [each.scheme for each in web.requests if each.path == "/robots.txt"] == ["http"]
    await fetcher.fetch(web.url("a.example/1", "https"))
    assert [each.scheme for each in web.requests if each.path == "/robots.txt"] == ["http", "https"]


async def test_rules_are_asked_for_again_in_time(web: ScriptedWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robots_module, "KEPT_SECONDS", 0.2)
    web.pages = {"a.example/": "text"}
    fetcher = web.fetcher()
    assert isinstance(await fetcher.fetch(web.url("a.example/")), FetchedPage)
    web.pages = {"a.example/": "text", "a.example/robots.txt": text("User-agent: *\nDisallow: /")}
    assert isinstance(await fetcher.fetch(web.url("a.example/")), FetchedPage)
    await asyncio.sleep(0.25)
    assert isinstance(await fetcher.fetch(web.url("a.example/")), Unfetched)


async def test_few_sites_are_remembered(web: ScriptedWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robots_module, "MOST_SITES", 2)
    web.pages = {f"h{number}.example/": "text" for number in range(3)}
    fetcher = web.fetcher()
    for number in (0, 1, 2, 2, 0):
        assert isinstance(await fetcher.fetch(web.url(f"h{number}.example/")), FetchedPage)
    assert [each.host[1] for each in web.requests if each.path == "/robots.txt"] == ["0", "1", "2", "0"]


async def test_a_short_fetch_says_nothing_of_a_site(web: ScriptedWeb) -> None:
    """A fetch that comes to a site with no time left must not leave the site marked as silent."""

    def late(connection: socket.socket, stopping: threading.Event) -> None:
        stopping.wait(0.9)
        connection.sendall(redirect(web.url("b.example/")).rendered())

    silences = iter([3.0])

    def slow(connection: socket.socket, stopping: threading.Event) -> None:
        stopping.wait(next(silences, 0.0))
        connection.sendall(text("").rendered())

    web.pages = {"a.example/": Page(act=late), "b.example/robots.txt": Page(act=slow), "b.example/": "text"}
    fetcher = web.fetcher(own_sites=["a.example"], seconds=1.0)
    result = await fetcher.fetch(web.url("a.example/"))
    assert isinstance(result, Unfetched)
    assert result.problem == "timeout"
    assert isinstance(await fetcher.fetch(web.url("b.example/")), FetchedPage)


async def test_a_crawl_delay_is_waited_for(web: ScriptedWeb) -> None:
    times: list[float] = []

    def page(request: Request) -> Page:
        times.append(time.monotonic())
        return Page("text")

    web.pages = {
        "a.example/robots.txt": text("User-agent: *\nCrawl-delay: 0.4"),
        **{f"a.example/{number}": page for number in range(3)},
    }
    fetcher = web.fetcher(seconds=1.0)
    found = await asyncio.gather(*(fetcher.fetch(web.url(f"a.example/{number}")) for number in range(3)))
    assert all(isinstance(each, FetchedPage) for each in found)
    assert all(0.35 <= later - earlier <= 0.9 for earlier, later in pairwise(times)), times


async def test_a_long_crawl_delay_is_a_no(web: ScriptedWeb) -> None:
    assert await asks(web, text("User-agent: *\nCrawl-delay: 10.5"), "/") == ["robots"]
    assert web.asked() == []


async def test_few_requests_at_a_host_at_once(web: ScriptedWeb) -> None:
    lock, now, most = threading.Lock(), [0], {"a.example": 0, "b.example": 0}

    def page(request: Request) -> Page:
        def act(connection: socket.socket, stopping: threading.Event) -> None:
            with lock:
                now[0] += 1
                most[request.host] = max(most[request.host], now[0])
            stopping.wait(0.05)
            with lock:
                now[0] -= 1
            connection.sendall(Page("text").rendered())

        return Page(act=act)

    web.pages = page
    fetcher = web.fetcher(own_sites=["a.example", "b.example"])
    found = await asyncio.gather(*(fetcher.fetch(web.url(f"a.example/{number}")) for number in range(8)))
    assert all(isinstance(each, FetchedPage) for each in found)
    assert most["a.example"] == PER_HOST == 2


async def test_a_busy_host_holds_up_no_other(web: ScriptedWeb) -> None:
    silent = Silent()
    web.pages = {"a.example/": silent.page, "b.example/": "text"}
    fetcher = web.fetcher(own_sites=["a.example", "b.example"])
    tasks = [asyncio.ensure_future(fetcher.fetch(web.url("a.example/"))) for _ in range(20)]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(3):
        assert isinstance(await fetcher.fetch(web.url("b.example/")), FetchedPage)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_waiting_for_a_turn_is_not_the_pages_time(web: ScriptedWeb) -> None:
    def act(connection: socket.socket, stopping: threading.Event) -> None:
        stopping.wait(0.3)
        connection.sendall(Page("text").rendered())

    web.pages = {"a.example/": Page(act=act)}
    fetcher = web.fetcher(own_sites=["a.example"], seconds=0.8)
    found = await asyncio.gather(*(fetcher.fetch(web.url("a.example/")) for _ in range(8)))
    assert all(isinstance(each, FetchedPage) for each in found)


async def test_nothing_of_the_hosts_seen_stays_behind() -> None:
    with ScriptedWeb({f"h{n}.example/": "<p>words of a page</p>" for n in range(40)}) as web:
        fetcher = web.fetcher()
        await asyncio.gather(*(fetcher.fetch(web.url(f"h{n}.example/")) for n in range(40)))
        assert not fetcher._hosts.here()
        assert not fetcher._robots._asking.here()
