"""Judged statements are read from the published forms, and nothing is guessed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.labelled import labelled_statements, read_labelled

KNOWLEDGE = "The ferry of Usk runs twice a day. It has four crews."

RECORDS: dict[str, tuple[dict[str, Any], list[tuple[str, str, float, str]]]] = {
    "wice": (
        {"claim": "Usk has a ferry.", "label": "partially_supported", "evidence": [KNOWLEDGE, "More."], "gold": "x"},
        [("wice", "Usk has a ferry.", 0.5, "partially_supported")],
    ),
    "qags_usk": (
        {"source": KNOWLEDGE, "claim": "It has crews.", "supported": True, "votes": 2, "of": 3},
        [("qags_usk", "It has crews.", 1.0, "supported")],
    ),
    "stances": (
        {"claim": "It has two crews.", "evidence": KNOWLEDGE, "stance": "refute"},
        [("factcheck", "It has two crews.", 0.0, "refute")],
    ),
    "abstracts": (
        {"id": 1, "input": "Crews are four.", "gold_ctx": [{"title": "Ferry", "text": KNOWLEDGE}], "answer": "true"},
        [("scifact", "Crews are four.", 1.0, "true")],
    ),
    "talk": (
        {"knowledge": KNOWLEDGE, "message": "hi", "response": "it has crews", "begin_label": "Fully attributable"},
        [("begin", "it has crews", 1.0, "Fully attributable")],
    ),
    "answers": (
        {"knowledge": KNOWLEDGE, "question": "Crews?", "right_answer": "four", "hallucinated_answer": "six"},
        [("halueval", "four", 1.0, "right"), ("halueval", "six", 0.0, "hallucinated")],
    ),
    "logic": (
        {"premises": ["All ferries float."], "conclusion": "Ferries float.", "label": "Unknown", "source": "hyb"},
        [("folio", "Ferries float.", 0.0, "Unknown")],
    ),
}


def write(path: Path, records: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(record) + "\n" for record in records)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_each_form_is_known_by_its_fields(tmp_path: Path, name: str, suffix: str) -> None:
    record, expected = RECORDS[name]
    write(tmp_path / f"{name}{suffix}", [record])
    found = read_labelled(tmp_path / f"{name}{suffix}")
    assert [(each["set"], each["statement"], each["label"], each["stance"]) for each in found] == expected
    assert all(each["evidence"] for each in found)


def test_the_title_of_an_abstract_is_evidence() -> None:
    found = labelled_statements(RECORDS["abstracts"][0], "f:1")
    assert found[0]["evidence"] == [f"Ferry\n\n{KNOWLEDGE}"]


def test_two_answers_of_one_question_are_a_pair() -> None:
    record = RECORDS["answers"][0]
    right, wrong = labelled_statements({**record, "id": "q7"}, "f:1")
    assert right["pair"] == wrong["pair"] == "q7"
    assert right["question"] == "Crews?"
    assert labelled_statements(record, "f:1")[0]["pair"] == "f:1"


def test_a_folder_gives_the_files_of_known_sets_in_order(tmp_path: Path) -> None:
    write(tmp_path / "b" / "wice.jsonl.gz", [RECORDS["wice"][0]] * 2)
    write(tmp_path / "a" / "talk.jsonl", [RECORDS["talk"][0]])
    write(tmp_path / "a" / "corpus.jsonl", [{"id": "1", "text": "No labels here."}])
    (tmp_path / "a" / "broken.jsonl").write_text("not json")
    (tmp_path / "README.md").write_text("words")
    assert [each["set"] for each in read_labelled(str(tmp_path))] == ["begin", "wice", "wice"]


def test_nothing_is_skipped_inside_a_known_file(tmp_path: Path) -> None:
    write(tmp_path / "wice.jsonl", [RECORDS["wice"][0], {"text": "?"}])
    with pytest.raises(UsageError, match=r"wice\.jsonl:2: no labelled set is known by these fields: text"):
        read_labelled(tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"label": "maybe"}, "unknown label 'maybe'"),
        ({"claim": 7}, "must be texts"),
        ({"evidence": None}, "cannot be read"),
        ({"label": 3}, "cannot be read"),
    ],
)
def test_a_broken_record_is_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        labelled_statements({**RECORDS["wice"][0], **changed}, "wice.jsonl:3")
    assert str(raised.value).startswith("wice.jsonl:3: ")


def test_a_place_without_labels_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "corpus.jsonl", [{"id": "1", "text": "x"}])
    with pytest.raises(UsageError, match="no labelled statements"):
        read_labelled(tmp_path)
    with pytest.raises(UsageError):
        read_labelled(tmp_path / "corpus.jsonl")
    with pytest.raises(UsageError):
        read_labelled(tmp_path / "missing.jsonl")
