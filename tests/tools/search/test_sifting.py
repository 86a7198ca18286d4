"""What an instruction asks of sources, held against results of the web and against pages that were read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.graphs.research import build_graph
from searchinstruct_graph.models import retry
from searchinstruct_graph.text.constraints import read_constraints
from searchinstruct_graph.tools.corpus import Corpus
from searchinstruct_graph.tools.reading import Document
from searchinstruct_graph.tools.search import CorpusSearch, Hit, SearxngSearch, Sources, TavilySearch, outside_of
from searchinstruct_graph.tools.search.sifting import sifted
from tests.support.fevers import write_mixed
from tests.support.search_services import SearchServices
from tests.support.web import ScriptedWeb

PAGES = {
    "https://old.example/lantern": ("Lantern", "The lantern of the harbour was green."),
    "https://undated.example/lantern": ("Lantern", "The lantern of the harbour is somewhere."),
    "https://new.example/lantern.pdf": ("Lantern", "The lantern of the harbour is red."),
}
PUBLISHED = {
    "https://old.example/lantern": "Mon, 02 Mar 2009 10:00:00 GMT",
    "https://new.example/lantern.pdf": "2020-01-01",
}


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[SearchServices]:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)
    with SearchServices(PAGES) as running:
        running.published = PUBLISHED
        monkeypatch.setenv("TAVILY_BASE_URL", running.url)
        yield running


@pytest.mark.parametrize("named", ["tavily", "searxng"])
async def test_results_of_the_web_are_dropped_by_the_date_that_the_provider_gives(
    services: SearchServices, named: str
) -> None:
    provider = TavilySearch("tvly-key") if named == "tavily" else SearxngSearch(services.url)
    with ScriptedWeb({}) as web:
        answers = await Sources([provider], web.fetcher()).search(
            "lantern harbour", 5, instruction="only sources after 2015, not from vendors"
        )
    assert [hit.uri for hit in answers.hits] == ["https://new.example/lantern.pdf", "https://undated.example/lantern"]
    assert answers.constraints == [
        {"text": "only sources after 2015", "kind": "date", "applied": True, "dropped": 1, "unknown": 1},
        {"text": "not from vendors", "kind": "meaning", "applied": False, "dropped": 0, "unknown": 0},
    ]
    assert [each.hits for each in answers.asked] == [3]


async def test_the_corpus_and_the_web_are_counted_together(services: SearchServices, tmp_path: Path) -> None:
    corpus = await Corpus.open([write_mixed(tmp_path / "mixed")], index_dir=str(tmp_path / "index"))
    with ScriptedWeb({}) as web:
        sources = Sources([CorpusSearch(corpus), TavilySearch("tvly-key")], web.fetcher())
        answers = await sources.search("lantern harbour", 9, instruction="only sources after 2015")
    assert [(each["dropped"], each["unknown"]) for each in answers.constraints] == [(2 + 1, 2 + 1)]


def test_hosts_and_types_of_results() -> None:
    hits = [Hit(url, "") for url in PAGES]
    for instruction, kept in (
        ("not from old.example", [1, 2]),
        ("PDFs only", [2, 0, 1]),
        ("only from new.example", [2]),
    ):
        found, _ = sifted(hits, read_constraints(instruction, date(2026, 1, 1)).constraints)
        assert found == [hits[at] for at in kept]


def test_a_page_that_was_read_says_more() -> None:
    told = read_constraints("only sources after 2015, in German", date(2026, 1, 1)).constraints
    page = Document("https://a.example/", "", "Kurz.", "0", None, "", published="2010")
    broken = outside_of(page, told)
    assert broken is not None
    assert broken.kind == "date"
    assert outside_of(Document("https://a.example/", "", "Kurz.", "0", None, ""), told) is None


def test_a_declared_language_is_read_as_a_tag() -> None:
    spanish = read_constraints("in Spanish", date(2026, 1, 1)).constraints
    for declared, broken in (("es-MX", False), ("spa", False), ("x-default", False), ("de-AT", True)):
        page = Document("https://a.example/", "", "Nota.", "0", None, "", language=declared)
        assert (outside_of(page, spanish) is not None) == broken


def test_forms_of_a_language_are_that_language() -> None:
    chinese = read_constraints("in Chinese", date(2026, 1, 1)).constraints
    for text in ("佢哋話聽日會落雨,所以我哋唔去行山,留喺屋企煮飯食。" * 12, "他们说明天会下雨,所以我们不去爬山。" * 15):
        assert outside_of(Document("https://a.example/", "", text, "0", None, ""), chinese) is None


async def test_a_page_of_the_web_that_turns_out_to_be_outside_is_not_quoted(
    services: SearchServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page(year: int, colour: str, painter: str) -> str:
        text = f"The lantern of the harbour was painted {colour} by {painter}."
        return f'<html><head><meta name="date" content="{year}"></head><body><p>{text}</p></body></html>'

    served = {"a.example/old": page(2009, "green", "Ida Torn"), "b.example/new": page(2020, "red", "Orrin Vale")}
    with ScriptedWeb(served) as web:
        urls = {web.url(place): ("Lantern", "lantern harbour painted") for place in served}
        with SearchServices(urls) as running:
            monkeypatch.setenv("TAVILY_BASE_URL", running.url)
            monkeypatch.setenv("TAVILY_API_KEY", "tvly-key")
            context = ResearchContext(web=True, model="offline", instruction="only sources after 2015")
            graph = build_graph(fetcher=web.fetcher())
            result: Any = await graph.ainvoke({"question": "Who painted the lantern of the harbour?"}, context=context)
    assert "Orrin Vale" in result["answer"]
    assert [source["uri"].rpartition("/")[2] for source in result["sources"]] == ["new"]
    assert any("'only sources after 2015' does not hold" in problem for problem in result["critique"]["problems"])
    (told,) = result["constraints"]
    assert (told["applied"], told["dropped"], told["unknown"]) == (True, 0, 2)
