"""The suite `agents`: trajectories of the graph against the calls and pages that the data names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph import ResearchContext, ragas_sample, ragas_trajectory
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.answering import (
    calls_in,
    document_name,
    fields_of,
    researched,
    same_document,
    trajectory,
)
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.result import figure
from searchinstruct_graph.evals.running import evaluate, items
from tests.support import island
from tests.support.judge import judge
from tests.support.quarry import QUESTIONS, write_lines, write_quarry
from tests.support.scripted_llm import Script, ScriptedLLM

Start = Callable[[Script], ScriptedLLM]


async def test_steps_and_pages_without_a_model(tmp_path: Path) -> None:
    result = await evaluate("agents", EvalContext(data=[write_quarry(tmp_path)], model="offline"), tmp_path / "e")
    assert (result["ended"], result["failures"]) == ("done", {})
    assert figure(result, "gold_opened")["value"] == 1.0
    assert figure(result, "gold_opened")["cases"] == 4
    assert figure(result, "status_right")["value"] == 1.0
    assert figure(result, "status_right")["cases"] == 5
    for name in ("searches", "pages", "steps"):
        assert figure(result, name)["higher_is_better"] is False
        assert (figure(result, name)["value"] or 0) >= 1
    for item in items(tmp_path / "e"):
        values = {name: score["value"] or 0.0 for name, score in item["scores"].items()}
        assert values["steps"] == values["searches"] + values["pages"] == len(calls_in(item["made"]["trajectory"]))


async def test_tool_calls_against_those_that_were_wanted(scripted_llm: Start, tmp_path: Path) -> None:
    wanted = [{"name": "read", "args": {"document": "quarry"}}, {"name": "read", "args": {"document": "absent"}}]
    question = {
        **QUESTIONS[0],
        "reference_tool_calls": wanted,
        "goal": "It is told that Ilse Marrow opened the quarry.",
    }
    scripted_llm(judge)
    context = EvalContext(data=[write_quarry(tmp_path, [question])], model="offline", judge="openai:scripted")
    result = await evaluate("agents", context, tmp_path / "e")
    (item,) = items(tmp_path / "e")
    calls = len({json.dumps(call) for call in calls_in(item["made"]["trajectory"])})
    assert item["scores"]["tool_call_f1"]["value"] == pytest.approx(2 * 1 / (calls + 2))
    assert item["scores"]["tool_call_f1"]["reason"] == 'not called: read {"document": "absent"}'
    assert item["given"]["reference"] == question["goal"]
    assert figure(result, "goal_accuracy")["form"] == "judge"
    assert figure(result, "goal_accuracy")["value"] in (0.0, 1.0)
    assert item["scores"]["goal_accuracy"]["reason"]
    assert figure(result, "tool_call_accuracy")["missing"] == 0


async def test_a_response_in_the_data_does_not_stand_for_a_run(tmp_path: Path) -> None:
    given = {**QUESTIONS[0], "response": "Nobody.", "retrieved_contexts": ["x"]}
    await evaluate("agents", EvalContext(data=[write_quarry(tmp_path, [given])], model="offline"), tmp_path / "e")
    (item,) = items(tmp_path / "e")
    assert "Ilse Marrow" in item["made"]["response"]
    lonely = write_lines(tmp_path / "alone.jsonl", [{"question": "Who?", "response": "x", "answer": "y"}])
    with pytest.raises(UsageError, match="nothing to answer from"):
        await evaluate("agents", EvalContext(data=[lonely]), tmp_path / "f")


async def test_the_trajectory_of_a_run(tmp_path: Path) -> None:
    corpus = island.write_island(tmp_path)
    result, events = await researched(
        "Who built the lighthouse of Karvel?", ResearchContext(corpus=[corpus], model="offline")
    )
    messages = trajectory(result, events)
    assert messages[0] == {"type": "human", "content": "Who built the lighthouse of Karvel?"}
    assert messages[-1] == {"type": "ai", "content": result["answer"]}
    searched = [event["data"]["query"] for event in events if event["step"] == "search"]
    calls = calls_in(messages)
    assert sorted(call["args"]["query"] for call in calls if call["name"] == "search") == sorted(searched)
    read = [call["args"]["document"] for call in calls if call["name"] == "read"]
    assert any(same_document(name, "lighthouse.md") for name in read)
    assert {"search", "read"} == {call["name"] for call in calls}
    told = ragas_trajectory(result, events, reference="Mara Denholm", reference_tool_calls=calls)
    assert told.reference == "Mara Denholm"
    assert told.reference_tool_calls is not None
    assert len(told.user_input) == len(messages)
    # Without events the plan and the pages read tell the calls.
    plain = ragas_trajectory(result)
    names = [call.name for message in plain.user_input for call in getattr(message, "tool_calls", None) or []]
    assert names.count("read") == len(result["read"])
    assert "search" in names
    sample = ragas_sample(result, "Mara Denholm")
    assert sample.user_input == result["question"]
    assert sample.response == fields_of(result)["response"]
    assert "[1]" not in (sample.response or "")
    assert sample.retrieved_contexts
    assert set(sample.retrieved_context_ids or []) == {source["uri"] for source in result["sources"]}


async def test_an_abstention_is_a_sample_without_a_response(tmp_path: Path) -> None:
    corpus = island.write_island(tmp_path)
    result, _ = await researched(
        "Which opera did Petra Lindqvist conduct in Salzburg?", ResearchContext(corpus=[corpus], model="offline")
    )
    sample = ragas_sample(result)
    assert (sample.response, sample.retrieved_contexts) == (None, None)
    assert fields_of(result)["response"] == ""


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("/data/corpus.jsonl#p1", "p1"),
        ("/data/c.jsonl.gz#/wiki/A#P466", "/wiki/A#P466"),
        ("/data/notes/keys.md", "/data/notes/keys.md"),
        ("https://example.org/a#b", "https://example.org/a#b"),
    ],
)
def test_names_of_documents(uri: str, name: str) -> None:
    assert document_name(uri) == name


def test_one_document_under_two_names() -> None:
    assert same_document("/data/notes/keys.md", "keys.md")
    assert same_document("p1", "p1")
    assert not same_document("/data/notes/monkeys.md", "keys.md")


async def made(records: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """What the graph has made of some questions."""
    await evaluate("agents", EvalContext(data=[write_quarry(folder, records)], model="offline"), folder / "e")
    return [item["made"] for item in items(folder / "e")]


async def test_the_same_question_gives_the_same_trajectory(tmp_path: Path) -> None:
    one, other = await made(QUESTIONS, tmp_path / "a"), await made(QUESTIONS, tmp_path / "b")
    for left, right in zip(one, other, strict=True):
        assert sorted(map(str, calls_in(left["trajectory"]))) == sorted(map(str, calls_in(right["trajectory"])))
