"""A set of triplets from Python, and its graph for Studio: the same triplets as the run, step by step, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from searchinstruct_graph.agents.triplet_context import TripletContext
from searchinstruct_graph.datasets.exporting import Triplets
from searchinstruct_graph.datasets.triplets import PUBLISHED, triplet_faults
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.contrasting import TripletHappened, contrast
from searchinstruct_graph.graphs.triplets import MOST_PAIRS, build_triplets
from searchinstruct_graph.graphs.triplets import graph as triplet_graph
from searchinstruct_graph.integrations.triplet_set import triplet_set
from searchinstruct_graph.models.tagged import tags
from tests.support.extractive import extractive
from tests.support.garden import EXAMPLES, read_examples
from tests.support.scripted_llm import ChatRequest, Script, ScriptedLLM, status

Start = Callable[[Script], ScriptedLLM]

PAIRS = read_examples()[:8]
"""What there is to know about two sicknesses of plants, an aspect each."""

PERSIAN = {"query": "پل قدیمی شهر چه زمانی ساخته شد؟", "passage": "پل قدیمی شهر در سال ۱۳۰۲ از سنگ ساخته شد."}


async def watched(given: Mapping[str, Any], context: TripletContext) -> tuple[Any, list[str]]:
    """What the graph gives, and the lines that it says on the way."""
    seen: list[str] = []
    result: Any = None
    modes: Any = {"stream_mode": ["custom", "values"], "subgraphs": True}
    async for place, mode, part in triplet_graph.astream(given, context=context, **modes):
        if mode == "custom":
            seen.append(part["message"])
        elif not place:
            result = part
    return result, seen


async def test_the_graph_gives_the_triplets_that_the_run_gives(tmp_path: Path) -> None:
    await contrast([], tmp_path / "run", TripletContext(), records=PAIRS)
    kept = list(Triplets(tmp_path / "run"))
    result, seen = await watched({"pairs": PAIRS}, TripletContext())
    assert len(kept) > 4
    assert [row["id"] for row in result["triplets"]] == [row["id"] for row in kept]
    # Families are named differently, and hold the same triplets.
    names = [(mine["family"], its["family"]) for mine, its in zip(result["triplets"], kept, strict=True)]
    assert len(set(names)) == len({mine for mine, _ in names}) == len({its for _, its in names})
    for row in result["triplets"]:
        assert triplet_faults(row) == []
        assert all(score is not None and score >= 0.5 for score in row["scores"].values())
    assert len(result["outcomes"]) == len(PAIRS)
    assert result["usage"]["roles"].keys() == {"instructor", "poisoner", "passage_writer", "validator"} & set(
        result["usage"]["roles"]
    )
    assert any("all five questions hold" in line for line in seen)
    assert any("found and found" in line for line in seen)
    assert json.loads(json.dumps(result["triplets"])) == result["triplets"]
    assert json.dumps(result["outcomes"])


async def test_the_graph_words_queries_for_the_passages_of_a_corpus(tmp_path: Path) -> None:
    corpus = tmp_path / "garden"
    corpus.mkdir()
    for number, pair in enumerate(read_examples()[:12]):
        (corpus / f"{number}.md").write_text(f"# {pair['family']}\n\n{pair['passage']}\n", encoding="utf-8")
    context = TripletContext(corpus=[str(corpus)], index=str(tmp_path / "index"))
    result, _ = await watched({"passages": 5}, context)
    assert len(result["outcomes"]) == 5
    asked = [each["pair"]["query"] for each in result["outcomes"]]
    assert any(asked)
    assert all(row["uris"]["document"].startswith(str(corpus)) for row in result["triplets"])
    assert result["usage"]["searches"] > 0
    assert result["usage"]["roles"]["query_writer"]["model_calls"] >= 5


async def test_a_thread_takes_one_pair_and_then_others() -> None:
    graph = build_triplets(InMemorySaver())
    thread: Any = {"configurable": {"thread_id": "1"}}
    first = await graph.ainvoke({"pair": PAIRS[0]}, thread, context=TripletContext())
    # Alone it has no passage beside it that could narrow anything.
    assert set(first) == {"triplets", "outcomes", "usage"}
    assert [each["pair"]["query"] for each in first["outcomes"]] == [PAIRS[0]["query"]]
    second = await graph.ainvoke({"pairs": [*PAIRS[:4], PERSIAN]}, thread, context=TripletContext())
    assert len(second["outcomes"]) == 5
    assert second["outcomes"][4]["reason"]
    assert second["outcomes"][4]["pair"]["passage"] == PERSIAN["passage"]


async def test_a_pair_that_the_provider_fails_is_one_outcome_of_the_graph(scripted_llm: Start) -> None:
    def play(request: ChatRequest) -> object:
        asked = [tag.text for tag in tags(request.user) if tag.name == "query"]
        odd = request.schema == "WrittenInstruction" and PAIRS[4]["query"] in asked
        return status(400, "too odd") if odd else extractive(request)

    scripted_llm(play)
    result, seen = await watched({"pairs": PAIRS[2:6]}, TripletContext(model="openai:scripted"))
    failed = [each["reason"] == "provider_failed" for each in result["outcomes"]]
    assert failed == [False, False, True, True]
    assert "too odd" in result["outcomes"][2]["detail"]
    assert result["triplets"]
    assert any("provider failed" in line for line in seen)


async def test_what_repeats_or_is_held_out_is_refused_in_the_order_of_pairs(tmp_path: Path) -> None:
    held = tmp_path / "held.jsonl"
    held.write_text(json.dumps({"question": PAIRS[4]["query"]}) + "\n", encoding="utf-8")
    result, _ = await watched({"pairs": PAIRS}, TripletContext(decontaminate=[str(held)]))
    told = [each["reason"] for each in result["outcomes"]]
    assert "contaminated" in told[4:]
    assert {row["query_positive"] for row in result["triplets"]}.isdisjoint({PAIRS[4]["query"]})
    strict, _ = await watched({"pairs": PAIRS}, TripletContext(least_score=1.0))
    assert len(strict["triplets"]) < 8
    assert {each["stage"] for each in strict["outcomes"] if each["reason"]} <= {"validation", "negatives", "poison"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "give `pairs`, or one `pair`, or name documents with the setting `corpus`"),
        ({"pairs": "club root"}, "give `pairs`, a list"),
        ({"pairs": [{"query": "club root"}]}, "record 1: no passage"),
        ({"pairs": [PERSIAN] * (MOST_PAIRS + 1)}, "searchinstruct triplets"),
    ],
)
async def test_the_graph_says_what_is_wrong_with_its_input(given: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        await triplet_graph.ainvoke(given, context=TripletContext())


async def test_a_number_of_passages_must_be_one(tmp_path: Path) -> None:
    for wrong in (0, "all", True):
        with pytest.raises(UsageError, match="a whole number from 1"):
            await triplet_graph.ainvoke({"passages": wrong}, context=TripletContext(corpus=[str(tmp_path)]))


# From Python.


def test_a_set_of_triplets_is_a_dataset(tmp_path: Path) -> None:
    heard: list[TripletHappened] = []
    dataset = triplet_set(PAIRS, tmp_path / "run", on_progress=heard.append, target=4)
    assert set(dataset.column_names) >= {*PUBLISHED, "family", "kind", "scores"}
    assert len(dataset) == 4
    assert heard[-1].accepted == 4
    # The same call goes on, and a file is as good as records.
    more = triplet_set(PAIRS, tmp_path / "run", target=5)
    assert len(more) == 5
    assert more[0]["id"] == dataset[0]["id"]
    with pytest.raises(UsageError, match="no triplet was kept"):
        triplet_set([PERSIAN], tmp_path / "none")
    with pytest.raises(UsageError, match="empty list"):
        triplet_set([], tmp_path / "empty", corpus=[str(tmp_path)])


def test_it_may_be_called_where_a_loop_runs(tmp_path: Path) -> None:
    async def inside() -> int:
        return len(triplet_set(str(EXAMPLES), tmp_path / "run", max_pairs=4))

    assert asyncio.run(inside()) > 0
