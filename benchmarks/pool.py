"""A pool of 1,000,000 generated instructions, 5 % of them planted duplicates: speed, memory, recall, time to resume.

    python benchmarks/pool.py                       # the default embedding: only long texts are embedded
    python benchmarks/pool.py --all-vectors         # every text is embedded, as with a contextual embedding
    python benchmarks/pool.py --simhash             # SimHash candidates against brute force

The texts are generated from a seed; a plain SQLite file holds them, as a dataset's ledger does. One core:
OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false.
"""

from __future__ import annotations

import argparse
import random
import resource
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from searchinstruct_graph.datasets.pool import Pool, Twin, sketches
from searchinstruct_graph.datasets.pool.family import BUCKET
from searchinstruct_graph.datasets.pool.runs import Runs
from searchinstruct_graph.models.embeddings import Embedder, embeddings

SHARE = 0.05
WAVE = 1_000
_SYLLABLES = [first + second for first in "bcdfghklmnprstvz" for second in ("a", "e", "i", "o", "u", "an", "er", "il")]
_SHORT = [
    ("How do I {verb} {a} in {b}?", "In {b}, how does one {verb} {a}?"),
    ("What are the {noun}s of {a}?", "Which {noun}s does {a} have?"),
    ("What is the {noun} of {a} in {b}?", "In {b}, what's the {noun} of {a}?"),
    ("Why does {a} {verb} the {noun}?", "What is the reason that {a} {verb}s the {noun}?"),
    ("Explain how {a} and {b} {verb} the {noun}.", "How do {b} and {a} {verb} the {noun}?"),
]
_VERBS = "measure replace protect describe support connect repair cover move count test control update combine".split()
_NOUNS = "limit benefit symptom price origin law risk season border rule signal layer method origin weight".split()
_LONG = [
    (
        "{a} works in a small shop in {b} and sells {n} boxes of {c} every day.",
        "In a small shop in {b}, {a} sells {n} boxes of {c} daily.",
    ),
    (
        "The owner wants to {verb} the {noun} before the end of the season.",
        "Before the season ends, the owner wishes to {verb} the {noun}.",
    ),
    (
        "There is little money, and the old {noun} is not reliable.",
        "Money is short, and the old {noun} cannot be relied upon.",
    ),
]


def _name(rng: random.Random) -> str:
    return "".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4)))


def _filled(rng: random.Random) -> dict[str, Any]:
    words: dict[str, Any] = {key: _name(rng).capitalize() for key in "abc"}
    return {**words, "verb": rng.choice(_VERBS), "noun": rng.choice(_NOUNS), "n": rng.randint(2, 9_999)}


def made(rng: random.Random) -> tuple[str, str, str]:
    """A text, a duplicate of it, and which kind of duplicate that is."""
    filled = _filled(rng)
    if rng.random() < 0.7:
        one, other = (form.format(**filled) for form in rng.choice(_SHORT))
        return (one, other, "reworded") if rng.random() < 0.7 else (one, "  " + one.upper().replace(" ", "  "), "same")
    sides = [" ".join(form[side].format(**filled) for form in _LONG) for side in (0, 1)]
    ask = f"How should {filled['a']} plan the next {filled['n']} days?"
    if rng.random() < 0.5:
        return f"{sides[0]} {ask}", f"{sides[1]} {ask}", "paraphrased"
    return f"{sides[0]} {ask}", f"{sides[0]} Please tell me: {ask[0].lower()}{ask[1:]}", "inserted"


def stream(count: int, seed: int = 7) -> Iterator[tuple[str, str]]:
    """`count` texts, each with its kind; a duplicate comes up to 200,000 texts after what it repeats."""
    rng = random.Random(seed)
    waiting: list[tuple[str, str]] = []
    for _ in range(count):
        if waiting and rng.random() < SHARE:
            at = rng.randrange(len(waiting))
            waiting[at], waiting[-1] = waiting[-1], waiting[at]
            yield waiting.pop()
            continue
        text, duplicate, kind = made(rng)
        if len(waiting) < 10_000:
            waiting.append((duplicate, kind))
        yield text, "new"


class EveryText:
    """An embedder that asks for the same trust as words, with the default's vectors."""

    name = "every-text"

    def __init__(self) -> None:
        self._inner = embeddings()
        self.dimensions = self._inner.dimensions

    def trust(self, language: str) -> float:
        """As a contextual model."""
        return 1.0

    def embed(self, texts: Sequence[str]) -> Any:
        """The default's vectors."""
        return self._inner.embed(texts)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


def fill(count: int, embedder: Embedder) -> None:
    """Fill a pool with `count` texts and load it again."""
    embedder.embed(["warm"])
    base = _peak_mb()
    with tempfile.TemporaryDirectory() as folder:
        ledger = sqlite3.connect(Path(folder) / "texts.db")
        ledger.execute("CREATE TABLE texts (ordinal INTEGER PRIMARY KEY, text TEXT)")
        ledger.execute("CREATE TABLE segments (number INTEGER PRIMARY KEY, blob BLOB)")

        def text_of(ordinal: int) -> str:
            return str(ledger.execute("SELECT text FROM texts WHERE ordinal = ?", (ordinal,)).fetchone()[0])

        pool = Pool(embedder, text_of)
        wanted: Counter[str] = Counter()
        caught: Counter[str] = Counter()
        rules: Counter[str] = Counter()
        spent, stored, wave = 0.0, 0, list[tuple[str, str]]()
        source = stream(count)
        while wave := [pair for _, pair in zip(range(WAVE), source, strict=False)]:
            begun = time.process_time()
            outcomes = pool.admit([text for text, _ in wave])
            blob = pool.segment()
            spent += time.process_time() - begun
            fresh = [
                (outcome, text) for (text, _), outcome in zip(wave, outcomes, strict=True) if isinstance(outcome, int)
            ]
            ledger.executemany("INSERT INTO texts VALUES (?, ?)", fresh)
            ledger.execute("INSERT INTO segments (blob) VALUES (?)", (blob,))
            ledger.commit()
            stored += len(blob)
            for (_, kind), outcome in zip(wave, outcomes, strict=True):
                wanted[kind] += 1
                if isinstance(outcome, Twin):
                    caught[kind] += 1
                    rules[f"{kind} by {outcome.rule}"] += 1
        print(f"{count:,} texts, {len(pool):,} kept: {spent:.0f} s CPU, {count / spent:,.0f} texts/s")
        print(
            f"peak memory {_peak_mb():.0f} MB ({base:.0f} MB before the first text); segments {stored / 2**20:.0f} MB"
        )
        for kind, total in sorted(wanted.items()):
            print(f"  {kind:12} {total:9,} texts, {caught[kind]:7,} called duplicates ({caught[kind] / total:.4f})")
        print("  " + ", ".join(f"{rule}: {number:,}" for rule, number in sorted(rules.items())))
        size = len(pool)
        del pool
        begun = time.perf_counter()
        again = Pool(embedder, text_of)
        again.load(blob for (blob,) in ledger.execute("SELECT blob FROM segments ORDER BY number"))
        print(f"load: {time.perf_counter() - begun:.1f} s for {len(again):,} texts; peak memory {_peak_mb():.0f} MB")
        assert len(again) == size
        ledger.close()


def simhash(count: int) -> None:
    """Recall of the SimHash candidates in a pool of `count` vectors, against brute force.

    2,000 vectors are sought, each a stored one with noise, so that pairs lie at all cosines around the threshold. No
    facts separate the texts here, which makes the buckets fuller than the pool's own.
    """
    source = stream(count)
    parts = []
    while wave := [text for _, (text, _) in zip(range(20_000), source, strict=False)]:
        parts.append(sketches.quantized(embeddings().embed(wave)))
    rows = np.concatenate(parts)
    runs = Runs(BUCKET)
    for at in range(0, count, 20_000):
        part = rows[at : at + 20_000]
        runs.add(sketches.codes(part, np.zeros(len(part), dtype=np.uint64)), at)
    draw = np.random.default_rng(5)
    near = rows[draw.choice(count, 2_000, replace=False)].astype(np.float32)
    near += draw.normal(size=near.shape) * draw.uniform(5, 25, (len(near), 1))
    sought = sketches.quantized(near)
    asked = sketches.codes(sought, np.zeros(len(sought), dtype=np.uint64), probes=True)
    begun = time.process_time()
    which, number = runs.find(asked.ravel())
    found = set(zip((which // asked.shape[1]).tolist(), number.tolist(), strict=True))
    spent = time.process_time() - begun
    print(f"{count:,} vectors: {len(found) / len(sought):.0f} candidates a vector, {spent / len(sought) * 1e6:.0f} us")
    scaled = (sought / np.sqrt(sketches.squared(sought))[:, None]).astype(np.float32)
    tally: Counter[tuple[str, bool]] = Counter()
    for at in range(0, count, 20_000):
        part = rows[at : at + 20_000]
        cosine = scaled @ (part / np.sqrt(sketches.squared(part))[:, None]).astype(np.float32).T
        for one, other in np.argwhere(cosine >= 0.92).tolist():
            value = cosine[one, other]
            level = "0.92 to 0.93" if value < 0.93 else "0.93 to 0.95" if value < 0.95 else "0.95 and more"
            tally[level, (one, other + at) in found] += 1
    for level in sorted({level for level, _ in tally}):
        hit, missed = tally[level, True], tally[level, False]
        print(f"  cosine {level}: {hit + missed:,} pairs, recall {hit / (hit + missed):.4f}")
    hit, missed = (sum(number for (_, found), number in tally.items() if found is side) for side in (True, False))
    print(f"  all: {hit + missed:,} pairs, recall {hit / (hit + missed):.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--all-vectors", action="store_true")
    parser.add_argument("--simhash", action="store_true")
    asked = parser.parse_args()
    if asked.simhash:
        simhash(asked.count)
    else:
        fill(asked.count, EveryText() if asked.all_vectors else embeddings())


if __name__ == "__main__":
    main()
