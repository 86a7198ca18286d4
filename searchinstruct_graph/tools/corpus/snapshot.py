"""The documents of a pile and their sections in one SQLite file: written once under another name, then only read."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.sentences import Span
from searchinstruct_graph.tools.reading.document import Document

from .generations import _sync

NAME = "documents.sqlite"
_FORMAT = 1
# A document's text stands in the rows of its sections: each has what lies from its start (of the first: the document's)
# to the start of the next. So neither a section nor a list of documents costs the reading of whole documents.
_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sources (
    number INTEGER PRIMARY KEY, given TEXT NOT NULL, documents INTEGER NOT NULL, sections INTEGER NOT NULL,
    duplicates INTEGER NOT NULL
);
CREATE TABLE skipped (source INTEGER NOT NULL, uri TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, uri TEXT NOT NULL, title TEXT NOT NULL, sha256 BLOB NOT NULL UNIQUE, license TEXT,
    retrieved_at TEXT NOT NULL, first INTEGER NOT NULL, sections INTEGER NOT NULL
);
CREATE TABLE sections (
    id INTEGER PRIMARY KEY, document INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL, piece TEXT NOT NULL
);
"""
_LISTED_AT_ONCE = 4_096


@dataclass(frozen=True, slots=True)
class Section:
    """What is read at once: `text == document.text[start:end]` of the document at `uri`."""

    index: int
    """Its place in the pile, from 0."""
    uri: str
    title: str
    """Of the document."""
    start: int
    end: int
    text: str
    sha256: str
    """Of the whole document's text, as its licence and time are the document's."""
    license: str | None
    retrieved_at: str


@dataclass(slots=True)
class PileSource:
    """What one source gave to a pile."""

    given: str
    """As the user named it."""
    documents: int = 0
    sections: int = 0
    duplicates: int = 0
    """Documents left out because one with the same text came before, in this source or another."""
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """(URI, reason) of everything that could not be read."""


@dataclass(frozen=True, slots=True)
class MadeFrom:
    """What a pile was made from: it is used again only for the same."""

    sources: tuple[str, ...]
    embedding: str
    section_chars: int
    rule: int


class Draft:
    """A snapshot that is being written. Use it as a context manager: what is not published is gone."""

    def __init__(self, path: Path, made_from: MadeFrom) -> None:
        self._path = path
        self._temporary = path.with_name(path.name + ".tmp")
        self._temporary.unlink(missing_ok=True)
        self._digest = hashlib.sha256(encoded([made_from.section_chars, made_from.rule]).encode())
        self._documents = self._sections = 0
        self._db = sqlite3.connect(self._temporary, check_same_thread=False, isolation_level=None)
        # It is thrown away if this process dies: no journal, no waiting for the disk before the end.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -32000", f"user_version = {_FORMAT}"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN")
        self._note("sources", list(made_from.sources))
        self._note("embedding", made_from.embedding)
        self._note("section_chars", made_from.section_chars)
        self._note("rule", made_from.rule)

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)

    @property
    def counts(self) -> tuple[int, int]:
        """Documents and sections so far."""
        return self._documents, self._sections

    def holds(self, sha256: str) -> bool:
        """Whether a document with this text is in it already."""
        found = self._db.execute("SELECT 1 FROM documents WHERE sha256 = ?", (bytes.fromhex(sha256),)).fetchone()
        return found is not None

    def add(self, document: Document, spans: Sequence[Span]) -> None:
        """Append a document that it does not hold yet, with its sections: at least one, in order, not overlapping."""
        self._db.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._documents,
                document.uri,
                document.title,
                bytes.fromhex(document.sha256),
                document.license,
                document.retrieved_at,
                self._sections,
                len(spans),
            ),
        )
        borders = [0, *(span.start for span in spans[1:]), len(document.text)]
        self._db.executemany(
            "INSERT INTO sections VALUES (?, ?, ?, ?, ?)",
            [
                (
                    self._sections + at,
                    self._documents,
                    span.start,
                    span.end,
                    document.text[borders[at] : borders[at + 1]],
                )
                for at, span in enumerate(spans)
            ],
        )
        self._documents += 1
        self._sections += len(spans)
        self._digest.update(encoded([document.uri, document.sha256, document.license]).encode())

    def close_source(self, number: int, source: PileSource) -> None:
        """Keep the account of the `number`th source."""
        self._db.execute(
            "INSERT INTO sources VALUES (?, ?, ?, ?, ?)",
            (number, source.given, source.documents, source.sections, source.duplicates),
        )
        self._db.executemany(
            "INSERT INTO skipped VALUES (?, ?, ?)", [(number, uri, reason) for uri, reason in source.skipped]
        )

    def publish(self) -> None:
        """Complete the file, bring it to the disk, and give it its name."""
        self._note("sha256", self._digest.hexdigest())
        self._note("sections", self._sections)
        self._db.execute("COMMIT")
        self._db.close()
        put(self._temporary, self._path)

    def _note(self, name: str, value: Any) -> None:
        self._db.execute("INSERT INTO facts VALUES (?, ?)", (name, encoded(value)))


class Snapshot:
    """A published snapshot, open for reading from any thread: one connection behind a lock."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError when the file is damaged, or was written by a newer version."""
        self._path = path
        self._lock = threading.Lock()
        try:
            where = f"{path.absolute().as_uri()}?mode=ro"
            self._db = sqlite3.connect(where, uri=True, check_same_thread=False, isolation_level=None)
            try:
                self._load()
            except BaseException:
                self._db.close()
                raise
        except UsageError:
            raise
        except (sqlite3.Error, ValueError, KeyError, TypeError, IndexError) as error:
            raise UsageError(
                f"the pile {path} is damaged ({error}); delete that file to read the corpus again"
            ) from error

    def _load(self) -> None:
        if self._db.execute("PRAGMA user_version").fetchone()[0] > _FORMAT:
            raise UsageError(f"the pile {self._path} was written by a newer version; update searchinstruct-graph")
        facts = {str(name): json.loads(value) for name, value in self._db.execute("SELECT name, value FROM facts")}
        self.made_from = MadeFrom(tuple(facts["sources"]), facts["embedding"], facts["section_chars"], facts["rule"])
        self.sha256 = str(facts["sha256"])
        """Of every document's URI, text and licence, in order, and of the rule by which sections are cut."""
        self.sections = int(facts["sections"])
        """How many sections it has."""
        self.report = self._report()
        """What each source gave, in their order."""

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def section(self, index: int) -> Section:
        """The section at `index`. Raises IndexError when there is none."""
        rows = self._all(
            "SELECT uri, title, start, stop, piece, first, sha256, license, retrieved_at FROM sections "
            "JOIN documents ON documents.id = document WHERE sections.id = ?",
            (index,),
        )
        if not rows:
            raise IndexError(f"section {index} of {self.sections}")
        uri, title, start, end, piece, first, sha256, license_, retrieved_at = rows[0]
        text = _visible(piece, start, end, index == first)
        return Section(index, uri, title, start, end, text, sha256.hex(), license_, retrieved_at)

    def document_of(self, index: int) -> Document:
        """The whole document that the section at `index` is from. Raises IndexError when there is none."""
        rows = self._all(
            "SELECT uri, title, sha256, license, retrieved_at, first, documents.sections FROM sections "
            "JOIN documents ON documents.id = document WHERE sections.id = ?",
            (index,),
        )
        if not rows:
            raise IndexError(f"section {index} of {self.sections}")
        uri, title, sha256, license_, retrieved_at, first, count = rows[0]
        pieces = self._all("SELECT piece FROM sections WHERE id >= ? AND id < ? ORDER BY id", (first, first + count))
        return Document(uri, title, "".join(piece for (piece,) in pieces), sha256.hex(), license_, retrieved_at)

    def documents(self) -> Iterator[tuple[str, int, int]]:
        """(URI, index of the first section, sections) of every document, in order."""
        at = 0
        while rows := self._all(
            "SELECT uri, first, sections FROM documents WHERE id >= ? ORDER BY id LIMIT ?", (at, _LISTED_AT_ONCE)
        ):
            at += len(rows)
            yield from rows

    def texts(self, start: int, count: int) -> list[tuple[str, str]]:
        """(title, text) of up to `count` sections from `start` on."""
        rows = self._all(
            "SELECT title, start, stop, piece, first = sections.id FROM sections "
            "JOIN documents ON documents.id = document WHERE sections.id >= ? AND sections.id < ? ORDER BY sections.id",
            (start, start + count),
        )
        return [(title, _visible(piece, begin, end, bool(first))) for title, begin, end, piece, first in rows]

    def _report(self) -> list[PileSource]:
        report = [PileSource(*row[1:]) for row in self._db.execute("SELECT * FROM sources ORDER BY number")]
        for number, uri, reason in self._db.execute("SELECT source, uri, reason FROM skipped ORDER BY rowid"):
            report[number].skipped.append((uri, reason))
        return report

    def _all(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.DatabaseError as error:
                raise UsageError(f"the pile {self._path} cannot be read: {error}") from error


def _visible(piece: str, start: int, end: int, first: bool) -> str:
    """A section's text, cut out of its piece here: SQLite's own `substr` ends at a NUL."""
    return piece[start:end] if first else piece[: end - start]


def encoded(value: Any) -> str:
    """Compact JSON, the same for the same value."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def put(temporary: Path, path: Path) -> None:
    """Give a finished file its name once its bytes are on the disk: it is there whole or not at all."""
    _sync(str(temporary))
    os.replace(temporary, path)
    _sync(str(path.parent))
