"""The documents and chunks of one index generation, in one SQLite file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

_SCHEMA = """
CREATE TABLE files (key TEXT PRIMARY KEY, stamp TEXT NOT NULL, settled INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, file TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL,
    sha256 TEXT NOT NULL, license TEXT, retrieved_at TEXT NOT NULL,
    published TEXT NOT NULL, language TEXT NOT NULL, url TEXT NOT NULL
);
CREATE UNIQUE INDEX documents_key ON documents (key, file);
CREATE INDEX documents_file ON documents (file);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY, document INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
    heading TEXT NOT NULL, vector TEXT NOT NULL
);
CREATE INDEX chunks_document ON chunks (document);
CREATE INDEX chunks_vector ON chunks (vector);
CREATE TABLE vectors (key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE skipped (file TEXT NOT NULL, key TEXT NOT NULL, reason TEXT NOT NULL);
CREATE INDEX skipped_file ON skipped (file);
"""
# SQLite's limit of variables in one statement was 999 for long.
_MANY = 900


class DocumentRow(NamedTuple):
    """A document as stored; `key` is its URI without the source's prefix."""

    key: str
    title: str
    text: str
    sha256: str
    license: str | None
    retrieved_at: str
    published: str = ""
    language: str = ""
    """As the document says."""
    url: str = ""


class ChunkRow(NamedTuple):
    """A chunk with what a Passage needs."""

    id: int
    key: str
    title: str
    heading: str
    start: int
    end: int
    text: str
    vector: str
    """Id of its vector in Chroma: a hash of the embedded text, so equal texts share one."""


class NewChunk(NamedTuple):
    """A chunk before it is stored, with the text that is embedded for it."""

    start: int
    end: int
    heading: str
    vector: str
    text: str


class Store:
    """One connection behind a lock: searches come from several threads, each for a fraction of a millisecond."""

    def __init__(self, path: str, *, draft: bool = False, create: bool = False) -> None:
        """Open the file at `path`; `create` makes its tables.

        A `draft` belongs to a generation that is thrown away if this process dies: no journal, no waiting for the disk.
        """
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self._lock = threading.Lock()
        self._db.execute(f"PRAGMA cache_size = {-128_000 if draft else -16_000}")
        if draft:
            self._db.execute("PRAGMA journal_mode = OFF")
            self._db.execute("PRAGMA synchronous = OFF")
        if create:
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the connection; uncommitted changes are lost."""
        self._db.close()

    def begin(self) -> None:
        """Start a transaction: everything until `commit` happens together or not at all."""
        self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make the changes since `begin` durable."""
        self._db.execute("COMMIT")

    # Reading

    def _all(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def files(self) -> dict[str, tuple[str, bool]]:
        """Key of each file: its stamp, and whether the stamp can be trusted."""
        rows = self._all("SELECT key, stamp, settled FROM files")
        return {str(key): (str(stamp), bool(settled)) for key, stamp, settled in rows}

    def counts(self) -> tuple[int, int]:
        """Documents and chunks."""
        row = self._all("SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM chunks)")[0]
        return int(row[0]), int(row[1])

    def skipped(self) -> list[tuple[str, str]]:
        """(key, reason) of what could not be read."""
        return [(str(key), str(reason)) for key, reason in self._all("SELECT key, reason FROM skipped ORDER BY rowid")]

    def skipped_in(self, file: str) -> list[tuple[str, str]]:
        """(key, reason) of what could not be read in one file."""
        rows = self._all("SELECT key, reason FROM skipped WHERE file = ? ORDER BY rowid", (file,))
        return [(str(key), str(reason)) for key, reason in rows]

    def sizes(self) -> list[tuple[str, int]]:
        """(key, characters) of every document, by key."""
        return [
            (str(key), int(size)) for key, size in self._all("SELECT key, length(text) FROM documents ORDER BY key")
        ]

    def document(self, key: str) -> DocumentRow | None:
        """The document with this key."""
        with self._lock:
            row = self._db.execute(
                "SELECT key, title, text, sha256, license, retrieved_at, published, language, url FROM documents WHERE key = ?",
                (key,),
            ).fetchone()
        return DocumentRow(*row) if row else None

    def chunks_by_id(self, ids: Sequence[int]) -> list[ChunkRow]:
        """The chunks with these ids, in no particular order."""
        return self._chunks("chunks.id", ids)

    def chunks_by_vector(self, keys: Sequence[str]) -> list[ChunkRow]:
        """The chunks whose vectors have these keys; several chunks may share one."""
        return self._chunks("chunks.vector", keys)

    def _chunks(self, column: str, values: Sequence[object]) -> list[ChunkRow]:
        return [ChunkRow(*row) for row in self._in(f"{_CHUNK} WHERE {column}", values)]

    def _in(self, query: str, values: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        """Rows of `query`, which ends with a column's name, where that column is among `values`."""
        for at in range(0, len(values), _MANY):
            some = values[at : at + _MANY]
            yield from self._all(f"{query} IN ({','.join('?' * len(some))})", some)

    def distinct_chunks(self) -> Iterator[tuple[int, str, int, int, str]]:
        """(id, key, start, end, SHA-256 of the document) of the chunks, of those with equal title and text the first, in the
        order of keys and offsets.
        """
        ranked = (
            "SELECT chunks.id AS id, key, start, stop, sha256, row_number() OVER (PARTITION BY vector ORDER BY key, start) AS n"
            " FROM chunks JOIN documents ON documents.id = chunks.document"
        )
        query = f"SELECT id, key, start, stop, sha256 FROM ({ranked}) WHERE n = 1 ORDER BY key, start"  # noqa: S608
        yield from self._db.cursor().execute(query)

    def every_chunk(self) -> Iterator[ChunkRow]:
        """All chunks in the order of their ids, one at a time. Only while nothing else writes."""
        cursor = self._db.cursor()
        query = (
            "SELECT chunks.id, key, title, heading, start, stop, text, vector FROM chunks "
            "JOIN documents ON documents.id = chunks.document ORDER BY chunks.id"
        )
        for id_, key, title, heading, start, stop, text, vector in cursor.execute(query):
            yield ChunkRow(id_, key, title, heading, start, stop, text[start:stop], vector)

    def sample(self, count: int, length: int) -> list[str]:
        """Beginnings of up to `count` documents spread over the corpus."""
        total, _ = self.counts()
        step = max(1, total // count)
        query = "SELECT substr(text, 1, ?) FROM documents WHERE id % ? = 0 ORDER BY id LIMIT ?"
        rows = self._all(query, (length, step, count)) or self._all(
            "SELECT substr(text, 1, ?) FROM documents ORDER BY id LIMIT ?",
            (length, count),
        )
        return [str(row[0]) for row in rows]

    def told(self, beginning: int = 0) -> Iterator[tuple[int, str, str, str, str, str]]:
        """(id, key, published, language, url, first `beginning` characters) of every document, by id."""
        query = "SELECT id, key, published, language, url, substr(text, 1, ?) FROM documents ORDER BY id"
        yield from self._all(query, (beginning,))

    def texts(self) -> Iterator[tuple[int, str]]:
        """(id, text) of every document, a few at a time."""
        last = 0
        while rows := self._all("SELECT id, text FROM documents WHERE id > ? ORDER BY id LIMIT 500", (last,)):
            yield from ((int(id_), str(text)) for id_, text in rows)
            last = rows[-1][0]

    def chunk_places(self) -> list[tuple[int, int, str]]:
        """(chunk, document, key of the vector) of every chunk, by chunk."""
        return self._all("SELECT id, document, vector FROM chunks ORDER BY id")

    # Writing

    def set_file(self, key: str, stamp: str, settled: bool) -> None:
        """Remember a file's stamp."""
        self._db.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (key, stamp, int(settled)))

    def forget_file(self, key: str) -> None:
        """Remove a file's stamp and its skipped records (its documents are removed by `remove_documents`)."""
        self._db.execute("DELETE FROM files WHERE key = ?", (key,))
        self._db.execute("DELETE FROM skipped WHERE file = ?", (key,))

    def skip(self, file: str, key: str, reason: str) -> None:
        """Remember that something in `file` could not be read."""
        self._db.execute("INSERT INTO skipped VALUES (?, ?, ?)", (file, key, reason))

    def clear_skipped(self, file: str) -> None:
        """Forget what could not be read in `file`."""
        self._db.execute("DELETE FROM skipped WHERE file = ?", (file,))

    def digests(self, file: str) -> dict[str, tuple[int, str]]:
        """Key of each document of a file: its id and the digest of everything that is indexed of it."""
        rows = self._all(
            "SELECT key, id, sha256, title, license, published, language, url FROM documents WHERE file = ?",
            (file,),
        )
        return {str(key): (int(id_), document_digest(*told)) for key, id_, *told in rows}

    def add(self, documents: Sequence[tuple[str, DocumentRow, Sequence[NewChunk]]]) -> list[tuple[str, str]]:
        """Store (file, document, its chunks) in bulk; returns (vector key, text) of chunks whose vector is new."""
        with self._lock:
            (first,) = self._db.execute("SELECT coalesce(max(id), 0) + 1 FROM documents").fetchone()
        self._db.executemany(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(id_, row.key, file, *row[1:]) for id_, (file, row, _) in enumerate(documents, first)],
        )
        self._db.executemany(
            "INSERT INTO chunks (document, start, stop, heading, vector) VALUES (?, ?, ?, ?, ?)",
            [(id_, *chunk[:4]) for id_, (_, _, found) in enumerate(documents, first) for chunk in found],
        )
        fresh = {chunk.vector: chunk.text for _, _, found in documents for chunk in found}
        for (key,) in self._in("SELECT key FROM vectors WHERE key", list(fresh)):
            del fresh[str(key)]
        self._db.executemany("INSERT INTO vectors VALUES (?)", [(key,) for key in fresh])
        return list(fresh.items())

    def remove_documents(self, ids: Iterable[int]) -> None:
        """Remove documents and their chunks; the vectors stay until `take_orphans`."""
        for id_ in ids:
            self._db.execute("DELETE FROM chunks WHERE document = ?", (id_,))
            self._db.execute("DELETE FROM documents WHERE id = ?", (id_,))

    def take_orphans(self) -> list[str]:
        """Forget the vectors that no chunk uses any more; returns their keys."""
        query = "FROM vectors WHERE NOT EXISTS (SELECT 1 FROM chunks WHERE chunks.vector = vectors.key)"
        orphans = [str(row[0]) for row in self._all(f"SELECT key {query}")]
        if orphans:
            self._db.execute(f"DELETE {query}")
        return orphans


# substr counts code points from 1.
_CHUNK = (
    "SELECT chunks.id, key, title, heading, start, stop, substr(text, start + 1, stop - start), vector "
    "FROM chunks JOIN documents ON documents.id = chunks.document"
)


def document_digest(*told: object) -> str:
    """What must be equal for a document to count as unchanged: its text's hash, title, licence, date, language and address."""
    return "\n".join(map(str, told))
