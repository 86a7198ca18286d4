"""The program as a person runs it: in a process of its own, with typing errors, wrong paths and odd text."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import island

ESCAPE = "\x1b"


def run(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `searchinstruct` with a home of its own and no keys."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return subprocess.run(
        [sys.executable, "-m", "searchinstruct_graph", *arguments],
        env={**kept, "SEARCHINSTRUCT_HOME": str(home / "home"), "SEARCHINSTRUCT_MODEL": "offline", **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=90,
    )


def test_a_question_is_answered_with_its_sources(tmp_path: Path) -> None:
    done = run(tmp_path, "ask", "Who built the lighthouse of Karvel?", "--corpus", island.write_island(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "It was built by Mara Denholm" in done.stdout.replace("\n", " ")
    assert "lighthouse.md" in done.stdout
    # Piped text is neither folded nor cut.
    assert re.search(r"“.*It was built by Mara Denholm in three summers\..*”  \(\d+-\d+\)\n", done.stdout)
    assert "extractive" in done.stdout
    assert "planned 1 sub-question" in done.stderr
    assert ESCAPE not in done.stdout + done.stderr


def test_json_is_one_object_and_nothing_else(tmp_path: Path) -> None:
    done = run(
        tmp_path, "ask", "Who built the lighthouse of Karvel?", "--corpus", island.write_island(tmp_path), "--json"
    )
    result = json.loads(done.stdout)
    assert done.returncode == 0
    assert done.stderr == ""
    assert result["status"] == "answered"
    assert set(result) == {
        "question", "status", "stop_reason", "answer", "confidence", "statements", "sources", "read",
        "constraints", "plan", "critique", "usage",
    }  # fmt: skip


def test_silent_documents_are_an_honest_answer(tmp_path: Path) -> None:
    done = run(tmp_path, "ask", "Who won the chess olympiad?", "--corpus", island.write_island(tmp_path), "--json")
    assert done.returncode == 0
    result = json.loads(done.stdout)
    assert result["status"] == "insufficient_evidence"
    assert result["statements"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ask", ""], "question is empty"),
        (["ask", "   "], "question is empty"),
        (["ask"], "no question was given"),
        (["ask", "x" * 9_000], "8,000"),
        (["ask", "Why?", "--corpus", "no/such/folder"], "no/such/folder"),
        (["ask", "Why?", "--modle", "offline"], "--modle"),
        (["ask", "Why?", "--model", "gigantic"], "unknown model 'gigantic'"),
        (["ask", "Why?", "--model", "acme:large"], "unknown model provider 'acme'"),
        (["ask", "Why?", "--model", "openai:"], "no model"),
        (["ask", "Why?", "--model", "openai:gpt-5-mini"], "OPENAI_API_KEY"),
        (["ask", "Why?", "--critic-model", "openai:gpt-5-mini"], "OPENAI_API_KEY"),
        (["ask", "Why?", "--model", "ollama:qwen3"], 'pip install "searchinstruct-graph[ollama]"'),
        (["ask", "Why?", "--samples", "99"], "samples must be between 0 and 25"),
        (["ask", "Why?", "--samples", "many"], "'--samples'"),
        (["ask", "Why?", "--embeddings", "word2vec"], "word2vec"),
        (["ask", "Why?", "--thread", "../x"], "not an id"),
        (["ask", "--thread", "never-seen"], "no thread never-seen"),
        (["search", " ", "--corpus", "pydoc:"], "query is empty"),
        (["search", "x"], "--corpus"),
        (["index", "no/such/file.md"], "no/such/file.md"),
        (["asc", "Why?"], "asc"),
    ],
)
def test_wrong_usage_is_one_clear_line_and_exit_code_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_an_index_knows_its_embedding(tmp_path: Path) -> None:
    corpus, index = island.write_island(tmp_path), tmp_path / "index"
    assert run(tmp_path, "index", corpus, "--index", str(index)).returncode == 0
    for manifest in index.rglob("CURRENT"):
        manifest.write_text(manifest.read_text().replace('"wordllama"', '"openai:other"'))
    done = run(tmp_path, "ask", "Why?", "--corpus", corpus, "--index", str(index))
    assert done.returncode == 2
    assert "openai:other" in done.stderr


def test_indexing_touches_only_what_changed(tmp_path: Path) -> None:
    corpus = island.write_island(tmp_path)
    first = json.loads(run(tmp_path, "index", corpus, "--json").stdout)
    (Path(corpus) / "ferry.md").write_text("# Ferry\n\nThe ferry sails thrice a day.\n", encoding="utf-8")
    second = run(tmp_path, "index", corpus)
    assert (first[0]["added"], first[0]["documents"]) == (5, 5)
    assert "0 added, 1 changed, 0 removed, 4 unchanged" in second.stdout


def test_unreadable_files_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    corpus = island.write_island(tmp_path)
    (Path(corpus) / "broken.pdf").write_bytes(b"%PDF-1.7 not really")
    (Path(corpus) / "picture.md").write_bytes(bytes(range(256)) * 50)
    done = run(tmp_path, "index", corpus)
    assert done.returncode == 0
    assert "5 documents" in done.stdout
    assert "broken.pdf" in done.stdout
    assert "picture.md" in done.stdout


def test_search_finds_a_passage_with_its_place(tmp_path: Path) -> None:
    corpus = island.write_island(tmp_path)
    found = json.loads(run(tmp_path, "search", "what do goats eat", "--corpus", corpus, "-k", "2", "--json").stdout)
    assert found[0]["uri"] == f"{corpus}/goats.md"
    text = (Path(corpus) / "goats.md").read_text()
    assert text[found[0]["start"] : found[0]["end"]] == found[0]["text"]
    assert "goats.md" in run(tmp_path, "search", "what do goats eat", "--corpus", corpus).stdout


def test_escape_sequences_and_markup_in_documents_never_reach_the_terminal(tmp_path: Path) -> None:
    title = f"{ESCAPE}[2J{ESCAPE}]0;owned\x07 [bold red]Karvel[/] bell"
    text = f"The bell of Karvel{ESCAPE}[31m rings at noon \u202eevery day."
    records = tmp_path / "bell.jsonl"
    records.write_text(json.dumps({"id": f"1{ESCAPE}[5m", "title": title, "text": text}) + "\n")
    for command in (["ask", "When does the bell of Karvel ring?"], ["search", "bell of Karvel"]):
        done = run(tmp_path, *command, "--corpus", str(records))
        assert done.returncode == 0, done.stderr
        assert not {ESCAPE, "\x07", "\u202e"} & set(done.stdout + done.stderr)
        assert "[bold red]Karvel[/]" in done.stdout
        assert "rings at noon" in done.stdout


ODD = [
    "'; DROP TABLE settings; --",
    "𝕿𝖍𝖊 quick",
    "‮txet",
    "\\u0000",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "%s%n",
    "NaN",
    "ﷺ",
]


def test_odd_text_is_a_question_like_any_other(tmp_path: Path) -> None:
    corpus = island.write_island(tmp_path, **{"o'dd 名前": "# Odd\n\nOdd names are read.\n"})
    for text in ODD:
        done = run(tmp_path, "ask", text, "--corpus", corpus, "--json")
        assert done.returncode == 0, (text, done.stderr)
        assert json.loads(done.stdout)["question"]


def test_several_corpora_give_one_answer(tmp_path: Path) -> None:
    records = tmp_path / "records.jsonl"
    records.write_text('{"id": "r1", "title": "Bells", "text": "The bell of Karvel weighs 300 kilograms."}\n')
    done = run(
        tmp_path,
        "ask",
        "How much does the bell of Karvel weigh?",
        "--corpus",
        island.write_island(tmp_path),
        "--corpus",
        str(records),
        "--json",
    )
    result = json.loads(done.stdout)
    assert result["sources"][0]["uri"] == f"{records}#r1"


def test_help_and_import_load_nothing_heavy(tmp_path: Path) -> None:
    heavy = "('chromadb', 'langgraph', 'langchain_core', 'wordllama', 'numpy', 'pydantic')"
    for start in ("import searchinstruct_graph", "from searchinstruct_graph.cli.main import app"):
        probe = f"{start}; import sys; print([m for m in {heavy} if m in sys.modules])"
        done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=60)
        assert done.stdout.strip() == "[]", done.stdout + done.stderr
    assert "ask" in run(tmp_path, "--help").stdout
    assert "--max-cost" in run(tmp_path, "ask", "--help").stdout
