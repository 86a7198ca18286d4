"""How much of a batch's time is the model's: 1,000 rows of one chat call each, beside three other tools, in one run.

    python -m benchmarks.throughput [--venvs FOLDER] [--repeats 3] [--tools ours,curator]

An OpenAI-compatible server on loopback, in a process of its own, answers every call after 200 ms. Ideal is calls ×
latency / in flight; what a tool takes beyond it is its own work. The server keeps the time, from the first row's call to
the last row's answer, so that imports, health checks and what is done with the rows afterwards are reported apart. Each
tool runs as its own process in its own environment; tools take turns, so that a busy machine slows all alike. The bare
client does no work but to send and receive: what it takes is the server's and the machine's.

All but the bare client keep their rows; ours screens them and commits each to the disk as well. What a tool prepares before
its first call stands in its start: read the start, the calls and what comes after together (`all s`) before calling one tool
faster than another.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from benchmarks.peers.loopback_server import PROMPT, Running, load, serving

LATENCY, ROWS, IN_FLIGHT, REPEATS = 0.2, 1_000, (50, 200), 3
PATIENCE = 180.0
"""Seconds after which a tool is stopped."""

VENVS = Path.home() / ".cache" / "searchinstruct-benchmarks"
PEERS = Path(__file__).parent / "peers"
QUIET = {
    "OPENAI_API_KEY": "none",
    "NO_PROXY": "127.0.0.1",
    "TELEMETRY_ENABLED": "false",
    "NEMO_TELEMETRY_ENABLED": "false",
    "CURATOR_DISABLE_CACHE": "true",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}
"""No telemetry, no look-ups, no cached replies: everything that a tool's process would ask of another machine."""


@dataclass(frozen=True)
class Job:
    """One run: where the server is, how many rows, how many calls at once, and an empty folder to work in."""

    url: str
    rows: int
    in_flight: int
    folder: Path

    def argument(self) -> str:
        """As the programs in `peers` take it."""
        return json.dumps({**asdict(self), "folder": str(self.folder), "prompt": PROMPT})


@dataclass(frozen=True)
class Tool:
    """How a tool is run, and how many rows it says it has got. `needs` is empty for what runs in this environment."""

    name: str
    needs: tuple[str, ...]
    command: Callable[[Path, Job], list[str]]
    got: Callable[[Job], int]


def _peer(name: str, *needs: str) -> Tool:
    program = str(PEERS / f"run_{name}.py")
    return Tool(name, needs, lambda python, job: [str(python), "-P", program, job.argument()], _counted)


def _counted(job: Job) -> int:
    report = job.folder / "got.json"
    return int(json.loads(report.read_text())) if report.exists() else 0


def _our_command(python: Path, job: Job) -> list[str]:
    """Ours: a whole `build`, of seeds that are answered as they stand, by one call each, in a ledger on the disk."""
    seeds = job.folder / "seeds.txt"
    seeds.write_text("\n".join(PROMPT.format(row=row) for row in range(job.rows)), encoding="utf-8")
    settings = ["--no-expand", "--samples", "1", "--model", "openai:scripted", "--concurrency", str(job.in_flight)]
    wanted = ["--seeds", str(seeds), "--target", str(job.rows), "--run", str(job.folder / "run"), "--json"]
    return [str(python), "-m", "searchinstruct_graph", "build", *wanted, *settings]


def _committed(job: Job) -> int:
    with closing(sqlite3.connect(job.folder / "run" / "ledger.sqlite")) as ledger:
        return int(ledger.execute("SELECT count(*) FROM rows").fetchone()[0])


TOOLS = (
    Tool("ours", (), _our_command, _committed),
    _peer("curator", "bespokelabs-curator==0.1.31"),
    _peer("data_designer", "data-designer==0.9.6"),
    # distilabel imports requests and does not say so.
    _peer("distilabel", "distilabel[openai]==1.5.3", "requests"),
)


def python_of(tool: Tool, venvs: Path) -> Path:
    """The interpreter that has `tool`: an environment under `venvs`, made when it is missing or its needs have changed."""
    if not tool.needs:
        return Path(sys.executable)
    home = venvs / tool.name
    python, made = home / "bin" / "python", home / "needs.json"
    if made.exists() and json.loads(made.read_text()) == list(tool.needs):
        return python
    print(f"making an environment for {tool.name} in {home}", file=sys.stderr)
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    if uv := shutil.which("uv"):
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(home)], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), *tool.needs], check=True)
    else:
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *tool.needs], check=True)
    made.write_text(json.dumps(tool.needs))
    return python


class Figures(NamedTuple):
    """One run of one tool. Seconds, but for counts: until the first call, over the calls, after the last answer; CPU over
    the calls and in all; chat calls that the server saw, rows that the tool has, most calls in flight; exit status.
    """

    start: float
    calls: float
    after: float
    cpu: float
    cpu_all: float
    made: int
    got: int
    in_flight: int
    status: int


def _cpu(process: Any) -> float:
    """CPU seconds of a live process tree, ended children included."""
    import psutil

    seconds = 0.0
    try:
        tree = [process, *process.children(recursive=True)]
    except psutil.Error:
        return seconds
    for each in tree:
        try:
            times = each.cpu_times()
        except psutil.Error:
            continue
        seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def _waited() -> float:
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(tool: Tool, python: Path, in_flight: int, rows: int = ROWS) -> Figures:
    """Run `tool` once."""
    import psutil

    with TemporaryDirectory() as folder, serving(LATENCY, rows) as server:
        job = Job(server.url, rows, in_flight, Path(folder))
        passed = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        environment = {**passed, **QUIET, "HOME": folder, "OPENAI_BASE_URL": server.url}
        before, began = _waited(), time.monotonic()
        with open(job.folder / "log", "wb") as log:
            process = subprocess.Popen(
                tool.command(python, job), env=environment, stdout=log, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, cwd=PEERS.parent.parent,
            )  # fmt: skip
        watched = psutil.Process(process.pid)
        at = _watch(server, process, lambda: _cpu(watched))
        ended = time.monotonic()
        seen, cpu_all = server.seen(), _waited() - before
        if process.returncode or not seen.rows:
            print((job.folder / "log").read_text(errors="replace")[-3_000:], file=sys.stderr)
        if not seen.rows:
            raise RuntimeError(f"{tool.name} made no call; its log is above")
        return Figures(
            start=seen.first - began,
            calls=seen.last - seen.first,
            after=ended - seen.last,
            cpu=at.get("last", cpu_all) - at.get("first", 0.0),
            cpu_all=cpu_all,
            made=seen.calls,
            got=tool.got(job),
            in_flight=seen.most_in_flight,
            status=process.returncode,
        )


def _watch(server: Running, process: subprocess.Popen[bytes], cpu: Callable[[], float]) -> dict[str, float]:
    """Wait for the end of `process`; the CPU seconds it had used when the rows' calls began and ended."""
    at: dict[str, float] = {}
    late = time.monotonic() + PATIENCE
    while process.poll() is None:
        if server.pipe.poll(0.02):
            at[str(server.pipe.recv())] = cpu()
        elif time.monotonic() > late:
            process.kill()
            process.wait()
    return at


def bare(in_flight: int, rows: int = ROWS, latency: float = LATENCY) -> tuple[float, int, float]:
    """The client without work: seconds over the calls, most in flight, and the server's CPU seconds."""
    with serving(latency, rows) as server:
        asyncio.run(load(server.port, rows, in_flight))
        seen = server.seen()
    return seen.last - seen.first, seen.most_in_flight, seen.cpu


def _spread(values: Sequence[float], digits: int = 2) -> str:
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def run(
    data: Path | None = None,
    seed: int = 0,
    *,
    venvs: Path = VENVS,
    repeats: int = REPEATS,
    tools: Sequence[str] = (),
    rows: int = ROWS,
) -> dict[str, Any]:
    """{"rows": [...], "server": {...}, "machine": {...}, "versions": {...}}; a row is a tool at a number in flight.

    Every repeat is in it. Takes no data. On a machine whose load is above its cores, compare CPU, not seconds.
    """
    chosen = [tool for tool in TOOLS if not tools or tool.name in tools]
    pythons = {tool.name: python_of(tool, venvs) for tool in chosen}
    load_before = os.getloadavg()[0]
    took, most, cpu = bare(1_000, 10_000)
    server = {"calls_a_second": 10_000 / took, "most_in_flight": most, "cpu_ms_a_call": cpu / 10}
    taken: dict[tuple[str, int], list[Figures]] = {}
    for _ in range(repeats):
        for in_flight in IN_FLIGHT:
            seconds, most, _ = bare(in_flight, rows)
            plain = Figures(0.0, seconds, 0.0, 0.0, 0.0, rows, rows, most, 0)
            taken.setdefault(("bare client", in_flight), []).append(plain)
            for tool in chosen:
                figures = measure(tool, pythons[tool.name], in_flight, rows)
                taken.setdefault((tool.name, in_flight), []).append(figures)
    machine = {"cores": os.cpu_count(), "load": [load_before, os.getloadavg()[0]]}
    made = []
    for (name, in_flight), runs in sorted(taken.items(), key=lambda item: item[0][1]):
        ideal = rows * LATENCY / in_flight
        made.append(
            {
                "arm": name,
                "what": f"{in_flight} in flight",
                "in_flight": in_flight,
                "ideal_seconds": ideal,
                "times_ideal": [each.calls / ideal for each in runs],
                "runs": [each._asdict() for each in runs],
            }
        )
    versions = {"python": sys.version.split()[0], "ours": importlib.metadata.version("searchinstruct-graph")}
    return {"rows": made, "server": server, "machine": machine, "versions": versions}


def table(made: dict[str, Any]) -> str:
    """The figures as text: medians, with the least and the most of the repeats in brackets. Calls a second and core are
    over the CPU of the calls alone; `CPU s, all` is that of the whole process tree, start included.
    """
    server, machine = made["server"], made["machine"]
    load_before, load_after = machine["load"]
    lines = [
        f"machine: {machine['cores']} cores, load {load_before:.1f} before and {load_after:.1f} after",
        f"server: {server['calls_a_second']:.0f} calls/s with {server['most_in_flight']} in flight, "
        f"{server['cpu_ms_a_call']:.2f} ms CPU a call",
        f"{'at once':>7} {'tool':14} {'x ideal':>20} {'calls/s/core':>18} {'start s':>20} {'after s':>20} "
        f"{'all s':>20} {'CPU s, all':>22} {'calls':>6} {'rows':>6} {'most':>5}",
    ]
    for row in made["rows"]:
        runs = [Figures(**each) for each in row["runs"]]
        core = _spread([each.made / each.cpu for each in runs if each.cpu > 0] or [0.0], 0)
        lines.append(
            f"{row['in_flight']:7} {row['arm']:14} {_spread(row['times_ideal']):>20} {core:>18} "
            f"{_spread([each.start for each in runs], 1):>20} {_spread([each.after for each in runs], 1):>20} "
            f"{_spread([each.start + each.calls + each.after for each in runs], 1):>20} "
            f"{_spread([each.cpu_all for each in runs], 1):>22} {max(each.made for each in runs):6} "
            f"{min(each.got for each in runs):6} {max(each.in_flight for each in runs):5}"
            + (" exit " + str(max(each.status for each in runs)) if any(each.status for each in runs) else "")
        )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venvs", type=Path, default=VENVS, help="folder of the tools' environments")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--tools", default="", help="names with commas between; all when left out")
    parser.add_argument("--json", type=Path, help="write every figure of every run to this file")
    asked = parser.parse_args()
    names = [name for name in asked.tools.split(",") if name]
    if unknown := set(names) - {tool.name for tool in TOOLS}:
        parser.error(f"unknown tools: {', '.join(sorted(unknown))}; known are {', '.join(tool.name for tool in TOOLS)}")
    result = run(venvs=asked.venvs, repeats=asked.repeats, tools=names, rows=asked.rows)
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1))
    print(table(result))
