"""SIGKILL at random moments, until a dataset is whole: rows lost, doubled or changed, and calls made again.

    python -m benchmarks.kills [--kills 300] [--target 60] [--seed 0]

A run of eight workers against a provider on loopback (20 ms a call) is killed again and again, each time at a random
moment, and given the same command, until it is whole; then the next run begins, until there were so many kills. Each is
compared with a run that nobody killed: ids, and a hash of every row with its sources and quotes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from tests.support.extractive import extractive
from tests.support.scripted_llm import ScriptedLLM, slow
from tests.support.valley import SEEDS, write_valley

WORKERS = 8


def rows_of(run: Path) -> dict[str, str]:
    """Every row's id and a hash of it; raises when the database is not sound."""
    db = sqlite3.connect(run / "ledger.sqlite")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    found = {}
    for ordinal, id_, payload in db.execute("SELECT ordinal, id, payload FROM rows").fetchall():
        sources = db.execute("SELECT number, uri, sha256 FROM sources WHERE ordinal = ?", (ordinal,)).fetchall()
        quotes = db.execute(
            "SELECT source, number, start, stop, text FROM quotes WHERE ordinal = ?", (ordinal,)
        ).fetchall()
        told = {key: value for key, value in json.loads(payload).items() if key != "usage"}
        assert id_ not in found, f"row {id_} is doubled"
        found[id_] = sha256(json.dumps([told, sources, quotes], sort_keys=True).encode()).hexdigest()
    db.close()
    return found


def main() -> None:
    """Kill, resume, compare; print one line of figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--target", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    with (
        tempfile.TemporaryDirectory() as folder,
        ScriptedLLM(lambda request: slow(0.02, extractive(request))) as llm,
    ):
        place = Path(folder)
        corpus = write_valley(place / "valley")
        (place / "seeds.txt").write_text("\n".join(SEEDS))
        environment = {
            **os.environ,
            # The very code that this is run from, also when another is installed.
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "SEARCHINSTRUCT_HOME": str(place / "home"),
            "OPENAI_BASE_URL": llm.base_url,
            "OPENAI_API_KEY": "none",
        }

        def start(run: str) -> subprocess.Popen[bytes]:
            command = [
                sys.executable,
                "-m",
                "searchinstruct_graph",
                "build",
                "--seeds",
                "seeds.txt",
                "--corpus",
                corpus,
            ]
            options = ["--run", run, "--target", str(given.target), "--samples", "2", "--concurrency", str(WORKERS)]
            return subprocess.Popen(
                [*command, *options, "--model", "openai:scripted"],
                cwd=place,
                env=environment,
                stdout=subprocess.DEVNULL,
            )

        began = time.monotonic()
        assert start("unkilled").wait() == 0
        whole, calls, seconds = rows_of(place / "unkilled"), len(llm.calls()), time.monotonic() - began
        kills = runs = lost = changed = strange = 0
        again = []
        while kills < given.kills:
            runs += 1
            run, before, killed = f"run-{runs}", len(llm.calls()), 0
            while True:
                process = start(run)
                try:
                    # From the start of the program on; sooner than most runs end, so that each is killed several times.
                    process.communicate(timeout=draw.uniform(0.5, 0.5 + seconds / 2))
                    assert process.returncode == 0
                    break
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()
                    killed += 1
            kills += killed
            found = rows_of(place / run)
            lost += len(whole.keys() - found.keys())
            strange += len(found.keys() - whole.keys())
            changed += sum(found[id_] != hash_ for id_, hash_ in whole.items() if id_ in found)
            again.append((len(llm.calls()) - before - calls) / max(killed, 1))
            print(
                f"run {runs}: killed {killed} times, {len(found)} rows, {len(llm.calls()) - before} calls", flush=True
            )
    print(
        f"{kills} kills in {runs} runs of {len(whole)} rows ({calls} calls, {seconds:.1f} s unkilled): "
        f"{lost} lost, {strange} strange, {changed} changed, 0 doubled; "
        f"calls made again a kill: mean {sum(again) / len(again):.1f}, most {max(again):.1f}"
    )


if __name__ == "__main__":
    main()
