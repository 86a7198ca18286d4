"""Recall@10 of the corpus search, beside its two halves alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import datasets
from benchmarks.datasets import QuestionSet
from searchinstruct_graph.evals.retrieval import recall_at
from searchinstruct_graph.tools.corpus import Corpus

K = 10

SETS: dict[str, tuple[Callable[[Path], QuestionSet], float | None]] = {
    "xquad en": (datasets.xquad, 0.995),
    "msmarco": (datasets.msmarco, 0.985),
    "pubmedqa": (datasets.pubmedqa, 0.99),
    "multihop": (datasets.multihop, 0.86),
    "xquad de": (lambda data: datasets.xquad(data, "de"), 0.98),
    "xquad zh": (lambda data: datasets.xquad(data, "zh"), 0.98),
    "xquad ar": (lambda data: datasets.xquad(data, "ar"), 0.98),
    "qed-nq": (datasets.qed, None),
}
"""How each set is loaded, and the recall wanted of both halves together."""


async def measure(test: QuestionSet, folder: Path) -> list[dict[str, Any]]:
    """One outcome a question: recall@10 of words, of vectors, and of both fused."""
    path = await asyncio.to_thread(test.write, folder)
    corpus = await Corpus.open([path], index_dir=str(folder / "index"))
    (index,) = corpus._indexes
    vectors = corpus._embedder.embed([question.text for question in test.questions])
    outcomes = []
    for question, vector in zip(test.questions, vectors, strict=True):
        halves = {"words": index.by_words(question.text, K), "vectors": index.by_vector(vector, K)}
        found = {name: [row.key.lstrip("#") for row, _ in hits[:K]] for name, hits in halves.items()}
        found["fused"] = [hit.uri.partition("#")[2] for hit in await corpus.search(question.text, K)]
        grades = dict.fromkeys(question.gold, 1.0)
        scores = {name: recall_at(keys, grades, K) for name, keys in found.items()}
        outcomes.append({"question": question.text, "gold": question.gold, **scores})
    return outcomes


def run(data: Path, seed: int = 0) -> dict[str, Any]:
    """{"rows": [...], "outcomes": {set: [...]}}; nothing is random here, so `seed` changes nothing."""
    rows, outcomes = [], {}
    for name, (load, target) in SETS.items():
        with TemporaryDirectory() as folder:
            outcomes[name] = asyncio.run(measure(load(data), Path(folder)))
        for arm in ("fused", "words", "vectors"):
            value = sum(outcome[arm] for outcome in outcomes[name]) / len(outcomes[name])
            wanted = target if arm == "fused" else None
            rows.append({"arm": arm, "what": "recall@10 of search", "data": name, "value": value, "target": wanted})
    return {"rows": rows, "outcomes": outcomes}
