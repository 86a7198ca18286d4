"""A search that is told what kind of passage is wanted: what metadata decide is checked, the rest is obeyed by the head."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.rescoring import FEATURES, Rescorer
from searchinstruct_graph.text.constraints import Applied
from searchinstruct_graph.tools.corpus import Corpus
from searchinstruct_graph.tools.corpus.indexing import update
from searchinstruct_graph.tools.corpus.search import search
from searchinstruct_graph.tools.corpus.sources import scan
from searchinstruct_graph.tools.reading import Unreadable, read_html
from searchinstruct_graph.tools.reading.dates import published_in
from tests.support.fevers import ASPECTS, FEVERS, write_fevers, write_mixed

QUERY = "lantern harbour"


async def names(corpus: Corpus, instruction: str, k: int = 10) -> tuple[list[str], list[Applied]]:
    found = await corpus.find(QUERY, k, instruction=instruction)
    return [each.uri.rpartition("mixed/")[2] for each in found.passages], found.constraints


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("home")
    return asyncio.run(Corpus.open([write_mixed(folder / "mixed")], index_dir=str(folder / "index")))


EVERY = {
    "guide/lantern.md", "lantern.html", "laterne.txt", "records.jsonl#a", "records.jsonl#b", "records.jsonl#c",
}  # fmt: skip


@pytest.mark.parametrize(
    ("instruction", "outside", "unknown"),
    [
        ("only sources after 2015", {"lantern.html", "records.jsonl#b"}, {"laterne.txt", "records.jsonl#c"}),
        ("published before 2012", {"guide/lantern.md", "records.jsonl#a"}, {"laterne.txt", "records.jsonl#c"}),
        ("not from blog.example.com", {"records.jsonl#a"}, EVERY - {"records.jsonl#a", "records.jsonl#b"}),
        ("only from example.org", {"records.jsonl#a"}, EVERY - {"records.jsonl#a", "records.jsonl#b"}),
        ("no markdown", {"guide/lantern.md"}, set()),
        ("only HTML", EVERY - {"lantern.html"}, set()),
        ("only files under guide/", EVERY - {"guide/lantern.md"}, set()),
        (
            "in German",
            {"guide/lantern.md", "lantern.html"},
            {"records.jsonl#a", "records.jsonl#b", "records.jsonl#c"},
        ),
        ("documents of at most 12 words", {"laterne.txt"}, set()),
    ],
)
async def test_documents_known_to_be_outside_are_dropped_and_unknown_ones_stand_behind(
    mixed: Corpus, instruction: str, outside: set[str], unknown: set[str]
) -> None:
    found, (told,) = await names(mixed, instruction)
    assert set(found) == EVERY - outside
    assert set(found[len(found) - len(unknown) :]) == unknown
    assert (told["text"], told["applied"], told["dropped"], told["unknown"]) == (
        instruction,
        True,
        len(outside),
        len(unknown),
    )


async def test_what_is_left_is_told(mixed: Corpus) -> None:
    found, told = await names(mixed, "only HTML, and not from vendors")
    assert found == ["lantern.html"]
    assert [(each["kind"], each["applied"], each["text"]) for each in told] == [
        ("type", True, "only HTML"),
        ("meaning", False, "and not from vendors"),
    ]


async def test_nothing_may_be_left(mixed: Corpus) -> None:
    found, told = await names(mixed, "PDFs only, in Finnish")
    assert found == []
    assert [each["dropped"] for each in told] == [6, 3]


async def test_signs_and_contradictions_drop_nothing(mixed: Corpus) -> None:
    assert await names(mixed, "?!…") == ((await names(mixed, ""))[0], [])
    found, told = await names(mixed, "only sources after 2020 and before 2010")
    assert set(found) == EVERY
    assert [each["kind"] for each in told] == ["contradiction", "contradiction"]


async def test_languages_are_told_once(mixed: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (await names(mixed, "in German"))[0]

    def again(*_: Any) -> str:
        raise AssertionError("the languages are known")

    monkeypatch.setattr("searchinstruct_graph.tools.corpus.index.spoken", again)
    found, told = await names(mixed, "in German, only sources after 1900")
    assert set(found) <= set(before)
    assert [each["dropped"] for each in told] == [2, 0]


async def test_years_are_counted_from_the_day_of_the_search(mixed: Corpus) -> None:
    def found(today: date) -> set[str]:
        hits = search(mixed._indexes, mixed._embedder, QUERY, 10, "the last 10 years", today).passages
        return {each.uri.rpartition("mixed/")[2] for each in hits}

    assert "guide/lantern.md" in found(date(2026, 1, 1))
    assert "guide/lantern.md" not in found(date(2030, 1, 1))


async def test_a_changed_date_is_indexed_anew(tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    write_mixed(folder)
    await Corpus.open([str(folder)])
    guide = folder / "guide" / "lantern.md"
    guide.write_text(guide.read_text().replace("2018", "2001"))
    corpus = await Corpus.open([str(folder)])
    assert corpus.report[0].changed == 1
    assert "guide/lantern.md" not in (await names(corpus, "since 2010"))[0]
    assert (await corpus.read(f"{folder}/guide/lantern.md")).published == "2001-03-02"


def test_a_retriever_that_was_trained_again_is_told_from_another(tmp_path: Path) -> None:
    class Named:
        """The static vectors under the name of a folder and what it holds."""

        def __init__(self, name: str) -> None:
            self.name = name

        def __getattr__(self, name: str) -> Any:
            return getattr(embeddings("wordllama"), name)

    source, home = scan(write_mixed(tmp_path / "mixed"), 0), str(tmp_path / "index")
    update(source, home, Named("/my/encoder#1"), lambda progress: None)
    with pytest.raises(UsageError, match="another retriever than /my/encoder holds by now; name another --index"):
        update(source, home, Named("/my/encoder#2"), lambda progress: None)
    with pytest.raises(UsageError, match="use --embeddings /my/encoder, another --index"):
        update(source, home, Named("/my/other#1"), lambda progress: None)


@pytest.fixture(scope="module")
def fevers(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("home")
    return asyncio.run(Corpus.open([write_fevers(folder / "fevers")], index_dir=str(folder / "index")))


ASKED = {
    "treatment": "only how it is treated, not where it comes from",
    "causes": "only the cause and the risk, not the therapy",
    "history": "only what old chronicles and archives tell of it",
}


@pytest.mark.parametrize("fever", FEVERS)
@pytest.mark.parametrize("aspect", ASPECTS)
async def test_the_head_obeys(fevers: Corpus, fever: str, aspect: str) -> None:
    (first,) = await fevers.search(f"what is known about {fever}", 1, instruction=ASKED[aspect])
    assert first.text.strip() == ASPECTS[aspect].format(fever)


async def test_without_an_instruction_nothing_changes(fevers: Corpus) -> None:
    class Broken:
        """The embedder with a head that must not be asked for."""

        def __getattr__(self, name: str) -> Any:
            return getattr(fevers._embedder, name)

        def head(self) -> Rescorer:
            raise AssertionError("there is no instruction")

    for instruction in ("", "  \n", "...!!!", "؟"):
        found = search(fevers._indexes, Broken(), "what is known about Karvel fever", 9, instruction)
        assert found.constraints == []
        assert [each.score for each in found.passages] == sorted((each.score for each in found.passages), reverse=True)
        assert found.passages[0].text.startswith("The")
        again = await fevers.search("what is known about Karvel fever", 9)
        assert found.passages == again


class Weighed:
    """The corpus's embedder with a head of its own."""

    def __init__(self, embedder: Any, **weights: float) -> None:
        self._embedder = embedder
        self._weights = weights

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    def head(self) -> Rescorer:
        weights = np.array([self._weights.get(name, 0.0) for name in FEATURES])
        return Rescorer(weights, np.zeros((256, 256), np.float32))


def ranked(corpus: Corpus, embedder: Any, k: int, instruction: str = "surgery") -> list[str]:
    found = search(corpus._indexes, embedder, "what is known about Karvel fever", k, instruction)
    return [each.uri for each in found.passages]


async def test_several_indexes_are_put_in_one_order(tmp_path: Path) -> None:
    write_fevers(tmp_path / "fevers")
    other = tmp_path / "other"
    other.mkdir()
    (other / "z.md").write_text("Of Karvel fever, surgery is known to help nobody, and surgery is dear.\n")
    both = await Corpus.open([str(tmp_path / "fevers"), str(other)])
    words = Weighed(both._embedder, words=1.0)
    found = ranked(both, words, 20)
    assert {"z.md", "karvel-treatment.md", "osel-treatment.md", "tarn-treatment.md"} == {
        Path(uri).name for uri in found[:4]
    }
    scores = [each.score for each in search(both._indexes, words, "Karvel fever", 20, "surgery").passages]
    assert scores == sorted(scores, reverse=True)


async def test_ties_keep_the_order_of_the_search(fevers: Corpus) -> None:
    # A head that finds all alike.
    flat = ranked(fevers, Weighed(fevers._embedder), 9)
    plain = search(fevers._indexes, fevers._embedder, "what is known about Karvel fever", 9)
    assert set(flat) == {each.uri for each in plain.passages}
    assert flat == ranked(fevers, Weighed(fevers._embedder), 9)
    assert flat[:5] == [each.uri for each in plain.passages][:5]


@pytest.mark.parametrize(
    "instruction", ["\x00", "؟", "只要", "not " * 5_000, "after " * 20_000 + "2015", "(((" * 9_000]
)
async def test_a_hostile_instruction_is_harmless(fevers: Corpus, instruction: str) -> None:
    assert len(await fevers.search("Karvel fever", 3, instruction=instruction)) == 3


class TestDatesOfPages:
    @pytest.mark.parametrize(
        ("markup", "wanted"),
        [
            ('<meta name="date" content="2012-05-01">', "2012-05-01"),
            ("<META content='May 2012' property='article:published_time'>", "2012-05"),
            ('<script type="application/ld+json">{"datePublished": "2014-01-02"}</script>', "2014-01-02"),
            ('<time itemprop="datePublished" datetime="2013-02-03">then</time>', "2013-02-03"),
            ('<time pubdate datetime="2013-02-03">then</time>', "2013-02-03"),
            ('<time datetime="2013-02-03">a date in the text</time>', ""),
            ('<meta name="viewport" content="2012-05-01">', ""),
            ('<meta name="date" content="soon"><meta name="dc.date" content="2011">', "2011"),
            ("<meta " * 10_000, ""),
        ],
    )
    def test_where_a_page_says_it(self, markup: str, wanted: str) -> None:
        assert published_in(markup) == wanted

    def test_it_comes_with_the_text(self) -> None:
        read = read_html(b'<html><head><meta name="date" content="2012-05-01"></head><body><p>Text.</p></body></html>')
        assert not isinstance(read, Unreadable)
        assert (read.text, read.published) == ("Text.", "2012-05-01")
