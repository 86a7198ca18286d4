"""Query–passage pairs as people keep them: the names of their fields, what is refused, and where the message says it is."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.datasets.pairs import TripletPair, distinct, pair_id, pair_of, read_pairs
from searchinstruct_graph.errors import UsageError

PAIR = TripletPair(
    query="who keeps the lighthouse",
    passage="Ada Brock keeps the lighthouse since 1999.",
    uri="light.md",
    title="The light",
    family="light",
)


@pytest.mark.parametrize("query", ["query", "Question", "anchor", "query_positive"])
@pytest.mark.parametrize("passage", ["passage", "document", "document_positive", "Positive", "text", "answer"])
def test_the_names_of_published_data_sets_are_known(query: str, passage: str) -> None:
    assert pair_of({query: PAIR["query"], passage: PAIR["passage"]}, "here") == {
        **PAIR,
        "uri": "",
        "title": "",
        "family": "",
    }


def test_pairs_are_read_from_files_of_several_kinds_in_order_and_each_once(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({**PAIR, "query": "  who keeps\nthe lighthouse "}) + "\n")
    with (tmp_path / "b.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["question", "answer", "url"])
        table.writeheader()
        table.writerow({"question": "Who keeps the lighthouse?", "answer": PAIR["passage"].upper(), "url": "other.md"})
        table.writerow({"question": "灯塔由谁看守", "answer": "陈明自一九九九年起看守灯塔。", "url": "zh.md"})
    found = read_pairs(
        [str(tmp_path / "a.jsonl"), str(tmp_path / "b.csv")], [{"anchor": "من نگهبان؟", "text": "آدا نگهبان است."}]
    )
    assert found[0] == PAIR
    assert [each["uri"] for each in found] == ["light.md", "zh.md", ""]


def test_parquet_is_read_as_it_is(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(arrow.table({"anchor": [PAIR["query"]], "positive": [PAIR["passage"]]}), tmp_path / "p.parquet")
    assert read_pairs([str(tmp_path / "p.parquet")])[0]["passage"] == PAIR["passage"]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"passage": "text"}, "no query: a pair needs a text under one of query,"),
        ({"query": "who"}, "no passage: a pair needs a text under one of passage,"),
        ({"query": "???", "passage": "text"}, "no query"),
        ({"query": "who", "passage": "..."}, "no passage"),
        ({"query": ["who", "what"], "passage": "text"}, "query must be one text"),
        ({"query": {"a": 1}, "passage": "text"}, "query must be one text"),
        ({"query": "who " * 1_000, "passage": "text"}, "at most 1,000 may be"),
        ({"query": True, "passage": "text"}, "query must be one text"),
        ({}, "this record has nothing"),
    ],
)
def test_a_record_that_is_no_pair_is_refused_in_one_line_that_says_where(
    tmp_path: Path, record: dict[str, Any], words: str
) -> None:
    (tmp_path / "p.jsonl").write_text(f"{json.dumps(PAIR)}\n{json.dumps(record)}\n")
    with pytest.raises(UsageError) as refused:
        read_pairs([str(tmp_path / "p.jsonl")])
    told = str(refused.value)
    assert words in told
    assert f"{tmp_path / 'p.jsonl'}:2" in told
    assert "\n" not in told


def test_a_record_of_a_caller_is_named_by_its_number() -> None:
    with pytest.raises(UsageError, match="record 2: no passage"):
        read_pairs([], [PAIR, {"query": "who"}])


def test_numbers_are_texts_and_a_list_of_one_is_its_entry() -> None:
    found = pair_of({"query": ["year"], "answer": 1999}, "here")
    assert (found["query"], found["passage"]) == ("year", "1999")


def test_equal_pairs_are_one_whatever_their_case_and_marks() -> None:
    again = TripletPair(**{**PAIR, "query": "Who keeps the lighthouse?"})
    other = TripletPair(**{**PAIR, "passage": "Nobody keeps it."})
    assert distinct([PAIR, again, other]) == [PAIR, other]
    assert pair_id(PAIR) == pair_id(again) != pair_id(other)


@given(st.dictionaries(st.sampled_from(["query", "passage", "title", "uri"]), st.text() | st.integers() | st.none()))
def test_whatever_a_record_holds_it_is_a_pair_that_can_be_stored_or_refused(record: dict[str, Any]) -> None:
    try:
        found = pair_of(record, "here")
    except UsageError:
        return
    json.dumps(found).encode()
    "".join(map(str, found.values())).encode()
    assert len(pair_id(found)) == 32
