"""The passages of a corpus one by one: all of them, each text once, in an order that its index's history does not change."""

from __future__ import annotations

from pathlib import Path

import pytest

from searchinstruct_graph.tools.corpus import Corpus, Listing

LONG = "# The long page\n\n" + "\n\n".join(
    f"Paragraph {number} of the long page. " + "It says more than one would read. " * 12 for number in range(8)
)


def write(folder: Path, **pages: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


async def listing(tmp_path: Path, *folders: str, index: str = "index") -> Listing:
    corpus = await Corpus.open([str(tmp_path / each) for each in folders], index_dir=str(tmp_path / index))
    return await corpus.listing()


async def test_every_passage_is_there_once_in_the_order_of_its_place(tmp_path: Path) -> None:
    write(tmp_path / "one", b=LONG, a="# Short\n\nA short page.", c="مقاله‌ای کوتاه دربارهٔ باران.")
    write(tmp_path / "two", z="A page of the other folder.")
    found = await listing(tmp_path, "one", "two")
    passages = [found.passage(number) for number in range(len(found))]
    places = [(passage.uri, passage.start) for passage in passages]
    assert len(set(places)) == len(places) > 4
    assert places[:-1] == sorted(places[:-1])
    assert passages[-1].uri.endswith("z.md")
    text = (tmp_path / "one" / "b.md").read_text()
    for passage in passages:
        if passage.uri.endswith("b.md"):
            assert text[passage.start : passage.end] == passage.text
    for number in (-1, len(found)):
        with pytest.raises(IndexError):
            found.passage(number)


async def test_neither_the_order_of_indexing_nor_equal_pages_matter(tmp_path: Path) -> None:
    write(tmp_path / "one", b=LONG)
    await listing(tmp_path, "one")
    write(tmp_path / "one", a="A page that came later.", c=LONG)
    later = await listing(tmp_path, "one")
    anew = await listing(tmp_path, "one", index="anew")
    assert later.sha256 == anew.sha256
    assert [later.passage(number) for number in range(len(later))] == [anew.passage(n) for n in range(len(anew))]
    assert not any(later.passage(number).uri.endswith("c.md") for number in range(len(later)))
    write(tmp_path / "one", a="A page that was changed.")
    assert (await listing(tmp_path, "one")).sha256 != later.sha256
