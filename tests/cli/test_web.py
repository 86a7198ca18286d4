"""`ask --web` as a person types it: over a scripted web, without keys, without a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from searchinstruct_graph.cli.main import app
from searchinstruct_graph.errors import UsageError
from tests.cli.test_program import run
from tests.graphs.test_web import article
from tests.support.search_services import SearchServices
from tests.support.web import ScriptedWeb

QUESTION = "How deep is the well of Sandrin?"
FACT = "The well of Sandrin is 83 metres deep, cut through granite."


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedWeb]:
    """One page; the program's fetcher reaches it, and nothing else."""
    with ScriptedWeb({"wells.example/sandrin": article("Wells\x1b[31m", FACT)}) as running:
        monkeypatch.setattr("searchinstruct_graph.agents.sources.fetcher_for", lambda context: running.fetcher())
        monkeypatch.setenv("SEARCHINSTRUCT_HOME", str(tmp_path))
        yield running


def ask(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["ask", QUESTION, "--model", "offline", "--samples", "1", *arguments])


def test_the_web_is_asked_read_and_cited(web: ScriptedWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    url = web.url("wells.example/sandrin", "https")
    with SearchServices({url: ("The well of Sandrin", FACT)}) as services:
        monkeypatch.setenv("SEARXNG_URL", services.url)
        done = ask("--web")
        assert done.exit_code == 0, done.output
        assert "83 metres" in done.stdout
        assert url in done.stdout
        assert "\x1b" not in done.output
        assert "the web is searched without tavily (set TAVILY_API_KEY)" in done.stderr
        result = json.loads(ask("--web", "--json", "--thread", "w1").stdout)
        assert result["read"] == [url]
        assert result["usage"]["providers"]["searxng"]["failed"] == 0
        assert services.queries()


def test_a_page_is_indexed_and_searched_by_its_address(web: ScriptedWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    url = web.url("wells.example/sandrin")
    monkeypatch.setattr("searchinstruct_graph.tools.fetching.SafeFetcher", web.fetcher)
    done = CliRunner().invoke(app, ["search", "well", "--corpus", url, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)[0]["uri"] == url
    again = CliRunner().invoke(app, ["index", url])
    assert "1 unchanged" in again.stdout
    assert FACT in ask("--corpus", url).stdout


def test_tavilys_reader_answers_from_a_process_of_its_own(tmp_path: Path) -> None:
    with SearchServices({"https://wells.example/sandrin": ("The well of Sandrin", FACT)}) as services:
        done = run(
            tmp_path, "ask", QUESTION, "--web", "--extract", "always",
            TAVILY_API_KEY="tvly-canary-0123456789", TAVILY_BASE_URL=services.url,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "83 metres" in done.stdout
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"tvly-canary" in path.read_bytes()]


def test_without_a_network_the_run_ends_and_says_so(tmp_path: Path) -> None:
    done = run(tmp_path, "ask", QUESTION, "--web", SEARXNG_URL="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "insufficient_evidence (search_failed)" in done.stdout
    assert "no search was answered, so nothing was read" in done.stdout
    assert "searxng: ConnectError" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--web"], "set TAVILY_API_KEY"),
        (["--web", "--search-providers", "tavily"], "search provider tavily is not set up"),
        (["--web", "--search-providers", "tavilly"], "use one of tavily, searxng"),
        (["--web", "--topic", "sports"], "sports"),
        (["--corpus", "http://169.254.169.254/latest"], "not public"),
        (["--corpus", "http://exa mple.org/"], "white space"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = run(tmp_path, "ask", QUESTION, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_files_and_the_web_need_consent(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("words")
    done = ask("--web", "--corpus", str(tmp_path / "a.md"))
    assert isinstance(done.exception, UsageError)
    assert "--web-beside-corpus" in str(done.exception)
