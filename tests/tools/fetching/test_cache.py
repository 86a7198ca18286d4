"""The page cache: fresh pages cost nothing, stale ones are asked for, and what is not whole is not there."""

import asyncio
import dataclasses
import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from searchinstruct_graph.tools.fetching import FetchedPage, Unfetched
from searchinstruct_graph.tools.fetching import cache as cache_module
from searchinstruct_graph.tools.fetching.cache import PageCache
from tests.support.web import Page, Request, ScriptedWeb, redirect

PAGE = FetchedPage(
    url="http://a.example/b",
    chain=("http://a.example/", "http://a.example/b"),
    content_type="text/html",
    charset="utf-8",
    body=b"<p>text</p>" * 100,
    fetched_at="2026-01-01T00:00:00+00:00",
    etag='"1"',
    last_modified="Thu, 01 Jan 2026 00:00:00 GMT",
    fresh_until=4e9,
)


def files(folder: Path, kind: str) -> list[Path]:
    return sorted((folder / kind).iterdir())


def test_what_is_put_is_got(pages_folder: Path) -> None:
    cache = PageCache(pages_folder)
    assert cache.get("http://a.example/") is None
    cache.put("http://a.example/", PAGE)
    assert cache.get("http://a.example/") == PAGE
    assert PageCache(pages_folder).get("http://a.example/") == PAGE
    assert cache.get("http://a.example/b") is None
    changed = dataclasses.replace(PAGE, body=b"other", charset=None)
    cache.put("http://a.example/", changed)
    assert cache.get("http://a.example/") == changed


def overwrite(data: bytes) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        path.write_bytes(data)

    return harm


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def forged(text: str, other: str) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        data = path.read_bytes()
        assert text.encode() in data
        path.write_bytes(data.replace(text.encode(), other.encode()))

    return harm


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


HARMS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "record cut": ("urls", cut),
    "record empty": ("urls", overwrite(b"")),
    "record flipped": ("urls", flip),
    "record no json": ("urls", overwrite(b"\xff\xfe\0")),
    "record null": ("urls", overwrite(b"null")),
    "record list": ("urls", overwrite(b"[]")),
    "record deep": ("urls", overwrite(b"[" * 200_000)),
    "record gone": ("urls", Path.unlink),
    "record is a folder": ("urls", folder_instead),
    "other version": ("urls", forged('"version": 1', '"version": 2')),
    "other url": ("urls", forged("http://a.example/b", "http://b.example/b")),
    "other type": ("urls", forged("text/html", "text/text")),
    "no chain": ("urls", forged('["http://a.example/", "http://a.example/b"]', "null")),
    "fresh for ever": ("urls", forged("4000000000.0", "4000000009.0")),
    "fresh in words": ("urls", forged("4000000000.0", '"tomorrow"')),
    "body cut": ("bodies", cut),
    "body empty": ("bodies", overwrite(b"")),
    "body flipped": ("bodies", flip),
    "body other": ("bodies", overwrite(zlib.compress(b"other text"))),
    "body gone": ("bodies", Path.unlink),
}


@pytest.mark.parametrize("name", HARMS)
def test_what_is_not_whole_is_a_miss_and_is_written_again(pages_folder: Path, name: str) -> None:
    where, harm = HARMS[name]
    cache = PageCache(pages_folder)
    cache.put("http://a.example/", PAGE)
    (path,) = files(pages_folder, where)
    harm(path)
    assert cache.get("http://a.example/") is None
    if path.is_dir():
        return
    cache.put("http://a.example/", PAGE)
    assert cache.get("http://a.example/") == PAGE


async def test_harm_between_two_fetches(web: ScriptedWeb, pages_folder: Path) -> None:
    web.pages = {"a.example/": "<p>text</p>"}
    fetcher = web.fetcher(cache=pages_folder)
    for asked, where in ((1, ""), (2, "urls"), (3, "bodies")):
        if where:
            flip(files(pages_folder, where)[0])
        for _ in range(2):
            result = await fetcher.fetch(web.url("a.example/"))
            assert isinstance(result, FetchedPage)
            assert result.body == b"<p>text</p>"
            assert len(web.asked()) == asked


def test_swapped_records(pages_folder: Path) -> None:
    cache = PageCache(pages_folder)
    cache.put("http://a.example/", PAGE)
    (first,) = files(pages_folder, "urls")
    cache.put("http://b.example/", dataclasses.replace(PAGE, body=b"b"))
    (second,) = (each for each in files(pages_folder, "urls") if each != first)
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    assert cache.get("http://a.example/") is None
    assert cache.get("http://b.example/") is None


def test_a_record_of_another_version(pages_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = PageCache(pages_folder)
    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "VERSION", 0)
        cache.put("http://a.example/", PAGE)
        assert cache.get("http://a.example/") == PAGE
    assert cache.get("http://a.example/") is None


async def test_a_folder_that_cannot_be_written_costs_the_cache_alone(web: ScriptedWeb, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    web.pages = {"a.example/": "text"}
    fetcher = web.fetcher(cache=tmp_path / "file" / "pages")
    for _ in range(2):
        assert isinstance(await fetcher.fetch(web.url("a.example/")), FetchedPage)
    assert len(web.asked()) == 2


def test_no_torn_files_and_no_leftovers(pages_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = PageCache(pages_folder)
    cache.put("http://a.example/", PAGE)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    cache.put("http://a.example/", dataclasses.replace(PAGE, body=b"new"))
    assert cache.get("http://a.example/") == PAGE
    assert len(files(pages_folder, "urls")) == len(files(pages_folder, "bodies")) == 1


def test_the_oldest_bodies_go(pages_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "MAX_BYTES", 100)
    monkeypatch.setattr(cache_module, "_PRUNE_EVERY", 2)
    cache = PageCache(pages_folder)
    for number in range(9):
        cache.put(f"http://a.example/{number}", dataclasses.replace(PAGE, body=f"a body of {number}".encode()))
    assert sum(each.stat().st_size for each in files(pages_folder, "bodies")) <= 100
    assert cache.get("http://a.example/8")
    assert cache.get("http://a.example/0") is None


def test_only_the_owner_may_look(pages_folder: Path) -> None:
    PageCache(pages_folder).put("http://a.example/", PAGE)
    for folder in ("urls", "bodies"):
        assert (pages_folder / folder).stat().st_mode & 0o077 == 0
        assert all(each.stat().st_mode & 0o077 == 0 for each in files(pages_folder, folder))


async def test_a_fresh_page_costs_no_request(web: ScriptedWeb, pages_folder: Path) -> None:
    web.pages = {"a.example/": redirect("/b"), "a.example/b": "<p>text</p>"}
    first = await web.fetcher(cache=pages_folder).fetch(web.url("a.example/"))
    asked = len(web.requests)
    for _ in range(2):
        assert await web.fetcher(cache=pages_folder).fetch(web.url("a.example/") + "#part") == first
    assert len(web.requests) == asked
    assert isinstance(await web.fetcher(cache=False).fetch(web.url("a.example/")), FetchedPage)
    assert len(web.requests) > asked


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds to add to the time of day."""
    ahead = [0.0]
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + ahead[0])
    return ahead


@pytest.mark.parametrize(
    ("control", "fresh", "stale"),
    [
        ("", 3_500, 3_700),
        ("max-age=60", 50, 70),
        ("public, MAX-AGE=60", 50, 70),
        ("max-age=999999999999", 86_000, 87_000),
        ("max-age=0", None, 1),
        ("max-age=-5", 3_500, 3_700),
        ("no-cache, max-age=60", None, 1),
        ("max-age=soon", 3_500, 3_700),
    ],
)
async def test_how_long_a_page_is_fresh(
    web: ScriptedWeb, pages_folder: Path, clock: list[float], control: str, fresh: float | None, stale: float
) -> None:
    web.pages = {"a.example/": Page("text", headers={"cache-control": control})}
    fetcher = web.fetcher(cache=pages_folder, own_sites=["a.example"])
    await fetcher.fetch(web.url("a.example/"))
    if fresh:
        clock[0] = fresh
        await fetcher.fetch(web.url("a.example/"))
        assert len(web.asked()) == 1
    clock[0] = stale
    await fetcher.fetch(web.url("a.example/"))
    assert len(web.asked()) == 2


async def test_a_stale_page_is_revalidated(web: ScriptedWeb, pages_folder: Path, clock: list[float]) -> None:
    validators = {"etag": '"1"', "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT", "cache-control": "max-age=60"}

    def page(request: Request) -> Page:
        unchanged = request.headers.get("if-none-match") == '"1"'
        return (
            Page(status=304, headers={"cache-control": "max-age=60"}) if unchanged else Page("old", headers=validators)
        )

    web.pages = {"a.example/": page}
    fetcher = web.fetcher(cache=pages_folder, own_sites=["a.example"])
    first = await fetcher.fetch(web.url("a.example/"))
    assert isinstance(first, FetchedPage)
    assert "if-none-match" not in web.requests[0].headers
    clock[0] = 70
    second = await fetcher.fetch(web.url("a.example/"))
    assert isinstance(second, FetchedPage)
    assert (second.body, second.url, second.etag) == (first.body, first.url, first.etag)
    assert second.fresh_until > first.fresh_until
    assert web.requests[1].headers["if-none-match"] == '"1"'
    assert web.requests[1].headers["if-modified-since"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    # The answer has made it fresh again.
    assert await fetcher.fetch(web.url("a.example/")) == second
    assert len(web.requests) == 2
    # A changed page takes its place.
    web.pages = {"a.example/": Page("new", headers={"etag": '"2"'})}
    clock[0] = 140
    for _ in range(2):
        third = await fetcher.fetch(web.url("a.example/"))
        assert isinstance(third, FetchedPage)
        assert (third.body, third.etag) == (b"new", '"2"')
    assert len(web.requests) == 3


async def test_a_stale_page_that_is_gone_is_gone(web: ScriptedWeb, pages_folder: Path, clock: list[float]) -> None:
    web.pages = {"a.example/": Page("old", headers={"etag": '"1"'})}
    fetcher = web.fetcher(cache=pages_folder)
    await fetcher.fetch(web.url("a.example/"))
    clock[0] = 4_000
    web.pages = {}
    result = await fetcher.fetch(web.url("a.example/"))
    assert isinstance(result, Unfetched)
    assert result.detail == "status 404"


async def test_what_a_page_revalidates_is_never_another(
    web: ScriptedWeb, pages_folder: Path, clock: list[float]
) -> None:
    """A 304 that nobody asked for stands for no page, and validators go to where they came from alone."""
    web.pages = {"a.example/": Page("old", headers={"etag": '"1"'})}
    fetcher = web.fetcher(cache=pages_folder)
    await fetcher.fetch(web.url("a.example/"))
    clock[0] = 4_000
    web.pages = {"a.example/": redirect(web.url("b.example/")), "b.example/": Page(status=304)}
    result = await fetcher.fetch(web.url("a.example/"))
    assert isinstance(result, Unfetched)
    assert result.detail == "status 304"
    assert [each.headers.get("if-none-match") for each in web.requests if each.path == "/"] == [None, '"1"', None]


@pytest.mark.parametrize("control", ["no-store", "private, No-Store", "max-age=60, no-store"])
async def test_no_store(web: ScriptedWeb, pages_folder: Path, control: str) -> None:
    web.pages = {"a.example/": Page("text", headers={"cache-control": control})}
    fetcher = web.fetcher(cache=pages_folder)
    for _ in range(2):
        assert isinstance(await fetcher.fetch(web.url("a.example/")), FetchedPage)
    assert len(web.asked()) == 2
    assert not [each for each in pages_folder.rglob("*") if each.is_file()]


async def test_failures_are_not_kept(web: ScriptedWeb, pages_folder: Path) -> None:
    fetcher = web.fetcher(cache=pages_folder)
    for status in (404, 500):
        web.pages = {"a.example/": Page(status=status)}
        assert isinstance(await fetcher.fetch(web.url("a.example/")), Unfetched)
    web.pages = {"a.example/": "text"}
    assert isinstance(await fetcher.fetch(web.url("a.example/")), FetchedPage)


async def test_headers_that_could_not_be_sent_back(web: ScriptedWeb, pages_folder: Path, clock: list[float]) -> None:
    raw = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\netag: "é"\r\nlast-modified: \x7f\r\ncontent-length: 4\r\n\r\ntext'
    web.pages = {"a.example/": Page(raw=raw.replace("\x7f", "é").encode())}
    fetcher = web.fetcher(cache=pages_folder)
    for ahead in (0, 4_000):
        clock[0] = ahead
        assert isinstance(await fetcher.fetch(web.url("a.example/")), FetchedPage)
    assert not any({"if-none-match", "if-modified-since"} & set(each.headers) for each in web.requests)


def test_records_are_plain(pages_folder: Path) -> None:
    """No pickle: text that a person can read, and zlib."""
    PageCache(pages_folder).put("http://a.example/", PAGE)
    (record,), (body,) = files(pages_folder, "urls"), files(pages_folder, "bodies")
    assert json.loads(record.read_text().splitlines()[-1])["url"] == PAGE.url
    assert zlib.decompress(body.read_bytes()) == PAGE.body


async def test_a_page_that_is_wanted_twice_at_once_is_asked_for_once(web: ScriptedWeb, pages_folder: Path) -> None:
    web.pages = {"a.example/": "<p>text</p>"}
    fetcher = web.fetcher(cache=pages_folder)
    pages = await asyncio.gather(*(fetcher.fetch(web.url("a.example/")) for _ in range(5)))
    assert web.asked() == ["a.example/"]
    assert all(isinstance(page, FetchedPage) for page in pages)
    assert not fetcher._same.here()
