"""What the graph makes of a question, as evaluations see it: the fields of an answer, its trajectory, how it failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from typing_extensions import TypedDict

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.progress import Progress
from searchinstruct_graph.evals.suite import Sample
from searchinstruct_graph.graphs.research import graph
from searchinstruct_graph.graphs.state import ResearchOutput

SEARCH, READ = "search", "read"
"""The tools of a trajectory: `search` takes a `query`, `read` a `document`."""


class Call(TypedDict):
    """A tool call, as ragas writes it."""

    name: str
    args: dict[str, Any]


class Message(TypedDict, total=False):
    """One message of a trajectory, as ragas writes it: `type` is `human`, `ai` or `tool`."""

    type: str
    content: str
    tool_calls: list[Call]


_FAILED = re.compile(r"\b(truncated|refused|empty|malformed|wrong_type|provider|timeout|budget): (.*)", re.DOTALL)
_RECORD = re.compile(r"\.(?:jsonl|ndjson)(?:\.gz)?#")


async def researched(question: str, context: ResearchContext) -> tuple[ResearchOutput, list[Progress]]:
    """The graph's result and what it said while it worked, in the order in which it happened.

    Raises:
        ProviderError: a provider refuses every further call.
        UsageError: the question or a setting cannot be used.
    """
    result: Any = None
    events: list[Progress] = []
    async for place, mode, said in graph.astream(
        {"question": question}, context=context, stream_mode=["custom", "values"], subgraphs=True
    ):
        if mode == "custom":
            events.append(cast(Progress, said))
        elif not place:
            result = said
    return cast(ResearchOutput, result), events


def document_name(uri: str) -> str:
    """What a data set calls the document at `uri`: the id of a record in a JSONL file, else the address itself."""
    found = _RECORD.search(uri)
    return uri[found.end() :] if found else uri


def same_document(name: str, gold: str) -> bool:
    """Whether a document that was read is the one that the data set means, which may name a file without its folder."""
    return name == gold or name.endswith(f"/{gold}")


def fields_of(result: ResearchOutput) -> Sample:
    """A result in ragas' fields and ours; `response` is empty when the graph has withheld an answer.

    `retrieved_contexts` are the quotes that were cited, `read` and `cited` names of documents, `statements` the sentences of
    the answer, each with the texts of its own quotes. A run in which the model or every search failed gives `failure` and
    `reason` alone.
    """
    if (lost := _failure(result)) is not None:
        return lost
    quotes = {source["id"]: source["quotes"] for source in result["sources"]}
    answered = result["status"] == "answered"
    statements = [
        {
            "text": statement["text"],
            "quotes": [quotes[number][at]["text"] for number, at in statement["quotes"]],
            "support": statement["support"],
        }
        for statement in result["statements"]
    ]
    return {
        "status": result["status"],
        "stop_reason": result["stop_reason"],
        "response": " ".join(statement["text"] for statement in result["statements"]) if answered else "",
        "said": result["answer"],
        "statements": statements if answered else [],
        "retrieved_contexts": [quote["text"] for source in result["sources"] for quote in source["quotes"]]
        if answered
        else [],
        "cited": [document_name(source["uri"]) for source in result["sources"]] if answered else [],
        "read": [document_name(uri) for uri in result["read"]],
        "confidence": result["confidence"],
    }


def _failure(result: ResearchOutput) -> Sample | None:
    problems = result["critique"]["problems"]
    if result["stop_reason"] == "model_failed":
        found = [said for problem in problems if (said := _FAILED.search(problem))]
        kind, detail = (
            (found[-1][1], found[-1][2]) if found else ("provider", "; ".join(problems) or "the model failed")
        )
        return {"failure": kind, "reason": detail}
    if result["stop_reason"] == "search_failed":
        return {"failure": "provider", "reason": "; ".join(problems) or "no search was answered"}
    return None


def trajectory(result: ResearchOutput, events: Iterable[Progress | Mapping[str, Any]] = ()) -> list[Message]:
    """The run as messages: the question, every search and every page that was opened with what came of it, the answer.

    `events` is what the graph said on its `custom` stream. Without it the calls are told from the result: the planned
    queries, and the pages that were read. Sub-questions stand one after the other, though they were worked on side by side.
    """
    steps = [event for event in events if event["step"] in (SEARCH, READ)]
    if steps:
        steps.sort(key=lambda event: event["data"].get("sub_question", 0))
        calls = [_step(event) for event in steps]
    else:
        calls = _told(result)
    messages = [Message(type="human", content=result["question"])]
    for call, came in calls:
        messages += [Message(type="ai", content="", tool_calls=[call]), Message(type="tool", content=came)]
    return [*messages, Message(type="ai", content=result["answer"])]


def _step(event: Progress | Mapping[str, Any]) -> tuple[Call, str]:
    data = event["data"]
    if event["step"] == SEARCH:
        return Call(name=SEARCH, args={"query": data["query"]}), f"{data['hits']} hits"
    return Call(name=READ, args={"document": document_name(data["uri"])}), str(event["message"])


def _told(result: ResearchOutput) -> list[tuple[Call, str]]:
    quotes = {source["uri"]: [quote["text"] for quote in source["quotes"]] for source in result["sources"]}
    queries = dict.fromkeys(query for part in result["plan"]["sub_questions"] for query in part["queries"])
    return [
        *((Call(name=SEARCH, args={"query": query}), "") for query in queries),
        *(
            (Call(name=READ, args={"document": document_name(uri)}), "\n".join(quotes.get(uri, [])))
            for uri in result["read"]
        ),
    ]


def calls_in(messages: Sequence[Mapping[str, Any]]) -> list[Call]:
    """The tool calls of a trajectory, in order."""
    return [call for message in messages for call in message.get("tool_calls") or []]
