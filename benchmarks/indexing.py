"""Indexing and querying 50,000 chunks, beside a bare loop that embeds and calls `collection.add`.

    python benchmarks/indexing.py

Each half runs in a process of its own, so that peak memory is its own. The text is generated from a seed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHUNKS = 50_000
WORDS = 120
QUERIES = 400
_SYLLABLES = [
    "ba",
    "be",
    "bi",
    "bo",
    "ka",
    "ke",
    "ki",
    "ko",
    "la",
    "le",
    "li",
    "lo",
    "ma",
    "me",
    "mi",
    "mo",
    "na",
    "ne",
    "ni",
    "no",
    "ra",
    "re",
    "ri",
    "ro",
    "sa",
    "se",
    "si",
    "so",
    "ta",
    "te",
    "ti",
    "to",
]


def vocabulary(size: int, seed: int) -> list[str]:
    """Made-up words of two to four syllables."""
    rng = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < size:
        found["".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4)))] = None
    return list(found)


def texts(count: int, seed: int) -> Iterator[str]:
    """Texts of about 120 words in sentences; word frequencies fall as in language (Zipf)."""
    words = vocabulary(30_000, seed)
    weights = [1 / (rank + 3) for rank in range(len(words))]
    total = 0.0
    cumulative = [total := total + weight for weight in weights]
    rng = random.Random(seed + 1)
    for _ in range(count):
        drawn = rng.choices(words, cum_weights=cumulative, k=WORDS)
        yield (". ".join(" ".join(drawn[at : at + 15]).capitalize() for at in range(0, WORDS, 15)) + ".")


def write_corpus(path: Path, count: int, seed: int) -> None:
    """One JSONL record a text."""
    with path.open("w", encoding="utf-8") as handle:
        for number, text in enumerate(texts(count, seed)):
            handle.write(json.dumps({"id": number, "title": "", "text": text}) + "\n")


def bare(folder: Path) -> dict[str, float]:
    """Read the records, embed them, add them: no texts, no words, no bookkeeping."""
    import chromadb
    import wordllama
    from chromadb.config import Settings
    from wordllama import WordLlama

    home = os.path.dirname(wordllama.__file__)
    model = WordLlama.load(cache_dir=home, disable_download=True)
    client = chromadb.PersistentClient(str(folder / "bare"), settings=Settings(anonymized_telemetry=False))
    collection = client.create_collection("bare", embedding_function=None, metadata={"hnsw:space": "cosine"})
    started = time.perf_counter()
    with (folder / "corpus.jsonl").open(encoding="utf-8") as handle:
        records = [json.loads(line) for line in handle]
    for at in range(0, len(records), 2_000):
        batch = records[at : at + 2_000]
        batch_texts = [record["text"] for record in batch]
        vectors = model.embed(batch_texts, norm=True)
        collection.add(ids=[str(r["id"]) for r in batch], embeddings=vectors)
    return {"seconds": time.perf_counter() - started}


async def _ours(folder: Path, seed: int) -> dict[str, float]:
    from searchinstruct_graph.tools.corpus import Corpus

    source = str(folder / "corpus.jsonl")
    started = time.perf_counter()
    corpus = await Corpus.open([source], index_dir=str(folder / "index"))
    seconds = time.perf_counter() - started
    rng = random.Random(seed + 2)
    words = vocabulary(30_000, seed)
    queries = [" ".join(rng.choices(words[:5_000], k=rng.randint(3, 12))) for _ in range(QUERIES)]
    for query in queries[:50]:
        await corpus.search(query)
    times = []
    for query in queries:
        at = time.perf_counter()
        await corpus.search(query)
        times.append((time.perf_counter() - at) * 1000)
    times.sort()
    return {
        "seconds": seconds,
        "chunks": corpus.report[0].chunks,
        "p50_ms": times[len(times) // 2],
        "p95_ms": times[int(len(times) * 0.95)],
    }


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3) * (1.0 if sys.platform == "darwin" else 1.024)


def _child(half: str, folder: Path, seed: int) -> dict[str, float]:
    command = [
        sys.executable,
        __file__,
        "--half",
        half,
        "--folder",
        str(folder),
        "--seed",
        str(seed),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"benchmark half {half!r} failed:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run(data: Path | None = None, seed: int = 0, count: int = CHUNKS) -> dict[str, Any]:
    """Both halves over `count` generated chunks; `data` is not needed."""
    del data
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_corpus(folder / "corpus.jsonl", count, seed)
        plain = _child("bare", folder, seed)
        ours = _child("ours", folder, seed)
    what = f"{count:,} chunks of ~120 words"
    rate = {"what": "chunks indexed a second", "data": what, "target": None}
    memory = {"what": "peak memory, MB", "data": what, "most": True}
    ratio = plain["seconds"] / ours["seconds"]
    rows: list[dict[str, Any]] = [
        {
            "arm": "graph",
            "what": "indexing speed beside a bare embed-and-add loop",
            "data": what,
            "value": ratio,
            "target": 0.8,
        },
        {**rate, "arm": "graph", "value": count / ours["seconds"]},
        {**rate, "arm": "bare loop", "value": count / plain["seconds"]},
        {**memory, "arm": "graph", "value": ours["peak_mb"], "target": 2_000},
        {**memory, "arm": "bare loop", "value": plain["peak_mb"], "target": None},
        {
            "arm": "graph",
            "what": "one warm query, p50, ms",
            "data": what,
            "value": ours["p50_ms"],
            "target": 10,
            "most": True,
        },
        {
            "arm": "graph",
            "what": "one warm query, p95, ms",
            "data": what,
            "value": ours["p95_ms"],
            "target": 25,
            "most": True,
        },
    ]
    return {"rows": rows, "bare": plain, "ours": ours}


def main() -> None:
    """Print the table; write the numbers to `--out`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=CHUNKS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--half", choices=["bare", "ours"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.half:
        half = bare(chosen.folder) if chosen.half == "bare" else asyncio.run(_ours(chosen.folder, chosen.seed))
        print(json.dumps({**half, "peak_mb": _peak_mb()}))
        return
    result = run(chosen.data, chosen.seed, chosen.count)
    if chosen.out:
        chosen.out.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
