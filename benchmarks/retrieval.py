"""Recall@10 of the corpus search, beside its two halves.

python benchmarks/retrieval.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.datasets import SEARCH_SETS, SearchSet
from searchinstruct_graph.tools.corpus import Corpus

TARGETS = {
    "xquad en": 0.995,
    "msmarco": 0.985,
    "pubmedqa": 0.99,
    "multihop": 0.86,
    "xquad de": 0.98,
    "xquad zh": 0.98,
    "xquad ar": 0.98,
}
K = 10


def recall(found: Sequence[str], gold: Iterable[str]) -> float:
    """Share of the gold documents among the documents of the first ten passages."""
    gold = list(gold)
    return sum(key in found for key in gold) / len(gold)


async def measure(test: SearchSet) -> dict[str, Any]:
    """Recall@10 of words, vectors and both; and each question's outcome."""
    with tempfile.TemporaryDirectory() as folder:
        path = await asyncio.to_thread(test.write, Path(folder))
        corpus = await Corpus.open([str(path)], index_dir=f"{folder}/index")
        (index,) = corpus._indexes
        vectors = corpus._embedder.embed([question.text for question in test.questions])
        outcomes = []
        for question, vector in zip(test.questions, vectors, strict=True):
            halves = {
                "words": index.by_words(question.text, K),
                "vectors": index.by_vector(vector, K),
            }
            found = {name: [row.key.lstrip("#") for row, _ in hits[:K]] for name, hits in halves.items()}
            found["fused"] = [hit.uri.partition("#")[2] for hit in await corpus.search(question.text, K)]
            scores = {name: recall(keys, question.gold) for name, keys in found.items()}
            outcomes.append({"question": question.text, "gold": list(question.gold), **scores})
        report = corpus.report[0]
        means = {
            name: sum(float(str(o[name])) for o in outcomes) / len(outcomes) for name in ("words", "vectors", "fused")
        }
        return {
            "documents": report.documents,
            "chunks": report.chunks,
            **means,
            "outcomes": outcomes,
        }


def run(data: Path, seed: int = 0) -> dict[str, Any]:
    """Measure every set below `data`; nothing is random here, so `seed` changes nothing."""
    del seed
    results: dict[str, Any] = {}
    print(f"{'recall@10':<12}{'documents':>10}{'questions':>10}{'words':>8}{'vectors':>8}{'fused':>8}{'target':>8}")
    for name, load in SEARCH_SETS.items():
        test = load(data)
        result = asyncio.run(measure(test))
        target = TARGETS.get(name)
        results[name] = {
            **result,
            "target": target,
            "reached": target is None or result["fused"] >= target,
        }
        print(
            f"{name:<12}{result['documents']:>10}{len(test.questions):>10}{result['words']:>8.4f}"
            f"{result['vectors']:>8.4f}{result['fused']:>8.4f}{target if target else '':>8}"
        )
    return results


def main() -> None:
    """Print the table; write the outcomes of every question to `--out`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    results = run(chosen.data)
    if chosen.out:
        chosen.out.write_text(json.dumps(results, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
