"""The ledger's SQLite file: its tables, and the one thread that writes to it.

Writes of many tasks are committed together: a commit with `synchronous=FULL` waits for the disk, whatever it holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from searchinstruct_graph.errors import SearchInstructError, UsageError

T = TypeVar("T")

SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE instructions (
    ordinal INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text TEXT NOT NULL, wave INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('shown', 'admitted', 'answered', 'accepted', 'rejected', 'surplus', 'purged')),
    origin TEXT NOT NULL
);
CREATE INDEX instructions_status ON instructions (status, ordinal);
CREATE TABLE keywords (position INTEGER PRIMARY KEY, keyword TEXT NOT NULL UNIQUE, origin TEXT NOT NULL);
CREATE TABLE waves (
    wave INTEGER PRIMARY KEY, proposed INTEGER NOT NULL, admitted INTEGER NOT NULL, last INTEGER NOT NULL,
    note TEXT NOT NULL
);
CREATE TABLE pool (wave INTEGER PRIMARY KEY, segment BLOB NOT NULL);
CREATE TABLE calls (
    key TEXT PRIMARY KEY, scope TEXT NOT NULL, reply TEXT NOT NULL, usage TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX calls_scope ON calls (scope);
CREATE TABLE answers (ordinal INTEGER PRIMARY KEY REFERENCES instructions, outcome TEXT NOT NULL);
CREATE TABLE rows (
    ordinal INTEGER PRIMARY KEY REFERENCES instructions, id TEXT NOT NULL UNIQUE, payload TEXT NOT NULL,
    grounding TEXT NOT NULL CHECK (grounding IN ('quotes', 'none')), quotes INTEGER NOT NULL, answer_key TEXT NOT NULL,
    committed_at TEXT NOT NULL, CHECK (grounding = 'none' OR quotes > 0)
);
CREATE INDEX rows_answer_key ON rows (answer_key);
CREATE TABLE sources (
    ordinal INTEGER NOT NULL REFERENCES rows ON DELETE CASCADE, number INTEGER NOT NULL, uri TEXT NOT NULL,
    title TEXT NOT NULL, retrieved_at TEXT NOT NULL, sha256 TEXT NOT NULL CHECK (length(sha256) = 64), license TEXT,
    PRIMARY KEY (ordinal, number)
) WITHOUT ROWID;
CREATE INDEX sources_uri ON sources (uri);
CREATE TABLE quotes (
    ordinal INTEGER NOT NULL, source INTEGER NOT NULL, number INTEGER NOT NULL, start INTEGER NOT NULL,
    stop INTEGER NOT NULL CHECK (stop > start), text TEXT NOT NULL,
    PRIMARY KEY (ordinal, source, number), FOREIGN KEY (ordinal, source) REFERENCES sources ON DELETE CASCADE
) WITHOUT ROWID;
CREATE TABLE rejections (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, ordinal INTEGER, stage TEXT NOT NULL, reason TEXT NOT NULL,
    quarantined INTEGER NOT NULL, payload TEXT NOT NULL, committed_at TEXT NOT NULL
);
CREATE INDEX rejections_reason ON rejections (reason);
CREATE INDEX rejections_ordinal ON rejections (ordinal);
CREATE TABLE spending (
    role TEXT PRIMARY KEY, model_calls INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    known_usd REAL NOT NULL, unknown_calls INTEGER NOT NULL, dearest_usd REAL NOT NULL,
    searches INTEGER NOT NULL, pages INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE pulls (
    number INTEGER PRIMARY KEY, cluster INTEGER, documents TEXT NOT NULL, owners TEXT NOT NULL, cells TEXT NOT NULL,
    texts TEXT NOT NULL, failures TEXT NOT NULL, vectors BLOB NOT NULL, distance REAL, reward REAL, note TEXT NOT NULL
);
CREATE TABLE clusters (id INTEGER PRIMARY KEY CHECK (id = 0), state BLOB NOT NULL);
CREATE TABLE evaluated (id TEXT PRIMARY KEY, number INTEGER NOT NULL, item TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

ADDED = """
CREATE TABLE IF NOT EXISTS edits (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, payload TEXT NOT NULL, committed_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS probes (
    ordinal INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, fact TEXT NOT NULL, kind TEXT NOT NULL, question TEXT NOT NULL,
    payload TEXT
);
CREATE INDEX IF NOT EXISTS probes_fact ON probes (fact);
CREATE TABLE IF NOT EXISTS triplets (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, asked TEXT NOT NULL UNIQUE, family TEXT NOT NULL,
    denying INTEGER NOT NULL, payload TEXT NOT NULL, committed_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS triplets_family ON triplets (family);
CREATE TABLE IF NOT EXISTS triplet_keys (key TEXT PRIMARY KEY, family TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS triplet_keys_family ON triplet_keys (family);
"""
"""Tables that came after the first release: made when a ledger is opened to write; one that is only read may lack them."""

MOST_TOGETHER = 512
"""Writes that one commit takes."""


def connect(path: Path, *, readonly: bool = False) -> sqlite3.Connection:
    """Open the file with the ledger's settings. Raises UsageError when it is damaged, missing (to read) or too new."""
    try:
        where = f"{path.absolute().as_uri()}?mode=ro" if readonly else f"{path.absolute().as_uri()}?mode=rwc"
        connection = sqlite3.connect(where, uri=True, isolation_level=None, check_same_thread=False, timeout=30)
        connection.execute("PRAGMA foreign_keys = ON")
        if not readonly:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.OperationalError as error:
        raise UsageError(f"the ledger {path} cannot be opened: {error}") from error
    except sqlite3.DatabaseError as error:
        raise UsageError(f"the ledger {path} is damaged ({error}); try: searchinstruct doctor {path.parent}") from error
    if version > SCHEMA_VERSION:
        raise UsageError(f"the ledger {path} was written by a newer version; update searchinstruct-graph")
    if version == 0 and not readonly:
        with contextlib.suppress(sqlite3.OperationalError):
            # Torn between making the tables and naming the version: the transaction holds both.
            connection.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")
        if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
            raise UsageError(f"the ledger {path} cannot be written; is the disk full, or the folder not yours?")
    if not readonly:
        try:
            connection.executescript(f"BEGIN;{ADDED}COMMIT;")
        except sqlite3.DatabaseError as error:
            raise UsageError(f"the ledger {path} cannot be written: {error}") from error
    return connection


def has_table(db: sqlite3.Connection, name: str) -> bool:
    """Whether the ledger has a table of this name: those in `ADDED` are missing in older ones."""
    return db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).fetchone() is not None


class _Write(NamedTuple):
    """A write that waits for its commit."""

    work: Callable[[sqlite3.Connection], Any]
    done: Callable[[Any, BaseException | None], None]


class Writer:
    """The one connection that writes, on a thread of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = connect(path)
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="searchinstruct-ledger", daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` inside a transaction; when this returns, it is on the disk.

        Raises what `work` raises (only its own changes are undone), and SearchInstructError when nothing can be
        committed: a full disk, a file that has gone.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        def done(result: Any, error: BaseException | None) -> None:
            # The loop may be gone when a run was stopped in a hurry; what is committed stays so.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, result, error)

        self._queue.put(_Write(work, done))
        return await future

    def close(self) -> None:
        """Commit what waits, and close."""
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            batch, last = [first], False
            with contextlib.suppress(queue.Empty):
                while len(batch) < MOST_TOGETHER:
                    item = self._queue.get_nowait()
                    if item is None:
                        last = True
                        break
                    batch.append(item)
            self._commit(batch)
            if last:
                return

    def _commit(self, batch: list[_Write]) -> None:
        outcomes: list[tuple[Any, BaseException | None]] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes.extend(self._one(item) for item in batch)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            said = SearchInstructError(
                f"the ledger {self._path} cannot be written: {error}; what was committed is safe: "
                "mend that and give the same command again"
            )
            outcomes = [(None, said)] * len(batch)
        for item, outcome in zip(batch, outcomes, strict=True):
            item.done(*outcome)

    def _one(self, item: _Write) -> tuple[Any, BaseException | None]:
        self._connection.execute("SAVEPOINT one")
        try:
            result = item.work(self._connection)
        except sqlite3.OperationalError:
            raise
        except Exception as error:
            self._connection.execute("ROLLBACK TO one")
            self._connection.execute("RELEASE one")
            return None, error
        self._connection.execute("RELEASE one")
        return result, None


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, on one state of the file for as long as the block lasts."""
    if not path.is_file():
        raise UsageError(f"{path.parent} is not a run: it has no {path.name}")
    connection = connect(path, readonly=True)
    try:
        connection.execute("BEGIN")
        yield connection
    except sqlite3.DatabaseError as error:
        raise UsageError(
            f"the ledger {path} cannot be read ({error}); try: searchinstruct doctor {path.parent}"
        ) from error
    finally:
        connection.close()
