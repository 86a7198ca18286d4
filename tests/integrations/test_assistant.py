"""The example application over a scripted provider: create_agent, the research tool, the grounding middleware."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.chat_models import init_chat_model
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from examples.assistant import answer
from searchinstruct_graph import GroundingMiddleware, ResearchContext, ResearchTool
from searchinstruct_graph.integrations.grounding import REVIEWER
from tests.support import island
from tests.support import scripted_llm as play
from tests.support.scripted_llm import ChatRequest, Script, ScriptedLLM

Start = Callable[[Script], ScriptedLLM]
TRUE = "Mara Denholm, who built the lighthouse, was born in 1821."
FALSE = "Mara Denholm was born in 1899 and invented the telephone."


def agent_turns(*turns: object) -> Callable[[ChatRequest], object]:
    """The agent's own model: asks the tool first, then says `turns` one after the other (the last repeats)."""

    def reply(request: ChatRequest) -> object:
        said = [message for message in request.body["messages"] if message["role"] == "assistant"]
        if not said:
            return play.calls("research", question=island.QUESTION)
        return turns[min(len(said), len(turns)) - 1]

    return reply


def judged(request: ChatRequest) -> dict[str, Any]:
    """A judge that knows the island."""
    return {
        "statements": [
            {
                "statement": int(tag.attributes["id"]),
                "support": 0.0 if "1899" in tag.text else 0.95,
                "problem": "the sources say 1821" if "1899" in tag.text else "",
            }
            for tag in request.tags("statement")
        ]
    }


def script(*turns: object) -> dict[str, Any]:
    return island.honest(research=agent_turns(*turns), SupportReport=judged)


async def test_the_example_looks_up_answers_and_is_found_grounded(scripted_llm: Start, tmp_path: Path) -> None:
    llm = scripted_llm(script(play.raw(TRUE)))
    state = await answer("openai:scripted", [island.write_island(tmp_path)], island.QUESTION)
    assert state["messages"][-1].text == TRUE
    assert state["grounding"]["status"] == "grounded"
    assert state["grounding"]["statements"] == [{"text": TRUE, "support": 0.95}]
    told = next(message for message in state["messages"] if isinstance(message, ToolMessage))
    assert island.BORN in told.text
    assert told.artifact["status"] == "answered"
    assert json.loads(json.dumps(told.artifact)) == told.artifact
    assert llm.counts()["research"] == 2


async def test_an_answer_that_the_tools_do_not_carry_is_sent_back_with_the_reason(
    scripted_llm: Start, tmp_path: Path
) -> None:
    llm = scripted_llm(script(play.raw(FALSE), play.raw(TRUE)))
    state = await answer("openai:scripted", [island.write_island(tmp_path)], island.QUESTION)
    assert state["messages"][-1].text == TRUE
    assert state["grounding"]["status"] == "grounded"
    assert state["grounding"]["retries"] == 1
    complaint = next(m for m in state["messages"] if isinstance(m, HumanMessage) and m.name == REVIEWER)
    assert "1899" in complaint.text
    assert any("A reviewer compared" in request.text for request in llm.calls("research"))


async def test_an_answer_that_stays_wrong_is_marked_after_so_many_tries(scripted_llm: Start, tmp_path: Path) -> None:
    llm = scripted_llm(script(play.raw(FALSE)))
    state = await answer("openai:scripted", [island.write_island(tmp_path)], island.QUESTION)
    last = state["messages"][-1]
    assert llm.counts()["research"] == 1 + 3
    assert last.text.startswith(FALSE)
    assert "Not supported by the sources" in last.text
    assert last.response_metadata["grounding"]["status"] == state["grounding"]["status"] == "ungrounded"
    assert state["grounding"]["retries"] == 2


async def test_each_turn_of_a_chat_has_its_own_retries(scripted_llm: Start, tmp_path: Path) -> None:
    scripted_llm(
        script(play.raw(FALSE), play.raw(TRUE), play.calls("research", question=island.QUESTION), play.raw(TRUE))
    )
    corpus = [island.write_island(tmp_path)]
    agent: Any = create_agent(
        init_chat_model("openai:scripted"),
        tools=[ResearchTool(context=ResearchContext(corpus=corpus, model="openai:scripted", samples=0))],
        middleware=[GroundingMiddleware(model="openai:scripted", max_retries=1)],
        checkpointer=InMemorySaver(),
    )
    thread: Any = {"configurable": {"thread_id": "1"}}
    first = await agent.ainvoke({"messages": [("user", island.QUESTION)]}, thread)
    assert (first["grounding"]["status"], first["grounding"]["retries"]) == ("grounded", 1)
    second = await agent.ainvoke({"messages": [("user", "Again?")]}, thread)
    assert (second["grounding"]["status"], second["grounding"]["retries"]) == ("grounded", 0)


async def test_without_tool_results_there_is_nothing_to_check(scripted_llm: Start) -> None:
    llm = scripted_llm({"": play.raw("Good morning to you.")})
    agent: Any = create_agent(
        init_chat_model("openai:scripted"), tools=[], middleware=[GroundingMiddleware(model="offline")]
    )
    state = await agent.ainvoke({"messages": [("user", "Hello")]})
    assert state["grounding"]["status"] == "unchecked"
    assert isinstance(state["messages"][-1], AIMessage)
    assert len(llm.calls()) == 1


def test_the_agent_works_without_await(scripted_llm: Start, tmp_path: Path) -> None:
    scripted_llm(script(play.raw(FALSE), play.raw(TRUE)))
    agent: Any = create_agent(
        init_chat_model("openai:scripted"),
        tools=[
            ResearchTool(
                context=ResearchContext(corpus=[island.write_island(tmp_path)], model="openai:scripted", samples=0)
            )
        ],
        middleware=[GroundingMiddleware(model="openai:scripted")],
    )
    state = agent.invoke({"messages": [("user", island.QUESTION)]})
    assert state["grounding"]["status"] == "grounded"


async def test_two_calls_of_the_tool_at_once_keep_apart(scripted_llm: Start, tmp_path: Path) -> None:
    twice = play.Fault(
        tools=[("research", {"question": island.QUESTION}), ("research", {"question": "When does the ferry leave?"})],
        finish="tool_calls",
    )

    def agent_model(request: ChatRequest) -> object:
        asked = any(message["role"] == "tool" for message in request.body["messages"])
        return play.raw(TRUE) if asked else twice

    scripted_llm(island.honest(research=agent_model))
    tool = ResearchTool(
        context=ResearchContext(corpus=[island.write_island(tmp_path)], model="openai:scripted", samples=0)
    )
    agent: Any = create_agent(init_chat_model("openai:scripted"), tools=[tool], checkpointer=InMemorySaver())
    state = await agent.ainvoke({"messages": [("user", "Both?")]}, {"configurable": {"thread_id": "1"}})
    artifacts = [message.artifact for message in state["messages"] if isinstance(message, ToolMessage)]
    assert [artifact["question"] for artifact in artifacts] == [island.QUESTION, "When does the ferry leave?"]


async def test_bad_input_to_the_tool_is_told_to_the_agent() -> None:
    told = await ResearchTool().ainvoke({"type": "tool_call", "name": "research", "id": "1", "args": {"question": " "}})
    assert told.status == "error"
    assert "the question is empty" in told.text


def test_the_example_runs_as_a_program(scripted_llm: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted_llm(script(play.raw(TRUE)))
    asked = [island.QUESTION, "--corpus", island.write_island(tmp_path), "--model", "openai:scripted"]
    done = subprocess.run(
        [sys.executable, "-m", "examples.assistant", *asked],
        capture_output=True,
        text=True,
        timeout=90,
        cwd=Path(__file__).parent.parent.parent,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == TRUE
    assert "grounded after 0 retries" in done.stdout
