"""Where threads live: LangGraph's checkpoints and store in one SQLite file, or in Postgres (extra `postgres`).

Both are opened strict: a checkpoint holds plain data, and nothing in it is ever executed.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchinstruct_graph.errors import SearchInstructError, UsageError
from searchinstruct_graph.models.retry import redact

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    from langgraph.store.base import BaseStore

_POSTGRES = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True)
class Persistence:
    """An open database: give `checkpoints` to `build_research_graph`."""

    checkpoints: BaseCheckpointSaver[Any]
    store: BaseStore
    hold: Callable[[str], AbstractAsyncContextManager[None]]
    """Keeps a thread for this process while the block lasts; UsageError when another process has it."""


def open_persistence(where: str | Path) -> AbstractAsyncContextManager[Persistence]:
    """Open the database at `where`: the path of an SQLite file, or a `postgresql://` URL. Tables are made when missing.

    Raises:
        UsageError: it cannot be opened, is damaged, or the extra is not installed.
        SearchInstructError: it fails while it is in use (locked, full, gone).
    """
    if str(where).startswith(_POSTGRES):
        return _postgres(str(where))
    return _sqlite(Path(where))


def _serde() -> JsonPlusSerializer:
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    # Strict even if LangGraph was imported before the program could ask for it.
    return JsonPlusSerializer(allowed_msgpack_modules=None)


def _busy(thread: str) -> UsageError:
    return UsageError(f"thread {thread} is being worked on by another process; wait for it, or use another --thread")


@asynccontextmanager
async def _sqlite(path: Path) -> AsyncIterator[Persistence]:
    import aiosqlite
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
    from langgraph.store.sqlite.aio import AsyncSqliteStore

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise UsageError(
            f"threads cannot be kept in {path}: {error.strerror or error}; set SEARCHINSTRUCT_HOME to a folder you can write"
        ) from error

    def lock(thread: str) -> AbstractAsyncContextManager[None]:
        return _file_lock(thread, path.with_name("threads.lock"))

    try:
        # The store leaves transactions to its connection, so it needs one of its own in autocommit.
        async with aiosqlite.connect(path) as connection, aiosqlite.connect(path, isolation_level=None) as other:
            for each in (connection, other):
                await each.execute("PRAGMA busy_timeout = 5000")
            await _whole(connection, path)
            saver = AsyncSqliteSaver(connection, serde=_serde())
            async with AsyncSqliteStore(other) as store:
                await _set_up(saver, store, lock)
                yield Persistence(saver, store, lock)
    except aiosqlite.OperationalError as error:
        # Held by another program, a full disk, a file that may not be written.
        raise SearchInstructError(f"{path} cannot be used: {error}; mend that and try again") from error


async def _whole(connection: Any, path: Path) -> None:
    import aiosqlite

    try:
        await connection.execute("SELECT name FROM sqlite_master LIMIT 1")
    except aiosqlite.OperationalError:
        raise
    except aiosqlite.DatabaseError as error:
        raise UsageError(f"{path} is damaged ({error}); move it away to start anew") from error


@asynccontextmanager
async def _file_lock(thread: str, path: Path) -> AsyncIterator[None]:
    """One byte of the file `path` stands for each thread, so that no lock file is left behind by any of them; the system
    frees it when the process ends, however it ends.
    """
    with path.open("wb") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _number(thread))
        except OSError as error:
            raise _busy(thread) from error
        yield


def _number(thread: str) -> int:
    return int.from_bytes(hashlib.sha256(thread.encode()).digest()[:7], "big")


@asynccontextmanager
async def _postgres(url: str) -> AsyncIterator[Persistence]:
    try:
        import psycopg
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
        from langgraph.store.postgres.aio import AsyncPostgresStore
        from psycopg.rows import dict_row
        from psycopg_pool import AsyncConnectionPool
    except ImportError as error:
        raise UsageError('Postgres needs packages: pip install "searchinstruct-graph[postgres]"') from error

    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        url, min_size=1, max_size=10, open=False, timeout=10, kwargs=options
    )

    @asynccontextmanager
    async def lock(thread: str) -> AsyncIterator[None]:
        """An advisory lock on a connection of its own: the server frees it when the process is gone."""
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as holder:
            taken = await (await holder.execute("SELECT pg_try_advisory_lock(%s)", (_number(thread),))).fetchone()
            if not taken or not taken[0]:
                raise _busy(thread)
            yield

    try:
        # One attempt first: the pool would go on trying, and say less.
        await (await psycopg.AsyncConnection.connect(url, connect_timeout=10)).close()
    except psycopg.Error as error:
        raise UsageError(
            f"the Postgres database cannot be opened: {_said(error)}; see SEARCHINSTRUCT_DATABASE"
        ) from error
    try:
        async with pool:
            saver, store = AsyncPostgresSaver(pool, serde=_serde()), AsyncPostgresStore(pool)
            await _set_up(saver, store, lock)
            async with store:
                yield Persistence(saver, store, lock)
    except psycopg.Error as error:
        raise SearchInstructError(f"the Postgres database cannot be used: {_said(error)}") from error


async def _set_up(saver: Any, store: Any, lock: Callable[[str], AbstractAsyncContextManager[None]]) -> None:
    """Make the tables; two processes that start together would trip over each other's migrations."""
    for _ in range(1_200):
        try:
            async with lock("searchinstruct: setup"):
                await saver.setup()
                await store.setup()
                return
        except UsageError:
            await asyncio.sleep(0.05)
    raise SearchInstructError("the database of threads is being set up by another process that does not end; stop that")


def _said(error: BaseException) -> str:
    """The driver's own words: the last of those that it has passed on."""
    return redact(str(error).strip().rpartition("failed: ")[2]) or type(error).__name__
