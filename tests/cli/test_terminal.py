"""The program on a terminal: a pseudo-terminal of its own, keys pressed by the test."""

from __future__ import annotations

import errno
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from searchinstruct_graph.cli.ask import ask
from searchinstruct_graph.cli.display import plain
from searchinstruct_graph.errors import ProviderError
from tests.support import island

QUESTION = "Who built the lighthouse of Karvel?"
PROMPT = r"quit \[a/e/q\] \[a\]: "


class Terminal:
    """`searchinstruct ask` whose three streams are one terminal."""

    def __init__(self, home: Path, *arguments: str, **environment: str) -> None:
        self.master, slave = pty.openpty()
        self.seen = ""
        self._read = 0
        kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "searchinstruct_graph", "ask", *arguments],
            env={
                **kept,
                "SEARCHINSTRUCT_HOME": str(home),
                "SEARCHINSTRUCT_MODEL": "offline",
                "TERM": "xterm",
                "COLUMNS": "110",
                **environment,
            },
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def wait_for(self, pattern: str, seconds: float = 60) -> None:
        """Read until `pattern` appears after what was waited for before."""
        deadline = time.monotonic() + seconds
        while not (found := re.compile(pattern).search(self.seen, self._read)):
            assert time.monotonic() < deadline, self.seen[self._read :]
            assert self._more(), self.seen
        self._read = found.end()

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        deadline = time.monotonic() + 60
        while self._more():
            assert time.monotonic() < deadline
        return self.process.wait(timeout=10)

    def _more(self) -> bool:
        if not select.select([self.master], [], [], 0.2)[0]:
            return True
        try:
            read = os.read(self.master, 65_536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        self.seen += read.decode("utf-8", "replace")
        return bool(read)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


class Desk:
    """Starts terminals that share a home and an island."""

    def __init__(self, tmp_path: Path) -> None:
        self.home, self.corpus, self.open = tmp_path / "home", island.write_island(tmp_path), list[Terminal]()
        self.folder = tmp_path

    def ask(self, *arguments: str, **environment: str) -> Terminal:
        made = Terminal(self.home, *arguments, **environment)
        self.open.append(made)
        return made

    def editor(self, name: str, text: str) -> str:
        """An editor that replaces the file with `text`."""
        script = self.folder / name
        script.write_text(f"#!/bin/sh\ncat > \"$1\" <<'END'\n{text}\nEND\n")
        script.chmod(0o755)
        return str(script)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    for terminal in made.open:
        terminal.close()


def test_a_plan_is_quit_misheard_left_and_accepted(desk: Desk) -> None:
    first = desk.ask(QUESTION, "--corpus", desk.corpus, "--review-plan", "--thread", "t1")
    first.wait_for(PROMPT)
    # Neither yes nor no: nothing may start from a slip of the finger.
    first.press("x\n")
    first.wait_for(PROMPT)
    first.press("q\n")
    assert first.end() == 130
    assert "resume with: searchinstruct ask --thread t1" in first.seen
    for key in ("\x04", "\x03"):
        left = desk.ask("--thread", "t1")
        left.wait_for(PROMPT)
        if key == "\x03":
            # A session of its own has no controlling terminal that would turn the key into the signal.
            left.process.send_signal(2)
        else:
            left.press(key)
        assert left.end() == 130
        assert "resume with: searchinstruct ask --thread t1" in left.seen
    last = desk.ask("--thread", "t1")
    last.wait_for(PROMPT)
    last.press("\n")
    assert last.end() == 0
    assert "Mara Denholm" in last.seen
    assert re.search(r"\b1 round, \d+ search", " ".join(plain(last.seen).split()))
    # The live line tells the time, and comes back after the question.
    before, _, after = plain(last.seen).partition("quit [a/e/q]")
    assert re.search(r"[a-z]  \d+ s", before)
    assert re.search(r"[a-z]  \d+ s", after)


def test_an_edited_plan_is_used_and_a_broken_one_is_asked_for_again(desk: Desk) -> None:
    broken = desk.editor("broken", "[1, 2")
    terminal = desk.ask(QUESTION, "--corpus", desk.corpus, "--review-plan", "--thread", "t2", EDITOR=broken)
    terminal.wait_for(PROMPT)
    terminal.press("e\n")
    terminal.wait_for("not JSON")
    terminal.wait_for(PROMPT)
    terminal.press("q\n")
    assert terminal.end() == 130
    misfit = desk.ask("--thread", "t2", EDITOR=desk.editor("misfit", '{"sub_questions": []}'))
    misfit.wait_for(PROMPT)
    misfit.press("e\n")
    misfit.wait_for("cannot be used")
    misfit.wait_for(PROMPT)
    misfit.press("q\n")
    assert misfit.end() == 130
    text = json.dumps({"sub_questions": ["What do the goats of Karvel eat?"]})
    edited = desk.ask("--thread", "t2", EDITOR=desk.editor("edited", text))
    edited.wait_for(PROMPT)
    edited.press("e\n")
    assert edited.end() == 0
    assert "searched: What do the goats of Karvel eat?" in plain(edited.seen)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2Jbell", "bell"),
        ("\x1b]0;owned\x07bell", "bell"),
        ("\x1b]8;;http://x.example\x1b\\bell\x1b]8;;\x1b\\", "bell"),
        ("\x1bPq#0\x1b\\bell", "bell"),
        ("\x1b]0;never ended, bell", "]0;never ended, bell"),
        ("\x9b31mbell\u202e", "31mbell"),
        ("a\tb\nc\r", "a\tb\nc"),
    ],
)
def test_whole_escape_sequences_are_taken_out(hostile: str, shown: str) -> None:
    assert plain(hostile) == shown


def test_a_provider_that_fails_before_the_thread_exists_promises_no_resuming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: object) -> None:
        raise ProviderError("embedding refused")

    monkeypatch.setenv("SEARCHINSTRUCT_HOME", str(tmp_path))
    monkeypatch.setattr("searchinstruct_graph.agents.sources.open_corpus", refuse)
    with pytest.raises(ProviderError) as caught:
        ask(QUESTION, thread="t3", model="offline")
    assert str(caught.value) == "embedding refused"
