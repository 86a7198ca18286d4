"""Whatever lies in a folder, the rest of it is indexed; whatever was asked for by name fails with one clear line."""

import asyncio
import gzip
import json
import os
from pathlib import Path

import pytest

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.tools.corpus import Corpus

pytestmark = pytest.mark.timeout(60)


def open_(source: object) -> Corpus:
    return asyncio.run(Corpus.open([str(source)]))


def reasons(corpus: Corpus) -> dict[str, str]:
    return dict(corpus.report[0].skipped)


def refused(source: object) -> str:
    with pytest.raises(UsageError) as caught:
        open_(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_sources_that_cannot_be_read(docs: Path, tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "nowhere")
    assert "is empty" in refused(docs)
    (docs / "a.bin").write_bytes(bytes(range(256)) * 10)
    assert "nothing readable" in refused(docs) or "cannot be read" in refused(docs)
    assert "binary" in refused(docs / "a.bin")
    os.mkfifo(docs / "pipe")
    assert "neither a file nor a folder" in refused(docs / "pipe")
    assert "not a path" in refused("  ")


def test_a_bad_file_is_skipped_with_its_reason_and_the_rest_is_read(docs: Path) -> None:
    (docs / "good.txt").write_text("A good text about harbours.")
    (docs / "blank.txt").write_text(" \n")
    (docs / "binary.txt").write_bytes(b"\x00\x01\x02" * 99)
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (docs / "picture.png").write_bytes(b"\x89PNG")
    (docs / ".hidden.txt").write_text("hidden")
    (docs / "out.txt").symlink_to("/etc/passwd")
    (docs / "inside.txt").symlink_to(docs / "good.txt")
    os.mkfifo(docs / "pipe.txt")
    corpus = open_(docs)
    assert corpus.report[0].documents == 2
    found = {uri.rpartition("/")[2]: reason for uri, reason in corpus.report[0].skipped}
    assert found["blank.txt"] == "empty"
    assert "binary" in found["binary.txt"]
    assert "PDF" in found["broken.pdf"]
    assert ".png" in found["picture.png"]
    assert "leads out" in found["out.txt"]
    assert "not a regular file" in found["pipe.txt"]
    assert ".hidden.txt" not in found
    assert reasons(open_(docs)) == reasons(corpus)


def test_records(docs: Path) -> None:
    path = docs / "r.jsonl.gz"
    lines = [
        b'{"id": "a", "title": "Lanterns", "text": "Paper lanterns light the harbour.", "license": "CC0"}',
        b'{"text": "No id here, the line number is the id."}',
        b'{"id": "a", "text": "the same id again"}',
        b'{"id": 7}',
        b"[1, 2]",
        b"{broken",
        b"\xff\xfe\xfd",
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
        b'{"id": "s", "text": "a lone \\ud800 surrogate and a NUL \\u0000"}',
        b'{"id": 1e400, "text": "odd id"}',
        b"",
    ]
    path.write_bytes(gzip.compress(b"\n".join(lines)))
    corpus = open_(path)
    assert corpus.report[0].documents == 4
    document = asyncio.run(corpus.read(f"{path}#a"))
    assert (document.title, document.license) == ("Lanterns", "CC0")
    assert asyncio.run(corpus.read(f"{path}#2")).text.startswith("No id here")
    assert "\ud800" not in asyncio.run(corpus.read(f"{path}#s")).text
    found = reasons(corpus)
    assert "already" in found[f"{path}#a"]
    assert found[f"{path}#4"] == "no text in it"
    assert found[f"{path}#7"] == "invalid UTF-8"
    assert found[f"{path}#8"] in ("nested too deeply", "not a JSON object with a text")


def test_a_million_bad_lines_are_one_mistake(docs: Path) -> None:
    (docs / "bad.jsonl").write_text("{}\n" * 5_000 + '{"text": "one good record"}\n')
    corpus = open_(docs)
    assert corpus.report[0].documents == 1
    assert len(corpus.report[0].skipped) == 101
    assert "4900 more" in corpus.report[0].skipped[-1][1]


def test_torn_gzip_keeps_what_came_before(docs: Path) -> None:
    packed = gzip.compress(b"".join(json.dumps({"text": os.urandom(64).hex()}).encode() + b"\n" for _ in range(4_000)))
    (docs / "torn.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    corpus = open_(docs)
    assert corpus.report[0].documents > 100
    assert "broken gzip" in corpus.report[0].skipped[-1][1]


def test_a_file_over_the_limit_names_the_limit_and_the_way_round(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (docs / "big.txt").open("wb") as handle:
        handle.truncate(200_000_000)
    message = refused(docs / "big.txt")
    assert "64 MB" in message
    assert "SEARCHINSTRUCT_MAX_FILE_MB=200" in message
    (docs / "big.txt").write_text("word " * 300_000)
    monkeypatch.setenv("SEARCHINSTRUCT_MAX_FILE_MB", "1")
    assert "limit of 1 MB" in refused(docs / "big.txt")
    monkeypatch.setenv("SEARCHINSTRUCT_MAX_FILE_MB", "2")
    assert open_(docs / "big.txt").report[0].documents == 1
    monkeypatch.setenv("SEARCHINSTRUCT_MAX_FILE_MB", "many")
    assert "SEARCHINSTRUCT_MAX_FILE_MB" in refused(docs / "big.txt")


@pytest.mark.parametrize(
    "name",
    [
        "'; DROP TABLE x; --.md",
        "田中さん.txt",
        "a\nb.md",
        "<script>.md",
        "%2e%2e.md",
        "#x?.md",
        "\u202etxt.md",
        b"\xff\xfe.txt",
    ],
)
def test_odd_file_names(docs: Path, name: str | bytes) -> None:
    path = os.path.join(os.fsencode(docs), os.fsencode(name))
    with open(path, "wb") as handle:
        handle.write(b"Harbour text of an oddly named file.")
    corpus = open_(docs)
    (hit,) = asyncio.run(corpus.search("harbour"))
    hit.uri.encode("utf-8")
    assert asyncio.run(corpus.read(hit.uri)).text == hit.text


def test_titles(docs: Path) -> None:
    files = {
        "front.md": "---\ntitle: 'From the header'\nlicense: MIT\n---\n# Another\n\ntext",
        "head.rst": "From the heading\n================\n\ntext",
        "plain-name.txt": "just text",
        "page.html": "<html><head><title>From the page</title></head><body><p>some text on it</p></body></html>",
    }
    for name, text in files.items():
        (docs / name).write_text(text)
    corpus = open_(docs)
    titles = {name: asyncio.run(corpus.read(f"{docs}/{name}")).title for name in files}
    assert titles == {
        "front.md": "From the header",
        "head.rst": "From the heading",
        "plain-name.txt": "plain-name",
        "page.html": "From the page",
    }
    assert asyncio.run(corpus.read(f"{docs}/front.md")).license == "MIT"


def test_an_unreadable_file(docs: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (docs / "locked.txt").write_text("x")
    (docs / "locked.txt").chmod(0)
    assert "no permission" in refused(docs / "locked.txt")


def test_a_damaged_index_is_made_anew(docs: Path, tmp_path: Path) -> None:
    (docs / "good.txt").write_text("A good text about harbours.")
    index = tmp_path / "index"
    asyncio.run(Corpus.open([str(docs)], index_dir=str(index)))
    for database in index.rglob("documents.sqlite"):
        database.write_bytes(b"this is no database " * 500)
    corpus = asyncio.run(Corpus.open([str(docs)], index_dir=str(index)))
    assert corpus.report[0].documents == 1
    assert asyncio.run(corpus.search("harbours"))[0].uri == f"{docs}/good.txt"
