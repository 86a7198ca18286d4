"""Triplets that the offline model makes of real pairs: how many tries are kept, why others are not, what gives instructions away.

    python -m benchmarks.triplets --data FOLDER
    python -m benchmarks.triplets --data FOLDER --only medquad --most 200 --show 25      # rows to read, drawn by --seed
    python -m benchmarks.triplets --data FOLDER --out ROWS.jsonl                         # the rows, for training

FOLDER holds `msmarco/corpus.jsonl.gz` {id, text} with `msmarco/questions.jsonl.gz` {id, question, gold_id}, and
`medquad/documents.jsonl.gz` {focus, qa: [{qtype, question, answer}]}; a missing one is left out. In medquad a disease is asked
about in general, its answers are the passages, and an answer of another type to the same disease is a hard negative with a human
label: where the kept instruction is about an aspect that people have labelled, the share of passages with that label is printed.
Passages are found by embedding, the first eight, as a run finds them in its corpus. No key, no network.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from searchinstruct_graph.agents.instructor import Neighbour
from searchinstruct_graph.agents.triplet_context import OTHERS, TripletContext
from searchinstruct_graph.datasets.pairs import TripletPair
from searchinstruct_graph.datasets.triplets import (
    PUBLISHED,
    Triplet,
    TripletRow,
    query_family,
    surplus_negations,
    wording_leak,
)
from searchinstruct_graph.graphs.contrast import PairOutcome, make_triplet
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.offline.triplets.lexicon import KIN
from searchinstruct_graph.models.offline.triplets.matching import asked_by

CONTEXT = TripletContext(model="offline")

LABELS = {
    "treatment": "treatment",
    "symptoms": "symptoms",
    "inheritance": "inheritance",
    "frequency": "frequency",
    "genetic changes": "genetics",
    "exams and tests": "diagnosis",
    "causes": "causes",
    "research": "research",
    "susceptibility": "risk",
    "outlook": "outlook",
    "prevention": "prevention",
}
"""The question types of medquad as the offline model names aspects."""

ASKED = (
    "what should one know about {}",
    "facts about {}",
    "{} overview",
    "tell me more about {}",
    "information on {}",
)


class Item(NamedTuple):
    """A passage with a query that it answers, the human label of its aspect, and the document it stands in."""

    query: str
    text: str
    label: str = ""
    home: str = ""


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def pools(data: Path, seed: int) -> dict[str, tuple[list[Item], list[Item]]]:
    """Of each data set the pairs, and all passages (those without a query have an empty one)."""
    texts = {r["id"]: r["text"] for r in _records(data / "msmarco" / "corpus.jsonl.gz")}
    asked = {r["gold_id"]: r["question"] for r in _records(data / "msmarco" / "questions.jsonl.gz")}
    web = [Item(asked.get(key, ""), text) for key, text in texts.items()]
    draw, medical = random.Random(seed), []
    for record in _records(data / "medquad" / "documents.jsonl.gz"):
        query = draw.choice(ASKED).format(record["focus"])
        for qa in record["qa"]:
            text = _opening(qa["answer"])
            if len(text) >= 80:
                medical.append(Item(query, text, LABELS.get(qa["qtype"], ""), record["focus"]))
    homes = Counter(item.home for item in medical if item.label)
    return {
        "msmarco": ([item for item in web if item.query], web),
        "medquad": ([item for item in medical if item.label and homes[item.home] > 1], medical),
    }


def _opening(text: str, most: int = 1_200) -> str:
    spaced = " ".join(text.split())
    cut = spaced[:most]
    return cut if len(spaced) <= most else cut[: cut.rfind(". ") + 1] or cut


class Search:
    """The nearest passages to a text by static embeddings: the material of every pair (`contrast.Material`)."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self._embedder = embeddings("wordllama")
        self._texts = self._embedder.embed([item.text for item in items])
        self._queries = self._embedder.embed([item.query or "\n" for item in items])
        self._asked = np.array([bool(item.query) for item in items])

    async def kin(self, pair: TripletPair) -> list[Neighbour]:
        """The other passages about the same disease."""
        if not pair["family"]:
            return []
        return [Neighbour(o.text, query=o.query) for o in self.items if o.home == pair["family"]]

    async def search(self, text: str) -> list[Neighbour]:
        """The first passages for a text."""
        near = np.argsort(-(self._texts @ self._embedder.embed([text])[0]), kind="stable")[: 2 * OTHERS]
        return [Neighbour(self.items[at].text, query=self.items[at].query) for at in near]

    async def alike(self, pair: TripletPair, count: int) -> list[Neighbour]:
        """The passages of the queries nearest to a pair's, other than itself."""
        near = np.where(self._asked, self._queries @ self._embedder.embed([pair["query"]])[0], -1.0)
        found = (self.items[at] for at in np.argsort(-near, kind="stable")[: count + 1])
        # Our own general questions about a disease are asked in the words of the pair's.
        home = pair["family"]
        return [
            Neighbour(each.text, query=pair["query"].replace(home, each.home) if home else each.query)
            for each in found
            if each.text != pair["passage"]
        ]


def report(name: str, tries: list[PairOutcome], labels: dict[str, str], seconds: float) -> list[TripletRow]:
    """Print one data set's table; returns the rows that stay."""
    rows = [each["triplet"] for each in tries if each["triplet"]]
    left_out = set(surplus_negations(rows, CONTEXT.thresholds()))
    kept = [row for at, row in enumerate(rows) if at not in left_out]
    count = max(1, len(tries))
    print(
        f"{name}: {len(tries)} tries, {len(kept)} kept ({len(kept) / count:.1%}), {seconds / count * 1000:.0f} ms a try"
    )
    for (stage, reason), times in Counter((each["stage"], each["reason"]) for each in tries).most_common():
        print(f"  {times:>5}  {f'{stage}: {reason}' if reason else 'kept'}")
    print(f"  {len(left_out):>5}  kept, but left out: poisons by negation alone are over their share")
    kinds = Counter(row["kind"] for row in rows)
    print("  kinds:", ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
    for name, side in (("hard_negative_document_1", "instruction"), ("hard_negative_document_2", "query")):
        origins = Counter(row["origins"][name] for row in rows)
        print(f"  hard negatives of the poisoned {side}:", ", ".join(f"{o} {n}" for o, n in sorted(origins.items())))
    groups = Counter(query_family(row["query_positive"]) for row in kept)
    print(f"  families: {len(groups)}, the largest has {max(groups.values(), default=0)} rows")
    if leak := wording_leak(kept):
        print(
            f"  instruction text alone: accuracy {leak.accuracy:.3f} (chance .5 ± {leak.deviation:.3f}), n = {leak.instructions}"
        )
    agree(kept, labels)
    return kept


def agree(rows: Sequence[Triplet], labels: dict[str, str]) -> None:
    """Print how often people's labels say what instructions about an aspect say."""
    counted: Counter[str] = Counter()
    for row in rows:
        for name, text in (("document", "instruction_positive"), ("hard_negative_document_1", "instruction_negative")):
            label = labels.get(row[name], "")  # type: ignore[literal-required]
            for criterion in asked_by(row[text])[:1]:  # type: ignore[literal-required]
                if label and criterion.kind == "aspect" and criterion.value in LABELS.values():
                    # An exclusion is right where the label is another one.
                    right = (label == criterion.value) != criterion.denied
                    near = not criterion.denied and frozenset({label, criterion.value}) in KIN
                    counted[f"{name} right"] += right
                    counted[f"{name} kin"] += right or near
                    counted[name] += 1
    for name in ("document", "hard_negative_document_1"):
        if counted[name]:
            print(
                f"  {name}: people's label agrees in {counted[f'{name} right']} of {counted[name]} instructions about an"
                f" aspect, {counted[f'{name} kin']} with aspects that overlap"
            )


async def made(name: str, pairs: list[Item], items: list[Item], options: argparse.Namespace) -> list[TripletRow]:
    """Try the drawn pairs of one data set and report."""
    search = Search(items)
    picked = random.Random(options.seed).sample(pairs, min(options.most, len(pairs)))
    began = time.process_time()
    tries = [
        await make_triplet(
            TripletPair(query=item.query, passage=item.text, uri="", title="", family=item.home),
            CONTEXT,
            None,
            search,
            seed=options.seed + at,
        )
        for at, item in enumerate(picked)
    ]
    rows = report(name, tries, {item.text: item.label for item in items}, time.process_time() - began)
    for row in random.Random(options.seed).sample(rows, min(options.show, len(rows))):
        print("\n".join(["", *(f"  {key}: {row[key][:600]}" for key in PUBLISHED)]))  # type: ignore[literal-required]
    return rows


def main() -> None:
    """Print the tables, or with --show some rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--most", type=int, default=1_000, help="pairs of a data set that are tried, drawn by --seed")
    parser.add_argument("--only", default="", help="one data set")
    parser.add_argument("--show", type=int, default=0, help="rows of each that are printed")
    parser.add_argument("--out", type=Path, help="file to write the rows to, one JSON object a line")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    written = []
    for name, (pairs, items) in pools(options.data, options.seed).items():
        if pairs and options.only in ("", name):
            rows = asyncio.run(made(name, pairs, items, options))
            written += [
                {"id": row["id"], "family": row["family"], **{name: row[name] for name in PUBLISHED}}  # type: ignore[literal-required]
                for row in rows
            ]
    if options.out:
        options.out.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in written), encoding="utf-8")


if __name__ == "__main__":
    main()
