"""A question inside a chat: which message is meant, what the planner is told, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.research import build_graph, graph
from tests.support import island
from tests.support.scripted_llm import ChatRequest, Script, ScriptedLLM

Start = Callable[[Script], ScriptedLLM]
QUESTION = "What does the nonlocal statement do?"
THREAD: Any = {"configurable": {"thread_id": "chat"}}


def offline(**settings: Any) -> ResearchContext:
    return ResearchContext(**{"model": "offline", "samples": 1, **settings})


async def test_a_result_without_a_chat_is_plain_json() -> None:
    result = await graph.ainvoke({"question": QUESTION}, context=offline())
    assert "messages" not in result
    assert json.loads(json.dumps(result)) == result


async def test_the_newest_human_message_is_the_question_until_it_is_answered() -> None:
    chat = build_graph(InMemorySaver())
    blocks = [{"type": "text", "text": "What does the assert statement do?"}]
    said: Any = {"messages": [HumanMessage(content=blocks)]}  # type: ignore[arg-type]
    first = await chat.ainvoke(said, THREAD, context=offline())
    assert first["question"] == "What does the assert statement do?"
    assert first["messages"][-1].text == first["answer"]
    plain = await chat.ainvoke({"question": QUESTION}, THREAD, context=offline())
    assert plain["question"] == QUESTION
    # Both at once: the question that was given in so many words.
    both: Any = {"question": "What is a lambda?", "messages": [("user", "What does the with statement do?")]}
    assert (await chat.ainvoke(both, THREAD, context=offline()))["question"] == "What is a lambda?"
    last: Any = {"messages": [("user", "What does the del statement do?")]}
    result = await chat.ainvoke(last, THREAD, context=offline())
    assert result["question"] == "What does the del statement do?"
    assert [message.type for message in result["messages"]] == ["human", "ai", "ai", "human", "ai", "human", "ai"]


async def test_a_question_that_continues_a_chat_is_restated_by_the_planner(scripted_llm: Start, tmp_path: Path) -> None:
    def plan(request: ChatRequest) -> dict[str, Any]:
        made = island.plan(request)
        return {**made, "restatement": island.QUESTION} if request.tags("earlier") else made

    llm = scripted_llm(island.honest(QuestionPlan=plan))
    settings = offline(model="openai:scripted", corpus=[island.write_island(tmp_path)], index=str(tmp_path / "index"))
    chat: Any = {
        "messages": [
            ("user", "Who built the Karvel lighthouse?"),
            ("ai", "Mara Denholm built it. [1]"),
            ("user", "And when was she born?"),
        ]
    }
    result = await graph.ainvoke(chat, context=settings)
    planner = llm.calls("QuestionPlan")[0]
    assert [tag.text for tag in planner.tags("earlier")] == [
        "human: Who built the Karvel lighthouse?", "ai: Mara Denholm built it. [1]",
    ]  # fmt: skip
    assert planner.tag("question") == result["question"] == "And when was she born?"
    assert llm.calls("AnswerDraft")[0].tag("question") == island.QUESTION
    assert llm.calls("Reanswer")[0].tag("question") == island.QUESTION
    assert result["status"] == "answered"


async def test_it_is_a_node_in_somebody_elses_chat() -> None:
    builder = StateGraph(MessagesState, context_schema=ResearchContext)
    builder.add_node("research", graph)
    builder.add_edge(START, "research")
    parent = builder.compile(checkpointer=InMemorySaver())
    given: Any = {"messages": [("user", QUESTION)]}
    result = await parent.ainvoke(given, THREAD, context=offline())
    assert isinstance(result["messages"][-1], AIMessage)
    assert "nonlocal" in result["messages"][-1].text


async def test_the_answer_comes_on_the_messages_stream_and_the_agents_talk_does_not(
    scripted_llm: Start, tmp_path: Path
) -> None:
    scripted_llm(island.honest())
    settings = offline(model="openai:scripted", corpus=[island.write_island(tmp_path)], index=str(tmp_path / "index"))
    given: Any = {"messages": [("user", island.QUESTION)]}
    streamed: list[AnyMessage] = []
    async for message, _ in graph.astream(given, context=settings, stream_mode="messages"):
        streamed.append(message)  # type: ignore[arg-type]
    assert [message.text for message in streamed if message.type != "human"] == [
        "The builder, Mara Denholm, was born in 1821. [1] Mara Denholm built the lighthouse. [2]"
    ]


@pytest.mark.parametrize("given", [{}, {"messages": []}, {"messages": [("ai", "Hello.")]}])
async def test_without_a_question_it_says_what_to_give(given: Any) -> None:
    with pytest.raises(UsageError, match="give `question`, or `messages`"):
        await graph.ainvoke(given, context=offline())
