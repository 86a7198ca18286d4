"""Training as a function call: what is split, what is said, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import searchinstruct_graph
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.integrations.train_retriever import train_retriever
from tests.support.manners import THINGS, manners


def written(path: Path, family: str = "") -> Path:
    """Triplets of all things, each thing a family of its own unless `family` names one for all."""
    rows = [{**each._asdict(), "family": family or each.query_positive} for each in manners()]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_it_is_public_and_its_folder_is_an_embedding(tmp_path: Path) -> None:
    said: list[str] = []
    made = searchinstruct_graph.train_retriever(
        written(tmp_path / "t.jsonl"), tmp_path / "out", hold_out=0.25, on_note=said.append
    )
    assert (made.kind, made.held) == ("rescorer", 10)
    assert made.data is not None
    assert made.data["left_out"]["triplets whose poisoned query is held out"] == 40 - 10 - made.triplets
    assert said[0] == f"{made.triplets} triplets to train on, 10 held out, of {len(THINGS)} families"
    assert Path(made.embedding) == tmp_path / "out"


def test_one_family_of_all_cannot_be_split(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="families stay together; bring more queries"):
        train_retriever(written(tmp_path / "t.jsonl", "all"), tmp_path / "out", hold_out=0.25)


def test_triplets_of_one_query_are_one_family_where_none_is_told(tmp_path: Path) -> None:
    rows = [{**each._asdict(), "query_positive": f"Query {at % 8}"} for at, each in enumerate(manners())]
    (tmp_path / "t.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    made = train_retriever(tmp_path / "t.jsonl", tmp_path / "out", hold_out=0)
    assert made.data is not None
    assert made.data["families"] == 8


def test_nothing_held_out(tmp_path: Path) -> None:
    made = train_retriever([written(tmp_path / "t.jsonl")], tmp_path / "out", hold_out=0)
    assert (made.triplets, made.held, made.measured) == (40, 0, None)


def test_what_is_refused(tmp_path: Path) -> None:
    triplets = written(tmp_path / "t.jsonl")
    with pytest.raises(UsageError, match="training has no setting 'epoch'; there are at_once, "):
        train_retriever(triplets, tmp_path / "out", base="b", epoch=3)
    with pytest.raises(UsageError, match="training has no setting 'seeds'"):
        train_retriever(triplets, tmp_path / "out", base="b", seeds=3)
    with pytest.raises(UsageError, match="lora: the re-scorer of wordllama is solved for"):
        train_retriever(triplets, tmp_path / "out", lora=3)
    with pytest.raises(UsageError, match="cannot be split with a held-out share of"):
        train_retriever(triplets, tmp_path / "out", hold_out=0.01)
    assert not (tmp_path / "out").exists()
