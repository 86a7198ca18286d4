"""`searchinstruct verify` as CI runs it: formats, exit codes, output, interruption, hostile text."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_program import ESCAPE, run
from tests.support import island

GOOD = {"question": "What do goats eat?", "answer": "They eat seaweed in winter."}
BAD = {"question": "How much are tickets to Karvel?", "answer": "Tickets cost 13 crowns."}


def jsonl(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("rows", "arguments", "code"),
    [
        ([GOOD, GOOD], [], 0),
        ([GOOD, BAD], [], 3),
        ([GOOD, BAD], ["--min-pass", "0.5"], 0),
        ([GOOD, BAD, BAD], ["--min-pass", "0.5"], 3),
        ([BAD], ["--min-pass", "0"], 0),
        ([{"question": "Why?"}], [], 3),
    ],
)
def test_the_exit_code_tells_whether_enough_rows_pass(
    tmp_path: Path, rows: list[dict[str, Any]], arguments: list[str], code: int
) -> None:
    data = jsonl(tmp_path / "rows.jsonl", *rows)
    done = run(tmp_path, "verify", data, "--corpus", island.write_island(tmp_path), *arguments)
    assert done.returncode == code, done.stderr
    assert f"of {len(rows)} rows pass" in done.stdout
    if BAD in rows:
        assert "says “13” where the source says “12”" in done.stdout
        assert "ferry.md: Tickets cost 12 crowns." in done.stdout


def test_json_is_one_object_with_every_row_in_order(tmp_path: Path) -> None:
    data = jsonl(tmp_path / "rows.jsonl", GOOD, BAD, GOOD)
    done = run(tmp_path, "verify", data, "--corpus", island.write_island(tmp_path), "--json")
    assert done.returncode == 3
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert [row["where"].rsplit(":", 1)[1] for row in told["rows"]] == ["1", "2", "3"]
    assert [row["passed"] for row in told["rows"]] == [True, False, True]
    assert set(told["rows"][0]["statements"][0]) == {
        "text", "verdict", "score", "reason", "uri", "title", "start", "end", "passage",
    }  # fmt: skip
    summary = told["summary"]
    assert (summary["rows"], summary["passed"], summary["statements"]["contradicted"]) == (3, 2, 1)


def test_tables_and_parquet_are_read_like_json(tmp_path: Path) -> None:
    corpus = island.write_island(tmp_path)
    table = tmp_path / "rows.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["instruction", "output"])
        writer.writeheader()
        writer.writerow({"instruction": GOOD["question"], "output": GOOD["answer"]})
        writer.writerow({"instruction": BAD["question"], "output": BAD["answer"]})
    pyarrow = pytest.importorskip("pyarrow")
    parquet = import_module("pyarrow.parquet")
    chat = [{"role": "user", "content": GOOD["question"]}, {"role": "assistant", "content": GOOD["answer"]}]
    parquet.write_table(pyarrow.Table.from_pylist([{"messages": chat}]), tmp_path / "rows.parquet")
    assert "1 of 2 rows pass" in run(tmp_path, "verify", str(table), "--corpus", corpus).stdout
    done = run(tmp_path, "verify", str(tmp_path / "rows.parquet"), "--corpus", corpus)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (None, [], "rows.jsonl"),
        ("", [], "holds no rows"),
        ("{broken\n", [], "rows.jsonl:1: not JSON"),
        ("{}\n", ["--min-pass", "1.5"], "--min-pass must be a share between 0 and 1"),
        ("{}\n", ["--min-pass", "nan"], "--min-pass must be a share between 0 and 1"),
        ("{}\n", ["--min-support", "7"], "min_support must be between"),
        ("{}\n", ["--model", "gigantic"], "unknown model 'gigantic'"),
        ("{}\n", ["--model", "openai:gpt-5-mini"], "OPENAI_API_KEY"),
        ("{}\n", ["--html", "no/such/folder/page.html"], "cannot be written"),
        ("{}\n", ["--corpus", "no/such/corpus"], "no/such/corpus"),
    ],
)
def test_wrong_usage_is_one_clear_line(tmp_path: Path, content: str | None, arguments: list[str], said: str) -> None:
    data = tmp_path / "rows.jsonl"
    if content is not None:
        data.write_text(content)
    done = run(tmp_path, "verify", str(data), "--corpus", island.write_island(tmp_path), *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_corpus_is_wrong_usage(tmp_path: Path) -> None:
    done = run(tmp_path, "verify", jsonl(tmp_path / "rows.jsonl", GOOD))
    assert done.returncode == 2
    assert "--corpus" in done.stderr


def test_strangers_text_drives_neither_the_terminal_nor_the_page(tmp_path: Path) -> None:
    evil = f"{ESCAPE}[2J{ESCAPE}]0;owned\x07\u202e<script>alert(1)</script>[bold red]"
    data = jsonl(tmp_path / "rows.jsonl", {"question": evil, "answer": f"The casino {evil} of Karvel opened again."})
    corpus = island.write_island(tmp_path, casino=f"# {evil}\n\nThe casino {evil} of Karvel closed.\n")
    page = tmp_path / "page.html"
    done = run(tmp_path, "verify", data, "--corpus", corpus, "--html", str(page))
    assert done.returncode == 3, done.stderr
    written = page.read_text(encoding="utf-8")
    assert not {ESCAPE, "\x07", "\u202e"} & set(done.stdout + done.stderr + written)
    assert "[bold red]" in done.stdout
    assert "<script" not in written
    assert "&lt;script&gt;" in written
    told = run(tmp_path, "verify", data, "--corpus", corpus, "--json")
    assert not {ESCAPE, "\x07", "\u202e"} & set(told.stdout)
    assert evil in json.loads(told.stdout)["rows"][0]["question"]


def test_the_page_is_whole_and_stands_alone(tmp_path: Path) -> None:
    data, page = jsonl(tmp_path / "rows.jsonl", GOOD, BAD), tmp_path / "page.html"
    done = run(tmp_path, "verify", data, "--corpus", island.write_island(tmp_path), "--html", str(page))
    assert f"wrote {page}" in done.stdout
    written = page.read_text(encoding="utf-8")
    assert written.count("<article") == 2
    assert written.index("Tickets cost 13") < written.index("They eat seaweed")
    assert not re.search(r"(?:src|href)=|<script|@import|url\(", written)


def test_ctrl_c_ends_the_run_with_130_and_leaves_no_page(tmp_path: Path) -> None:
    corpus, page = island.write_island(tmp_path), tmp_path / "page.html"
    data = jsonl(tmp_path / "rows.jsonl", *[GOOD] * 60_000)
    assert run(tmp_path, "index", corpus).returncode == 0
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "searchinstruct_graph",
            "verify",
            data,
            "--corpus",
            corpus,
            "--json",
            "--html",
            str(page),
        ],
        env={**os.environ, "SEARCHINSTRUCT_HOME": str(tmp_path / "home"), "SEARCHINSTRUCT_MODEL": "offline"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    # The first row is there before the last one is read.
    assert process.stdout.readline().startswith('{"rows"')
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(r"interrupted after \d+ rows", said)
    assert not [path for path in tmp_path.iterdir() if "page" in path.name]
