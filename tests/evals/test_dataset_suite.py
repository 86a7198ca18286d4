"""The suite `dataset`: rows of a run, of its exports, and of other people's files."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph import abuild_dataset
from searchinstruct_graph.datasets import ledger
from searchinstruct_graph.datasets.database import reading
from searchinstruct_graph.datasets.export import export
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.result import EvalResult, figure
from searchinstruct_graph.evals.running import evaluate, items
from searchinstruct_graph.evals.suite import Item
from searchinstruct_graph.evals.suites.dataset import given_of
from searchinstruct_graph.evals.suites.dataset import read as read_cases
from tests.support.judge import judge
from tests.support.quarry import CORPUS, write_lines
from tests.support.scripted_llm import Script, ScriptedLLM

Start = Callable[[Script], ScriptedLLM]

TEXT = CORPUS[0]["text"]
SLATE, OPENED = "The quarry of Brenn gives blue slate.", "It was opened in 1743 by Ilse Marrow."


def row(answer: list[str], quotes: list[list[str]], **more: Any) -> dict[str, Any]:
    """A row of a run whose statements cite these quotes of the quarry's page."""
    listed = list(dict.fromkeys(quote for each in quotes for quote in each))
    places = {quote: max(TEXT.find(quote), 0) for quote in listed}
    source = {
        "id": 1,
        "uri": more.pop("uri", "quarry"),
        "title": "The quarry of Brenn",
        "sha256": hashlib.sha256(TEXT.encode()).hexdigest(),
        "quotes": [{"text": each, "start": at, "end": at + len(each)} for each, at in places.items()],
    }
    statements = [
        {"text": text, "citations": [1], "quotes": [[1, listed.index(quote)] for quote in cited], "support": 1.0}
        for text, cited in zip(answer, quotes, strict=True)
    ]
    return {
        "id": "a1",
        "instruction": "What is known of the quarry of Brenn?",
        "answer": " ".join(answer),
        "statements": statements,
        "sources": [source],
        "critic": {"support": 0.9, "agreement": None, "confidence": 0.8},
        **more,
    }


async def scored(folder: Path, records: list[dict[str, Any]], **settings: Any) -> tuple[EvalResult, list[Item]]:
    """The evaluation of some records."""
    data = write_lines(folder / "rows.jsonl", records)
    result = await evaluate("dataset", EvalContext(data=[data], **settings), folder / "e")
    return result, list(items(folder / "e"))


async def test_the_rows_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "corpus.jsonl", CORPUS)
    (tmp_path / "seeds.txt").write_text("Who opened the quarry of Brenn?\nWhen was the mill of Tolden built?\n")
    await abuild_dataset(run="run", seeds="seeds.txt", corpus=["corpus.jsonl"], model="offline", target=2)
    result = await evaluate("dataset", EvalContext(data=["run"]), tmp_path / "e")
    assert (result["ended"], result["cases"], result["failures"]) == ("done", 2, {})
    for name in ("verbatim", "groundedness", "citation_recall", "support", "critic_support"):
        found = figure(result, name)
        assert (found["value"], found["cases"], found["missing"]) == (1.0, 2, 0), name
    assert (figure(result, "answer_words")["value"] or 0) > 3
    assert {each["group"] for each in result["figures"]} == {"run"}
    for format in ("rows", "ragas"):
        with reading(tmp_path / "run" / ledger.NAME) as db:
            export(ledger.read_rows(db), format, str(tmp_path / f"{format}.jsonl"))
        exported = EvalContext(data=[str(tmp_path / f"{format}.jsonl")], corpus=["corpus.jsonl"])
        again = await evaluate("dataset", exported, tmp_path / format)
        assert figure(again, "groundedness")["value"] == 1.0
        assert figure(again, "answer_words")["value"] == figure(result, "answer_words")["value"]
        assert figure(again, "groundedness")["cases"] == 2


async def test_documents_that_are_gone_are_missing_and_not_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "corpus.jsonl", CORPUS)
    (tmp_path / "seeds.txt").write_text("Who opened the quarry of Brenn?\n")
    await abuild_dataset(run="run", seeds="seeds.txt", corpus=["corpus.jsonl"], model="offline", target=1)
    (tmp_path / "corpus.jsonl").rename(tmp_path / "moved.jsonl")
    result = await evaluate("dataset", EvalContext(data=["run"]), tmp_path / "e")
    found = figure(result, "verbatim")
    assert (found["value"], found["missing"]) == (None, 1)
    (item,) = items(tmp_path / "e")
    assert "name them with --corpus" in item["scores"]["verbatim"]["reason"]


async def test_a_quote_that_does_not_stand_there(tmp_path: Path) -> None:
    corpus = write_lines(tmp_path / "corpus.jsonl", CORPUS)
    uri = f"{corpus}#quarry"
    right = row([SLATE, OPENED], [[SLATE], [OPENED]], uri=uri)
    forged = row([SLATE, "It gives gold."], [[SLATE], ["It gives gold."]], uri=uri, id="a2")
    moved = row([OPENED], [[OPENED]], uri=uri, id="a3")
    moved["sources"][0]["quotes"][0].update(start=0, end=len(OPENED))
    other_edition = row([OPENED], [[OPENED]], uri=uri, id="a4")
    other_edition["sources"][0].update(sha256="0" * 64)
    elsewhere = row([OPENED], [[OPENED]], uri=f"{corpus}#nowhere", id="a5")
    result, found = await scored(tmp_path, [right, forged, moved, other_edition, elsewhere], corpus=[corpus])
    assert [item["scores"]["verbatim"]["value"] for item in found] == [1.0, 0.5, 0.0, 1.0, None]
    assert "It gives gold. (" in found[1]["scores"]["verbatim"]["reason"]
    assert found[4]["scores"]["verbatim"]["failure"] == "not_found"
    assert figure(result, "verbatim")["missing"] == 1


async def test_a_statement_is_held_against_its_own_quotes(tmp_path: Path) -> None:
    swapped = row([SLATE, OPENED], [[OPENED], [SLATE]])
    broken = row([SLATE], [[SLATE]], id="a2")
    broken["statements"][0]["quotes"] = [[1, 7]]
    result, found = await scored(tmp_path, [swapped, broken])
    assert found[0]["scores"]["groundedness"]["value"] == 1.0
    assert [item["scores"]["citation_recall"]["value"] for item in found] == [0.0, 0.0]
    assert found[0]["scores"]["verbatim"]["value"] is None
    assert "--corpus" in found[0]["scores"]["verbatim"]["reason"]
    assert figure(result, "critic_support")["value"] == 0.9
    assert found[0]["scores"]["critic_agreement"]["value"] is None


async def test_other_peoples_rows(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [
        {"question": "What does it give?", "answer": "It gives blue slate [1].", "sources": [SLATE, OPENED]},
        {"question": "What does it give?", "answer": "It gives blue slate [2].", "sources": [SLATE, OPENED]},
        {"messages": [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Good day."}]},
        {"user_input": "Who?", "response": "Ilse Marrow.", "reference": "It was Ilse Marrow.", "context": OPENED},
        {"instruction": "آسیاب کی ساخته شد؟", "output": "در سال ۱۶۸۸ ساخته شد.", "context": CORPUS[3]["text"]},
        {"question": "兰桥建于哪一年？", "answer": "兰桥建于1590年。", "context": CORPUS[4]["text"]},
    ]
    _, found = await scored(tmp_path, records)
    assert [item["scores"]["citation_recall"]["value"] for item in found] == [1.0, 0.0, None, None, None, None]
    assert [item["scores"]["groundedness"]["value"] for item in found] == [1.0, 1.0, None, 1.0, 1.0, 1.0]
    assert found[3]["scores"]["agreement"]["value"] == 1.0
    assert found[3]["scores"]["token_f1"]["value"] == pytest.approx(2 * 2 / 6)
    assert found[0]["scores"]["agreement"]["reason"] == "needs references"


@pytest.mark.parametrize("cell", [TEXT, json.dumps([SLATE, TEXT]), str([SLATE, TEXT])])
def test_a_table_holds_its_contexts_as_it_can(tmp_path: Path, cell: str) -> None:
    place = tmp_path / "rows.csv"
    with place.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["user_input", "response", "retrieved_contexts"], ["Who?", OPENED, cell]])
    (found,) = read_cases(EvalContext(data=[str(place)]))
    assert found["given"]["retrieved_contexts"] == ([TEXT] if cell == TEXT else [SLATE, TEXT])


async def test_a_judge_says_what_it_says_of_rows(scripted_llm: Start, tmp_path: Path) -> None:
    scripted_llm(judge)
    records: list[dict[str, Any]] = [
        {
            "user_input": "Who opened it?",
            "response": OPENED,
            "reference": f"{OPENED} It gives slate.",
            "contexts": [TEXT],
        },
        {"question": "Who?", "answer": "It was never opened at all.", "context": SLATE},
        {"question": "Who?", "answer": "Ilse Marrow."},
    ]
    result, found = await scored(tmp_path, records, judge="openai:scripted")
    assert [item["scores"]["faithfulness"]["value"] for item in found] == [1.0, 0.0, None]
    assert [item["scores"]["factual_correctness"]["value"] for item in found] == [0.67, None, None]
    assert figure(result, "answer_relevancy")["cases"] == 3
    assert result["failures"] == {}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"question": "Who?"}, r"rows.jsonl:1: has question and no answer"),
        ({"answer": "Ilse"}, r"rows.jsonl:1: has answer and no question"),
    ],
)
def test_what_is_no_row_is_refused(tmp_path: Path, record: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        list(read_cases(EvalContext(data=[write_lines(tmp_path / "rows.jsonl", [record])])))


async def test_an_evaluation_has_no_rows(tmp_path: Path) -> None:
    await scored(tmp_path, [{"question": "Who?", "answer": "Ilse."}])
    with pytest.raises(UsageError, match="is an evaluation"):
        list(read_cases(EvalContext(data=[str(tmp_path / "e")])))
    with pytest.raises(UsageError, match="--data"):
        list(read_cases(EvalContext()))


@pytest.mark.parametrize(
    "record",
    [
        {"question": "a?", "answer": "b [9].", "sources": [None, 3, {"uri": 4}, {"uri": "x", "quotes": "no"}]},
        {"question": "a?", "answer": "b", "statements": [{"text": "b", "quotes": [["x"], 3]}], "sources": [{}]},
        {"question": "a?", "answer": "[1] [2]", "critic": "good"},
        {"question": "a?", "answer": "<script>", "contexts": [["deep", ["deeper"]]]},
    ],
)
async def test_strange_rows_are_scored_as_far_as_they_go(tmp_path: Path, record: dict[str, Any]) -> None:
    assert given_of(record)["response"]
    result, _ = await scored(tmp_path, [record])
    assert result["ended"] == "done"
