"""A folder and a shell in it: the command line as a user runs it, in child processes, against a scripted provider over HTTP."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.support.scripted_llm import ScriptedLLM

MODEL = ("--model", "openai:scripted")


class Shell:
    """A shell in `folder` that knows a scripted provider."""

    def __init__(self, folder: Path, llm: ScriptedLLM | None = None) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "CI": "",  # pytest, and others, say more where it is set
            "BUILD_NUMBER": "",
            "SEARCHINSTRUCT_HOME": str(folder / "home"),
            "PYTHONWARNINGS": "ignore",
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }
        if llm:
            self.environment |= {"OPENAI_BASE_URL": llm.base_url, "OPENAI_API_KEY": "sk-test-canary-0123456789"}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start `searchinstruct` with these arguments."""
        return subprocess.Popen(
            [sys.executable, "-m", "searchinstruct_graph", *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `searchinstruct` to its end."""
        process = self.start(*arguments, **environment)
        out, error = process.communicate(timeout=110)
        return subprocess.CompletedProcess(process.args, process.returncode, out, error)


def payloads(run: Path) -> dict[str, str]:
    """Every row's id and a hash of everything in it; its ledger must be whole."""
    db = sqlite3.connect(run / "ledger.sqlite")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    rows = db.execute("SELECT ordinal, id, payload FROM rows ORDER BY ordinal").fetchall()
    held: dict[str, str] = {}
    for ordinal, id_, payload in rows:
        sources = db.execute("SELECT number, uri, sha256 FROM sources WHERE ordinal = ?", (ordinal,)).fetchall()
        quotes = db.execute(
            "SELECT source, number, start, stop, text FROM quotes WHERE ordinal = ?", (ordinal,)
        ).fetchall()
        told = {key: value for key, value in json.loads(payload).items() if key != "usage"}
        held[id_] = sha256(json.dumps([told, sources, quotes], sort_keys=True).encode()).hexdigest()
    db.close()
    assert len(held) == len(rows)
    return held


def json_of(done: subprocess.CompletedProcess[str]) -> Any:
    """What a command that succeeded has printed."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
