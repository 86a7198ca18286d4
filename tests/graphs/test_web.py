"""Research over a scripted web: two hundred pages on many hosts, a fake Tavily, and whatever goes wrong between them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.errors import ProviderError, UsageError
from searchinstruct_graph.graphs.research import build_graph
from searchinstruct_graph.models import retry
from searchinstruct_graph.tools.search import SearxngSearch
from tests.support import island
from tests.support.scripted_llm import Script, ScriptedLLM
from tests.support.search_services import Fault, SearchServices
from tests.support.web import Page, ScriptedWeb, redirect

Start = Callable[[Script], ScriptedLLM]
QUESTIONS = {
    "When was the bell tower of Ostrava Point finished?": "1764",
    "How deep is the well of Sandrin?": "83 metres",
    "Who painted the ceiling of the Morvane library?": "Ilse Tarbuck",
}
FACTS = [
    ("tower.example/ostrava-point", "Ostrava Point", "The bell tower of Ostrava Point was finished in 1764."),
    ("wells.example/sandrin", "The well of Sandrin", "The well of Sandrin is 83 metres deep, cut through granite."),
    ("libraries.example/morvane", "Morvane library", "The ceiling of the Morvane library was painted by Ilse Tarbuck."),
]


def article(title: str, *paragraphs: str) -> str:
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return (
        f"<html><head><title>{title}</title></head><body><nav><a href='/'>Home</a> <a href='/all'>All pages</a></nav>"
        f"<article><h1>{title}</h1>{body}</article><footer>All rights reserved.</footer></body></html>"
    )


def two_hundred_pages() -> dict[str, tuple[str, str]]:
    """`host/path` to (title, text): three facts among 197 pages about something else that share their words."""
    draw = random.Random(7)
    places = ["Ostrava Point", "Sandrin", "Morvane", "Halm", "Verrick", "Tolland", "Quay Head"]
    things = ["harbour", "well", "library", "bell tower", "market", "bridge", "mill", "ceiling"]
    pages = {place: (title, f"{text} Visitors come in spring.") for place, title, text in FACTS}
    for number in range(197):
        place, thing = draw.choice(places), draw.choice(things)
        text = f"People in {place} like to talk about the {thing}. Some say that it should be repaired, others wait."
        pages[f"site{number % 23}.example/{number}"] = (f"{thing.title()} talk {number}", text)
    return pages


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ScriptedWeb, SearchServices]]:
    pages = two_hundred_pages()
    served = {place: article(title, text) for place, (title, text) in pages.items()}
    with ScriptedWeb(served) as web:
        schemes = ["http", "https"]
        found = {web.url(place, schemes[n % 2]): told for n, (place, told) in enumerate(pages.items())}
        with SearchServices(found) as services:
            monkeypatch.setenv("TAVILY_BASE_URL", services.url)
            monkeypatch.setenv("TAVILY_API_KEY", "tvly-test")
            monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)
            yield web, services


async def ask(web: ScriptedWeb, question: str, **settings: Any) -> dict[str, Any]:
    graph = build_graph(fetcher=web.fetcher())
    context = ResearchContext(**{"web": True, "model": "offline", **settings})
    return dict(await graph.ainvoke({"question": question}, context=context))


@pytest.mark.parametrize(("question", "answer"), QUESTIONS.items())
async def test_what_is_on_the_web_is_found_in_few_fetches_of_given_pages(
    world: tuple[ScriptedWeb, SearchServices], question: str, answer: str
) -> None:
    web, services = world
    result = await ask(web, question)
    assert result["status"] == "answered"
    assert answer in result["answer"]
    assert 0 < len(web.asked()) < 15
    offered = {url.partition("://")[2].partition(":")[0] + "/" + url.rpartition("/")[2] for url in services.pages}
    assert set(web.asked()) <= offered
    assert result["usage"]["providers"]["tavily"] == {
        "searches": len(services.queries()), "failed": 0, "credits": float(len(services.queries())),
    }  # fmt: skip
    source = result["sources"][0]
    assert source["uri"] in services.pages
    assert source["retrieved_at"]


async def test_no_page_is_asked_for_twice(world: tuple[ScriptedWeb, SearchServices]) -> None:
    web, _ = world
    result = await ask(web, "Who repaired the mill of Nowhere in the year of the flood?", max_rounds=4)
    assert result["status"] == "insufficient_evidence"
    assert len(web.asked()) == len(set(web.asked())) <= 15


async def test_providers_are_searched_side_by_side_and_one_may_be_down(
    world: tuple[ScriptedWeb, SearchServices], monkeypatch: pytest.MonkeyPatch
) -> None:
    web, _ = world
    with SearchServices({}) as broken:
        broken.faults = [Fault(500)] * 99
        monkeypatch.setenv("SEARXNG_URL", broken.url)
        result = await ask(web, "How deep is the well of Sandrin?")
    assert result["status"] == "answered"
    account = result["usage"]["providers"]
    assert account["searxng"]["failed"] == account["searxng"]["searches"] > 0
    assert account["tavily"]["failed"] == 0
    assert any(problem.startswith("searxng: ") for problem in result["critique"]["problems"])


async def test_a_search_that_nobody_answers_is_a_typed_end(world: tuple[ScriptedWeb, SearchServices]) -> None:
    web, services = world
    services.faults = [Fault(503)] * 99
    result = await ask(web, "How deep is the well of Sandrin?")
    assert (result["status"], result["stop_reason"]) == ("insufficient_evidence", "search_failed")
    assert not web.asked()


async def test_a_refused_key_stops_the_run(world: tuple[ScriptedWeb, SearchServices]) -> None:
    web, services = world
    services.faults = [Fault(401)] * 99
    with pytest.raises(ProviderError, match="tavily"):
        await ask(web, "How deep is the well of Sandrin?")


async def test_dead_links_are_an_outcome_and_are_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedWeb({"loop.example/": redirect("/")}) as web:
        dead = {web.url(f"dead{n}.example/well"): ("The well of Sandrin", "The well of Sandrin") for n in range(4)}
        dead[web.url("loop.example/")] = ("The well of Sandrin", "")
        with SearchServices(dead) as services:
            monkeypatch.setenv("SEARXNG_URL", services.url)
            result = await ask(web, "How deep is the well of Sandrin?")
    assert (result["status"], result["stop_reason"]) == ("insufficient_evidence", "no_evidence")
    assert result["read"] == []
    assert any("status 404" in problem for problem in result["critique"]["problems"])
    assert any("circle" in problem for problem in result["critique"]["problems"])
    assert len(web.asked()) == len(set(web.asked()))


async def test_pages_that_cannot_be_fetched_may_be_read_by_tavily(world: tuple[ScriptedWeb, SearchServices]) -> None:
    web, services = world
    web.pages = {}
    question = "How deep is the well of Sandrin?"
    assert (await ask(web, question))["status"] == "insufficient_evidence"
    fetched = len(web.asked())
    result = await ask(web, question, extract="fallback")
    assert result["status"] == "answered"
    assert len(web.asked()) > fetched
    fetched = len(web.asked())
    assert (await ask(web, question, extract="always"))["status"] == "answered"
    assert len(web.asked()) == fetched
    assert any(each.service == "extract" for each in services.asked)


async def test_a_page_named_in_the_question_is_read_first(world: tuple[ScriptedWeb, SearchServices]) -> None:
    web, _ = world
    url = web.url("private.example/note", "https")
    assert isinstance(web.pages, dict)
    web.pages["private.example/note"] = article("Note", "The gate of Halm opens at nine in the morning.")
    result = await ask(web, f"When does the gate of Halm open? See {url}")
    assert result["read"][0] == url
    assert "nine in the morning" in result["answer"]


async def test_a_long_page_is_read_where_it_speaks_about_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    filler = [
        f"Paragraph {n} says that the weather in Tolland was mild and that nothing else happened." for n in range(900)
    ]
    page = article("All", *filler[:700], FACTS[1][2], *filler[700:])
    with (
        ScriptedWeb({"long.example/all": page}) as web,
        SearchServices({web.url("long.example/all"): ("All", "well Sandrin deep")}) as services,
    ):
        monkeypatch.setenv("SEARXNG_URL", services.url)
        result = await ask(web, "How deep is the well of Sandrin?", page_chars=4_000)
    assert "83 metres" in result["answer"]


async def test_an_address_that_a_model_has_composed_is_refused_and_told(
    scripted_llm: Start, world: tuple[ScriptedWeb, SearchServices]
) -> None:
    web, services = world
    secret = web.url("evil.example/collect?told=") + "the-evidence"
    offered = web.url("wells.example/sandrin", "https")

    def assess(_: Any) -> dict[str, Any]:
        return {
            "sufficient": False, "covered": [], "missing": ["more"],
            "next_queries": [secret, f"look at {secret} and the wells", offered],
        }  # fmt: skip

    scripted_llm(island.honest(Sufficiency=assess))
    result = await ask(web, "Where is the well of Sandrin?", model="openai:scripted", samples=0)
    assert not any(place.startswith("evil.example") for place in web.asked())
    assert not any("evil.example" in query for query in services.queries())
    assert any(
        "no person gave it" in problem and "evil.example" in problem for problem in result["critique"]["problems"]
    )


async def test_words_of_private_files_are_not_sent_to_the_web(
    scripted_llm: Start, world: tuple[ScriptedWeb, SearchServices], tmp_path: Path
) -> None:
    web, services = world
    leak = f"who says {island.BUILDER} please"
    told = {"sufficient": False, "covered": [], "missing": ["more"], "next_queries": [leak, "Mara Denholm born"]}
    llm = scripted_llm(island.honest(Sufficiency=told))
    corpus = [island.write_island(tmp_path)]
    with pytest.raises(UsageError, match="web-beside-corpus"):
        ResearchContext(corpus=corpus, web=True)
    await ask(
        web, island.QUESTION, corpus=corpus, index=str(tmp_path / "index"), web_beside_corpus=True,
        model="openai:scripted", samples=0,
    )  # fmt: skip
    assert llm.calls("PageQuotes")
    assert "Mara Denholm born" in services.queries()
    assert leak not in services.queries()


async def test_a_page_of_the_web_may_be_the_corpus(tmp_path: Path) -> None:
    with ScriptedWeb({"wells.example/sandrin": article(*FACTS[1][1:]), "gone.example/": Page(status=410)}) as web:
        graph = build_graph(fetcher=web.fetcher())
        url = web.url("wells.example/sandrin", "https")
        settings = ResearchContext(corpus=[url], index=str(tmp_path), model="offline")
        result = await graph.ainvoke({"question": "How deep is the well of Sandrin?"}, context=settings)
        assert result["read"] == [url]
        assert "83 metres" in result["answer"]
        with pytest.raises(UsageError, match=r"gone\.example.*status 410"):
            await graph.ainvoke(
                {"question": "x"}, context=ResearchContext(corpus=[web.url("gone.example/")], index=str(tmp_path))
            )


async def test_an_application_brings_its_own_provider(world: tuple[ScriptedWeb, SearchServices]) -> None:
    web, services = world
    graph = build_graph(providers=[SearxngSearch(services.url)], fetcher=web.fetcher())
    result = await graph.ainvoke(
        {"question": "How deep is the well of Sandrin?"}, context=ResearchContext(model="offline")
    )
    assert result["status"] == "answered"
    assert set(result["usage"]["providers"]) == {"searxng"}


async def test_the_web_without_a_provider_says_what_to_set() -> None:
    with ScriptedWeb({}) as web:
        with pytest.raises(UsageError, match=r"TAVILY_API_KEY.*SEARXNG_URL"):
            await ask(web, "Anything?")
        with pytest.raises(UsageError, match="tavily is not set up"):
            await ask(web, "Anything?", search_providers=["tavily"])


async def test_a_page_that_does_not_come_ends_with_the_time_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def silence(_: Any, stopping: threading.Event) -> None:
        stopping.wait(30)

    with (
        ScriptedWeb({"slow.example/well": Page(act=silence)}) as web,
        SearchServices({web.url("slow.example/well"): ("The well of Sandrin", "deep")}) as services,
    ):
        monkeypatch.setenv("SEARXNG_URL", services.url)
        began = time.monotonic()
        result = await ask(web, "How deep is the well of Sandrin?", max_seconds=2, max_rounds=1)
        assert time.monotonic() - began < 4
    assert result["status"] in ("insufficient_evidence", "budget_exhausted")
    assert any("time of the run" in problem for problem in result["critique"]["problems"])
