"""Search providers against real HTTP: what they send, what they make of the answers, how they fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.documents import Document as RetrievedText
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool

from searchinstruct_graph.errors import ProviderError, UsageError
from searchinstruct_graph.models import retry
from searchinstruct_graph.models.retry import CallFailed
from searchinstruct_graph.tools.fetching import Unfetched
from searchinstruct_graph.tools.reading import Document
from searchinstruct_graph.tools.search import Found, Hit, SearxngSearch, Sources, TavilySearch, WebOptions, merged
from searchinstruct_graph.tools.search.langchain import from_langchain
from tests.support.search_services import Fault, SearchServices
from tests.support.web import ScriptedWeb

PAGES = {
    "https://a.example/lamp": ("Lamp", "The lamp of Karvel is green."),
    "https://b.example/lamp?utm_source=x": ("Lamp again", "Karvel has a lamp."),
    "https://c.example/goats": ("Goats", "Goats eat seaweed."),
}


@pytest.fixture(autouse=True)
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[SearchServices]:
    with SearchServices(PAGES) as running:
        monkeypatch.setenv("TAVILY_BASE_URL", running.url)
        yield running


async def test_tavily_is_asked_as_the_settings_say_and_its_credits_are_counted(services: SearchServices) -> None:
    options = WebOptions("news", "week", ("a.example",), ("c.example",))
    found = await TavilySearch("tvly-key", options).search("lamp Karvel " + "x" * 500, 30)
    assert [hit.uri for hit in found.hits] == list(PAGES)[:2]
    assert found.credits == 1.0
    sent = services.asked[0]
    assert sent.headers["authorization"] == "Bearer tvly-key"
    assert sent.given == {
        "query": ("lamp Karvel " + "x" * 500)[:400],
        "max_results": 20,
        "topic": "news",
        "time_range": "week",
        "include_domains": ["a.example"],
        "exclude_domains": ["c.example"],
        "include_usage": True,
    }


async def test_tavily_reads_pages_when_it_may(services: SearchServices) -> None:
    page = await TavilySearch("k", read_pages=True).read("https://a.example/lamp")
    assert isinstance(page, Document)
    assert "green" in page.text
    assert page.title == "Lamp"
    assert await TavilySearch("k").read("https://a.example/lamp") is None
    gone = await TavilySearch("k").extract("https://nowhere.example/")
    assert isinstance(gone, Unfetched)


@pytest.mark.parametrize("status", [401, 403, 432, 433])
async def test_a_refused_key_or_spent_credit_is_asked_once(services: SearchServices, status: int) -> None:
    services.faults = [Fault(status, '{"detail": {"error": "no. key tvly-abcdefgh12345"}}')] * 5
    with pytest.raises(ProviderError, match="tavily refuses") as raised:
        await TavilySearch("k").search("lamp", 3)
    assert len(services.asked) == 1
    assert "tvly-abcdefgh" not in str(raised.value)


@pytest.mark.parametrize("fault", [Fault(429), Fault(500), Fault(200, "<html>"), Fault(200, "[1]")])
async def test_a_passing_fault_is_tried_again_and_a_lasting_one_ends(services: SearchServices, fault: Fault) -> None:
    services.faults = [fault]
    assert (await TavilySearch("k").search("lamp", 3)).hits
    services.faults = [fault] * 9
    with pytest.raises(CallFailed):
        await TavilySearch("k").search("lamp", 3)
    assert len(services.asked) == 2 + 3


async def test_a_bad_request_is_not_repeated(services: SearchServices) -> None:
    services.faults = [Fault(400)] * 3
    with pytest.raises(CallFailed):
        await TavilySearch("k").search("lamp", 3)
    assert len(services.asked) == 1


async def test_searxng_gives_what_the_domains_admit(services: SearchServices) -> None:
    searx = SearxngSearch(services.url + "/", WebOptions("news", "month", (), ("b.example",)))
    found = await searx.search("lamp Karvel", 5)
    assert [hit.uri for hit in found.hits] == ["https://a.example/lamp"]
    assert services.asked[0].given == {
        "q": "lamp Karvel", "format": "json", "categories": "news", "time_range": "month",
    }  # fmt: skip


@pytest.mark.parametrize("body", ["<html>JSON is off</html>", "{}", '{"results": 3}'])
async def test_a_searxng_without_json_is_a_failure_with_words(services: SearchServices, body: str) -> None:
    services.faults = [Fault(200, body)] * 9
    with pytest.raises(CallFailed):
        await SearxngSearch(services.url).search("lamp", 5)


async def test_an_endless_reply_is_cut(services: SearchServices) -> None:
    services.faults = [Fault(200, " " * 6_000_000)] * 9
    with pytest.raises(CallFailed, match="longer than"):
        await SearxngSearch(services.url).search("lamp", 5)


class Shelf(BaseRetriever):
    """A retriever that holds its texts."""

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[RetrievedText]:
        if query == "fail":
            raise ValueError("the shelf fell down")
        return [
            RetrievedText(
                "The lamp is green.", metadata={"source": "guide.pdf", "title": "Guide", "license": "CC0-1.0"}
            ),
            RetrievedText("It was lit in 1840.", metadata={"source": "guide.pdf"}, id="7"),
            RetrievedText("  "),
        ]


async def test_a_langchain_retriever_gives_its_texts_as_pages() -> None:
    with ScriptedWeb({}) as web:
        sources = Sources([from_langchain(Shelf(), "shelf")], web.fetcher())
        hits = (await sources.search("lamp", 5)).hits
        assert [hit.uri.partition("#")[0] for hit in hits] == ["guide.pdf", "guide.pdf"]
        pages = [await sources.read(hit.uri, hit.provider) for hit in hits]
    assert [page.text for page in pages if isinstance(page, Document)] == ["The lamp is green.", "It was lit in 1840."]
    first = pages[0]
    assert isinstance(first, Document)
    assert (first.title, first.license, first.text) == ("Guide", "CC0-1.0", "The lamp is green.")
    assert hits[1].uri == "guide.pdf#7"


@pytest.mark.parametrize(
    "answer",
    [
        [{"url": "https://a.example/x", "title": "X", "content": "…"}],
        {"results": [{"link": "https://a.example/x", "title": "X"}], "query": "q"},
        '[{"href": "https://a.example/x", "title": "X"}]',
        "[{'url': 'https://a.example/x', 'title': 'X'}]",
        "snippet: something, title: X, link: https://a.example/x, next",
    ],
)
async def test_a_langchain_tool_gives_the_pages_that_its_answer_names(answer: Any) -> None:
    @tool
    def look_up(query: str) -> Any:
        """Search."""
        return answer

    found = await from_langchain(look_up).search("lamp", 5)
    assert [hit.uri for hit in found.hits] == ["https://a.example/x"]
    assert found.hits[0].provider == "look_up"


def test_what_cannot_search_is_refused() -> None:
    @tool
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    with pytest.raises(UsageError, match="a, b"):
        from_langchain(add)
    with pytest.raises(UsageError, match="neither"):
        from_langchain(object())  # type: ignore[arg-type]


class Provider:
    """A provider that answers as it is told."""

    def __init__(self, name: str, outcome: Any) -> None:
        self.name = name
        self._outcome = outcome

    async def search(self, query: str, count: int, *, instruction: str = "") -> Found:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return Found([Hit(uri, uri, provider=self.name) for uri in self._outcome], 2.0)

    async def read(self, uri: str) -> Document | Unfetched | None:
        return None


async def test_one_failing_provider_does_not_touch_the_others() -> None:
    with ScriptedWeb({}) as web:
        providers = [
            Provider("a", ["https://x.example/1", "https://x.example/2"]),
            Provider("b", CallFailed("provider", "down")),
            Provider("c", ProviderError("c refuses")),
            Provider("d", KeyError("oops")),
            Provider("e", ["https://www.x.example/2/?utm_source=e#top", "https://x.example/3"]),
        ]
        answers = await Sources(providers, web.fetcher()).search("q", 5)
        assert [hit.uri for hit in answers.hits] == [
            "https://x.example/2", "https://x.example/1", "https://x.example/3",
        ]  # fmt: skip
        assert {each.provider: each.failure for each in answers.asked} == {
            "a": None, "b": "down", "c": "c refuses", "d": "KeyError: 'oops'", "e": None,
        }  # fmt: skip
        with pytest.raises(ProviderError):
            await Sources([providers[2]], web.fetcher()).search("q", 5)


def test_parts_of_a_page_stay_apart_and_whole_pages_are_merged() -> None:
    corpus = [Hit("a.md", "A", (0, 5)), Hit("a.md", "A", (9, 20))]
    web = [Hit("http://x.example/", "X"), Hit("https://x.example", "X")]
    assert [(hit.uri, hit.span) for hit in merged([corpus, web])] == [
        ("a.md", (0, 5)), ("http://x.example/", None), ("a.md", (9, 20)),
    ]  # fmt: skip


async def test_an_address_that_no_source_holds_is_not_opened_as_a_file() -> None:
    with ScriptedWeb({}) as web:
        page = await Sources([], web.fetcher()).read("/etc/passwd", "corpus")
    assert isinstance(page, Unfetched)
    assert page.problem == "url"


async def test_two_providers_of_one_name_are_refused() -> None:
    with ScriptedWeb({}) as web, pytest.raises(UsageError, match="name them apart"):
        Sources([from_langchain(Shelf()), from_langchain(Shelf())], web.fetcher())


async def test_a_reader_that_raises_costs_its_page_alone_and_no_password_is_told() -> None:
    class Raising(Provider):
        async def read(self, uri: str) -> Document | Unfetched | None:
            raise RuntimeError("for url 'http://user:s3cretpw@host/x'")

    with ScriptedWeb({}) as web:
        page = await Sources([Raising("a", [])], web.fetcher()).read("https://x.example/", "a")
    assert isinstance(page, Unfetched)
    assert page.problem == "unreadable"
    assert "s3cretpw" not in page.detail
