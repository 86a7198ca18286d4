"""The command line without the price of starting Python: processes forked from one that has imported everything.

A test that kills a run a dozen times needs real processes and real signals, not a dozen starts of an interpreter. Sessions of
pytest and scripts are forked as well.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from tests.support.desk import Shell
from tests.support.scripted_llm import ScriptedLLM

Program = Literal["searchinstruct", "pytest", "python"]
"""What is run in a fork: the command line, a session of pytest, a script."""


class Zygote:
    """A process that waits to be forked; use it as a context manager."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="zygote-")
        self._count = 0
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.zygote"],
            cwd=Path(__file__).parent.parent.parent,
            env=environment,
            stdin=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)
        self._folder.cleanup()

    def start(self, shell: Shell, *arguments: str, **environment: str) -> Forked:
        """Start `searchinstruct` with these arguments in the folder and the environment of `shell`."""
        return self._start("searchinstruct", shell, arguments, environment)

    def _start(self, program: Program, shell: Shell, arguments: Sequence[str], environment: dict[str, str]) -> Forked:
        self._count += 1
        place = Path(self._folder.name) / str(self._count)
        place.mkdir()
        asked = {
            "program": program,
            "arguments": arguments,
            "folder": str(shell.folder),
            "environment": shell.environment | environment,
            "place": str(place),
        }
        assert self._process.stdin
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Forked(place)

    def run(self, shell: Shell, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `searchinstruct` to its end."""
        return self._ended(self.start(shell, *arguments, **environment), arguments)

    def run_other(self, program: Program, shell: Shell, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a session of pytest or a script to its end."""
        return self._ended(self._start(program, shell, arguments, {}), arguments)

    def _ended(self, process: Forked, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        out, error = process.communicate(timeout=110)
        code = process.poll()
        assert code is not None
        return subprocess.CompletedProcess(arguments, code, out, error)


class ForkedShell(Shell):
    """A shell whose commands are forks."""

    def __init__(self, folder: Path, zygote: Zygote, llm: ScriptedLLM | None = None) -> None:
        super().__init__(folder, llm)
        self.zygote = zygote

    def begin(self, *arguments: str, **environment: str) -> Forked:
        """Start `searchinstruct`."""
        return self.zygote.start(self, *arguments, **environment)

    def do(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `searchinstruct` to its end."""
        return self.zygote.run(self, *arguments, **environment)


class Forked:
    """A process of the command line, with as much of `Popen` as tests use."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.pid = int(self._told("pid", 60))

    def _told(self, name: str, timeout: float) -> str:
        deadline = time.monotonic() + timeout
        while not (self._place / name).exists():
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(name, timeout)
            time.sleep(0.005)
        return (self._place / name).read_text()

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return int(self._told("code", 1)) if (self._place / "code").exists() else None

    @property
    def returncode(self) -> int | None:
        """The same as `poll`."""
        return self.poll()

    def send_signal(self, number: int) -> None:
        """Send a signal while it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float = 60) -> tuple[str, str]:
        """What it wrote to standard output and error, when it has ended."""
        self._told("code", timeout)
        return (self._place / "out").read_text(), (self._place / "error").read_text()


def _write(path: Path, text: str) -> None:
    path.with_suffix(".tmp").write_text(text)
    os.replace(path.with_suffix(".tmp"), path)


def _serve() -> None:
    from searchinstruct_graph.datasets import failpoints

    warmed = (
        "graphs.extraction graphs.editing selection.selector selection.nearness cli.main cli.extract cli.edit cli.eval "
        "evals.page evals.suites.support"
    )
    others = ("ot", "sklearn.cluster", "langchain_openai", "pytest")
    for name in (*(f"searchinstruct_graph.{each}" for each in warmed.split()), *others):
        importlib.import_module(name)
    from searchinstruct_graph.models.embeddings import embeddings
    from searchinstruct_graph.tools.corpus.language import detect

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    embeddings("wordllama").embed(["warm"])
    detect(["warm"])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if os.fork() == 0:
            _keep(json.loads(line), failpoints)


def _keep(asked: dict[str, Any], failpoints: Any) -> None:
    """Start the command, tell its pid, wait for it, tell its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    place = Path(asked["place"])
    worker = os.fork()
    if worker == 0:
        _work(asked, failpoints)
    _write(place / "pid", str(worker))
    _, ended = os.waitpid(worker, 0)
    _write(place / "code", str(os.waitstatus_to_exitcode(ended)))
    os._exit(0)


def _work(asked: dict[str, Any], failpoints: Any) -> None:
    for number, name in ((1, "out"), (2, "error")):
        os.dup2(os.open(Path(asked["place"]) / name, os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    # It reads the environment once, when it is imported.
    importlib.reload(failpoints)
    sys.argv = [asked["program"], *asked["arguments"]]
    code: Any = 1
    try:
        _run(asked["program"], asked["arguments"])
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _run(program: Program, arguments: list[str]) -> None:
    match program:
        case "searchinstruct":
            from searchinstruct_graph.cli.main import main

            main()
        case "pytest":
            import pytest

            sys.exit(pytest.main(arguments))
        case "python":
            runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    _serve()
