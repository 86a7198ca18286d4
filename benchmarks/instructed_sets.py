"""Encoders on people's judgements under instructions, side by side: none of it made by us, none of it to be trained on.

    python -m benchmarks.instructed_sets --data FOLDER --embeddings bm25 --embeddings wordllama --embeddings TRAINED [--only SET]

FOLDER holds these sets, each in a folder of its own; what is not there is left out and named.

* `csfcube-facets`: the title of a paper asks for papers with a similar background, method or result, over the papers judged for
  it. nDCG@20, with the instruction and without, and p-MRR between two facets of one paper. CSFCube is non-commercial: for
  measuring alone.
* `medquad`: the name of a disease asks for one of its question types (treatment, symptoms, causes, ...) over passages of many
  diseases; the label is that of the people who wrote the answers. nDCG@10 with and without, and p-MRR from one type to the next.
  Diseases of which a passage stands in a file named by `--trained-on` (triplets) are left out.
* `instructions`: MS MARCO's queries under the instructions of InstructIR; nDCG@10 with and without, and robustness@10, the worst
  instruction of each query.
* `msmarco`, `cranfield`: nDCG@10 of plain queries, which a training for instructions should not cost.

An embedding is a name that `--embeddings` takes everywhere, the folder of a trained encoder or head, `bm25` (the product's), or
`vectors:NAME`, which leaves out the re-scoring head. Passages are ranked by the embedding alone: no words, no fusion. Intervals
are drawn over papers, diseases or queries; the second table is the difference to the first embedding, by pairs. `--out` keeps
all as JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks import datasets
from benchmarks.triplets import LABELS, pools
from searchinstruct_graph.evals.rankers import Indices, Plain, Ranker, ranker
from searchinstruct_graph.evals.retrieval import ndcg_at, obedience, relevant
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.joining import joined
from searchinstruct_graph.retriever.encoder import Precision
from searchinstruct_graph.retriever.evaluation import Interval, interval
from searchinstruct_graph.text.words import stems

Scores = NDArray[np.float32]

K1, B = 1.5, 0.75
"""Those of the product's words."""

SEED = 0
DISEASES, PASSAGES, INSTRUCTED = 200, 3_000, 300
"""Most diseases of medquad, passages that they are looked for among, and queries under InstructIR's instructions."""


class Ranks(Protocol):
    """Scores of passages, higher is better."""

    def scores(
        self,
        queries: Sequence[str],
        instructions: Sequence[str],
        passages: Sequence[str],
        among: Sequence[Indices] | None = None,
    ) -> Scores:
        """As `evals.rankers.Ranker`."""
        ...


class Words:
    """BM25 as the product's index computes it; an instruction is more words of the query."""

    def __init__(self) -> None:
        self._passages: Sequence[str] = ()
        self._known: dict[str, int] = {}
        self._index: Any = None

    def scores(
        self,
        queries: Sequence[str],
        instructions: Sequence[str],
        passages: Sequence[str],
        among: Sequence[Indices] | None = None,
    ) -> Scores:
        """Scores (n, m); with `among`, of each query the passages that it is asked about, the others −inf."""
        import bm25s

        if passages is not self._passages:
            self._passages, self._known = passages, {}
            rows = [[self._known.setdefault(stem, len(self._known)) for stem in stems(text, "en")] for text in passages]
            self._index = bm25s.BM25(k1=K1, b=B, method="lucene")
            self._index.index((rows, self._known), create_empty_token=False, show_progress=False)
        found = np.full((len(queries), len(passages)), -np.inf, dtype=np.float32)
        for row, both in enumerate(zip(queries, instructions, strict=True)):
            ids = [self._known[stem] for stem in dict.fromkeys(stems(joined(*both), "en")) if stem in self._known]
            scores = self._index.get_scores_from_ids(ids) if ids else np.zeros(len(passages), np.float32)
            columns = np.arange(len(passages)) if among is None else among[row]
            found[row, columns] = scores[columns]
        return found


def ranks(name: str, precision: Precision) -> Ranks:
    """What ranks under the name of an embedding."""
    if name == "bm25":
        return Words()
    return (
        Ranker(Plain(embeddings(name.removeprefix("vectors:"))))
        if name.startswith("vectors:")
        else ranker(name, precision)
    )


class Query(NamedTuple):
    """A query under an instruction and under a changed one."""

    text: str
    instruction: str
    grades: dict[str, float]
    changed: str = ""
    fallen: tuple[str, ...] = ()
    cluster: str = ""
    """What is drawn together with others of its name; empty: the text."""
    pool: bool = False
    """Whether only the judged passages are ranked."""


class Test(NamedTuple):
    """Queries over passages."""

    ids: list[str]
    passages: list[str]
    queries: list[Query]
    k: int = 10


class Values(NamedTuple):
    """The values of a measure, one a query, with what each is drawn together with."""

    values: list[float]
    clusters: list[str]

    def interval(self) -> Interval:
        """Mean and 95 % interval."""
        return interval(self.values, self.clusters, seed=SEED)


def csfcube(data: Path, options: argparse.Namespace) -> Test:
    """Papers that share a facet with a paper."""
    place = data / "csfcube-facets"
    papers = list(datasets.lines(place / "corpus.jsonl.gz"))
    grades: dict[str, dict[str, float]] = {}
    for line in (place / "qrels.tsv").read_text(encoding="utf-8").splitlines():
        query, paper, grade = line.split("\t")
        grades.setdefault(query, {})[paper] = float(grade)
    rows = list(datasets.lines(place / "queries.jsonl"))
    known: dict[str, list[str]] = {}
    for row in rows:
        grades[row["qid"]].pop(row["paper_id"], None)
        known.setdefault(row["paper_id"], []).append(row["facet"])
    queries = []
    for row in rows:
        paper, facet = row["paper_id"], row["facet"]
        for other in [each for each in known[paper] if each != facet] or [""]:
            own = grades[row["qid"]]
            lost = relevant(own) - relevant(grades[f"{paper}-{other}"]) if other else ()
            queries.append(
                Query(row["title"], _facet(facet), own, _facet(other), tuple(sorted(lost)), paper, pool=True)
            )
    texts = [f"{paper['title']} {' '.join(sentence for _, sentence in paper['abstract'])}" for paper in papers]
    return Test([paper["id"] for paper in papers], texts, queries, 20)


def _facet(name: str) -> str:
    return f"papers with a similar {name}" if name else ""


def medquad(data: Path, options: argparse.Namespace) -> Test:
    """Passages of one question type about a disease."""
    _, items = pools(data, SEED)["medquad"]
    trained = {passage for path in options.trained_on for row in datasets.lines(path) for passage in _passages(row)}
    homes: dict[str, dict[str, list[str]]] = {}
    for at, item in enumerate(items):
        if item.label:
            homes.setdefault(item.home, {}).setdefault(item.label, []).append(str(at))
    seen = {item.home for item in items if item.text in trained}
    several = sorted(home for home, types in homes.items() if len(types) > 1 and home not in seen)
    draw = random.Random(SEED)
    chosen = draw.sample(several, min(DISEASES, len(several)))
    queries = []
    for home in chosen:
        types = list(homes[home])
        for one, other in pairwise([*types, types[0]]):
            grades = {**dict.fromkeys(homes[home][other], 0.0), **dict.fromkeys(homes[home][one], 1.0)}
            queries.append(Query(home, _type(one), grades, _type(other), tuple(homes[home][one]), home))
    own = [at for at, item in enumerate(items) if item.home in set(chosen)]
    others = [at for at, item in enumerate(items) if item.home not in set(chosen)]
    kept = sorted([*own, *draw.sample(others, max(0, min(PASSAGES - len(own), len(others))))])
    print(f"medquad: {len(chosen)} of {len(several)} diseases ({len(seen)} known from training), {len(kept)} passages")
    return Test([str(at) for at in kept], [items[at].text for at in kept], queries)


def _passages(row: Mapping[str, Any]) -> Iterator[str]:
    for name in ("document", "document_positive", "hard_negative_document_1", "hard_negative_document_2"):
        if name in row:
            yield row[name]


def _type(label: str) -> str:
    # The data's own names of the types, not the words that triplets are written in.
    return f"only about: {next(name for name, short in LABELS.items() if short == label)}"


def instructions(data: Path, options: argparse.Namespace) -> Test:
    """Web queries, each under instructions that want the same passage for another reason, or another one."""
    full = datasets.msmarco(data)
    gold = {question.text: question.gold for question in full.questions}
    told: dict[str, list[str]] = {}
    for row in datasets.lines(data / "msmarco" / "instructions.jsonl.gz"):
        if row["query"] in gold:
            told.setdefault(row["query"], []).append(row["instruction"])
    chosen = random.Random(SEED).sample(sorted(told), min(INSTRUCTED, len(told)))
    queries = [Query(text, each, dict.fromkeys(gold[text], 1.0)) for text in chosen for each in told[text]]
    return Test(*_corpus(full), queries)


def msmarco(data: Path, options: argparse.Namespace) -> Test:
    """Web queries with one right passage each."""
    full = datasets.msmarco(data)
    return Test(*_corpus(full), [Query(each.text, "", dict.fromkeys(each.gold, 1.0)) for each in full.questions])


def cranfield(data: Path, options: argparse.Namespace) -> Test:
    """Questions about aerodynamics with graded abstracts."""
    place = data / "cranfield"
    grades: dict[str, dict[str, float]] = {}
    for row in datasets.lines(place / "qrels.jsonl.gz"):
        grades.setdefault(row["query_id"], {})[row["doc_id"]] = float(row["grade"])
    rows = [row for row in datasets.lines(place / "queries.jsonl.gz") if relevant(grades.get(row["id"], {}))]
    papers = list(datasets.lines(place / "corpus.jsonl.gz"))
    texts = [paper["text"] for paper in papers]
    return Test([paper["id"] for paper in papers], texts, [Query(row["query"], "", grades[row["id"]]) for row in rows])


def _corpus(full: datasets.QuestionSet) -> tuple[list[str], list[str]]:
    return (
        [each["id"] for each in full.documents],
        [f"{each['title']} {each['text']}".strip() for each in full.documents],
    )


SETS: dict[str, tuple[str, Callable[[Path, argparse.Namespace], Test]]] = {
    "csfcube-facets": ("csfcube-facets", csfcube),
    "medquad": ("medquad", medquad),
    "instructions": ("msmarco", instructions),
    "msmarco": ("msmarco", msmarco),
    "cranfield": ("cranfield", cranfield),
}
"""Of each set the folder that it is in, and how it is read."""


def measured(test: Test, by: Ranks) -> dict[str, Values]:
    """The measures of one set under one embedding."""
    place = {name: at for at, name in enumerate(test.ids)}

    def rankings(told: Callable[[Query], str], queries: Sequence[Query]) -> list[list[str]]:
        found = []
        for at in range(0, len(queries), 256):
            part = queries[at : at + 256]
            among = [
                np.array(
                    [place[name] for name in query.grades if name in place] if query.pool else range(len(place)),
                    np.int64,
                )
                for query in part
            ]
            scores = by.scores([query.text for query in part], [told(query) for query in part], test.passages, among)
            for row, columns in zip(scores, among, strict=True):
                # Of equal scores the later stands first, as for `retriever.evaluation.ranks`.
                order = columns[np.lexsort((-columns, -row[columns]))]
                found.append([test.ids[column] for column in order])
        return found

    queries, k = test.queries, test.k
    clusters = [query.cluster or query.text for query in queries]
    plain = _ndcg(rankings(lambda query: "", queries), queries, k)
    if not any(query.instruction for query in queries):
        return {f"nDCG@{k}": Values(plain, clusters)}
    ranked = rankings(lambda query: query.instruction, queries)
    found = {
        f"nDCG@{k}": Values(_ndcg(ranked, queries, k), clusters),
        f"nDCG@{k} without the instruction": Values(plain, clusters),
    }
    if any(query.fallen for query in queries):
        changed = rankings(lambda query: query.changed, queries)
        obeyed = [
            (obedience(before, after, query.fallen), cluster)
            for before, after, query, cluster in zip(ranked, changed, queries, clusters, strict=True)
        ]
        told = [(value, cluster) for value, cluster in obeyed if value is not None]
        found["p-MRR"] = Values([value for value, _ in told], [cluster for _, cluster in told])
    elif len(set(clusters)) < len(clusters):
        worst: dict[str, float] = {}
        for value, cluster in zip(found[f"nDCG@{k}"].values, clusters, strict=True):
            worst[cluster] = min(value, worst.get(cluster, 1.0))
        found[f"robustness@{k}"] = Values(list(worst.values()), list(worst))
    return found


def _ndcg(ranked: Sequence[Sequence[str]], queries: Sequence[Query], k: int) -> list[float]:
    return [ndcg_at(ranking, query.grades, k) or 0.0 for ranking, query in zip(ranked, queries, strict=True)]


def shown(each: Interval) -> str:
    """A value with its interval, times 100."""
    return f"{100 * each.value:.1f} [{100 * each.low:.1f}, {100 * each.high:.1f}]"


def printed(found: Mapping[str, Mapping[str, Mapping[str, Values]]], names: Sequence[str]) -> dict[str, Any]:
    """Print both tables; returns what they hold. `found` by set, measure and embedding."""
    rows: dict[str, Any] = {}
    for title, first in (("times 100, 95 % intervals", 0), (f"difference to {names[0]}, by pairs", 1)):
        if not names[first:]:
            continue
        print(f"\n| set | measure | cases | {' | '.join(names[first:])} |  ({title})")
        print("|" + "---|" * (3 + len(names) - first))
        for test, measures in found.items():
            for measure, columns in measures.items():
                base, cells = columns[names[0]], []
                for name in names[first:]:
                    own = columns[name]
                    apart = [one - other for one, other in zip(own.values, base.values, strict=True)]
                    value = own.interval() if not first else Values(apart, own.clusters).interval()
                    rows.setdefault(f"{test}: {measure}", {})[name if not first else f"{name} - {names[0]}"] = value
                    cells.append(shown(value))
                print(f"| {test} | {measure} | {len(base.values)} | {' | '.join(cells)} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--embeddings", action="append", default=[], help="may be repeated; wordllama without it")
    parser.add_argument("--precision", choices=get_args(Precision), default="auto", help="of encoders in folders")
    parser.add_argument("--only", action="append", default=[], choices=list(SETS), help="one set; may be repeated")
    parser.add_argument(
        "--trained-on", type=Path, action="append", default=[], help="triplets whose diseases are left out"
    )
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    options = parser.parse_args()
    names = list(dict.fromkeys(options.embeddings)) or ["wordllama"]
    rankers = {name: ranks(name, options.precision) for name in names}
    found: dict[str, dict[str, dict[str, Values]]] = {}
    for test, (folder, read) in SETS.items():
        if options.only and test not in options.only:
            continue
        if not (options.data / folder).is_dir():
            print(f"{test}: left out, {options.data / folder} is not there")
            continue
        given = read(options.data, options)
        for name, by in rankers.items():
            began = time.monotonic()
            for measure, values in measured(given, by).items():
                found.setdefault(test, {}).setdefault(measure, {})[name] = values
            print(f"{test}: {name}, {len(given.queries)} queries, {time.monotonic() - began:.0f} s", flush=True)
    rows = printed(found, names)
    if options.out:
        told = {row: {name: value._asdict() for name, value in columns.items()} for row, columns in rows.items()}
        options.out.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
