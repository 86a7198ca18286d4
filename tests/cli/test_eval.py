"""`searchinstruct eval` as a user runs it: processes of its own, a real folder, a scripted provider over HTTP."""

from __future__ import annotations

import json
import re
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.claims import TOWERS, claims, pairs, write_lines
from tests.support.desk import json_of
from tests.support.extractive import extractive
from tests.support.scripted_llm import ChatRequest, ScriptedLLM, slow, status
from tests.support.zygote import ForkedShell, Zygote

CRITIC = ("--critic-model", "openai:scripted")


class Desk(ForkedShell):
    """A shell in a folder with labelled statements."""

    def __init__(self, folder: Path, zygote: Zygote, llm: ScriptedLLM | None = None) -> None:
        super().__init__(folder, zygote, llm)
        self.data = write_lines(folder / "claims.jsonl", claims())

    def eval(self, run: str, *more: str) -> list[str]:
        """The arguments of an evaluation of the statements."""
        return ["eval", "support", "--data", "claims.jsonl", "--run", run, *more]


def figures_of(run: Path) -> Any:
    """The figures of an evaluation as they are kept."""
    return json.loads((run / "result.json").read_text())["figures"]


# What a person sees.


def test_a_person_is_told_the_figures_and_where_they_are(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote)
    done = desk.do(*desk.eval("run"), COLUMNS="80")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("support: 20 of 20 cases, offline (extractive), no judge: every case is scored (")
    assert "no model" in lines
    assert re.search(r"^auroc +1\.000 +1\.000–1\.000 +20 +0 *$", done.stdout, re.MULTILINE)
    assert re.search(r"^brier ↓ +0\.\d{3} ", done.stdout, re.MULTILINE)
    assert lines[-2:] == ["result: run/result.json", "page: run/report.html"]
    assert (tmp_path / "run" / "report.html").read_text().startswith("<!doctype html>")
    assert max(map(len, lines[1:])) <= 80
    assert "20 cases, 20 to score" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_judge_and_groups_stand_apart_within_eighty_columns(
    tmp_path: Path, zygote: Zygote, provider: ScriptedLLM
) -> None:
    desk = Desk(tmp_path, zygote, provider)
    write_lines(tmp_path / "pairs.jsonl", pairs())
    done = desk.do(
        "eval", "support", "--data", "claims.jsonl", "--data", "pairs.jsonl", "--judge", "openai:scripted", "--run", "run",
        COLUMNS="80",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "judge openai:scripted" in done.stdout.splitlines()[0]
    offline, _, judged = done.stdout.partition("judge: openai:scripted\n")
    assert "no model" in offline
    assert "judge auroc" not in offline
    assert "judge auroc" in judged
    assert "mean of 2 groups" in offline
    assert re.search(r"by group +halueval +wice", offline)
    assert max(map(len, done.stdout.splitlines()[1:])) <= 80
    assert f"{4 * len(TOWERS) * 2} model calls, unknown" in done.stdout  # the judge's cost nobody knows


def test_without_a_suite_the_suites_are_listed(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote)
    done = desk.do("eval")
    assert done.returncode == 0
    assert re.search(r"^support +the critic's support score", done.stdout, re.MULTILINE)
    assert re.search(r"^edit +", done.stdout, re.MULTILINE)


def test_json_is_the_result_and_nothing_else(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote)
    done = desk.do(*desk.eval("run", "--json", "--html", "page.html"))
    told = json_of(done)
    assert done.stderr == ""
    assert told == json.loads((tmp_path / "run" / "result.json").read_text())
    assert (tmp_path / "page.html").read_text() == (tmp_path / "run" / "report.html").read_text()


# Drawing and resuming.


def test_a_limit_draws_the_same_cases_again_and_others_by_another_seed(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote)

    def drawn(run: str, *more: str) -> str:
        assert desk.do(*desk.eval(run, "--limit", "5", *more)).returncode == 0
        told = json.loads((tmp_path / run / "run.json").read_text())["configuration"]["cases"]
        assert told["count"] == 5
        return str(told["sha256"])

    assert drawn("one") == drawn("two", "--concurrency", "1") != drawn("three", "--seed", "1")


@pytest.mark.parametrize(
    ("armed", "workers"), [("evaluated.committed:3", 1), ("evaluated.committed:11", 4), ("call.saved:2", 1)]
)
def test_killed_it_ends_with_the_same_figures_and_asks_nothing_twice(
    tmp_path: Path, zygote: Zygote, provider: ScriptedLLM, armed: str, workers: int
) -> None:
    desk = Desk(tmp_path, zygote, provider)
    arguments = (*CRITIC, "--concurrency", str(workers))
    assert desk.do(*desk.eval("whole", *arguments)).returncode == 0
    calls = len(provider.calls())
    assert calls == 20
    killed = desk.do(*desk.eval("run", *arguments), SEARCHINSTRUCT_FAILPOINT=armed)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "run" / "result.json").exists()
    done = desk.do(*desk.eval("run", *arguments))
    assert done.returncode == 0, done.stderr
    assert figures_of(tmp_path / "run") == figures_of(tmp_path / "whole")
    asked = Counter(request.tag("statement") for request in provider.calls()[calls:])
    # Only what was in flight when it was killed may have been asked again.
    assert sum(asked.values()) - len(asked) <= workers - 1
    assert len(asked) == 20


def test_ctrl_c_drains_and_the_same_command_goes_on(tmp_path: Path, zygote: Zygote) -> None:
    with ScriptedLLM(lambda request: slow(0.15, extractive(request))) as llm:
        desk = Desk(tmp_path, zygote, llm)
        arguments = desk.eval("run", *CRITIC, "--concurrency", "2")
        process = zygote.start(desk, *arguments)
        while len(llm.calls()) < 3:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate()
        assert process.returncode == 130
        assert "resume with the same command" in error
        told = json.loads((tmp_path / "run" / "result.json").read_text())
        assert told["ended"] == "stopped"
        assert 3 <= told["scored"] < 20
        assert f"{told['scored']} of 20 cases" in out
        assert "stopped before the end" in out
        assert "Not whole" in (tmp_path / "run" / "report.html").read_text()
        done = desk.do(*arguments)
        assert done.returncode == 0, done.stderr
        assert len(llm.calls()) == 20


def test_a_second_process_on_the_folder_is_refused_by_name(tmp_path: Path, zygote: Zygote) -> None:
    with ScriptedLLM(lambda request: slow(0.5, extractive(request))) as llm:
        desk = Desk(tmp_path, zygote, llm)
        first = zygote.start(desk, *desk.eval("run", *CRITIC))
        while not llm.calls():
            assert first.poll() is None
            time.sleep(0.02)
        second = desk.do(*desk.eval("run", *CRITIC))
        assert second.returncode == 2
        assert f"process {first.pid}" in second.stderr
        first.kill()
        first.communicate()


# Providers and money.


def test_a_provider_that_is_down_is_one_line_and_it_goes_on_later(tmp_path: Path, zygote: Zygote) -> None:
    down = True

    def script(request: ChatRequest) -> object:
        return status(400, "down for repairs") if down else extractive(request)

    with ScriptedLLM(script) as llm:
        desk = Desk(tmp_path, zygote, llm)
        failed = desk.do(*desk.eval("run", *CRITIC, "--concurrency", "2", "--json"))
        assert (failed.returncode, failed.stdout) == (1, "")
        assert failed.stderr.count("\n") == 1
        assert "down for repairs" in failed.stderr
        assert "resume with the same command" in failed.stderr
        down = False
        done = json_of(desk.do(*desk.eval("run", *CRITIC, "--json")))
        assert (done["ended"], done["scored"], done["failures"]) == ("done", 20, {})


def test_a_refused_key_is_told_in_the_providers_words_without_the_key(tmp_path: Path, zygote: Zygote) -> None:
    with ScriptedLLM(lambda request: status(401, "No such account. Key: sk-test-canary-0123456789")) as llm:
        desk = Desk(tmp_path, zygote, llm)
        failed = desk.do(*desk.eval("run", *CRITIC))
        assert failed.returncode == 1
        assert "No such account" in failed.stderr
        assert "resume with the same command" in failed.stderr
        assert "canary" not in failed.stderr
    for path in (tmp_path / "run").rglob("*"):
        assert path.is_dir() or b"canary" not in path.read_bytes()


def test_money_is_a_hard_stop(tmp_path: Path, zygote: Zygote, provider: ScriptedLLM) -> None:
    desk = Desk(tmp_path, zygote, provider)
    (tmp_path / "prices.json").write_text('{"openai:scripted": {"input": 100.0, "output": 100.0}}')
    arguments = desk.eval("run", *CRITIC, "--json")
    prices = str(tmp_path / "prices.json")
    # A call has 15 tokens: 0.0015 dollars.
    done = desk.do(*arguments, "--max-cost", "0.01", SEARCHINSTRUCT_PRICES=prices)
    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    assert (told["ended"], told["scored"]) == ("max_cost", 6)
    assert len(provider.calls()) == 6
    more = json_of(desk.do(*arguments, "--max-cost", "1", SEARCHINSTRUCT_PRICES=prices))
    assert (more["ended"], len(provider.calls())) == ("done", 20)
    unpriced = desk.do(*desk.eval("other", *CRITIC, "--max-cost", "1"))
    assert unpriced.returncode == 2
    assert "price" in unpriced.stderr
    assert not (tmp_path / "other").exists()


# Thresholds.


def test_a_line_can_be_held(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote)
    held = desk.do(*desk.eval("run", "--at-least", "auroc=0.9", "--at-most", "brier=0.5"))
    assert held.returncode == 0, held.stderr
    short = desk.do(*desk.eval("run", "--at-least", "auroc=0.9", "--at-most", "brier=0.001", "--at-least", "recall=2"))
    assert short.returncode == 3
    told = [line for line in short.stderr.splitlines() if line.startswith("not held: ")]
    assert len(told) == 2
    assert told[0] == "not held: recall is 1, below 2"
    assert re.fullmatch(r"not held: brier is 0\.\d+, above 0\.001", told[1])


def test_a_line_is_not_held_by_what_is_missing(tmp_path: Path, zygote: Zygote) -> None:
    def script(request: ChatRequest) -> object:
        return status(400, "no lamps today") if "Corvel" in request.user else extractive(request)

    with ScriptedLLM(script) as llm:
        desk = Desk(tmp_path, zygote, llm)
        done = desk.do(*desk.eval("run", *CRITIC, "--at-least", "auroc=0.5"))
        assert done.returncode == 3
        assert "2 cases are missing from it because something failed" in done.stderr
        assert re.search(r"^auroc +1\.000 +1\.000–1\.000 +18 +2 *$", done.stdout, re.MULTILINE)
        assert "every case is reached, some scores are missing" in done.stdout.splitlines()[0]
        assert "failed: 2 provider; the same command tries them again" in done.stdout


# Comparing, and other commands on the folder.


def test_two_evaluations_are_compared(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote)
    assert desk.do(*desk.eval("one")).returncode == 0
    assert desk.do(*desk.eval("other", "--min-support", "1")).returncode == 0
    done = desk.do("eval", "--compare", "one", "other", "--html", "page.html", COLUMNS="80")
    assert done.returncode == 0, done.stderr
    assert "support: 20 cases in both" in done.stdout
    assert "beware: the settings differ: min_support: 0.7 → 1.0" in done.stdout
    assert re.search(r"^auroc +1\.000 +1\.000 +\+0\.000 +0\.000–0\.000 +1\.000 +– *$", done.stdout, re.MULTILINE)
    assert re.search(r"^brier ↓ .* 0/0 *$", done.stdout, re.MULTILINE)
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    told = json_of(desk.do("eval", "--compare", "one/result.json", "other", "--json"))
    assert (told["suite"], told["both"], told["a"]["folder"]) == ("support", 20, "one")
    for wrong, said in [
        (("--compare", "one", "claims.jsonl"), "cannot be read"),
        (("--compare", "one", "nowhere"), "is no evaluation"),
        (("--compare", "one"), "--compare"),
        (("support", "--compare", "one", "other"), "nothing else"),
    ]:
        refused = desk.do("eval", *wrong)
        assert refused.returncode == 2, wrong
        assert said in refused.stderr
        assert refused.stderr.count("\n") == 1, refused.stderr


def test_commands_for_datasets_say_that_it_is_an_evaluation(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote)
    assert desk.do(*desk.eval("run")).returncode == 0
    for command in (
        ("status", "run"),
        ("report", "run"),
        ("export", "run", "--format", "rows"),
        ("doctor", "run"),
        ("purge", "run", "--source", "x", "--yes"),
    ):
        done = desk.do(*command)
        assert done.returncode == 2, command
        assert "run is an evaluation (support) and holds no rows; its figures are in run/report.html" in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
    built = desk.do("build", "--task", "Ask about towers", "--run", "run", "--corpus", "claims.jsonl", "--target", "1")
    assert built.returncode == 2
    anew = desk.do(*desk.eval("run", "--seed", "4", "--new-run"))
    assert anew.returncode == 0, anew.stderr
    assert sorted(path.name for path in (tmp_path / "run.1").iterdir()) == [
        "ledger.sqlite", "report.html", "result.json", "run.json",
    ]  # fmt: skip


# Mistakes.


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["suport", "--data", "claims.jsonl"], "did you mean 'support'?"),
        (["nothing", "--data", "claims.jsonl"], "use one of answers, "),
        (["support"], "--data PATH"),
        (["support", "--data", "nowhere.jsonl"], "nowhere.jsonl"),
        (["support", "--data", "wrong.jsonl"], "wrong.jsonl:1: no labelled set is known by these fields: colour"),
        (["support", "--data", "claims.jsonl", "--at-least", "auroc"], "write it as MEASURE=0.8"),
        (["support", "--data", "claims.jsonl", "--at-least", "auroc=much"], "write it as MEASURE=0.8"),
        (["support", "--data", "claims.jsonl", "--at-least", "auroc=nan"], "write it as MEASURE=0.8"),
        (["support", "--data", "claims.jsonl", "--at-least", "aroc=0.8"], "did you mean 'auroc'?"),
        (["support", "--data", "claims.jsonl", "--at-least", "judge_auroc=0.8"], "no measure 'judge_auroc'"),
        (["support", "--data", "claims.jsonl", "--judge", "gpt"], "unknown model"),
        (["support", "--data", "claims.jsonl", "--limit", "-1"], "limit must be"),
        (["support", "--data", "claims.jsonl", "--html", "."], "not a regular file"),
        (["support", "--data", "claims.jsonl", "--lmit", "3"], "--lmit"),
        (["support", "--data", "claims.jsonl", "--run", "."], "holds other files"),
        (["edit", "--data", "claims.jsonl", "--judge", "offline"], "leave out --judge"),
        (["--data", "claims.jsonl"], "name what is evaluated"),
    ],
)
def test_wrong_usage_is_one_line_and_changes_nothing(
    tmp_path: Path, arguments: list[str], said: str, zygote: Zygote
) -> None:
    desk = Desk(tmp_path, zygote)
    write_lines(tmp_path / "wrong.jsonl", [{"colour": "red"}])
    done = desk.do("eval", *arguments)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "evals").exists()
