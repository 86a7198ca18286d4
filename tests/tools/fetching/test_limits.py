"""Every limit holds while bytes arrive: sizes, inflation, headers, time; and nothing is left open."""

import asyncio
import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from searchinstruct_graph.tools.fetching import FetchedPage, SafeFetcher, Unfetched
from searchinstruct_graph.tools.fetching.transfer import Limits
from tests.support.web import Page, ScriptedWeb, Silent, gzipped, redirect, wait_for

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
Act = Callable[[socket.socket, threading.Event], None]


def own(web: ScriptedWeb, **options: Any) -> SafeFetcher:
    return web.fetcher(own_sites=["a.example"], **options)


async def outcome(web: ScriptedWeb, page: Page, **options: Any) -> FetchedPage | Unfetched:
    web.pages = {"a.example/": page}
    return await own(web, **options).fetch(web.url("a.example/"))


async def problem(web: ScriptedWeb, page: Page, **options: Any) -> str:
    result = await outcome(web, page, **options)
    assert isinstance(result, Unfetched), result
    return result.problem


def endless(first: bytes, more: bytes, pause: float = 0.0) -> Page:
    """`first`, then `more` again and again until the client goes."""

    def act(connection: socket.socket, stopping: threading.Event) -> None:
        connection.sendall(first)
        while not stopping.wait(pause):
            connection.sendall(more)

    return Page(act=act)


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """200 MB packed into about 200 kB."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([packer.compress(b"A" * 1_000_000) for _ in range(200)]) + packer.flush()


@pytest.mark.parametrize("times", [1, 20])
async def test_a_gzip_bomb_is_stopped_while_it_unpacks(web: ScriptedWeb, bomb: bytes, times: int) -> None:
    assert len(bomb) < 250_000
    page = Page(bomb * times, type="text/plain", headers={"content-encoding": "gzip"})
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = await outcome(web, page)
        grown = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert isinstance(result, Unfetched)
    assert result.problem == "too_large"
    assert grown < 30_000_000 + len(bomb) * times


async def test_inflation_is_capped_before_size(web: ScriptedWeb) -> None:
    page = gzipped(b"A" * 8_000_000, "text/plain")
    assert len(page.rendered()) < 20_000
    result = await outcome(web, page)
    assert isinstance(result, Unfetched)
    assert result.problem == "too_large"
    assert "100 times" in result.detail


async def test_gzip_in_gzip_is_unpacked_once_and_is_no_text(web: ScriptedWeb, bomb: bytes) -> None:
    assert await problem(web, gzipped(bomb, "text/plain")) == "type"
    assert await problem(web, gzipped(gzip.compress(b"plain text"), "text/html")) == "type"


@pytest.mark.parametrize("pause", [0.0, 0.05])
async def test_gzip_in_members_and_pieces(web: ScriptedWeb, pause: float) -> None:
    """Members may end anywhere in what arrives; padding after the last is dropped."""
    packed = gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two ") + gzip.compress(b"three")
    first, second = len(gzip.compress(b"one ")), len(packed)
    packed += b"\0" * 50

    def act(connection: socket.socket, stopping: threading.Event) -> None:
        connection.sendall(HEAD + b"content-encoding: gzip\r\nconnection: close\r\n\r\n")
        for start, end in (
            (0, 5),
            (5, first),
            (first, first + 1),
            (first + 1, second),
            (second, second + 7),
            (second + 7, None),
        ):
            connection.sendall(packed[start:end])
            time.sleep(pause)

    result = await outcome(web, Page(act=act))
    assert isinstance(result, FetchedPage)
    assert result.body == b"one two three"


PACKED = gzip.compress(b"some text, " * 50)
BROKEN = {"short": PACKED[:-9], "tail": PACKED[:-1], "crc": PACKED[:-8] + b"\0" * 8, "none": b"plain", "empty": b""}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
async def test_broken_gzip(web: ScriptedWeb, body: bytes) -> None:
    assert await problem(web, Page(body, type="text/plain", headers={"content-encoding": "gzip"})) == "type"


@pytest.mark.parametrize(
    "coding", ["br", "zstd", "deflate", "compress", "gzip, gzip", "gzip, br", "aes128gcm", "x" * 5_000]
)
async def test_codings_that_were_not_asked_for(web: ScriptedWeb, coding: str) -> None:
    page = Page(zlib.compress(b"text"), type="text/plain", headers={"content-encoding": coding})
    result = await outcome(web, page)
    assert isinstance(result, Unfetched)
    assert result.problem == "type"
    assert len(result.detail) < 200
    assert web.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    "page",
    [
        endless(HEAD + b"\r\n", b"x" * 65_536),
        endless(CHUNKED, b"10000\r\n" + b"x" * 65_536 + b"\r\n"),
        endless(CHUNKED + b"FFFFFFFFFFFFFFFFFFFF\r\n", b"x" * 65_536),
        endless(CHUNKED + b"1;", b"x" * 65_536),
        endless(CHUNKED + b"0\r\n", b"trailer: x\r\n" * 5_000),
        endless(HEAD + b"content-length: 99999999999\r\n\r\n", b"x" * 65_536),
        Page(raw=HEAD + b"content-length: 5000001\r\n\r\n"),
        Page(b"x" * 5_000_001, headers={"content-length": ""}),
        gzipped(b"".join(b"%d " % number for number in range(1_700_000)), "text/plain"),
    ],
    ids=["endless", "chunks", "chunk", "chunk-extension", "trailers", "length", "length-only", "no-length", "unpacked"],
)
async def test_too_large(web: ScriptedWeb, page: Page) -> None:
    started = time.monotonic()
    assert await problem(web, page) == "too_large"
    assert time.monotonic() - started < 5


async def test_limits_are_the_callers(web: ScriptedWeb) -> None:
    limits = Limits(packed=1_000, unpacked=2_000)
    assert not isinstance(await outcome(web, Page("x" * 1_000), limits=limits), Unfetched)
    assert await problem(web, Page("x" * 1_001), limits=limits) == "too_large"
    assert not isinstance(await outcome(web, gzipped(b"x" * 2_000), limits=limits), Unfetched)
    assert await problem(web, gzipped(b"x" * 2_001), limits=limits) == "too_large"


async def test_lengths_that_lie(web: ScriptedWeb) -> None:
    result = await outcome(web, Page(raw=HEAD + b"content-length: 4\r\n\r\ntext and what comes after it"))
    assert isinstance(result, FetchedPage)
    assert result.body == b"text"


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"content-length: 1000\r\n\r\nshort",
        HEAD + b"content-length: -5\r\n\r\nshort",
        HEAD + b"content-length: 5, 6\r\n\r\nshort!",
        HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\nshort!",
        HEAD + "content-length: ٥\r\n\r\nshort".encode(),
        HEAD + b"content-length: " + b"9" * 5_000 + b"\r\n\r\nshort",
        CHUNKED + b"zz\r\ntext\r\n0\r\n\r\n",
        CHUNKED + b"-4\r\ntext\r\n0\r\n\r\n",
        CHUNKED + b"4\r\ntextmore\r\n0\r\n\r\n",
        CHUNKED + b"4\r\ntext\r\n",
        CHUNKED + b"F" * 30 + b"\r\ntext",
        HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"220 ftp.example ready\r\n",
        b"HTTP/1.1 200 OK\r\nbroken header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nname\0: x\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n",
    ],
)
async def test_answers_that_are_no_http(web: ScriptedWeb, raw: bytes) -> None:
    assert await problem(web, Page(raw=raw)) in ("network", "status")


async def test_a_reset_in_the_middle(web: ScriptedWeb) -> None:
    def act(connection: socket.socket, stopping: threading.Event) -> None:
        connection.sendall(HEAD + b"content-length: 100\r\n\r\nstart")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    assert await problem(web, Page(act=act)) == "network"


@pytest.mark.parametrize(
    "page",
    [
        Page("x", headers={"x-large": "x" * 70_000}),
        Page("x", headers={"x-large": "x" * 500_000}),
        Page("x", headers={f"x-{number}": "x" for number in range(20_000)}),
        Page(raw=HEAD + b"set-cookie: name=value\r\n" * 10_000 + b"\r\ntext"),
        Page(status=302, headers={"location": "/" + "x" * 200_000}),
        endless(HEAD, b"x-more: x\r\n" * 1_000),
        endless(HEAD + b"x-long: ", b"x" * 10_000),
    ],
    ids=["70k", "500k", "many", "cookies", "location", "endless", "endless-line"],
)
async def test_header_bombs(web: ScriptedWeb, page: Page) -> None:
    assert await problem(web, page) == "too_large"


async def test_cookies_are_never_sent_back(web: ScriptedWeb) -> None:
    cookies = b"".join(b"set-cookie: c%d=1; Path=/\r\n" % number for number in range(1_000))
    web.pages = {
        "a.example/": Page(raw=b"HTTP/1.1 302 Found\r\nlocation: /b\r\n" + cookies + b"\r\n"),
        "a.example/b": Page(raw=HEAD + cookies + b"connection: close\r\n\r\ntext"),
    }
    fetcher = web.fetcher()
    for _ in range(2):
        assert isinstance(await fetcher.fetch(web.url("a.example/")), FetchedPage)
    assert len(web.asked()) == 4
    assert not any({"cookie", "authorization", "referer"} & set(each.headers) for each in web.requests)


def silence(connection: socket.socket, stopping: threading.Event) -> None:
    stopping.wait(10)


SLOW = {
    "silence": Page(act=silence),
    "trickled-body": endless(HEAD + b"content-length: 1000\r\n\r\n", b"x", 0.05),
    "trickled-chunks": endless(CHUNKED, b"1\r\nx\r\n", 0.05),
    "trickled-headers": endless(HEAD, b"x-more: x\r\n", 0.05),
    "trickled-status": endless(b"H", b"T", 0.05),
    "hints": endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.01),
    "half-a-body": Page(act=Silent(HEAD + b"content-length: 1000\r\n\r\nhalf").act),
    "slow-redirects": Page(status=302, headers={"location": "/n0"}),
}


async def ends_in_time(web: ScriptedWeb, url: str, **options: Any) -> None:
    started = time.monotonic()
    result = await web.fetcher(seconds=1.0, **options).fetch(url)
    taken = time.monotonic() - started
    assert isinstance(result, Unfetched)
    assert result.problem == "timeout"
    assert 0.5 <= taken <= 10, taken


@pytest.mark.parametrize("name", SLOW)
async def test_the_deadline_holds(web: ScriptedWeb, name: str) -> None:
    def hop(number: int) -> Page:
        def act(connection: socket.socket, stopping: threading.Event) -> None:
            stopping.wait(0.4)
            connection.sendall(redirect(f"/n{number + 1}").rendered())

        return Page(act=act)

    web.pages = {"a.example/": SLOW[name], **{f"a.example/n{number}": hop(number) for number in range(4)}}
    await ends_in_time(web, web.url("a.example/"), own_sites=["a.example"])


async def test_the_deadline_holds_in_a_handshake() -> None:
    class Slow(ScriptedWeb):
        def _wrapped(self, connection: socket.socket) -> socket.socket:
            self.stopping.wait(10)
            raise OSError

    with Slow({}) as web:
        await ends_in_time(web, web.url("a.example/", "https"), own_sites=["a.example"])


async def test_robots_are_within_the_deadline(web: ScriptedWeb) -> None:
    """Sites that pass a fetch on, each slow to say that it may be read."""

    def slow_robots(connection: socket.socket, stopping: threading.Event) -> None:
        stopping.wait(0.35)
        connection.sendall(Page(status=404).rendered())

    hosts = [f"h{number}.example" for number in range(6)]
    onward = {f"{host}/": redirect(web.url(f"{after}/")) for host, after in pairwise(hosts)}
    web.pages = {**onward, **{f"{host}/robots.txt": Page(act=slow_robots) for host in hosts}}
    await ends_in_time(web, web.url("h0.example/"))


async def test_silent_robots_end_in_time(web: ScriptedWeb) -> None:
    web.pages = {"a.example/robots.txt": SLOW["silence"], "a.example/": "text"}
    await ends_in_time(web, web.url("a.example/"))
    assert web.asked() == []


@pytest.mark.parametrize("first", [b"", HEAD, HEAD + b"\r\nsome", CHUNKED + b"ff\r\nsome"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_cancelled_fetch_hangs_up(web: ScriptedWeb, scheme: str, first: bytes) -> None:
    silent = Silent(first)
    web.pages = {"a.example/": silent.page}
    task = asyncio.ensure_future(own(web).fetch(web.url("a.example/", scheme)))
    assert await wait_for(silent.asked)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await wait_for(silent.closed)


@pytest.mark.parametrize("cancel", [True, False])
async def test_a_handshake_cut_short_hangs_up(cancel: bool) -> None:
    silent = Silent()

    class Mute(ScriptedWeb):
        def _wrapped(self, connection: socket.socket) -> socket.socket:
            silent.act(connection, self.stopping)
            raise OSError

    with Mute({}) as web:
        task = asyncio.ensure_future(own(web, seconds=20.0 if cancel else 0.3).fetch(web.url("a.example/", "https")))
        assert await wait_for(silent.asked)
        await asyncio.sleep(0.05)
        if cancel:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            result = await task
            assert isinstance(result, Unfetched)
            assert result.problem == "timeout"
        assert await wait_for(silent.closed)


async def test_a_page_refused_in_the_middle_hangs_up(web: ScriptedWeb) -> None:
    silent = Silent(HEAD + b"content-length: 6000000\r\n\r\n")
    assert await problem(web, silent.page) == "too_large"
    assert await wait_for(silent.closed)


async def test_a_cancelled_fetch_gives_its_turn_back(web: ScriptedWeb) -> None:
    silent = Silent()
    web.pages = {"a.example/": silent.page, "a.example/b": "text"}
    fetcher = own(web)
    tasks = [asyncio.ensure_future(fetcher.fetch(web.url("a.example/"))) for _ in range(5)]
    assert await wait_for(silent.asked)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(3):
        assert isinstance(await fetcher.fetch(web.url("a.example/b")), FetchedPage)
