"""Given sources, when a pile is made of them, then it is what `Corpus` reads, cut and embedded, and it stays so."""

import asyncio
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchinstruct_graph.errors import ProviderError, UsageError
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.tools.corpus import Corpus
from searchinstruct_graph.tools.corpus.outline import headings
from searchinstruct_graph.tools.corpus.pile import Pile, PileProgress
from searchinstruct_graph.tools.corpus.sections import sections
from tests.support.web import ScriptedWeb

pytestmark = pytest.mark.timeout(120)

LIMIT = 1_200
TEA = "# Tea\n\nLeaves wither on racks before they are rolled, fired and sorted."
RIVER = "# The river\n\nBarges carry slate from the quarry to the harbour when the water stands high."
PAGE = "<html><head><title>{0}</title></head><body><main><h1>{0}</h1>{1}</main></body></html>"
LANGUAGES = {
    "fa": "رودخانه از کوه‌های شمال سرچشمه می‌گیرد و پس از گذر از سه شهر به دریاچه می‌ریزد. ",
    "ar": "يعمل النساجون في القرية منذ الفجر ويبيعون السجاد في سوق المدينة كل يوم خميس. ",
    "zh": "茶叶在竹匾上摊凉，随后揉捻、烘干，再装进木箱运往港口。",
    "th": "ชาวนาเกี่ยวข้าวในฤดูหนาวและเก็บเมล็ดไว้ในยุ้งไม้",
}


class Slow:
    """WordLlama, counting its texts; it can wait, fail or give nonsense."""

    name = "wordllama"
    dimensions = 256

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.fails_after = -1
        self.rows: Any = None
        self.begun = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def trust(self, language: str) -> float:
        return 0.4

    def embed(self, texts: Sequence[str]) -> Any:
        self.begun.set()
        self.may_go_on.wait()
        if len(self.texts) == self.fails_after:
            raise ProviderError("no credit")
        self.texts.extend(texts)
        return embeddings().embed(texts) if self.rows is None else self.rows


def open_(folder: Path, *sources: object, **options: Any) -> Pile:
    options = {"embedder": embeddings(), "section_chars": LIMIT, **options}
    return asyncio.run(Pile.open([str(source) for source in sources], folder, **options))


def manual(topics: int) -> str:
    """A text with headings, sections of unequal length, and words that stand in it once."""
    parts = ["# Manual of the harbour\n\nHow ships are received."]
    for topic in range(topics):
        sentences = (f"Rule r{topic}x{n} says which lamp is lit on quay {n}." for n in range(8 + topic % 5))
        parts.append(f"## Topic {topic}\n\n{' '.join(sentences)}")
        parts.append(f"### Notes {topic}\n\nSigned by keeper k{topic}.")
    return "\n\n".join(parts)


def records(path: Path, texts: Sequence[str]) -> Path:
    path.write_text("".join(json.dumps({"id": f"r{n}", "text": text}) + "\n" for n, text in enumerate(texts)))
    return path


def assert_sound(pile: Pile) -> None:
    """Every section stands at its offsets, the sections of a document hold all that is visible in it, rows are unit."""
    at = 0
    for uri, first, count in pile.uris():
        assert first == at
        assert count > 0
        document = pile.document_of(first)
        assert document.uri == uri
        end = 0
        for index in range(first, first + count):
            section = pile.section(index)
            assert (section.index, section.uri, section.title) == (index, uri, document.title)
            assert (section.sha256, section.license) == (document.sha256, document.license)
            assert section.retrieved_at == document.retrieved_at
            assert section.text == document.text[section.start : section.end] == section.text.strip()
            assert not document.text[end : section.start].strip()
            assert pile.document_of(index) == document
            end = section.end
        assert not document.text[end:].strip()
        at += count
    assert at == len(pile) == len(pile.vectors)
    lengths = np.linalg.norm(pile.vectors, axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))


# What it holds.


def test_a_pile_has_the_documents_that_the_index_has(docs: Path, tmp_path: Path) -> None:
    (docs / "deep").mkdir()
    (docs / "tea.md").write_text("---\ntitle: All about tea\nlicense: CC0-1.0\n---\n" + TEA)
    (docs / "deep" / "river.txt").write_text(RIVER.replace("\n", "\r\n"))
    (docs / "page.html").write_text(PAGE.format("Quay", "<p>Ropes are coiled before the pilot comes.</p>"))
    (docs / "persian.md").write_text(LANGUAGES["fa"] * 40)
    more = tmp_path / "more.jsonl.gz"
    lines = [
        {"id": "a", "title": "Slate\u0007", "text": "Slate splits along its bedding.", "license": "MIT"},
        {"text": "A roof of slate lasts\u0000 a century. \ud800"},
    ]
    more.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))
    sources = [str(docs), str(more), "pydoc:"]
    pile = open_(tmp_path / "run", *sources)
    corpus = asyncio.run(Corpus.open(sources))
    assert_sound(pile)

    in_pile = {uri: pile.document_of(first) for uri, first, _ in pile.uris()}
    assert len(in_pile) > 70
    assert {f"{docs}/tea.md", f"{docs}/deep/river.txt", f"{more}#a", f"{more}#2", "pydoc:assert"} <= set(in_pile)
    texts = set()
    for uri, _ in corpus.documents():
        known = asyncio.run(corpus.read(uri))
        texts.add(known.sha256)
        if uri in in_pile:
            found = in_pile[uri]
            assert (found.title, found.text, found.sha256, found.license) == (
                known.title,
                known.text,
                known.sha256,
                known.license,
            )
    assert {each.sha256 for each in in_pile.values()} == texts
    assert [(each.given, each.documents, each.skipped) for each in pile.report[:2]] == [
        (str(docs), 4, []),
        (str(more), 2, []),
    ]
    assert sum(each.sections for each in pile.report) == len(pile)


def test_a_page_of_the_web_is_read_by_the_fetcher_and_once(tmp_path: Path) -> None:
    body = PAGE.format("Barges", f"<p>{RIVER[13:]}</p><p>Tolls are paid at the lock.</p>")
    with ScriptedWeb({"canal.example/barges": body}) as web:
        url = web.url("canal.example/barges")
        pile = open_(tmp_path / "run", url, fetcher=web.fetcher())
        assert_sound(pile)
        assert pile.section(0).uri == url
        assert pile.section(0).title == "Barges"
        assert "Tolls are paid at the lock." in pile.section(0).text
        assert web.asked() == ["canal.example/barges"]
        assert open_(tmp_path / "run", url, fetcher=web.fetcher()).sha256 == pile.sha256
        assert web.asked() == ["canal.example/barges"]
        with pytest.raises(UsageError, match="cannot be read"):
            open_(tmp_path / "other", web.url("canal.example/gone"), fetcher=web.fetcher())


def test_equal_documents_are_kept_once_and_counted(docs: Path, tmp_path: Path) -> None:
    (docs / "a.txt").write_text(RIVER)
    (docs / "b.txt").write_text(RIVER)
    (docs / "c.txt").write_text(TEA)
    copies = records(tmp_path / "copies.jsonl", [TEA, "Something that stands nowhere else.", RIVER])
    pile = open_(tmp_path / "run", docs, copies)
    assert [(each.documents, each.duplicates) for each in pile.report] == [(2, 1), (1, 2)]
    assert [uri for uri, _, _ in pile.uris()] == [f"{docs}/a.txt", f"{docs}/c.txt", f"{copies}#r1"]

    # Nothing new is not nothing.
    only = records(tmp_path / "only.jsonl", [TEA])
    assert [each.duplicates for each in open_(tmp_path / "run2", docs, only).report] == [1, 1]


def test_what_cannot_be_read_is_told_and_the_rest_is_there(docs: Path, tmp_path: Path) -> None:
    (docs / "a.txt").write_text(RIVER)
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4 nothing after this")
    (docs / "empty.md").write_text(" \n\u3000\n")
    (docs / "photo.png").write_bytes(b"\x89PNG")
    pile = open_(tmp_path / "run", docs)
    reasons = dict(pile.report[0].skipped)
    assert set(reasons) == {f"{docs}/broken.pdf", f"{docs}/empty.md", f"{docs}/photo.png"}
    assert reasons[f"{docs}/empty.md"] == "empty"
    assert len(pile) == 1
    assert open_(tmp_path / "run", docs).report == pile.report


def test_vectors_are_those_of_title_and_text(docs: Path, tmp_path: Path) -> None:
    (docs / "titled.md").write_text("---\ntitle: Harbour rules\n---\n" + RIVER[13:])
    (docs / "unknown.txt").write_text("\u2063")
    pile = open_(tmp_path / "run", docs)
    assert pile.vectors.dtype == np.float32
    assert pile.vectors.shape == (2, 256)
    assert not pile.vectors.flags.writeable
    wanted = embeddings().embed([f"Harbour rules\n{RIVER[13:].strip()}"])[0]
    assert np.allclose(pile.vectors[0], wanted, atol=1e-6)


def test_there_is_no_section_outside(docs: Path, tmp_path: Path) -> None:
    (docs / "a.txt").write_text(RIVER)
    pile = open_(tmp_path / "run", docs)
    for index in (-1, 1, 10**9):
        with pytest.raises(IndexError):
            pile.section(index)
        with pytest.raises(IndexError):
            pile.document_of(index)


# How documents are cut.


def test_a_long_text_is_cut_at_headings_and_packed(docs: Path, tmp_path: Path) -> None:
    text = manual(40)
    (docs / "manual.md").write_text(text)
    pile = open_(tmp_path / "run", docs)
    assert_sound(pile)
    found = [pile.section(index) for index in range(len(pile))]
    assert len(text) / LIMIT < len(found) < 2.2 * len(text) / LIMIT
    assert all(LIMIT / 2 <= each.end - each.start <= LIMIT for each in found[:-1])
    starts = {heading.start for heading in headings(text)}
    assert sum(each.start in starts for each in found) > 0.9 * len(found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_script_is_cut_between_words(language: str) -> None:
    text = LANGUAGES[language] * 200
    found = sections(text, LIMIT, language)
    assert len(found) > 3
    assert all(a.end <= b.start for a, b in pairwise(found))
    joined = " ".join(text[span.start : span.end] for span in found)
    assert joined.replace(" ", "") == text.replace(" ", "")
    if language in ("fa", "ar"):
        assert joined.split() == text.split()


def test_a_short_end_joins_the_section_before() -> None:
    text = "\n\n".join([*("One sentence of a paragraph. " * 20 for _ in range(4)), "The end."])
    found = sections(text, 600)
    assert len(found) == 4
    assert text[slice(*found[-1])].endswith("The end.")
    assert len(sections(text.replace("The end.", "A long end. " * 20), 600)) == 5


def test_a_line_without_sentences_is_cut_at_white_space_and_a_blob_anywhere() -> None:
    row = " ".join(f"https://host-{n}.example/{'path/' * 20}" for n in range(300))
    found = sections(row, 1_000)
    assert [each for span in found for each in row[slice(*span)].split()] == row.split()
    assert max(span.end - span.start for span in found) <= 1_125
    blob = sections("A" * 50_000, 1_000)
    assert sum(span.end - span.start for span in blob) == 50_000
    assert max(span.end - span.start for span in blob) <= 1_125


PIECES = st.sampled_from(
    [
        "# Top\n",
        "Title\n=====\n",
        "  ## Sub\n\n",
        "word ",
        "Sentence one. ",
        "\n\n",
        "- item\n",
        "```\n# code\n```\n",
        "中文字符。",
        "ا ب ت ",
        "\u3000",
        "a" * 300,
        "\ufeff",
        "é",
        "😀",
        "| a | b |\n",
        " " * 500,
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(PIECES, st.integers(1, 60)), max_size=25), st.sampled_from([1, 7, 300, 2_000]))
def test_sections_hold_every_visible_character_in_order(parts: list[tuple[str, int]], limit: int) -> None:
    text = "".join(piece * count for piece, count in parts)
    at = 0
    for start, end in sections(text, limit):
        assert at <= start < end <= len(text)
        assert end - start <= limit + limit // 8
        assert not text[at:start].strip()
        assert text[start:end] == text[start:end].strip()
        at = end
    assert not text[at:].strip()


# It stays what it was.


def test_a_pile_stays_when_its_sources_change_and_go(docs: Path, tmp_path: Path) -> None:
    (docs / "a.txt").write_text(RIVER)
    (docs / "b.txt").write_text(TEA)
    pile = open_(tmp_path / "run", docs)
    (docs / "a.txt").write_text("Something else.")
    again = open_(tmp_path / "run", docs)
    assert again.sha256 == pile.sha256
    assert again.section(0).text == RIVER
    assert open_(tmp_path / "fresh", docs).sha256 != pile.sha256
    shutil.rmtree(docs)
    gone = open_(tmp_path / "run", docs)
    assert gone.sha256 == pile.sha256
    assert gone.report == pile.report
    assert np.array_equal(gone.vectors, pile.vectors)


def test_the_hash_knows_uri_text_licence_order_and_rule(tmp_path: Path) -> None:
    def hashed(*lines: dict[str, str], name: str = "a.jsonl", chars: int = LIMIT) -> str:
        source = tmp_path / name
        source.write_text("".join(json.dumps(line) + "\n" for line in lines))
        folder = tmp_path / "run"
        shutil.rmtree(folder, ignore_errors=True)
        return open_(folder, source, section_chars=chars).sha256

    one, two = {"id": "1", "text": "Alder floats."}, {"id": "2", "text": "Oak sinks."}
    first = hashed(one, two)
    assert hashed(one, two) == first
    others = [
        hashed(two, one),
        hashed(one),
        hashed(one, {**two, "text": "Oak swims."}),
        hashed(one, {**two, "license": "MIT"}),
        hashed(one, {**two, "id": "3"}),
        hashed(one, two, name="b.jsonl"),
        hashed(one, two, chars=LIMIT + 1),
    ]
    assert len({first, *others}) == 8


def test_another_corpus_embedding_or_length_is_refused(docs: Path, tmp_path: Path) -> None:
    (docs / "a.txt").write_text(RIVER)
    run = tmp_path / "run"
    open_(run, docs)
    with pytest.raises(UsageError, match=r"was made from .*, not from 'pydoc:'; name the same corpus"):
        open_(run, "pydoc:")
    with pytest.raises(UsageError, match="has sections of 1200 characters, not 600"):
        open_(run, docs, section_chars=600)
    other = Slow()
    other.name = "openai:small"
    with pytest.raises(UsageError, match="made with the embedding 'wordllama', not 'openai:small'"):
        open_(run, docs, embedder=other)
    assert not other.texts


def test_bad_input_is_one_line(docs: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(UsageError, match="no corpus was named"):
        open_(run)
    with pytest.raises(UsageError, match="at least 1"):
        open_(run, docs, section_chars=0)
    with pytest.raises(UsageError, match="no such file or folder"):
        open_(run, docs / "nowhere")
    with pytest.raises(UsageError, match="is empty: nothing to read in it"):
        open_(run, docs)
    (docs / "photo.png").write_bytes(b"\x89PNG")
    for opened in (lambda: open_(run, docs), lambda: asyncio.run(Corpus.open([str(docs)]))):
        with pytest.raises(UsageError, match=r"holds nothing readable: 1 skipped, the first is .*photo.png'"):
            opened()
    (docs / "void.txt").write_text("")
    with pytest.raises(UsageError, match=r"void.txt' cannot be read: empty"):
        open_(run, docs / "void.txt")
    assert sorted(path.name for path in run.iterdir()) == ["LOCK"]
    (tmp_path / "file").write_text("in the way")
    (docs / "a.txt").write_text(RIVER)
    with pytest.raises(UsageError, match="cannot be written"):
        open_(tmp_path / "file" / "run", docs)


def test_a_damaged_pile_is_told_and_damaged_vectors_are_made_anew(docs: Path, tmp_path: Path) -> None:
    records(docs / "r.jsonl", [f"Buoy {n} is painted." for n in range(50)])
    run = tmp_path / "run"
    pile = open_(run, docs)
    whole = (run / "vectors.npy").read_bytes()
    assert np.array_equal(np.load(run / "vectors.npy"), pile.vectors)
    shutil.rmtree(docs)
    for damaged in (whole[:-700], whole[:60], b"", np.lib.format.magic(1, 0) + b"nonsense"):
        (run / "vectors.npy").unlink()
        (run / "vectors.npy").write_bytes(damaged)
        open_(run, docs)
        assert (run / "vectors.npy").read_bytes() == whole
    (run / "documents.sqlite").write_bytes(b"SQLite format 3\x00 and then nothing of the kind" * 100)
    with pytest.raises(UsageError, match=r"damaged .* delete that file to read the corpus again"):
        open_(run, docs)


def test_vectors_of_a_deleted_pile_are_not_those_of_the_next(docs: Path, tmp_path: Path) -> None:
    (docs / "a.txt").write_text(RIVER)
    run = tmp_path / "run"
    open_(run, docs)
    (docs / "a.txt").write_text(TEA)
    (run / "documents.sqlite").unlink()
    pile = open_(run, docs)
    assert np.allclose(pile.vectors[0], embeddings().embed([TEA])[0], atol=1e-6)


# Interrupted, at once, and from many threads.

CHILD = """
import asyncio, os, resource, signal, sys
from pathlib import Path
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.tools.corpus import pile, snapshot
point = sys.argv[3]

def kill_at(owner, name, after, times):
    real, left = getattr(owner, name), [times]
    def killed(*args, **kwargs):
        left[0] -= 1
        if left[0] == 0 and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **kwargs)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(owner, name, killed)

POINTS = {
    "reading": (snapshot.Draft, "add", True, 3000),
    "unpublished": (snapshot.Draft, "publish", False, 1),
    "published": (snapshot.Draft, "publish", True, 1),
    "first batch": (pile, "_rows", True, 1),
    "third batch": (pile, "_rows", False, 3),
    "unnamed": (pile, "put", False, 1),
    "named": (pile, "put", True, 1),
}
if point.isdigit():
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(point), int(point)))
elif point:
    kill_at(*POINTS[point])
print(asyncio.run(pile.Pile.open([sys.argv[1]], Path(sys.argv[2]), embedder=embeddings())).sha256)
"""


def child(source: Path, run: Path, point: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(source), str(run), point]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("point", "read", "kept"),
    [
        ("reading", False, 0),
        ("unpublished", False, 0),
        ("published", True, 0),
        ("first batch", True, 0),
        ("third batch", True, 2_048),
        ("unnamed", True, 4_096),
        ("named", True, 5_000),
    ],
)
def test_killed_at(tmp_path: Path, point: str, read: bool, kept: int) -> None:
    source = records(tmp_path / "r.jsonl", [f"Buoy {n} lies off reef {n * 7}." for n in range(5_000)])
    whole = open_(tmp_path / "whole", source, section_chars=6_000)
    run = tmp_path / "run"
    killed = child(source, run, point)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert (run / "documents.sqlite").exists() is read
    if read:
        # What was read is the pile, whatever has become of the source.
        source.unlink()
    embedder = Slow()
    pile = open_(run, source, section_chars=6_000, embedder=embedder)
    assert len(embedder.texts) == 5_000 - kept
    assert pile.sha256 == whole.sha256
    assert np.array_equal(pile.vectors, whole.vectors)
    assert sorted(path.name for path in run.iterdir()) == ["LOCK", "documents.sqlite", "vectors.npy"]


@pytest.mark.parametrize(("room", "read"), [(100_000, False), (3_000_000, True)])
def test_a_full_disk_is_an_error_and_the_next_opening_goes_on(tmp_path: Path, room: int, read: bool) -> None:
    source = records(tmp_path / "r.jsonl", [f"Buoy {n} lies off reef {n * 7}." for n in range(5_000)])
    run = tmp_path / "run"
    full = child(source, run, str(room))
    _, told = full.communicate()
    assert full.returncode == 1
    assert "cannot be written" in told.splitlines()[-1]
    assert (run / "documents.sqlite").exists() is read
    assert not (run / "vectors.npy").exists()
    assert_sound(open_(run, source, section_chars=6_000))


def test_two_processes_make_one_pile(tmp_path: Path) -> None:
    source = records(tmp_path / "r.jsonl", [f"Buoy {n} lies off reef {n * 7}." for n in range(3_000)])
    both = [child(source, tmp_path / "run"), child(source, tmp_path / "run")]
    told = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert told[0][0] == told[1][0]
    assert_sound(open_(tmp_path / "run", source, section_chars=6_000))


async def test_cancelled_it_stops_and_can_be_opened_again(tmp_path: Path) -> None:
    source = records(tmp_path / "r.jsonl", [f"Buoy {n} is painted." for n in range(5_000)])
    embedder = Slow()
    embedder.may_go_on.clear()
    opening = asyncio.create_task(Pile.open([str(source)], tmp_path / "run", embedder=embedder))
    assert await asyncio.to_thread(embedder.begun.wait, 30)
    opening.cancel()
    await asyncio.sleep(0.05)
    assert not opening.done()
    embedder.may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert len(embedder.texts) == 2_048
    pile = await Pile.open([str(source)], tmp_path / "run", embedder=embedder)
    assert len(pile) == 5_000
    assert_sound(pile)


async def test_cancelled_while_reading_nothing_is_left(tmp_path: Path) -> None:
    source = records(tmp_path / "r.jsonl", [f"Buoy {n} is painted." for n in range(60_000)])
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told(_: PileProgress) -> None:
        loop.call_soon_threadsafe(begun.set)

    run = tmp_path / "run"
    opening = asyncio.create_task(Pile.open([str(source)], run, embedder=Slow(), on_progress=told))
    await begun.wait()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert sorted(path.name for path in run.iterdir()) == ["LOCK"]


def test_a_failed_embedding_keeps_what_it_gave(tmp_path: Path) -> None:
    source = records(tmp_path / "r.jsonl", [f"Buoy {n} is painted." for n in range(5_000)])
    embedder = Slow()
    embedder.fails_after = 4_096
    with pytest.raises(ProviderError, match="no credit"):
        open_(tmp_path / "run", source, section_chars=6_000, embedder=embedder)
    embedder.fails_after = -1
    assert_sound(open_(tmp_path / "run", source, section_chars=6_000, embedder=embedder))
    assert len(embedder.texts) == 4_096 + 5_000 - 2_048


@pytest.mark.parametrize("rows", [np.full((1, 256), np.nan), np.zeros((1, 128)), np.zeros((2, 256))])
def test_vectors_that_are_none_are_refused(docs: Path, tmp_path: Path, rows: Any) -> None:
    (docs / "a.txt").write_text(RIVER)
    embedder = Slow()
    embedder.rows = rows
    with pytest.raises(ProviderError, match="use another embedding"):
        open_(tmp_path / "run", docs, embedder=embedder)
    assert not (tmp_path / "run" / "vectors.npy").exists()


def test_many_threads_read_at_once(tmp_path: Path) -> None:
    source = records(tmp_path / "r.jsonl", [f"Buoy {n} is painted." for n in range(500)])
    pile = open_(tmp_path / "run", source)

    def read(index: int) -> str:
        assert pile.document_of(index).text == pile.section(index).text
        assert len(list(pile.uris())) == 500
        return pile.section(index).text

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(200))) == [f"Buoy {n} is painted." for n in range(200)]


def test_progress_is_told_from_reading_to_done(tmp_path: Path) -> None:
    source = records(tmp_path / "r.jsonl", [f"Buoy {n} is painted." for n in range(3_000)])
    told: list[PileProgress] = []
    open_(tmp_path / "run", source, on_progress=told.append)
    assert (told[0].phase, told[0].source) == ("reading", str(source))
    assert told[-1] == PileProgress("done", "", 3_000, 3_000, 3_000)
    assert [step.embedded for step in told] == sorted(step.embedded for step in told)
    told.clear()
    open_(tmp_path / "run", source, on_progress=told.append)
    assert not told


MEASURED = """
import asyncio, json, resource, sys
from pathlib import Path
import numpy as np
from searchinstruct_graph.tools.corpus.pile import Pile

class Cheap:
    name, dimensions = "cheap", 256
    def trust(self, language): return 0.0
    def embed(self, texts): return np.ones((len(texts), 256), np.float32) / 16

source = Path(sys.argv[1])
with source.open("w") as file:
    for n in range(int(sys.argv[2])):
        file.write(json.dumps({"text": f"Buoy {n} " + "is painted in spring. " * 40}) + "\\n")
asyncio.run(Pile.open([str(source)], source.with_suffix(".run"), embedder=Cheap()))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_memory_does_not_grow_with_the_documents(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        command = [sys.executable, "-c", MEASURED, str(tmp_path / f"{count}.jsonl"), str(count)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout)

    # 40,000 documents more are 37 MB of text and 41 MB of vectors.
    assert peak(45_000) - peak(5_000) < 36_000
