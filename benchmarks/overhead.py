"""What the machine itself costs: a question through the graph, and a structured call, with a provider that takes no time.

    python -m benchmarks.overhead

The provider is an OpenAI-compatible server in a process of its own that answers at once, so everything measured is ours,
the client's and the loopback's. The call is compared with LangChain's own structured call in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.graphs.research import build_graph
from searchinstruct_graph.models.structured import Reply, structured

QUESTION = "What does the ferry to Karvel cost?"
FACT = "Tickets for the ferry to Karvel cost 12 crowns."
CALLS, AT_ONCE, REPEATS, QUESTIONS = 600, 32, 5, 60

ANSWERS: dict[str, Any] = {
    "QuestionPlan": {
        "restatement": QUESTION,
        "sub_questions": [{"text": QUESTION, "queries": ["ferry Karvel cost"], "requires": ["the price"]}],
    },
    "PageQuotes": {"relevant": "yes", "quotes": [{"text": FACT, "point": 1}]},
    "Sufficiency": {
        "sufficient": True, "covered": [{"point": 1, "quotes": [1]}], "missing": [], "next_queries": [],
    },
    "AnswerDraft": {"statements": [{"text": FACT, "quotes": [1]}]},
    "SupportReport": {"statements": [{"statement": 1, "support": 1.0, "problem": ""}]},
    "Reanswer": {"answerable": True, "answer": FACT, "quotes": [1]},
    "Verdict": {"good": True, "why": "It is."},
}  # fmt: skip


class Verdict(BaseModel):
    """A small reply."""

    good: bool
    why: str


def serve(port: Any) -> None:
    """Answer every completion at once; runs in a process of its own."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line.partition(b":")[2])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length")
                )
                asked = json.loads(await reader.readexactly(length))
                content = json.dumps(ANSWERS[asked["response_format"]["json_schema"]["name"]])
                body = json.dumps(
                    {
                        "id": "x", "object": "chat.completion", "created": 0, "model": "instant",
                        "choices": [
                            {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
                        ],
                        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
                    }
                ).encode()  # fmt: skip
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
                    + body
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def listen() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(listen())


async def calls_a_second(call: Any) -> float:
    """Structured calls a second, `AT_ONCE` in flight."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with turns:
            await call()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CALLS)))
    return CALLS / (time.perf_counter() - began)


async def measured(folder: Path) -> list[dict[str, Any]]:
    """Every figure; the two kinds of call take turns, so that a busy machine slows both."""
    (folder / "ferry.md").write_text(f"# Ferry\n\nThe ferry leaves twice a day. {FACT}\n", encoding="utf-8")
    context = ResearchContext(corpus=[str(folder / "ferry.md")], index=str(folder / "index"), model="openai:instant")
    asked = [("system", "You judge."), ("user", "Is it good?")]
    bare = ChatOpenAI(model="instant", max_retries=0).with_structured_output(
        Verdict, method="json_schema", include_raw=True
    )

    async def ours() -> None:
        reply = await structured(
            Verdict, asked, model="openai:instant", role="critic", allowance=context.limits(), temperature=0.0
        )
        assert isinstance(reply, Reply)

    async def theirs() -> None:
        assert (await bare.ainvoke(asked))["parsed"].good

    rates: dict[str, list[float]] = {"ours": [], "theirs": []}
    for call in (ours, theirs):
        await calls_a_second(call)
    for _ in range(REPEATS):
        rates["ours"].append(await calls_a_second(ours))
        rates["theirs"].append(await calls_a_second(theirs))
    graph, taken, calls = build_graph(), [], 0
    for number in range(QUESTIONS + 5):
        began = time.perf_counter()
        result = await graph.ainvoke({"question": QUESTION}, context=context)
        taken.append(time.perf_counter() - began)
        assert result["status"] == "answered"
        calls = result["usage"]["model_calls"]
        if number == 4:
            taken.clear()
    ratio = statistics.median(a / b for a, b in zip(rates["ours"], rates["theirs"], strict=True))
    return [
        {"what": "structured calls a second", "arm": "ours", "value": statistics.median(rates["ours"])},
        {"what": "structured calls a second", "arm": "ChatOpenAI", "value": statistics.median(rates["theirs"])},
        {"what": "structured calls, ours over ChatOpenAI's own", "arm": "ratio", "value": ratio, "target": 0.8},
        {
            "what": f"a question ({calls} model calls), ms, p50",
            "arm": "graph",
            "value": statistics.median(taken) * 1000,
        },
        {
            "what": f"a question ({calls} model calls), ms, p95",
            "arm": "graph",
            "value": statistics.quantiles(taken, n=20)[18] * 1000,
        },
    ]


def run(data: Path | None = None, seed: int = 0) -> dict[str, Any]:
    """{"rows": [...]}; takes no data."""
    receiving, sending = multiprocessing.Pipe(duplex=False)
    provider = multiprocessing.get_context("spawn").Process(target=serve, args=(sending,), daemon=True)
    provider.start()
    os.environ.update(OPENAI_BASE_URL=f"http://127.0.0.1:{receiving.recv()}/v1", OPENAI_API_KEY="none")
    try:
        with TemporaryDirectory() as folder:
            rows = asyncio.run(measured(Path(folder)))
    finally:
        provider.terminate()
    return {"rows": [{"data": "", **row} for row in rows]}


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for row in run()["rows"]:
        print(f"{row['what']:50} {row['arm']:12} {row['value']:10.2f}")
