"""How good a ranking is: recall, nDCG, reciprocal rank, average precision, as trec_eval counts them; and whether it obeys.

A ranking is a list of different document ids, best first. `grades` are the judged documents of the query: 0 not relevant, 1
and above relevant; a document without a grade counts as not relevant. Every figure is None for a query without a relevant
document, since no ranking of it could be right.

Whether it obeys is p-MRR (Weller et al., FollowIR, arXiv 2403.15246, eq. 1). A query is searched twice, with its instruction
and with a changed one, which makes some of the relevant documents non-relevant. Those have to fall:

    p(q, d) = R_new / R_og − 1 where R_og ≥ R_new, else 1 − R_og / R_new
    p-MRR   = mean over queries of the mean over their documents of p

with ranks counted from 1: 1 obeys fully, 0 ignores the instruction, −1 does the opposite; usually reported times 100. A
document that a ranking does not hold has the rank behind its last one. It says nothing of what stands in the fallen documents'
place, so MAP or nDCG belong beside it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.retriever.evaluation import ndcg, obeyed

Run = Mapping[str, Mapping[str, float]]
"""Query to documents with their scores, higher is better."""


def relevant(grades: Mapping[str, float]) -> set[str]:
    """The documents graded above 0."""
    return {document for document, grade in grades.items() if grade > 0}


def recall_at(ranked: Sequence[str], grades: Mapping[str, float], k: int) -> float | None:
    """Share of the relevant documents among the first `k`, 0 to 1."""
    wanted = relevant(grades)
    return len(wanted.intersection(ranked[:k])) / len(wanted) if wanted else None


def ndcg_at(ranked: Sequence[str], grades: Mapping[str, float], k: int) -> float | None:
    """DCG of the first `k` over that of the best order of all judged documents, 0 to 1; a document's gain is its grade.

    The formula, that of trec_eval's `ndcg_cut`, is `retriever.evaluation.ndcg`.
    """
    place = {document: rank for rank, document in enumerate(ranked[:k], 1)}
    return ndcg([place.get(document, k + 1) for document in grades], list(grades.values()), k)


def reciprocal_rank_at(ranked: Sequence[str], grades: Mapping[str, float], k: int) -> float | None:
    """1 / rank of the first relevant document, 0 when none is among the first `k`; its mean is MRR@k (Voorhees 1999)."""
    wanted = relevant(grades)
    if not wanted:
        return None
    return next((1 / rank for rank, document in enumerate(ranked[:k], 1) if document in wanted), 0.0)


def average_precision(ranked: Sequence[str], grades: Mapping[str, float]) -> float | None:
    """Mean over the relevant documents of the precision at their rank, 0 for those not ranked; its mean is MAP.

    As in trec_eval's `map` (Buckley & Voorhees 2000): the divisor is all relevant documents, also those not found.
    """
    wanted = relevant(grades)
    if not wanted:
        return None
    found, total = 0, 0.0
    for rank, document in enumerate(ranked, 1):
        if document in wanted:
            found += 1
            total += found / rank
    return total / len(wanted)


def judged_at(ranked: Sequence[str], grades: Mapping[str, float], k: int) -> float | None:
    """Share of the first `k` that somebody has judged: low, and the other figures say little. None for an empty ranking."""
    seen = ranked[:k]
    return sum(document in grades for document in seen) / len(seen) if seen else None


def condensed(ranked: Sequence[str], grades: Mapping[str, float]) -> list[str]:
    """The ranking without the documents that nobody has judged (Sakai 2007)."""
    return [document for document in ranked if document in grades]


class PMrr(NamedTuple):
    """p-MRR and what it is made of."""

    value: float | None
    """−1 to 1; None when no query could be measured."""
    queries: dict[str, float]
    """The mean p of each query that was measured."""
    skipped: list[str]
    """Queries that are missing from a run, or have no document that must fall."""


def ordered(scores: Mapping[str, float]) -> list[str]:
    """The documents of a run, the highest score first; of equal scores the greater id stands first, as in trec_eval and mteb.

    Raises:
        UsageError: a score that is not a number.
    """
    for document, score in scores.items():
        if math.isnan(score):
            raise UsageError(f"the score of document {document!r} is not a number")
    return sorted(scores, key=lambda document: (scores[document], document), reverse=True)


def obedience(before: Sequence[str], after: Sequence[str], fallen: Collection[str]) -> float | None:
    """Mean p of one query's documents that must fall, −1 to 1, from its two rankings; None when there are none.

    `before` is the ranking under the original instruction, `after` that under the changed one.
    """
    if not fallen:
        return None
    judged = sorted(set(fallen))
    ranks = []
    for ranking in (before, after):
        place = {document: rank for rank, document in enumerate(ranking, 1)}
        ranks.append([place.get(document, len(ranking) + 1) for document in judged])
    return float(obeyed(*ranks).mean())


def p_mrr(original: Run, changed: Run, fallen: Mapping[str, Collection[str]]) -> PMrr:
    """p-MRR of two runs; `fallen`: per query, the documents that the changed instruction makes non-relevant.

    Raises:
        UsageError: a score that is not a number.
    """
    found: dict[str, float] = {}
    skipped = []
    for query, documents in fallen.items():
        value = None
        if query in original and query in changed:
            value = obedience(ordered(original[query]), ordered(changed[query]), documents)
        if value is None:
            skipped.append(query)
        else:
            found[query] = value
    return PMrr(math.fsum(found.values()) / len(found) if found else None, found, skipped)
