"""Given a folder, when it is opened, searched, changed and opened again, then answers follow the files."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.tools.corpus import Corpus, IndexProgress

pytestmark = pytest.mark.timeout(60)

WHALES = "# Whales\n\nThe blue whale is the largest animal that has ever lived. It feeds on krill in cold seas."
BRIDGES = "# Bridges\n\nThe suspension bridge at Widnes carries trains over the river Mersey."


def open_(*sources: object, **options: Any) -> Corpus:
    return asyncio.run(Corpus.open([str(source) for source in sources], **options))


def first(corpus: Corpus, query: str) -> str:
    return asyncio.run(corpus.search(query))[0].uri


def counts(corpus: Corpus) -> tuple[int, int, int, int]:
    report = corpus.report[0]
    return report.added, report.changed, report.removed, report.unchanged


def test_only_what_changed_is_done_again(docs: Path) -> None:
    (docs / "whales.md").write_text(WHALES)
    (docs / "bridges.md").write_text(BRIDGES)
    corpus = open_(docs)
    assert counts(corpus) == (2, 0, 0, 0)
    assert first(corpus, "largest animal") == f"{docs}/whales.md"

    assert counts(open_(docs)) == (0, 0, 0, 2)

    (docs / "bridges.md").write_text(BRIDGES + " A ferry crosses at Runcorn.")
    (docs / "tea.md").write_text("Tea leaves wither before they are rolled and fired.")
    (docs / "whales.md").unlink()
    corpus = open_(docs)
    assert counts(corpus) == (1, 1, 1, 0)
    assert corpus.report[0].embedded == 2
    assert first(corpus, "ferry at Runcorn") == f"{docs}/bridges.md"
    assert f"{docs}/whales.md" not in {hit.uri for hit in asyncio.run(corpus.search("largest animal"))}
    with pytest.raises(KeyError):
        asyncio.run(corpus.read(f"{docs}/whales.md"))


def test_a_moved_or_touched_file_is_not_embedded_again(docs: Path) -> None:
    (docs / "whales.md").write_text(WHALES)
    (docs / "bridges.md").write_text(BRIDGES)
    open_(docs)
    os.utime(docs / "bridges.md", (1, 1))
    (docs / "whales.md").rename(docs / "sea.md")
    corpus = open_(docs)
    assert counts(corpus) == (1, 0, 1, 1)
    assert corpus.report[0].embedded == 0
    assert first(corpus, "krill") == f"{docs}/sea.md"


def test_an_edit_of_equal_length_and_time_is_seen(docs: Path) -> None:
    path = docs / "a.txt"
    path.write_text("The secret word is apple.")
    stamp = path.stat().st_mtime_ns
    open_(docs)
    path.write_text("The secret word is grape.")
    os.utime(path, ns=(stamp, stamp))
    assert counts(open_(docs)) == (0, 1, 0, 0)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        (
            "长江是中国最长的河流，全长约六千三百公里，流入东海。",
            "中国最长的河流是哪条？",
        ),
        (
            "نهر النيل هو أطول نهر في أفريقيا ويصب في البحر المتوسط.",
            "ما هو أطول نهر في أفريقيا؟",
        ),
        (
            "Die Donau entspringt im Schwarzwald und mündet in das Schwarze Meer.",
            "Wo entspringt die Donau?",
        ),
        (
            "رود کارون پرآب‌ترین رود ایران است و از زاگرس سرچشمه می‌گیرد.",
            "پرآب ترین رود ايران كدام است؟",
        ),
        (
            "アマゾン川は世界で最も流域面積の広い川である。",
            "世界で最も流域面積が広い川",
        ),
    ],
)
def test_every_script_is_found_by_a_query_in_its_language(docs: Path, text: str, query: str) -> None:
    fillers = [
        "黄河流经九个省区。",
        "تقع القاهرة في مصر.",
        "Der Rhein fließt durch Köln.",
        "تهران پایتخت ایران است.",
        "東京は日本の首都である。",
    ]
    for number, filler in enumerate(fillers):
        (docs / f"f{number}.txt").write_text(filler, encoding="utf-8")
    (docs / "gold.txt").write_text(text, encoding="utf-8")
    assert first(open_(docs), query) == f"{docs}/gold.txt"


def test_passages_stand_at_their_offsets_and_repeat_exactly() -> None:
    corpus = open_("pydoc:")

    async def look() -> None:
        hits = await corpus.search("how are keyword arguments passed", 20)
        assert len(hits) == 20
        for hit in hits:
            document = await corpus.read(hit.uri)
            assert hit.text == document.text[hit.start : hit.end]
        assert hits == await corpus.search("how are keyword arguments passed", 20)
        assert (await corpus.search("the assert statement", 1))[0].uri == "pydoc:assert"

    asyncio.run(look())


def test_several_sources_give_one_ranking_and_both_spellings_share_an_index(
    docs: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (docs / "whales.md").write_text(WHALES)
    other = docs.parent / "other.txt"
    other.write_text(BRIDGES)
    monkeypatch.chdir(docs.parent)
    corpus = open_("docs/", "other.txt", str(docs))
    assert [report.source for report in corpus.report] == ["docs/", "other.txt"]
    assert {hit.uri for hit in asyncio.run(corpus.search("river whale"))} == {
        "docs/whales.md",
        "other.txt",
    }
    assert counts(open_(docs)) == (0, 0, 0, 1)
    assert len(list(home.rglob("CURRENT"))) == 2


def test_an_index_of_another_embedding_is_refused(docs: Path, tmp_path: Path) -> None:
    (docs / "a.txt").write_text("some words")
    open_(docs, index_dir=str(tmp_path / "i"))
    current = next((tmp_path / "i").rglob("CURRENT"))
    current.write_text(current.read_text().replace('"wordllama"', '"openai:big"'))
    with pytest.raises(UsageError, match=r"openai:big.*--index"):
        open_(docs, index_dir=str(tmp_path / "i"))


def test_any_query_is_answered_and_a_blank_one_refused(docs: Path) -> None:
    (docs / "a.txt").write_text("some words")
    corpus = open_(docs)
    for query in (
        "\ud800",
        "'; DROP TABLE chunks; --",
        "%s%n",
        "\x00",
        "🏳️‍🌈",
        "word " * 20_000,
        "田中さん",
        "!?",
    ):
        assert isinstance(asyncio.run(corpus.search(query)), list)
    for blank in ("", "  \n"):
        with pytest.raises(UsageError, match="empty"):
            asyncio.run(corpus.search(blank))


def test_an_instruction_steers_the_vector_half(docs: Path) -> None:
    for number in range(20):
        (docs / f"{number}.txt").write_text(f"Note {number} about nothing in particular, number {number}.")
    (docs / "x.txt").write_text("Feline pets purr.")
    corpus = open_(docs)

    def place(instruction: str) -> int:
        hits = asyncio.run(corpus.search("note", 21, instruction=instruction))
        return [hit.uri for hit in hits].index(f"{docs}/x.txt")

    assert place("pets such as cats and kittens") < place("") - 3


def test_progress_is_told(docs: Path) -> None:
    (docs / "a.txt").write_text("some words")
    told: list[IndexProgress] = []
    asyncio.run(Corpus.open([str(docs)], on_progress=told.append))
    assert told[-1] == IndexProgress(str(docs), "done", 1, 1)


def test_nothing_blocks_the_event_loop(docs: Path) -> None:
    blockbuster = pytest.importorskip("blockbuster")
    (docs / "whales.md").write_text(WHALES)

    async def use() -> None:
        with blockbuster.blockbuster_ctx():
            corpus = await Corpus.open([str(docs)])
            (hit,) = await corpus.search("krill")
            await corpus.read(hit.uri)

    asyncio.run(use())
