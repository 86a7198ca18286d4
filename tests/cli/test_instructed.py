"""`--instruction` and `--embeddings FOLDER` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.joining import RECORD
from searchinstruct_graph.models.rescoring import HEAD
from searchinstruct_graph.retriever.rescoring import train_rescorer
from searchinstruct_graph.retriever.rows import Triplet
from tests.support.desk import MODEL, json_of
from tests.support.fevers import triplet_rows, write_fevers, write_mixed
from tests.support.scripted_llm import ChatRequest, ScriptedLLM
from tests.support.zygote import ForkedShell, Zygote

AFTER = "only sources after 2015, not from vendors"


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> ForkedShell:
    folder = tmp_path_factory.mktemp("instructed")
    write_fevers(folder / "fevers")
    write_mixed(folder / "mixed")
    head = folder / "head"
    head.mkdir()
    embed = embeddings("wordllama").embed
    triplets = [Triplet(*(row[name] for name in (
        "query_positive", "instruction_positive", "document", "query_negative", "instruction_negative",
        "hard_negative_document_1", "hard_negative_document_2",
    ))) for row in triplet_rows()]  # fmt: skip
    train_rescorer(triplets, embed).save(head / HEAD)
    (head / RECORD).write_text(json.dumps({"kind": "rescorer", "base": "wordllama", "join": "plain"}))
    attention = folder / "attention"
    attention.mkdir()
    (attention / RECORD).write_text('{"kind": "encoder", "join": "attention"}')
    (folder / "empty").mkdir()
    return ForkedShell(folder, zygote)


def found(shell: ForkedShell, *arguments: str) -> Any:
    return json_of(shell.do("search", *arguments, "--json"))


def test_what_was_checked_is_told_to_a_person(shell: ForkedShell) -> None:
    done = shell.do("search", "lantern harbour", "--corpus", "mixed", "--instruction", AFTER)
    assert done.returncode == 0, done.stderr
    assert "lantern.html" not in done.stdout
    assert "checked “only sources after 2015” (date): 2 sources left out, 2 without a known date" in done.stdout
    assert "left to meaning: “not from vendors”" in done.stdout


def test_the_json_has_one_shape_and_what_was_checked_is_told_beside_it(shell: ForkedShell) -> None:
    plain = shell.do("search", "lantern harbour", "--corpus", "mixed", "--json")
    told = shell.do("search", "lantern harbour", "--corpus", "mixed", "--json", "--instruction", AFTER)
    assert (len(json.loads(plain.stdout)), len(json.loads(told.stdout))) == (6, 4)
    assert {frozenset(each) for each in json.loads(plain.stdout)} == {
        frozenset(each) for each in json.loads(told.stdout)
    }
    assert plain.stderr == ""
    assert told.stderr.splitlines() == [
        "checked “only sources after 2015” (date): 2 sources left out, 2 without a known date",
        "left to meaning: “not from vendors”",
    ]


def test_an_instruction_that_nothing_or_that_no_source_can_fit_is_told(shell: ForkedShell) -> None:
    searched = ("search", "lantern harbour", "--corpus", "mixed", "--instruction")
    done = shell.do(*searched, "documents over 9000 words")
    assert "nothing found that fits the instruction; widen it, or leave it out" in done.stdout
    assert "6 sources left out" in done.stdout
    done = shell.do(*searched, "only sources after 2020 and before 2010")
    assert "not applied, it excludes another part of the instruction: “before 2010”" in done.stdout
    assert "records.jsonl#c" in done.stdout


def test_a_trained_head_serves_the_index_that_is_there(shell: ForkedShell) -> None:
    query = "what is known about Osel ague"
    for aspect in ("treatment", "causes", "history"):
        told = found(
            shell, query, "--corpus", "fevers", "--embeddings", "head", "--instruction", f"only pages on its {aspect}"
        )
        assert told[0]["uri"] == f"fevers/osel-{aspect}.md"
    # Without an instruction the head has no part in it.
    assert found(shell, query, "--corpus", "fevers", "--embeddings", "./head") == found(
        shell, query, "--corpus", "fevers"
    )
    indexes = Path(shell.environment["SEARCHINSTRUCT_HOME"]) / "indexes"
    assert [each.name for each in indexes.iterdir()] == ["wordllama"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no/such/folder", "embedding 'no/such/folder': there is no such folder"),
        ("empty", "the folder holds no retriever (retriever.json) and no SentenceTransformer (modules.json)"),
        ("attention", "joins queries and instructions by attention, which no vector index can serve"),
        ("head/rescorer.npz", "is a file; name the folder"),
        ("haed", "unknown embedding 'haed'; known are wordllama"),
    ],
)
def test_a_wrong_folder_is_one_line(shell: ForkedShell, name: str, said: str) -> None:
    done = shell.do("search", "x", "--corpus", "fevers", "--embeddings", name)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert len(done.stderr.strip().splitlines()) <= 2


def test_an_answer_says_what_was_checked(shell: ForkedShell) -> None:
    asked = ("ask", "What is the lantern of the harbour?", "--corpus", "mixed", "--model", "offline", "--json")
    told = json_of(shell.do(*asked, "--instruction", "only from docs.example.org, only sources before 2005"))
    assert [(each["kind"], each["applied"], each["dropped"]) for each in told["constraints"]] == [
        ("host", True, 1),
        ("date", True, 3),
    ]
    assert {source["uri"] for source in told["sources"]} <= {
        "mixed/records.jsonl#b", "mixed/records.jsonl#c", "mixed/laterne.txt",
    }  # fmt: skip
    assert told["status"] == "answered"


def test_an_instruction_that_the_question_implies_reaches_the_search(shell: ForkedShell) -> None:
    told = json_of(
        shell.do(
            *("ask", "What do pages published after 2015 say of the lantern of the harbour?"),
            *("--corpus", "mixed", "--model", "offline", "--json"),
        )
    )
    assert [part["instruction"] for part in told["plan"]["sub_questions"]] == ["pages published after 2015"]
    assert [(each["text"], each["dropped"]) for each in told["constraints"]] == [("pages published after 2015", 2)]
    assert not any("html" in uri for uri in told["read"])


def test_the_planners_instruction_is_reviewed_and_joined_with_the_persons(shell: ForkedShell) -> None:
    def reply(request: ChatRequest) -> Any:
        if request.schema == "QuestionPlan":
            part = {
                "text": "What is the lantern?",
                "queries": ["lantern harbour"],
                "requires": ["what it is"],
                "instruction": "since 2010",
            }
            return {"restatement": "What is the lantern?", "sub_questions": [part]}
        if request.schema == "PageQuotes":
            return {"relevant": "no", "quotes": []}
        return {"sufficient": False, "covered": [], "missing": ["it"], "next_queries": []}

    with ScriptedLLM(reply) as llm:
        desk = ForkedShell(shell.folder, shell.zygote, llm)
        asked = ("ask", "What is the lantern?", "--corpus", "mixed", "--thread", "lantern", *MODEL, "--json")
        planned = desk.do(*asked, "--instruction", "not in German", "--review-plan")
        assert json.loads(planned.stdout)["sub_questions"][0]["instruction"] == "since 2010"
        # Nothing is found, so it is planned once more, and that plan waits too.
        assert desk.do("ask", "--thread", "lantern", "--json").returncode == 130
        told = json_of(desk.do("ask", "--thread", "lantern", "--json"))
    assert {each["text"]: each["dropped"] for each in told["constraints"]} == {"not in German": 1, "since 2010": 1}
    assert "mixed/laterne.txt" not in told["read"]
    assert "mixed/records.jsonl#b" not in told["read"]
