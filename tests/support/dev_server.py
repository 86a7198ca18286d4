"""A real `langgraph dev`, started in a folder of its own as a user would start it, with every connection written down."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parent.parent.parent

# Python runs this before anything else: the server has no say in it.
_AUDIT = """
import os, sys
def _audit(event, args):
    if event == "socket.connect":
        with open(os.environ["CONNECTIONS"], "a") as file:
            file.write(f"{args[1]!r}\\n")
    elif event == "socket.getaddrinfo":
        with open(os.environ["CONNECTIONS"], "a") as file:
            file.write(f"lookup {args[0]!r}\\n")
sys.addaudithook(_audit)
"""


class DevServer:
    """`langgraph dev` on a free port; use it as a context manager. `url` is where it listens."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "langgraph.json", folder / "langgraph.json")
        (folder / "audit").mkdir()
        (folder / "audit" / "sitecustomize.py").write_text(_AUDIT)
        self._connections = folder / "connections.txt"
        self._log = folder / "server.log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        home = {"SEARCHINSTRUCT_HOME": str(folder / "home"), "CONNECTIONS": str(self._connections)}
        # The command line reports its own use before it reads any configuration.
        quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1"}
        paths = os.pathsep.join([str(folder / "audit"), str(ROOT)])
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self._environment: Mapping[str, str] = {**kept, **home, **quiet, "PYTHONPATH": paths, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        program = Path(sys.executable).parent / "langgraph"
        flags = ["--no-browser", "--no-reload", "--port", str(self.port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(program), "dev", *flags],
                cwd=self.folder,
                env=dict(self._environment),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 90
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/ok", timeout=2) as answer:
                    assert json.load(answer)["ok"] is True
                    return self
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"the server did not start:\n{self.log()}") from None
                time.sleep(0.2)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process
        for number in (signal.SIGINT, signal.SIGKILL):
            if self._process.poll() is None:
                os.killpg(self._process.pid, number)
                try:
                    self._process.wait(15)
                except subprocess.TimeoutExpired:
                    continue

    def log(self) -> str:
        """What the server has printed."""
        return self._log.read_text(errors="replace")

    def strangers(self) -> list[str]:
        """Connections and lookups that left, or would have left, this machine."""
        seen = self._connections.read_text().splitlines() if self._connections.exists() else []
        here = ("127.0.0.1", "::1", "localhost")
        inside = tuple(f"{kind}{place!r}" for kind in ("(", "lookup ", "lookup b") for place in here)
        return [line for line in seen if not line.startswith((*inside, "'/", "b'/", "lookup None"))]

    def files(self) -> list[str]:
        """Every file below the folder, relative."""
        return [str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()]
