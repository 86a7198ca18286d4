"""How long a person waits: the import, the help page, a warm offline question. Medians of whole processes."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

REPEATS = 5

COMMANDS: dict[str, tuple[list[str], float]] = {
    "import searchinstruct_graph": (["-c", "import searchinstruct_graph"], 0.2),
    "searchinstruct --help": (["-m", "searchinstruct_graph", "--help"], 0.5),
    "warm offline `ask` over pydoc:": (
        ["-m", "searchinstruct_graph", "ask", "What does the nonlocal statement do?", "--json", "--model", "offline"],
        3.0,
    ),
}


def run(data: Path | None = None, seed: int = 0) -> dict[str, Any]:
    """{"rows": [...]}; every command is run once unmeasured, so that caches and the index are warm. Takes no data."""
    rows = []
    with TemporaryDirectory() as home:
        environment = {**os.environ, "SEARCHINSTRUCT_HOME": home}
        for what, (arguments, target) in COMMANDS.items():
            taken = []
            for _ in range(REPEATS + 1):
                began = time.perf_counter()
                subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True)
                taken.append(time.perf_counter() - began)
            rows.append(
                {
                    "arm": "graph",
                    "what": f"{what}, seconds",
                    "data": "",
                    "value": statistics.median(taken[1:]),
                    "target": target,
                    "most": True,
                }
            )
    return {"rows": rows}
