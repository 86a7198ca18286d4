"""How far `search --instruction` obeys with the embedded vectors, what it costs, and the fit of the head that comes with them.

    python -m benchmarks.instructed --data FOLDER --triplets msmarco.jsonl --triplets medquad.jsonl
    python -m benchmarks.instructed --data FOLDER --triplets msmarco.jsonl --triplets medquad.jsonl --fit   # anew
    python -m benchmarks.instructed --latency       # 50,000 chunks, no data

The triplets are what `python -m benchmarks.triplets --data FOLDER --only NAME --out NAME.jsonl` writes; a file's name says which
passages of FOLDER its searches go over, together with the triplets' own. Families with an even digest fit (`--fit` writes the
head into the package), the others are measured: p-MRR of the product's search (words and vectors, fused; ignoring the
instruction gives 0), and nDCG@10 of the passage that fits the instruction, with it and without; then the same for instructions
that say nothing of the subject. Intervals are drawn over families. No key, no network.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from searchinstruct_graph.models import rescoring
from searchinstruct_graph.models.embeddings import SearchEmbedder, embeddings
from searchinstruct_graph.models.rescoring import FEATURES, Rescorer, ask, features
from searchinstruct_graph.retriever.evaluation import Interval, interval, obeyed
from searchinstruct_graph.retriever.rescoring import Search, fit_weights
from searchinstruct_graph.tools.corpus import Corpus
from searchinstruct_graph.tools.corpus.search import DEPTH, _fused

RESULTS = 100
"""Passages of a search whose ranks are looked at; one that is not among them has the rank behind the last."""

FIELDS = ("document", "hard_negative_document_1", "hard_negative_document_2")
HEAD = Path(rescoring.__file__).with_name("rescoring.json")
_LONGEST = 1_200


class Set(NamedTuple):
    """Triplets and the corpus that is searched."""

    name: str
    rows: list[dict[str, str]]
    passages: list[str]


def loaded(path: Path, data: Path | None) -> Set:
    """The triplets in a file, with the passages of the data set of its name."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    passages = [row[field] for row in rows for field in FIELDS]
    if data and path.stem == "msmarco":
        passages += [str(record["text"]) for record in _records(data / "msmarco" / "corpus.jsonl.gz")]
    elif data and path.stem == "medquad":
        records = _records(data / "medquad" / "documents.jsonl.gz")
        passages += [" ".join(qa["answer"].split())[:_LONGEST] for record in records for qa in record["qa"]]
    return Set(path.stem, rows, list(dict.fromkeys(filter(str.strip, passages))))


def _records(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return list(map(json.loads, lines))


def fits(row: dict[str, str]) -> bool:
    """Whether a row's family is in the half that the head is fitted on."""
    return int(hashlib.sha256(row["family"].encode()).hexdigest(), 16) % 2 == 0


async def opened(test: Set, folder: Path) -> tuple[Corpus, dict[str, int]]:
    """The indexed corpus of a set, and the number of each passage in it."""
    path = folder / f"{test.name}.jsonl"
    lines = (json.dumps({"id": number, "title": "", "text": text}) for number, text in enumerate(test.passages))
    path.write_text("\n".join(lines), encoding="utf-8")
    return await Corpus.open([str(path)], index_dir=str(folder / "index")), {
        text: number for number, text in enumerate(test.passages)
    }


def described(corpus: Corpus, query: str, instruction: str, right: int) -> Search | None:
    """One search as the head sees it; None when the passage that fits is not among the first."""
    embedder = corpus._embedder
    ranked, _ = _fused(corpus._indexes, embedder, query, query, DEPTH, [None] * len(corpus._indexes))
    first = ranked[:DEPTH]
    place = next((at for at, hit in enumerate(first) if hit.row.key == f"#{right}"), None)
    if place is None:
        return None
    vectors = np.stack(first[0].held.vectors([hit.row for hit in first]))
    asked = ask(query, instruction, embedder.embed)
    nothing = np.zeros((vectors.shape[1], vectors.shape[1]), dtype=np.float32)
    return Search(features(asked, [hit.row.text for hit in first], vectors, nothing), place)


NEUTRAL = (
    "I am a student and this is for my notes",
    "something that I can rely on",
    "for readers who are new to it",
    "nothing that wants to sell me something",
    "give me what my colleagues would like to read",
)
"""Instructions that say nothing of the subject, for the fit; others are measured (`GENERIC`)."""


def searches(corpus: Corpus, rows: Sequence[dict[str, str]], number: dict[str, int]) -> list[Search]:
    """The three searches of each triplet, and one under an instruction that any passage fits: that says nothing of the order."""
    found = []
    for row in rows:
        for query, instruction, field in (
            ("query_positive", "instruction_positive", "document"),
            ("query_positive", "instruction_negative", "hard_negative_document_1"),
            ("query_negative", "instruction_positive", "hard_negative_document_2"),
        ):
            found.append(described(corpus, row[query], row[instruction], number[row[field]]))
    found += [
        described(corpus, row["query_positive"], NEUTRAL[at % len(NEUTRAL)], number[row["document"]])
        for at, row in enumerate(rows)
    ]
    return [each for each in found if each]


async def rank(corpus: Corpus, query: str, instruction: str, right: int) -> int:
    """The rank of a document among those of a search, from 1."""
    hits = await corpus.search(query, RESULTS, instruction=instruction)
    documents = list(dict.fromkeys(hit.uri.partition("#")[2] for hit in hits))
    return documents.index(str(right)) + 1 if str(right) in documents else len(documents) + 1


class Outcome(NamedTuple):
    """Ranks of the passage of one triplet."""

    family: str
    plain: int
    told: int
    changed: int


async def outcomes(corpus: Corpus, rows: Sequence[dict[str, str]], number: dict[str, int]) -> list[Outcome]:
    """Of each triplet the rank of its passage without an instruction, with its own, and with the poisoned one."""
    found = []
    for row in rows:
        right, query = number[row["document"]], row["query_positive"]
        told = [
            await rank(corpus, query, text, right)
            for text in ("", row["instruction_positive"], row["instruction_negative"])
        ]
        found.append(Outcome(row["family"], *told))
    return found


GENERIC = ("for a beginner", "not from vendors", "from a trustworthy source", "in plain words")
"""Instructions that say nothing of the subject: what they cost a search."""


async def generic(corpus: Corpus, rows: Sequence[dict[str, str]], number: dict[str, int]) -> list[Outcome]:
    """Of each query the rank of its passage without an instruction and with one of `GENERIC`."""
    found = []
    for at, row in enumerate(rows):
        right, query = number[row["document"]], row["query_positive"]
        told = await rank(corpus, query, GENERIC[at % len(GENERIC)], right)
        found.append(Outcome(row["family"], await rank(corpus, query, "", right), told, told))
    return found


def gain(ranks: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """nDCG@10 of one relevant document at each rank."""
    places = np.array(ranks, dtype=float)
    return np.where(places <= 10, 1 / np.log2(places + 1), 0.0)


def report(name: str, found: Sequence[Outcome]) -> None:
    """One line of the table."""
    _, family = np.unique([each.family for each in found], return_inverse=True)
    p = interval(100 * obeyed([each.told for each in found], [each.changed for each in found]), family)
    plain, told = gain([each.plain for each in found]), gain([each.told for each in found])
    change = interval(100 * (told - plain), family)
    print(
        f"{name:10} {len(found):5} {len(set(family)):5}  {shown(p):24} {100 * plain.mean():6.1f} {100 * told.mean():6.1f}  "
        f"{shown(change)}"
    )


def shown(each: Interval) -> str:
    """A mean with its interval."""
    return f"{each.value:+.1f} [{each.low:+.1f}, {each.high:+.1f}]"


class Weighed:
    """The embedded vectors with another head."""

    def __init__(self, base: SearchEmbedder, head: Rescorer) -> None:
        self._base, self._head = base, head
        self.name, self.dimensions, self.join = base.name, base.dimensions, base.join

    def head(self) -> Rescorer:
        """The head."""
        return self._head

    def trust(self, language: str) -> float:
        """As the vectors'."""
        return self._base.trust(language)

    def embed(self, texts: Sequence[str]) -> Any:
        """As the vectors'."""
        return self._base.embed(texts)


async def obedience(options: argparse.Namespace) -> None:
    """Fit if asked to, then print the table of the other half."""
    sets = [loaded(path, options.data) for path in options.triplets]
    with TemporaryDirectory() as name:
        held = [(test, *(await opened(test, Path(name)))) for test in sets]
        head = rescoring.default_rescorer()
        if options.fit:
            every = [searches(corpus, list(filter(fits, test.rows)), number) for test, corpus, number in held]
            width = embeddings("wordllama").dimensions
            head = Rescorer(
                fit_weights([each for part in every for each in part], penalty=options.penalty),
                np.zeros((width, width), np.float32),
            )
            told = {"searches": {test.name: len(part) for (test, _, _), part in zip(held, every, strict=True)}}
            write(head, told, options.penalty)
        for feature, weight in zip(FEATURES, head.weights, strict=True):
            print(f"  {feature:15} {weight:+.4f}")
        print(f"{'held out':10} {'rows':>5} {'fam.':>5}  {'p-MRR':24} {'plain':>6} {'told':>6}  change of nDCG@10")
        everything: list[Outcome] = []
        for test, corpus, number in held:
            corpus._embedder = Weighed(corpus._embedder, head)
            found = await outcomes(corpus, [row for row in test.rows if not fits(row)], number)
            report(test.name, found)
            everything += found
        report("together", everything)
        for test, corpus, number in held:
            report(f"{test.name}, instructions that fit anything", await generic(corpus, test.rows, number))


def write(head: Rescorer, told: dict[str, Any], penalty: float) -> None:
    """Write the head that comes with the package: numbers, and where they are from."""
    record = {
        "made_by": "python -m benchmarks.instructed --data FOLDER --triplets msmarco.jsonl --triplets medquad.jsonl --fit",
        "from": "triplets that the offline model made of MS MARCO pairs and MedQuAD question types; half of their families",
        **told,
        "depth": DEPTH,
        "penalty": penalty,
        "dimensions": len(head.matrix),
        "features": list(FEATURES),
        "weights": [round(float(weight), 5) for weight in head.weights],
    }
    HEAD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


INSTRUCTIONS = (
    "only kalibo, not marone",
    "for someone who knows nothing of tiraka",
    "what happened after 1990, without beliko",
    "the treatment and not the causes of naresi",
)


CHECKED = "only sources after 2015"


def shown_ms(part: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    """Median and 95th percentile."""
    return f"{np.median(part):6.1f} ({np.quantile(part, 0.95):.1f})"


async def latency(options: argparse.Namespace) -> None:
    """Milliseconds of a search without and with instructions that are left to meaning, checked, or both; the same queries in
    turns. A third of the documents are known to be outside of what is checked, and a third do not say.
    """
    from benchmarks.indexing import vocabulary, write_corpus

    with TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(folder / "plain.jsonl", options.chunks, 0)
        with (folder / "plain.jsonl").open() as lines, (folder / "corpus.jsonl").open("w") as dated:
            for at, line in enumerate(lines):
                dated.write(json.dumps({**json.loads(line), "date": ("2010", "2020", "")[at % 3]}) + "\n")
        corpus = await Corpus.open([str(folder / "corpus.jsonl")], index_dir=str(folder / "index"))
        words, rng = vocabulary(30_000, 0), random.Random(2)
        times: dict[str, list[float]] = {"plain": [], "left to meaning": [], "checked": [], "both": []}
        for turn in range(250):
            query = " ".join(rng.choices(words[:5_000], k=rng.randint(3, 12)))
            meant = INSTRUCTIONS[turn % len(INSTRUCTIONS)]
            for kind, told in zip(times, ("", meant, CHECKED, f"{CHECKED}, {meant}"), strict=True):
                began = time.perf_counter()
                await corpus.search(query, instruction=told)
                if turn >= 50:
                    times[kind].append((time.perf_counter() - began) * 1000)
        print(f"{corpus.report[0].chunks} chunks, {len(times['plain'])} queries, milliseconds: median (p95)")
        plain = np.array(times["plain"])
        for kind, part in ((kind, np.array(part)) for kind, part in times.items()):
            more = "" if kind == "plain" else f"   added {shown_ms(part - plain)}"
            print(f"  {kind:16} {shown_ms(part)}{more}")


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with msmarco/ and medquad/")
    parser.add_argument(
        "--triplets", type=Path, action="append", default=[], help="rows; the file's name is the data set's"
    )
    parser.add_argument(
        "--fit", action="store_true", help="fit the head on half of the families and write it into the package"
    )
    parser.add_argument("--penalty", type=float, default=1e-3)
    parser.add_argument("--latency", action="store_true", help="measure what an instruction adds to a search")
    parser.add_argument("--chunks", type=int, default=50_000)
    options = parser.parse_args()
    if options.triplets:
        asyncio.run(obedience(options))
    if options.latency:
        asyncio.run(latency(options))


if __name__ == "__main__":
    main()
