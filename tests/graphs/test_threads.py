"""Threads: interrupted, resumed, reviewed and reused, over a real SQLite checkpoint in strict msgpack mode."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.errors import ProviderError
from searchinstruct_graph.graphs.research import build_graph
from tests.graphs.test_research import check_result, context
from tests.support import island
from tests.support import scripted_llm as play
from tests.support.scripted_llm import Script, ScriptedLLM

Start = Callable[[Script], ScriptedLLM]
CONFIG: RunnableConfig = {"configurable": {"thread_id": "t1"}}


def saver(tmp_path: Path) -> Any:
    return AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite"))


async def test_a_run_survives_its_process_and_repeats_no_finished_work(scripted_llm: Start, tmp_path: Path) -> None:
    script = island.honest()
    llm = scripted_llm({**script, "AnswerDraft": [play.status(401), script["AnswerDraft"]]})
    settings = context(tmp_path)
    async with saver(tmp_path) as checkpoints:
        with pytest.raises(ProviderError):
            await build_graph(checkpoints).ainvoke(
                {"question": island.QUESTION}, CONFIG, context=settings, durability="sync"
            )
    before = llm.counts()
    async with saver(tmp_path) as checkpoints:
        result = await build_graph(checkpoints).ainvoke(None, CONFIG, context=settings, durability="sync")
    await check_result(result, settings)
    assert result["status"] == "answered"
    after = llm.counts()
    assert {schema: after[schema] for schema in ("QuestionPlan", "PageQuotes", "Sufficiency")} == {
        schema: before[schema] for schema in ("QuestionPlan", "PageQuotes", "Sufficiency")
    }
    assert after["AnswerDraft"] == 2
    # The account of the dead process's work is not lost either.
    assert result["usage"]["searches"] == 2
    assert result["usage"]["pages"] == 2


async def test_one_failed_sample_does_not_redraw_the_others(scripted_llm: Start, tmp_path: Path) -> None:
    def reanswer(request: play.ChatRequest) -> object:
        failing = request.seed == 2 and not failed
        if failing:
            failed.append(1)
            return play.slow(0.3, play.status(401))
        return island.reanswer(request)

    failed: list[int] = []
    llm = scripted_llm(island.honest(Reanswer=reanswer))
    settings = context(tmp_path)
    async with saver(tmp_path) as checkpoints:
        graph = build_graph(checkpoints)
        with pytest.raises(ProviderError):
            await graph.ainvoke({"question": island.QUESTION}, CONFIG, context=settings, durability="sync")
        await graph.ainvoke(None, CONFIG, context=settings, durability="sync")
    seeds = [request.seed or 0 for request in llm.calls("Reanswer")]
    assert sorted(seeds) == [1, 2, 2, 3]


async def test_a_person_reviews_the_plan(scripted_llm: Start, tmp_path: Path) -> None:
    llm = scripted_llm(island.honest())
    settings = context(tmp_path, review_plan=True)
    async with saver(tmp_path) as checkpoints:
        graph = build_graph(checkpoints)
        stopped = await graph.ainvoke({"question": island.QUESTION}, CONFIG, context=settings)
        (interrupted,) = stopped["__interrupt__"]
        assert interrupted.value["plan"]["sub_questions"][0]["text"] == island.QUESTION
        assert llm.counts() == {"QuestionPlan": 1}
        edited = {
            "sub_questions": [
                {"text": "Who was born in Usk?", "queries": ["born Usk"], "requires": ["who built it", "born"]}
            ]
        }
        result = await graph.ainvoke(Command(resume=edited), CONFIG, context=settings)
    assert [part["text"] for part in result["plan"]["sub_questions"]] == ["Who was born in Usk?"]
    assert llm.calls("PageQuotes")[0].tag("question") == "Who was born in Usk?"
    assert llm.counts()["QuestionPlan"] == 1


async def test_a_plan_that_does_not_fit_is_asked_for_again(scripted_llm: Start, tmp_path: Path) -> None:
    scripted_llm(island.honest())
    settings = context(tmp_path, review_plan=True)
    async with saver(tmp_path) as checkpoints:
        graph = build_graph(checkpoints)
        await graph.ainvoke({"question": island.QUESTION}, CONFIG, context=settings)
        unfit: list[Any] = [
            {"sub_questions": []},
            {"sub_questions": None},
            {"sub_questions": [1]},
            {"plan": "x"},
            "yes",
        ]
        for bad in unfit:
            again = await graph.ainvoke(Command(resume=bad), CONFIG, context=settings)
            assert again["__interrupt__"][0].value["error"]
        result = await graph.ainvoke(Command(resume=True), CONFIG, context=settings)
    assert result["status"] == "answered"


async def test_an_accepted_plan_goes_on_as_it_was(scripted_llm: Start, tmp_path: Path) -> None:
    scripted_llm(island.honest())
    settings = context(tmp_path, review_plan=True)
    async with saver(tmp_path) as checkpoints:
        graph = build_graph(checkpoints)
        await graph.ainvoke({"question": island.QUESTION}, CONFIG, context=settings)
        result = await graph.ainvoke(Command(resume=True), CONFIG, context=settings)
    assert result["status"] == "answered"


async def test_a_new_question_inherits_nothing(tmp_path: Path) -> None:
    settings = ResearchContext(corpus=[island.write_island(tmp_path)], index=str(tmp_path / "index"), model="offline")
    async with saver(tmp_path) as checkpoints:
        graph = build_graph(checkpoints)
        first = await graph.ainvoke({"question": "Who built the lighthouse of Karvel?"}, CONFIG, context=settings)
        second = await graph.ainvoke(
            {"question": "What do the goats of Karvel eat in winter?"}, CONFIG, context=settings
        )
    alone = await build_graph().ainvoke({"question": "What do the goats of Karvel eat in winter?"}, context=settings)
    assert "Mara Denholm" in first["answer"]
    assert "seaweed" in second["answer"]
    for key in ("answer", "sources", "read", "plan", "critique"):
        assert second[key] == alone[key]
    assert second["usage"]["pages"] == alone["usage"]["pages"]


async def test_everything_in_the_state_comes_back_from_a_strict_checkpoint(
    scripted_llm: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scripted_llm(island.honest())
    settings = context(tmp_path)
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        async with saver(tmp_path) as checkpoints:
            await build_graph(checkpoints).ainvoke(
                {"question": island.QUESTION}, CONFIG, context=settings, durability="sync"
            )
        async with saver(tmp_path) as checkpoints:
            graph = build_graph(checkpoints)
            state = await graph.aget_state(CONFIG)
            steps = [snapshot async for snapshot in graph.aget_state_history(CONFIG)]
    assert not [
        record for record in caplog.records if "msgpack" in record.message or "deserializ" in record.message.lower()
    ]
    assert len(steps) > 5
    assert state.values["status"] == "answered"
    plain = (str, int, float, bool, type(None))

    def check(value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                assert isinstance(key, str)
                check(item)
        elif isinstance(value, list):
            for item in value:
                check(item)
        else:
            assert type(value) in plain, type(value)

    check(state.values)


async def test_a_thread_can_be_rewound_to_before_the_writing(scripted_llm: Start, tmp_path: Path) -> None:
    llm = scripted_llm(island.honest())
    settings = context(tmp_path)
    async with saver(tmp_path) as checkpoints:
        graph = build_graph(checkpoints)
        await graph.ainvoke({"question": island.QUESTION}, CONFIG, context=settings)
        before = [snapshot async for snapshot in graph.aget_state_history(CONFIG) if snapshot.next == ("write",)]
        again = await graph.ainvoke(None, before[0].config, context=settings)
    assert again["status"] == "answered"
    assert llm.counts()["AnswerDraft"] == 2
    assert llm.counts()["PageQuotes"] == 2
