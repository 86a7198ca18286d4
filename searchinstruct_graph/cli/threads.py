"""Threads of `ask`: one SQLite file with LangGraph's checkpoints and each thread's settings, so that a bare
`--thread ID` resumes with the same corpus and model after Ctrl-C or a crash.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.errors import SearchInstructError, UsageError

if TYPE_CHECKING:
    import aiosqlite
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

HOME_VARIABLE = "SEARCHINSTRUCT_HOME"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def checked_thread(thread: str) -> str:
    """The thread's id. Raises UsageError for anything but letters, digits, dot, underscore and hyphen, at most 64."""
    if not _ID.fullmatch(thread):
        raise UsageError(f"thread {thread[:80]!r} is not an id; use letters, digits, '.', '_' and '-', at most 64")
    return thread


def new_thread() -> str:
    """A fresh id, short enough to type."""
    return secrets.token_hex(4)


def threads_file() -> Path:
    """Where threads are kept: SEARCHINSTRUCT_HOME, else the user's data folder."""
    import platformdirs

    home = os.environ.get(HOME_VARIABLE) or platformdirs.user_data_dir("searchinstruct")
    return Path(home).expanduser() / "threads.sqlite"


class Threads:
    """Checkpoints and settings, open."""

    def __init__(self, saver: AsyncSqliteSaver, connection: aiosqlite.Connection) -> None:
        self.saver = saver
        self._connection = connection

    async def remember(self, thread: str, context: ResearchContext, folder: str) -> None:
        """Keep the settings that a thread runs with, and the folder that its relative paths start from."""
        await self._connection.execute(
            "INSERT OR REPLACE INTO settings VALUES (?, ?, ?)", (thread, json.dumps(asdict(context)), folder)
        )
        await self._connection.commit()

    async def settings(self, thread: str) -> tuple[ResearchContext, str] | None:
        """The settings that a thread ran with, and its folder; None for an unknown thread."""
        async with self._connection.execute("SELECT context, folder FROM settings WHERE thread = ?", (thread,)) as rows:
            row = await rows.fetchone()
        if row is None:
            return None
        known = {field.name for field in fields(ResearchContext)}
        stored: dict[str, Any] = json.loads(row[0])
        return ResearchContext(**{name: value for name, value in stored.items() if name in known}), row[1]


@contextmanager
def _held(thread: str, path: Path) -> Iterator[None]:
    """Keep `thread` for this process: two at once would mix their checkpoints.

    One byte of the file `path` stands for each thread, so that no lock file is left behind by any of them; the system
    frees it when the process ends, however it ends.
    """
    byte = int.from_bytes(hashlib.sha256(thread.encode()).digest()[:7], "big")
    with path.open("wb") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except OSError as error:
            raise UsageError(
                f"thread {thread} is being worked on by another process; wait for it, or use another --thread"
            ) from error
        yield


@asynccontextmanager
async def open_threads(thread: str) -> AsyncIterator[Threads]:
    """Open the file, made readable for its owner alone, to work on `thread`.

    Raises:
        UsageError: the file cannot be opened, or another process works on the thread.
    """
    import aiosqlite
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    path = threads_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise UsageError(
            f"threads cannot be kept in {path}: {error.strerror or error}; set {HOME_VARIABLE} to a folder you can write"
        ) from error
    with _held(thread, path.with_name("threads.lock")):
        async with aiosqlite.connect(path) as connection:
            try:
                await _prepare(connection, path)
                # Strict even if LangGraph was imported before the program could ask for it.
                serde = JsonPlusSerializer(allowed_msgpack_modules=None)
                yield Threads(AsyncSqliteSaver(connection, serde=serde), connection)
            except aiosqlite.OperationalError as error:
                # Held by another program, a full disk, a file that may not be written.
                raise SearchInstructError(f"{path} cannot be used: {error}; mend that and try again") from error


async def _prepare(connection: aiosqlite.Connection, path: Path) -> None:
    import aiosqlite

    try:
        await connection.execute("PRAGMA busy_timeout = 5000")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS settings (thread TEXT PRIMARY KEY, context TEXT NOT NULL, folder TEXT NOT NULL)"
        )
        async with connection.execute("SELECT name FROM pragma_table_info('settings')") as rows:
            if "folder" not in {row[0] async for row in rows}:
                # A file from before threads knew their folder.
                await connection.execute("ALTER TABLE settings ADD COLUMN folder TEXT NOT NULL DEFAULT ''")
        await connection.commit()
    except aiosqlite.OperationalError:
        raise
    except aiosqlite.DatabaseError as error:
        raise UsageError(f"{path} is damaged ({error}); move it away to start anew") from error
