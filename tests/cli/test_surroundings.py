"""What stands around the program: other processes, other encodings, folders that vanish, databases that are held."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import island
from tests.support import scripted_llm as play
from tests.support.scripted_llm import ScriptedLLM

QUESTION = "Who built the lighthouse of Karvel?"
PROGRAM = [sys.executable, "-m", "searchinstruct_graph"]
ASCII = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}


def world(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    root = str(Path(__file__).parents[2])
    return {**kept, "SEARCHINSTRUCT_HOME": str(home), "SEARCHINSTRUCT_MODEL": "offline", "PYTHONPATH": root, **more}


def run(arguments: list[str], environment: dict[str, str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments], env=environment, cwd=cwd, capture_output=True, text=True, timeout=90,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_no_command_shows_the_help(tmp_path: Path) -> None:
    done = run([], world(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: ")
    assert {"ask", "index", "search"} <= {line.split()[0] for line in done.stderr.splitlines() if line.strip()}


def test_a_thread_is_worked_on_by_one_process(tmp_path: Path) -> None:
    script = island.honest()
    with ScriptedLLM({**script, "AnswerDraft": [play.hang(60), script["AnswerDraft"]]}) as llm:
        environment = world(tmp_path / "home", OPENAI_BASE_URL=llm.base_url, OPENAI_API_KEY="sk-test")
        settings = ["--corpus", island.write_island(tmp_path), "--model", "openai:scripted", "--samples", "1"]
        first = subprocess.Popen(
            [*PROGRAM, "ask", island.QUESTION, "--thread", "t1", *settings],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert first.stderr is not None
            while "drafted" not in (line := first.stderr.readline()) and "enough evidence" not in line:
                assert line
            second = run(["ask", "--thread", "t1", "--json"], environment)
            assert (second.returncode, second.stdout) == (2, "")
            assert "thread t1 is being worked on by another process" in second.stderr
            # Other threads go on.
            other = run(["ask", QUESTION, "--corpus", settings[1], "--thread", "t2", "--json"], environment)
            assert other.returncode == 0, other.stderr
        finally:
            first.kill()
            first.communicate()
        # A killed process holds nothing.
        last = run(["ask", "--thread", "t1", "--json"], environment)
        assert last.returncode == 0, last.stderr
        assert json.loads(last.stdout)["status"] == "answered"


def test_a_held_database_is_one_clear_line(tmp_path: Path) -> None:
    home, corpus = tmp_path / "home", island.write_island(tmp_path)
    assert run(["ask", QUESTION, "--corpus", corpus], world(home)).returncode == 0
    holder = sqlite3.connect(home / "threads.sqlite", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    done = run(["ask", QUESTION, "--corpus", corpus, "--json"], world(home))
    holder.close()
    assert done.returncode == 1
    assert "threads.sqlite cannot be used: database is locked" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["ask", "search"])
def test_output_that_cannot_carry_a_letter_still_carries_the_answer(tmp_path: Path, command: str) -> None:
    corpus = island.write_island(tmp_path, schloss="# Schloß\n\nDas Schloß von Karvel wurde 1607 erbaut — 名前.\n")
    arguments = [command, "Schloß Karvel", "--corpus", corpus]
    said = run(arguments, world(tmp_path / "home", **ASCII))
    assert said.returncode == 0, said.stderr
    assert "Schlo? von Karvel wurde 1607" in said.stdout
    # JSON loses nothing.
    told = run([*arguments, "--json"], world(tmp_path / "home", **ASCII))
    assert told.returncode == 0, told.stderr
    assert told.stdout.isascii()
    assert "Das Schloß von Karvel wurde 1607 erbaut — 名前." in str(json.loads(told.stdout))


def test_a_folder_that_vanished_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = subprocess.run(
        ["sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', str(gone), *PROGRAM, "ask", QUESTION],
        env=world(tmp_path / "home"), capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no longer exists" in done.stderr
    assert done.stderr.count("\n") == 1
