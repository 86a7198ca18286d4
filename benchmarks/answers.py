"""What the research machine answers, beside the plain loop: gold evidence read and cited, abstention, verbatim quotes."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import datasets
from benchmarks.datasets import Question, QuestionSet
from benchmarks.plain_loop import plain_loop
from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.graphs.research import graph
from searchinstruct_graph.text.compare import support
from searchinstruct_graph.tools.corpus import Corpus

Answerer = Callable[[str, ResearchContext], Awaitable[dict[str, Any]]]
Outcome = dict[str, Any]

IN_FLIGHT = 4
"""Questions answered at once: the work is the processor's, more would only queue."""


async def the_graph(question: str, context: ResearchContext) -> dict[str, Any]:
    """The product."""
    return dict(await graph.ainvoke({"question": question}, context=context))


ARMS: dict[str, Answerer] = {"graph": the_graph, "plain loop": plain_loop}


async def judge(question: Question, result: dict[str, Any], corpus: Corpus, file: str, min_support: float) -> Outcome:
    """Everything that can be told of one answer by comparing strings."""
    sources = result["sources"]
    cited = [(source["uri"].removeprefix(f"{file}#"), quote) for source in sources for quote in source["quotes"]]
    verbatim = True
    for source in sources:
        page = (await corpus.read(source["uri"])).text
        verbatim &= hashlib.sha256(page.encode("utf-8", "surrogatepass")).hexdigest() == source["sha256"]
        verbatim &= all(page[quote["start"] : quote["end"]] == quote["text"] for quote in source["quotes"])
    by_id = {source["id"]: source for source in sources}
    carried = all(
        support(s["text"], [by_id[i]["quotes"][k]["text"] for i, k in s["quotes"]]) >= min_support
        for s in result["statements"]
    )
    read = [uri.removeprefix(f"{file}#") for uri in result["read"]][:15]
    return {
        "id": question.id,
        "question": question.text,
        "status": result["status"],
        "answerable": question.answerable,
        "read": len(read),
        "gold_read": sum(name in read for name in question.gold) / len(question.gold) if question.gold else None,
        "gold_cited": any(name in question.gold for name, _ in cited),
        "answer_cited": any(answer in quote["text"] for answer in question.answers for _, quote in cited),
        "span_cited": question.span is not None
        and any(
            name in question.gold and quote["start"] < question.span[1] and quote["end"] > question.span[0]
            for name, quote in cited
        ),
        "has_span": question.span is not None,
        "verbatim": verbatim,
        "carried": carried,
        "statements": len(result["statements"]),
        "answer": result.get("answer") or " ".join(s["text"] for s in result["statements"]),
    }


async def answer_all(data: QuestionSet, answerer: Answerer, folder: Path) -> list[Outcome]:
    """Answer every question over the set's corpus; one outcome a question, in order."""
    file = await asyncio.to_thread(data.write, folder)
    context = ResearchContext(corpus=[file], model="offline", index=str(folder / "index"))
    corpus = await Corpus.open([file], embedding=context.embeddings, index_dir=context.index)
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def one(question: Question) -> Outcome:
        async with gate:
            began = time.perf_counter()
            result = await answerer(question.text, context)
            taken = time.perf_counter() - began
        return {**await judge(question, result, corpus, file, context.min_support), "seconds": round(taken, 4)}

    return await asyncio.gather(*(one(question) for question in data.questions))


def share(outcomes: Sequence[Outcome], key: str) -> float:
    """Mean of a yes/no or share over the outcomes that have it."""
    values = [float(outcome[key]) for outcome in outcomes if outcome[key] is not None]
    return sum(values) / len(values) if values else float("nan")


def balanced(outcomes: Sequence[Outcome]) -> tuple[float, float, float]:
    """(balanced accuracy, share of the answerable that were answered, share of the rest that were not)."""
    answered = share([{"x": o["status"] == "answered"} for o in outcomes if o["answerable"]], "x")
    refused = share([{"x": o["status"] != "answered"} for o in outcomes if not o["answerable"]], "x")
    return (answered + refused) / 2, answered, refused


def sample(data: QuestionSet, limit: int, seed: int) -> QuestionSet:
    """At most `limit` questions, drawn by seed."""
    if not limit or len(data.questions) <= limit:
        return data
    return QuestionSet(data.name, data.documents, random.Random(seed).sample(data.questions, limit))


async def measure(
    data: Path, seed: int, limit: int, arm: str, folder: Path
) -> tuple[list[dict[str, Any]], dict[str, list[Outcome]]]:
    """All rows of the table for one arm, and the outcomes they rest on."""
    answerer = ARMS[arm]
    en = datasets.xquad(data)
    there, gone = datasets.without_gold(en, 100, seed)
    sets = [datasets.multihop(data), en, datasets.msmarco(data), datasets.qed(data), datasets.timeqa(data)]
    found: dict[str, list[Outcome]] = {}
    for each in sets:
        found[each.name] = await answer_all(sample(each, limit, seed), answerer, folder)
    removal = await answer_all(there, answerer, folder) + await answer_all(gone, answerer, folder)
    found["xquad en removal"] = removal
    everything = [outcome for outcomes in found.values() for outcome in outcomes]
    spans = [outcome for outcome in found["qed-nq"] if outcome["has_span"]]
    rows: list[dict[str, Any]] = [
        {
            "what": "gold paragraphs among `read` (<= 15)",
            "data": "multihop",
            "value": share(found["multihop"], "gold_read"),
            "target": 0.90,
        },
        {
            "what": "gold answer string in a cited quote",
            "data": "xquad en",
            "value": share(found["xquad en"], "answer_cited"),
            "target": 0.85,
        },
        {
            "what": "gold passage cited",
            "data": "msmarco",
            "value": share(found["msmarco"], "gold_cited"),
            "target": 0.85,
        },
        {"what": "gold passage cited", "data": "qed-nq", "value": share(found["qed-nq"], "gold_cited"), "target": 0.80},
        {
            "what": "cited quote overlaps gold sentence",
            "data": "qed-nq",
            "value": share(spans, "span_cited"),
            "target": 0.70,
        },
        {
            "what": "gold answer string in a cited quote",
            "data": "multihop",
            "value": share(found["multihop"], "answer_cited"),
            "target": None,
        },
        {
            "what": "quotes verbatim at their offsets",
            "data": "all",
            "value": share(everything, "verbatim"),
            "target": 1.0,
        },
        {
            "what": "citations carry their statement",
            "data": "all",
            "value": share(everything, "carried"),
            "target": 1.0,
        },
    ]
    for name, key, target in (
        ("qed-nq", "qed-nq", 0.65),
        ("timeqa", "timeqa", 0.65),
        ("xquad en, gold removed", "xquad en removal", 0.75),
    ):
        score, answered, refused = balanced(found[key])
        what = f"abstention, balanced accuracy (answers {answered:.2f}, abstains {refused:.2f})"
        rows.append({"what": what, "data": name, "value": score, "target": target})
    for name, outcomes in found.items():
        rows.append({"what": "reads a question", "data": name, "value": share(outcomes, "read"), "target": None})
    rows.append(
        {
            "what": f"seconds a question ({IN_FLIGHT} in flight)",
            "data": "all",
            "value": share(everything, "seconds"),
            "target": None,
        }
    )
    return [{"arm": arm, **row} for row in rows], found


def run(data: Path, seed: int = 0, limit: int = 0) -> dict[str, Any]:
    """Both arms over every set: {"rows": [...], "outcomes": {arm: {set: [...]}}}. `limit` 0 takes every question."""
    rows: list[dict[str, Any]] = []
    outcomes: dict[str, dict[str, list[Outcome]]] = {}
    with TemporaryDirectory() as folder:
        for arm in ARMS:
            arm_rows, outcomes[arm] = asyncio.run(measure(data, seed, limit, arm, Path(folder)))
            rows += arm_rows
    return {"rows": rows, "outcomes": outcomes}
