"""The pytest plug-in, in sessions of pytest of its own: forks, since a session inside of this one forgets its imports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.claims import claims, write_lines
from tests.support.desk import Shell
from tests.support.scripted_llm import ScriptedLLM, status
from tests.support.zygote import Zygote

MODULE = "searchinstruct_graph.evals.pytest_plugin"
# Wherever the entry point is installed, it is left out, so that the module is loaded once, from here.
ARGUMENTS = ("-p", "no:searchinstruct", "-p", MODULE, "-p", "no:xdist", "-p", "no:asyncio")

TESTS = """
import pytest
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.pytest_plugin import Evaluated

def test_holds(searchinstruct_eval):
    result = searchinstruct_eval("support", data="claims.jsonl")
    assert result.figure("auroc")["cases"] == 20
    assert len(list(result.items())) == 20
    assert "20 of 20 cases" in repr(result)
    result.require("auroc", at_least=0.9)
    result.require("auroc", at_least=0.9, group="wice")

def test_does_not_hold(searchinstruct_eval):
    searchinstruct_eval("support", data=["claims.jsonl"]).require("brier", at_most=0.001)

def test_is_not_whole(searchinstruct_eval):
    whole = searchinstruct_eval("support", data=["claims.jsonl"])
    half = Evaluated({**whole.result, "ended": "stopped", "scored": 10})
    half.require("auroc", at_least=0.5, no_missing=False)
    half.require("auroc", at_least=0.5)

@pytest.mark.parametrize(("asked", "settings", "said"), [
    (dict(measure="aurok", at_least=0.9), {}, "no measure 'aurok'"),
    (dict(measure="auroc"), {}, "needs a bound"),
    (dict(measure="auroc", at_least=0.9, group="nobody"), {}, "no group 'nobody'"),
    (dict(measure="auroc", at_least=0.9), {"limit": -1}, "limit must be"),
])
def test_mistakes(searchinstruct_eval, asked, settings, said):
    with pytest.raises(UsageError, match=said):
        searchinstruct_eval("support", "claims.jsonl", **settings).require(**asked)

def test_strange_setting(searchinstruct_eval):
    with pytest.raises(TypeError, match="samplse"):
        searchinstruct_eval("support", "claims.jsonl", samplse=3)
"""


class Desk(Shell):
    """A project with labelled statements and a file of tests."""

    def __init__(self, folder: Path, zygote: Zygote, tests: str, llm: ScriptedLLM | None = None) -> None:
        super().__init__(folder, llm)
        self.zygote = zygote
        write_lines(folder / "claims.jsonl", claims())
        (folder / "test_it.py").write_text(tests)

    def pytest(self, *more: str) -> tuple[str, dict[str, int]]:
        """What a session says, and how many tests passed and failed."""
        done = self.zygote.run_other("pytest", self, *ARGUMENTS, *more)
        told = re.findall(r"(\d+) (passed|failed|error)", done.stdout.splitlines()[-1])
        return done.stdout, {outcome: int(count) for count, outcome in told}

    def kept(self) -> list[Path]:
        """The evaluations in pytest's cache."""
        return sorted((self.folder / ".pytest_cache" / "d" / "searchinstruct").iterdir())


def test_measures_hold_or_say_why_not(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote, TESTS)
    told, outcomes = desk.pytest()
    assert outcomes == {"passed": 6, "failed": 2}, told
    (folder,) = desk.kept()  # asked for three times, made once
    assert {"result.json", "report.html", "ledger.sqlite"} <= {path.name for path in folder.iterdir()}
    assert "brier is 0." in told
    assert "above 0.001 (group wice, 20 cases, 95 % interval " in told
    assert told.count("people say: not_supported") == 3  # the worst three, with their reasons
    assert "The tower of" in told
    assert "report.html" in told
    assert "only 10 of 20 cases are scored" in told
    assert "pytest_plugin.py" not in told  # no lines of ours in a reader's failure


def test_what_is_kept_is_not_made_again_and_what_changed_is(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(
        tmp_path,
        zygote,
        """
def test_support(searchinstruct_eval):
    searchinstruct_eval("support", "claims.jsonl", corpus=["pages"]).require("auroc", at_least=0.9)
""",
    )
    page = tmp_path / "pages" / "one.md"
    page.parent.mkdir()
    page.write_text("# A page\n\nWords.\n")
    assert desk.pytest()[1] == {"passed": 1}
    (first,) = desk.kept()
    spent = json.loads((first / "result.json").read_text())["spent"]
    assert desk.pytest()[1] == {"passed": 1}
    assert desk.kept() == [first]
    assert json.loads((first / "result.json").read_text())["spent"] == spent
    page.write_text("# A page\n\nOther words.\n")
    assert desk.pytest()[1] == {"passed": 1}
    assert len(desk.kept()) == 2
    assert desk.pytest("-p", "no:cacheprovider")[1] == {"passed": 1}
    assert len(desk.kept()) == 2


def test_cases_that_failed_are_named_with_their_failure(tmp_path: Path, zygote: Zygote) -> None:
    tests = """
def test_down(searchinstruct_eval):
    result = searchinstruct_eval("support", "claims.jsonl", "openai:scripted", limit=3)
    result.require("brier", at_most=0.9)
    result.require("judge_brier", at_most=1.0)
"""
    with ScriptedLLM(lambda request: status(400, "no lamps today")) as llm:
        told, outcomes = Desk(tmp_path, zygote, tests, llm).pytest()
    assert outcomes == {"failed": 1}
    assert "judge_brier has no value (group wice, 0 cases)" in told
    assert told.count("no lamps today") == 3


def test_it_costs_nothing_at_the_start_of_pytest() -> None:
    code = f"import sys, pytest; before = set(sys.modules); import {MODULE}; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(json.loads(done.stdout.replace("'", '"')))
    ours = {name for name in loaded if name.startswith("searchinstruct_graph")}
    assert ours == {"searchinstruct_graph", "searchinstruct_graph.evals", MODULE}
    assert not loaded & {"numpy", "langchain_core", "langgraph", "pydantic", "ragas", "asyncio"}


def test_the_entry_point_names_the_plug_in() -> None:
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["entry-points"]
    assert declared["pytest11"] == {"searchinstruct": MODULE}
