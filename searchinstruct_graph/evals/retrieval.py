"""How good a ranking is: recall, nDCG, reciprocal rank, average precision, as trec_eval counts them.

A ranking is a list of different document ids, best first. `grades` are the judged documents of the query: 0 not relevant, 1
and above relevant; a document without a grade counts as not relevant. Every figure is None for a query without a relevant
document, since no ranking of it could be right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def relevant(grades: Mapping[str, float]) -> set[str]:
    """The documents graded above 0."""
    return {document for document, grade in grades.items() if grade > 0}


def recall_at(ranked: Sequence[str], grades: Mapping[str, float], k: int) -> float | None:
    """Share of the relevant documents among the first `k`, 0 to 1."""
    wanted = relevant(grades)
    return len(wanted.intersection(ranked[:k])) / len(wanted) if wanted else None


def dcg(gains: Sequence[float]) -> float:
    """Discounted cumulated gain, sum of gain / log2(rank + 1) (Järvelin & Kekäläinen 2002, with log2 from the first rank)."""
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def ndcg_at(ranked: Sequence[str], grades: Mapping[str, float], k: int) -> float | None:
    """DCG of the first `k` over that of the best order of all judged documents, 0 to 1; a document's gain is its grade.

    The linear gain of trec_eval's `ndcg_cut`; others take 2^grade - 1, which is the same for grades 0 and 1.
    """
    ideal = dcg(sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:k])
    return dcg([max(grades.get(document, 0), 0) for document in ranked[:k]]) / ideal if ideal else None


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
