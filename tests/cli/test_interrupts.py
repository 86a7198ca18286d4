"""Ctrl-C, a dead provider, a plan to review: the thread is there afterwards and goes on where it stopped."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support import island
from tests.support import scripted_llm as play
from tests.support.scripted_llm import ScriptedLLM


class World:
    """A scripted provider, an island, and the program run on both."""

    def __init__(self, tmp_path: Path, llm: ScriptedLLM) -> None:
        self.llm = llm
        self.home = tmp_path / "home"
        self.corpus = island.write_island(tmp_path)
        self.environment = {
            **os.environ,
            "SEARCHINSTRUCT_HOME": str(self.home),
            "OPENAI_BASE_URL": llm.base_url,
            "OPENAI_API_KEY": "sk-test-canary-0123456789",
            "SEARCHINSTRUCT_MODEL": "",
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "searchinstruct_graph", "ask", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=90)
        return process.returncode, out, err

    @property
    def first(self) -> list[str]:
        return [
            island.QUESTION,
            "--corpus",
            self.corpus,
            "--model",
            "openai:scripted",
            "--samples",
            "2",
            "--hits",
            "1",
            "--thread",
            "t1",
        ]


def wait_for(llm: ScriptedLLM, schema: str) -> None:
    deadline = time.monotonic() + 60
    while not llm.calls(schema):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_question_is_resumed_by_its_thread_alone(tmp_path: Path, number: signal.Signals) -> None:
    script = island.honest()
    with ScriptedLLM({**script, "AnswerDraft": [play.hang(60), script["AnswerDraft"]]}) as llm:
        world = World(tmp_path, llm)
        process = world.start(*world.first)
        wait_for(llm, "AnswerDraft")
        began = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - began < 10
        if number != signal.SIGKILL:
            assert process.returncode == 130
            assert "resume with: searchinstruct ask --thread t1" in err
        read = llm.counts()["PageQuotes"]
        code, out, _ = world.ask("--thread", "t1", "--json")
        assert code == 0
        assert json.loads(out)["status"] == "answered"
        assert llm.counts()["PageQuotes"] == read
        assert llm.counts()["QuestionPlan"] == 1
        # A finished thread shows its result again without any work.
        before = len(llm.calls())
        again = world.ask("--thread", "t1", "--json")
        assert json.loads(again[1]) == json.loads(out)
        assert len(llm.calls()) == before
    threads = world.home / "threads.sqlite"
    assert stat.S_IMODE(threads.stat().st_mode) == 0o600
    assert b"canary" not in b"".join(path.read_bytes() for path in world.home.rglob("*") if path.is_file())


def test_a_thread_remembers_the_folder_that_it_was_started_in(tmp_path: Path) -> None:
    script = island.honest()
    with ScriptedLLM({**script, "AnswerDraft": [play.status(401), script["AnswerDraft"]]}) as llm:
        world = World(tmp_path, llm)
        settings = ["--model", "openai:scripted", "--samples", "1", "--hits", "1", "--thread", "t1"]
        command = [sys.executable, "-m", "searchinstruct_graph", "ask"]
        started = subprocess.run(
            [*command, island.QUESTION, "--corpus", "island", *settings],
            cwd=tmp_path, env=world.environment, capture_output=True, text=True, timeout=90,
        )  # fmt: skip
        assert started.returncode == 1
        code, out, err = world.ask("--thread", "t1", "--json")
        assert code == 0, err
        assert json.loads(out)["read"][0] == "island/lighthouse.md"


def test_a_busy_thread_takes_no_other_question(tmp_path: Path) -> None:
    script = island.honest()
    with ScriptedLLM({**script, "AnswerDraft": play.status(401)}) as llm:
        world = World(tmp_path, llm)
        code, _, err = world.ask(*world.first)
        assert code == 1
        assert "resume with: searchinstruct ask --thread t1" in err
        assert "canary" not in err
        assert "Traceback" not in err
        code, _, err = world.ask("What do goats eat?", *world.first[1:])
        assert code == 2
        assert "busy with another question" in err


def test_a_plan_is_printed_for_review_and_accepted_by_resuming(tmp_path: Path) -> None:
    with ScriptedLLM(island.honest()) as llm:
        world = World(tmp_path, llm)
        code, out, err = world.ask(*world.first, "--review-plan")
        plan: dict[str, Any] = json.loads(out)
        assert code == 130
        assert plan["sub_questions"][0]["text"] == island.QUESTION
        assert "accept it with" in err
        assert llm.counts() == {"QuestionPlan": 1}
        code, out, _ = world.ask("--thread", "t1", "--json")
        assert code == 0
        assert json.loads(out)["status"] == "answered"
        assert llm.counts()["QuestionPlan"] == 1


def test_indexing_stops_at_once_and_the_same_command_finishes_it(tmp_path: Path) -> None:
    records = tmp_path / "many.jsonl"
    with records.open("w") as stream:
        for number in range(30_000):
            text = (
                f"Record {number} tells of a river, its {number % 97} bridges and the {number % 89} mills along it. "
                * 3
            )
            stream.write(json.dumps({"id": number, "title": f"River {number}", "text": text}) + "\n")
    command = [sys.executable, "-m", "searchinstruct_graph", "index", str(records), "--json"]
    environment = {**os.environ, "SEARCHINSTRUCT_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.rglob("gen-*.tmp")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "interrupted" in err
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110)
    assert json.loads(done.stdout)[0]["documents"] == 30_000
