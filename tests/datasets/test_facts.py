"""Facts: read from any file of records under any usual column name, refused with their place, each once."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph.datasets.facts import Fact, distinct, fact_id, fact_of, probe_id, read_facts
from searchinstruct_graph.errors import UsageError

FERRY: dict[str, Any] = {
    "subject": "Haldern Ferries",
    "relation": "chief executive",
    "old": "Jan Pike",
    "new": "Ada Moss",
    "as_of": "2025",
    "source": "https://haldern.example/board",
}


def written(folder: Path, *records: dict[str, Any], name: str = "facts.jsonl") -> str:
    path = folder / name
    path.write_text("\n".join(json.dumps(record, ensure_ascii=False) for record in records), encoding="utf-8")
    return str(path)


def test_a_fact_keeps_what_the_file_says(tmp_path: Path) -> None:
    stays = ["Where do the ferries land?", {"question": "What do they carry?", "answer": "cars"}]
    (fact,) = read_facts([written(tmp_path, {**FERRY, "unchanged": stays, "stale": "It is Jan Pike."})])
    assert {name: fact[name] for name in FERRY} == FERRY  # type: ignore[literal-required]
    assert fact["question"] == ""
    assert fact["stale"] == "It is Jan Pike."
    assert fact["unchanged"] == [
        {"question": "Where do the ferries land?", "answer": ""},
        {"question": "What do they carry?", "answer": "cars"},
    ]
    assert fact["id"] == fact_id("haldern  FERRIES", "Chief executive", "Jan Pike", "Ada Moss", "2025")


@pytest.mark.parametrize(
    ("old", "new"),
    [("old object", "New Object"), ("object_old", "object_new"), ("Old-Value", "object"), ("before", "after")],
)
def test_objects_under_other_column_names(tmp_path: Path, old: str, new: str) -> None:
    record = {"Subject": "Haldern", "property": "mayor", old: "Tom Vey", new: "Ruth Alder", "As Of": "May 2025"}
    (fact,) = read_facts([written(tmp_path, record)])
    assert (fact["old"], fact["new"], fact["as_of"]) == ("Tom Vey", "Ruth Alder", "May 2025")


def test_a_table_holds_several_unchanged_questions_in_one_cell(tmp_path: Path) -> None:
    path = tmp_path / "facts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, ["subject", "relation", "old", "new", "unchanged"])
        rows.writeheader()
        rows.writerow({"subject": "Sund", "relation": "toll", "old": 3, "new": 4, "unchanged": "Who?\nWhere?"})
        stays = json.dumps([{"question": "When?", "answer": "1901"}])
        rows.writerow({"subject": "Sund", "relation": "mayor", "old": "A", "new": "B", "unchanged": stays})
    first, second = read_facts([str(path)])
    assert (first["old"], first["new"]) == ("3", "4")
    assert [entry["question"] for entry in first["unchanged"]] == ["Who?", "Where?"]
    assert second["unchanged"] == [{"question": "When?", "answer": "1901"}]


def test_numbers_stay_as_people_write_them() -> None:
    assert fact_of({"subject": "s", "relation": "r", "old": 3.0, "new": 3.5}, "f:1")["old"] == "3"


def test_a_question_may_stand_for_the_relation() -> None:
    fact = fact_of({"subject": "Sund", "question": "Who runs Sund?", "new": "Ruth Alder"}, "f:1")
    assert fact["relation"] == fact["question"] == "Who runs Sund?"
    assert fact["old"] == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"subject": " "}, "facts.jsonl:2: the fact has no subject"),
        ({"relation": None}, "facts.jsonl:2: the fact has no relation"),
        ({"new": ""}, "facts.jsonl:2: the fact has no new"),
        ({"old": "ada  MOSS"}, "nothing has changed, so leave the fact out"),
        ({"new": "x" * 600}, "facts.jsonl:2: new has 600 characters; the limit is 500"),
        ({"new": "Kim Fox"}, "facts.jsonl:2: the new object 'Kim Fox' conflicts with 'Ada Moss' of"),
        ({"unchanged": [3.5, {}]}, "facts.jsonl:2: unchanged holds"),
        ({"unchanged": '["half'}, "facts.jsonl:2: unchanged is no valid JSON"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_facts([written(tmp_path, FERRY, {**FERRY, **changed})])
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("old", "new"), [("C", "C++"), ("5", "-5"), ("3.1", "3.10"), ("<", "<="), ("北京", "南京")])
def test_signs_and_digits_tell_objects_apart(old: str, new: str) -> None:
    assert fact_of({**FERRY, "old": old, "new": new}, "f:1")["new"] == new


def test_conflicts_are_found_across_files_and_dates(tmp_path: Path) -> None:
    paths = [
        written(tmp_path, FERRY, name="one.jsonl"),
        written(tmp_path, {**FERRY, "new": "Kim Fox", "as_of": "2026"}, name="two.jsonl"),
    ]
    with pytest.raises(UsageError, match=r"two\.jsonl:1: .*of .*one\.jsonl:1"):
        read_facts(paths)


def test_a_fact_that_is_stated_twice_is_one(tmp_path: Path) -> None:
    again = {**FERRY, "subject": "haldern ferries"}
    facts = read_facts([written(tmp_path, FERRY, again, {**FERRY, "relation": "owner"})])
    assert [fact["relation"] for fact in facts] == ["chief executive", "owner"]
    assert distinct(facts) == facts


def test_limit_stops_reading(tmp_path: Path) -> None:
    path = written(tmp_path, FERRY, {"broken": True})
    assert len(read_facts([path], limit=1)) == 1
    with pytest.raises(UsageError, match=":2: the fact has no subject"):
        read_facts([path])


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file of facts is named"):
        read_facts([])
    with pytest.raises(UsageError, match="no facts in it"):
        read_facts([written(tmp_path)])


@pytest.mark.parametrize(
    "record",
    [
        {"subject": "北京", "relation": "市长", "old": "王伟", "new": "李娜"},
        {"subject": "تهران", "relation": "شهردار", "old": "الف", "new": "ب", "question": "شهردار تهران کیست؟"},
        {"subject": "<b>\u202e", "relation": "P6", "old": "\u0000x", "new": "y", "question": "?"},
    ],
)
def test_any_script_is_read(tmp_path: Path, record: dict[str, Any]) -> None:
    (fact,) = read_facts([written(tmp_path, record)])
    assert len(fact["id"]) == 16


def test_ids_tell_kinds_and_questions_apart() -> None:
    ids = {probe_id("f", kind, said) for kind in ("efficacy", "locality") for said in ("Who?", "When?")}
    assert len(ids) == 4
    assert probe_id("f", "efficacy", " who? ") == probe_id("f", "efficacy", "Who?")


def test_the_shipped_facts_can_be_read() -> None:
    facts: list[Fact] = read_facts(["examples/facts/python_changes.jsonl"])
    assert len(facts) == 20
    assert all(fact["old"] and fact["as_of"].startswith("Python ") for fact in facts)
