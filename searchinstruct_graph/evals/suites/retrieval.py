"""Retrieval: the product's own search over a corpus, against documents that are known to be relevant.

A case is a query. Where it has an instruction, of its own or by `--instruction`, it is searched for with and without it,
so that what the instruction changes can be told. Where it has a changed instruction as well, it is searched for with that one
too, and p-MRR tells whether the documents that this makes non-relevant fall.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from searchinstruct_graph.agents.sources import open_corpus
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals import retrieval
from searchinstruct_graph.evals.answering import document_name
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.search_sets import SearchSet, read_search_sets
from searchinstruct_graph.evals.suite import Case, Measure, Metric, Sample, Score, Suite, case, mean_of, scored
from searchinstruct_graph.tools.corpus import Corpus

K = 10
"""Rank at which nDCG, reciprocal rank and the first recall are cut."""

DEPTH = 100
"""Documents kept of a ranking."""

POOL_DEPTH = 2_000
"""Passages looked at to rank the judged documents of a query that has judged irrelevant ones."""

P_MRR = "p_mrr"

SCORES = (
    f"ndcg@{K}",
    f"recall@{K}",
    f"recall@{DEPTH}",
    f"mrr@{K}",
    f"map@{DEPTH}",
    f"pool_ndcg@{K}",
    f"plain_ndcg@{K}",
    f"plain_recall@{K}",
    f"plain_mrr@{K}",
    f"plain_map@{DEPTH}",
    P_MRR,
    f"judged@{K}",
)
"""What a ranking is scored by."""

INSTRUCTED = " instructed"

_read: dict[tuple[str, ...], dict[str, SearchSet]] = {}


def _sets(context: EvalContext, *, anew: bool = False) -> dict[str, SearchSet]:
    key = tuple(context.data)
    if anew or key not in _read:
        _read.clear()
        _read[key] = {found.name: found for found in read_search_sets(context.data, context.index)}
    return _read[key]


def read(context: EvalContext) -> Iterator[Case]:
    """One case a query. Raises UsageError for data that are no search set, or that have no corpus."""
    for name, found in _sets(context, anew=True).items():
        if not found.corpus and not context.corpus:
            raise UsageError(f"{name}: holds queries but no corpus {{id, text}}; name the corpus with --corpus")
        for group, queries in ((name, found.queries), (name + INSTRUCTED, found.instructed)):
            for query in queries:
                given: Sample = {"user_input": query.text, "query_id": query.id, "grades": query.grades}
                if query.instruction:
                    given["instruction"] = query.instruction
                if query.changed:
                    given |= {"changed_instruction": query.changed, "fallen": query.fallen}
                yield case(group, given)


async def make(given: Case, context: EvalContext) -> Sample:
    """The documents in the order of the search: `ranked`, `ranked_plain` without the instruction, `ranked_changed`.

    With at least `K` documents judged irrelevant also `pool`: the judged documents alone, from a deeper search.
    """
    found = _sets(context)[given["group"].removesuffix(INSTRUCTED)]
    sources = list(context.corpus or found.corpus)
    corpus = await open_corpus(context.research(corpus=sources), refresh=False)
    assert corpus is not None
    query, grades = given["given"]["user_input"], given["given"]["grades"]
    instruction = given["given"].get("instruction") or context.instruction
    ranked = await _ranking(corpus, query, instruction, grades)
    made: Sample = {"ranked": ranked[:DEPTH]}
    if _pooled(grades):
        made["pool"] = retrieval.condensed(ranked, grades)
    if instruction:
        made["ranked_plain"] = (await _ranking(corpus, query, "", grades))[:DEPTH]
    if changed := given["given"].get("changed_instruction"):
        made["ranked_changed"] = (await _ranking(corpus, query, changed, grades))[:DEPTH]
    return made


def _pooled(grades: Mapping[str, float]) -> bool:
    return sum(grade <= 0 for grade in grades.values()) >= K


async def _ranking(corpus: Corpus, query: str, instruction: str, grades: Mapping[str, float]) -> list[str]:
    depth = POOL_DEPTH if _pooled(grades) else 2 * DEPTH
    hits = await corpus.search(query, depth, instruction=instruction)
    return list(dict.fromkeys(document_id(hit.uri, grades) for hit in hits))


def document_id(uri: str, grades: Mapping[str, float]) -> str:
    """The id by which the judgements know the document at `uri`: a record's id, or the end of a path; else the URI."""
    name = document_name(uri)
    if name in grades or "/" not in name:
        return name
    parts = name.split("/")
    tails = ("/".join(parts[at:]) for at in range(1, len(parts)))
    return next((tail for tail in tails if tail in grades), name)


async def ranking_scores(sample: Sample, context: EvalContext) -> dict[str, Score]:
    """Recall, nDCG, reciprocal rank and average precision of the ranking, and of the one without an instruction; p-MRR.

    Of a ranking of `DEPTH` documents, one that is not there counts as the next behind them.
    """
    grades, ranked = sample["grades"], sample["ranked"]
    seen = ", ".join(ranked[:3]) or "nothing was found"
    found = {
        **_ranked_scores("", ranked, grades),
        f"recall@{DEPTH}": retrieval.recall_at(ranked, grades, DEPTH),
        f"judged@{K}": retrieval.judged_at(ranked, grades, K),
    }
    if "pool" in sample:
        found[f"pool_ndcg@{K}"] = retrieval.ndcg_at(sample["pool"], grades, K)
    if "ranked_plain" in sample:
        found |= _ranked_scores("plain_", sample["ranked_plain"], grades)
    if "ranked_changed" in sample:
        found[P_MRR] = retrieval.obedience(ranked, sample["ranked_changed"], sample["fallen"])
    return {name: scored(value, f"first: {seen}") for name, value in found.items()}


def _ranked_scores(prefix: str, ranked: Sequence[str], grades: Mapping[str, float]) -> dict[str, float | None]:
    return {
        f"{prefix}recall@{K}": retrieval.recall_at(ranked, grades, K),
        f"{prefix}ndcg@{K}": retrieval.ndcg_at(ranked, grades, K),
        f"{prefix}mrr@{K}": retrieval.reciprocal_rank_at(ranked, grades, K),
        f"{prefix}map@{DEPTH}": retrieval.average_precision(ranked, grades),
    }


def metrics(context: EvalContext) -> tuple[Metric, ...]:
    """All of them are read off the ranking."""
    return (Metric("ranking", "offline", ranking_scores, needs=("grades",), version=2, gives=SCORES),)


def measures(context: EvalContext) -> tuple[Measure, ...]:
    """Means over the queries; `plain` is the search without the instruction, `pool` the judged documents alone.

    p-MRR, −1 to 1, is over the queries with a changed instruction under which documents have to fall.
    """
    return tuple(mean_of(name) for name in SCORES)


SUITE = Suite(
    name="retrieval",
    summary="search over a corpus against known relevant documents",
    read=read,
    metrics=metrics,
    measures=measures,
    make=make,
    judged=False,
)
