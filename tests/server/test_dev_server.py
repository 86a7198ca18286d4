"""LangGraph's own server, as a user starts it: offline, without `--allow-blocking`, over the installed package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from typing_extensions import TypedDict

from tests.support import island
from tests.support.coast import EXAMPLES, add_record, kind_of, records, write_coast
from tests.support.dev_server import DevServer
from tests.support.garden import read_examples
from tests.support.scripted_llm import ScriptedLLM
from tests.support.search_services import SearchServices
from tests.support.town import CARRIED, FACTS, write_town
from tests.support.valley import SEEDS, write_valley

QUESTION = "What does the nonlocal statement do?"
pytestmark = pytest.mark.xdist_group("dev-server")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    with DevServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def client(server: DevServer) -> LangGraphClient:
    return get_client(url=server.url)


async def assistant(client: LangGraphClient, name: str) -> Any:
    return (await client.assistants.search(graph_id=name))[0]


async def test_every_graph_is_served_with_its_drawing_and_schemas(client: LangGraphClient) -> None:
    served = {each["graph_id"]: each for each in await client.assistants.search()}
    datasets = {"instruct", "extract", "edit", "triplets"}
    assert set(served) == {"research", *datasets, "planner", "searcher", "writer", "critic"}
    for each in served.values():
        drawn = await client.assistants.get_graph(each["assistant_id"])
        assert len(drawn["nodes"]) > 2
        schemas = await client.assistants.get_schemas(each["assistant_id"])
        assert schemas["input_schema"]
        assert schemas["input_schema"]["properties"]
    drawn = await client.assistants.get_graph(served["research"]["assistant_id"])
    assert {"plan", "investigate", "write", "critique", "decide"} <= {str(node["id"]) for node in drawn["nodes"]}


async def test_the_form_of_settings_has_titles_descriptions_defaults_and_choices(client: LangGraphClient) -> None:
    schemas = await client.assistants.get_schemas((await assistant(client, "research"))["assistant_id"])
    assert schemas["context_schema"]
    form = schemas["context_schema"]["properties"]
    assert all(field.get("title") and field.get("description") for field in form.values())
    assert form["max_rounds"]["default"] == 3
    assert form["max_rounds"]["minimum"] == 1
    assert form["topic"]["enum"] == ["general", "news", "finance"]
    assert form["web"]["default"] is False
    assert form["corpus"]["default"] == []


async def test_a_run_streams_and_ends_in_the_result(client: LangGraphClient) -> None:
    seen: dict[str, list[Any]] = {}
    stream = client.runs.stream(
        None, "research", input={"question": QUESTION}, context={"samples": 3},
        stream_mode=["updates", "custom", "messages-tuple", "values"], stream_subgraphs=True,
    )  # fmt: skip
    async for part in stream:
        seen.setdefault(part.event.partition("|")[0], []).append(part.data)
    steps = [event["step"] for event in seen["custom"]]
    assert steps[0] == "plan"
    assert {"search", "read", "assess", "write", "critique", "reanswer", "verdict", "result"} <= set(steps)
    assert any("plan" in update for update in seen["updates"])
    result = seen["values"][-1]
    assert result["status"] == "answered"
    assert "pydoc:nonlocal" in {source["uri"] for source in result["sources"]}
    assert "error" not in seen


async def test_a_chat_is_answered_and_goes_on(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    for question in (QUESTION, "What does the assert statement do?"):
        given: Any = {"messages": [{"role": "user", "content": question}]}
        result: Any = await client.runs.wait(thread, "research", input=given, context={"samples": 1})
        assert result["question"] == question
        assert result["messages"][-1]["type"] == "ai"
        assert result["messages"][-1]["content"] == result["answer"]
    assert [message["type"] for message in result["messages"]] == ["human", "ai", "human", "ai"]


async def test_a_plan_is_reviewed_changed_and_resumed(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    settings = {"review_plan": True, "samples": 1}
    await client.runs.wait(thread, "research", input={"question": QUESTION}, context=settings)
    state = await client.threads.get_state(thread)
    waiting = state["tasks"][0]["interrupts"][0]["value"]
    assert waiting["plan"]["sub_questions"][0]["text"] == QUESTION
    changed = {"sub_questions": ["What does the assert statement do?"]}
    result: Any = await client.runs.wait(thread, "research", command={"resume": changed}, context=settings)
    assert [part["text"] for part in result["plan"]["sub_questions"]] == changed["sub_questions"]
    assert "pydoc:assert" in result["read"]


async def test_a_run_is_rewound_to_before_the_answer_was_written(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    first: Any = await client.runs.wait(thread, "research", input={"question": QUESTION}, context={"samples": 1})
    history = await client.threads.get_history(thread, limit=50)
    before = next(state for state in history if state["next"] == ["write"])
    again: Any = await client.runs.wait(
        thread, "research", checkpoint_id=before["checkpoint"]["checkpoint_id"], context={"samples": 2}
    )
    assert again["answer"] == first["answer"]
    assert again["critique"]["samples"] == 2
    assert again["usage"]["searches"] == first["usage"]["searches"]


async def test_a_small_dataset_is_made_without_blocking_the_server(client: LangGraphClient, tmp_path: Path) -> None:
    given: dict[str, Any] = {"seeds": SEEDS}
    context: dict[str, Any] = {"corpus": [write_valley(tmp_path / "valley")], "target": 3, "samples": 1}
    result: Any = await client.runs.wait(None, "instruct", input=given, context=context)
    assert len(result["rows"]) == 3
    assert all(row["sources"] for row in result["rows"])


async def test_documents_like_the_examples_are_read_without_blocking_the_server(
    server: DevServer, client: LangGraphClient, tmp_path: Path
) -> None:
    corpus = write_coast(tmp_path / "coast", 10)
    context: Any = {"corpus": [corpus], "budget_documents": 20}
    given: Any = {"examples": [{"question": q, "answer": a} for q, a in EXAMPLES]}
    thread = (await client.threads.create())["thread_id"]
    seen: dict[str, list[Any]] = {}
    async for part in client.runs.stream(
        thread, "extract", input=given, context=context,
        stream_mode=["updates", "custom", "values"],
    ):  # fmt: skip
        seen.setdefault(part.event, []).append(part.data)
    assert "error" not in seen, seen["error"]
    steps = [event["step"] for event in seen["custom"]]
    assert steps[0] == "prepare"
    assert {"choose", "read", "collect"} <= set(steps)
    assert steps.count("read") == 20
    result = seen["values"][-1]
    texts = records(corpus)
    assert sum(len(pull["uris"]) for pull in result["pulls"]) == 20
    assert result["rows"]
    for row in result["rows"]:
        (source,) = row["sources"]
        assert kind_of(source["uri"]) == "light"
        for quote in source["quotes"]:
            assert texts[source["uri"]][quote["start"] : quote["end"]] == quote["text"]
    # The state of the thread, and every step before it, can be shown.
    state = await client.threads.get_state(thread)
    assert len(state["values"]["rows"]) == len(result["rows"])  # type: ignore[call-overload]
    history = await client.threads.get_history(thread, limit=50)
    assert {"choose", "collect"} <= {step for each in history for step in each["next"]}
    # Other documents in the same place are another run's; this thread's are still at hand.
    add_record(corpus, "light-new", "The Brim lighthouse is a tower of brick.")
    for _ in range(2):
        again: Any = await client.runs.wait(None, "extract", input=given, context=context)
        assert sum(len(pull["uris"]) for pull in again["pulls"]) == 20
    assert "Blocking" not in server.log()


async def test_facts_are_corrected_without_blocking_the_server(
    server: DevServer, client: LangGraphClient, tmp_path: Path
) -> None:
    context: Any = {"corpus": [write_town(tmp_path / "town")], "wordings": 4}
    given: Any = {"facts": FACTS}
    thread = (await client.threads.create())["thread_id"]
    seen: dict[str, list[Any]] = {}
    async for part in client.runs.stream(
        thread, "edit", input=given, context=context, stream_mode=["custom", "values"], stream_subgraphs=True,
    ):  # fmt: skip
        seen.setdefault(part.event.partition("|")[0], []).append(part.data)
    assert "error" not in seen, seen["error"]
    result: Any = (await client.threads.get_state(thread))["values"]
    assert [each["reason"] for each in result["outcomes"]] == ["", "", "contradicted", "", "no_evidence"]
    assert {row["origin"]["edit"]["new"] for row in result["rows"]} == set(CARRIED)
    assert {each["kind"] for each in result["probes"]} >= {"efficacy", "generality", "portability"}
    wrong: Any = await client.runs.wait(None, "edit", input={"fact": {"subject": "Veldmoor"}}, raise_error=False)
    assert "the fact has no relation" in str(wrong)
    schemas = await client.assistants.get_schemas((await assistant(client, "edit"))["assistant_id"])
    assert schemas["input_schema"]
    assert set(schemas["input_schema"]["properties"]) == {"facts", "fact"}
    assert schemas["context_schema"]
    assert schemas["context_schema"]["properties"]["max_change"]["default"] == 0.5
    assert "Blocking" not in server.log()


async def test_triplets_are_made_without_blocking_the_server(server: DevServer, client: LangGraphClient) -> None:
    given: Any = {"pairs": read_examples()[2:6]}
    result: Any = await client.runs.wait(None, "triplets", input=given, context={})
    assert len(result["outcomes"]) == 4
    assert result["triplets"]
    wrong: Any = await client.runs.wait(None, "triplets", input={"pair": {"query": "?"}}, raise_error=False)
    assert "no query" in str(wrong)
    schemas = await client.assistants.get_schemas((await assistant(client, "triplets"))["assistant_id"])
    assert schemas["input_schema"]
    assert set(schemas["input_schema"]["properties"]) == {"pairs", "pair", "passages"}
    assert schemas["context_schema"]
    assert schemas["context_schema"]["properties"]["least_score"]["default"] == 0.5
    assert "Blocking" not in server.log()


async def test_the_form_of_an_extraction_shows_its_settings_and_its_examples(client: LangGraphClient) -> None:
    schemas = await client.assistants.get_schemas((await assistant(client, "extract"))["assistant_id"])
    assert schemas["input_schema"]
    assert list(schemas["input_schema"]["properties"]) == ["examples"]
    assert "question" in str(schemas["input_schema"])
    assert schemas["output_schema"]
    assert {"rows", "rejections", "pulls", "usage"} == set(schemas["output_schema"]["properties"])
    assert schemas["context_schema"]
    form = schemas["context_schema"]["properties"]
    assert all(field.get("title") and field.get("description") for field in form.values())
    assert {"transport", "divergence", "similarity", "coverage"} <= set(form["reward"]["enum"])
    assert form["warmup"]["maximum"] == 0.3
    assert form["corpus"]["default"] == []
    result: Any = await client.runs.wait(None, "extract", input={"examples": []}, raise_error=False)
    assert "too few" in str(result)


@pytest.mark.parametrize("name", ["planner", "searcher", "writer", "critic"])
async def test_each_agent_runs_alone(client: LangGraphClient, name: str) -> None:
    quotes = ["The harbour light of Usk was lit in 1840.", "It burns oil."]
    given: dict[str, Any] = {"question": "When was the harbour light of Usk lit?" if name != "searcher" else QUESTION}
    if name in ("writer", "critic"):
        given["quotes"] = quotes
    if name == "critic":
        given["statements"] = [{"text": quotes[0], "quotes": [1]}, {"text": "It was lit in 1850.", "quotes": [1]}]
    result: Any = await client.runs.wait(None, name, input=given, context={"samples": 1})
    if name == "planner":
        assert result["plan"]["sub_questions"]
    elif name == "searcher":
        assert result["evidence"]
        assert result["plan"]["sub_questions"][0]["status"] == "sufficient"
    elif name == "writer":
        assert result["draft"][0] == {"text": quotes[0], "quotes": [1], "support": 0.0}
    else:
        assert [each["support"] > 0.7 for each in result["draft"]] == [True, False]
        assert result["doubts"]
        assert result["judgement"]["verdict"] == "rewrite"


async def test_a_mistake_is_told_in_words(client: LangGraphClient) -> None:
    result: Any = await client.runs.wait(None, "research", input={"question": "  "}, raise_error=False)
    assert "the question is empty" in str(result)


async def test_nothing_is_pickled_and_nothing_leaves_the_machine(server: DevServer, client: LangGraphClient) -> None:
    await client.runs.wait(None, "research", input={"question": QUESTION}, context={"samples": 0})
    assert server.strangers() == []
    assert not [name for name in server.files() if name.endswith((".pckl", ".pickle", ".pkl"))]
    assert "BlockingError" not in server.log()


async def test_another_graph_uses_it_from_afar(server: DevServer) -> None:
    class Parent(TypedDict):
        question: str
        answer: str

    afar = RemoteGraph("research", url=server.url)
    builder = StateGraph(Parent)
    builder.add_node("research", afar)
    builder.add_edge(START, "research")
    result = await builder.compile().ainvoke({"question": QUESTION, "answer": ""})
    assert "nonlocal" in result["answer"]
    alone = await afar.ainvoke({"question": QUESTION}, context={"samples": 1})
    assert alone["status"] == "answered"
    assert alone["critique"]["samples"] == 1


async def test_an_mcp_client_uses_it_through_the_servers_own_endpoint(server: DevServer) -> None:
    async with (
        streamable_http_client(f"{server.url}/mcp") as (read, write, *_),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert "research" in tools
        assert tools["research"].description == "A question over documents or the web gets a cited, checked answer."
        answer = await session.call_tool("research", {"question": QUESTION})
        assert "answered" in answer.content[0].text  # type: ignore[union-attr]


async def test_the_web_and_a_remote_model_are_used_without_blocking(tmp_path: Path) -> None:
    pages = {f"https://127.0.0.1/{name}": (text.partition("\n")[0], text) for name, text in island.DOCUMENTS.items()}
    with ScriptedLLM(island.honest()) as llm, SearchServices(pages) as services:
        web = {"TAVILY_BASE_URL": services.url, "TAVILY_API_KEY": "tvly-test", "SEARXNG_URL": services.url}
        model = {"OPENAI_BASE_URL": llm.base_url, "OPENAI_API_KEY": "sk-test"}
        with DevServer(tmp_path / "server", **web, **model) as server:
            client = get_client(url=server.url)
            settings: Any = {"web": True, "extract": "always", "model": "openai:scripted", "samples": 2}
            result: Any = await client.runs.wait(
                None, "research", input={"question": island.QUESTION}, context=settings
            )
            assert result["status"] == "answered"
            assert result["sources"][0]["uri"].startswith("https://127.0.0.1/")
            assert set(result["usage"]["providers"]) == {"tavily", "searxng"}
            # What only SearxNG names is fetched from here, and an address of this machine is not.
            alone: Any = {**settings, "search_providers": ["searxng"]}
            refused: Any = await client.runs.wait(
                None, "research", input={"question": "Anything?"}, context=alone, raise_error=False
            )
            assert refused["status"] == "insufficient_evidence"
            assert any("not public" in problem for problem in refused["critique"]["problems"])
            assert "Blocking" not in server.log()
            assert server.strangers() == []
