"""Threads of `ask`: their checkpoints, and each thread's settings, so that a bare `--thread ID` resumes with the same
corpus and model after Ctrl-C or a crash.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.errors import UsageError

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.store.base import BaseStore

HOME_VARIABLE = "SEARCHINSTRUCT_HOME"
DATABASE_VARIABLE = "SEARCHINSTRUCT_DATABASE"
"""A `postgresql://` URL, for threads that several machines share; a file in the home folder without it."""

_NAMESPACE = ("searchinstruct", "threads")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def checked_thread(thread: str) -> str:
    """The thread's id. Raises UsageError for anything but letters, digits, dot, underscore and hyphen, at most 64."""
    if not _ID.fullmatch(thread):
        raise UsageError(f"thread {thread[:80]!r} is not an id; use letters, digits, '.', '_' and '-', at most 64")
    return thread


def new_thread() -> str:
    """A fresh id, short enough to type."""
    return secrets.token_hex(4)


def threads_place() -> str | Path:
    """Where threads are kept: SEARCHINSTRUCT_DATABASE, else SEARCHINSTRUCT_HOME, else the user's data folder."""
    import platformdirs

    if database := os.environ.get(DATABASE_VARIABLE):
        return database
    home = os.environ.get(HOME_VARIABLE) or platformdirs.user_data_dir("searchinstruct")
    return Path(home).expanduser() / "threads.sqlite"


class Threads:
    """Checkpoints and settings, open."""

    def __init__(self, saver: BaseCheckpointSaver[Any], store: BaseStore) -> None:
        self.saver = saver
        self._store = store

    async def remember(self, thread: str, context: ResearchContext, folder: str) -> None:
        """Keep the settings that a thread runs with, and the folder that its relative paths start from."""
        await self._store.aput(_NAMESPACE, thread, {"context": asdict(context), "folder": folder})

    async def settings(self, thread: str) -> tuple[ResearchContext, str] | None:
        """The settings that a thread ran with, and its folder; None for an unknown thread."""
        item = await self._store.aget(_NAMESPACE, thread)
        if item is None:
            return None
        known = {field.name for field in fields(ResearchContext)}
        stored: dict[str, Any] = item.value["context"]
        context = ResearchContext(**{name: value for name, value in stored.items() if name in known})
        return context, item.value["folder"]


@asynccontextmanager
async def open_threads(thread: str) -> AsyncIterator[Threads]:
    """Open the database to work on `thread`. Raises as `open_persistence` does, and UsageError when the thread is taken."""
    from searchinstruct_graph.graphs.persistence import open_persistence

    async with open_persistence(threads_place()) as opened, opened.hold(thread):
        yield Threads(opened.checkpoints, opened.store)
