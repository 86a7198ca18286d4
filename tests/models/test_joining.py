from __future__ import annotations

from pathlib import Path

import pytest

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.joining import RECORD, Saved, checked_join, joined, saved_join, saved_retriever


def test_the_joined_text() -> None:
    assert joined("river", "only long") == "river only long"
    assert joined("river", "only long", "labelled") == "Instruct: only long\nQuery: river"
    assert joined("river", "only long", "attention") == "river only long"
    for join in ("plain", "labelled", "attention"):
        assert joined("river", " \n", checked_join(join)) == "river"


def test_a_way_that_is_none() -> None:
    with pytest.raises(UsageError, match="'sum' is none of plain, labelled, attention"):
        checked_join("sum")


def test_how_a_folder_joins(tmp_path: Path) -> None:
    assert saved_join(tmp_path) == saved_join("BAAI/bge-base-en-v1.5") == "plain"
    (tmp_path / RECORD).write_text('{"join": "attention"}')
    assert saved_join(tmp_path) == "attention"


@pytest.mark.parametrize("told", ["", "[]", "{}", '{"join": 3}', '{"join": "sum"}'])
def test_a_record_that_is_none(tmp_path: Path, told: str) -> None:
    (tmp_path / RECORD).write_text(told)
    with pytest.raises(UsageError, match="save the retriever again"):
        saved_join(tmp_path)


def test_what_a_folder_holds(tmp_path: Path) -> None:
    assert saved_retriever(tmp_path) == Saved("encoder", "plain")
    (tmp_path / RECORD).write_text('{"kind": "rescorer"}')
    assert saved_retriever(tmp_path) == Saved("rescorer", "plain")
    (tmp_path / RECORD).write_text('{"kind": "encoder", "join": "labelled"}')
    assert saved_retriever(tmp_path) == Saved("encoder", "labelled")
