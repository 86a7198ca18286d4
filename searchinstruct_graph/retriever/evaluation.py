"""How far a retriever obeys instructions, and what that costs it where there is none. Numbers alone.

Held-out triplets give two measures: triplet accuracy, and p-MRR (Weller et al., FollowIR, arXiv 2403.15246, eq. 1) with
(Q⁺, I⁺) as the original and (Q⁺, I⁻) as the altered query, under which the positive passage has to fall. p-MRR does not
punish a retriever that pushes everything down, so nDCG@10 of plain queries stands beside it. Intervals are drawn over
queries, since the triplets of one query are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.retriever.rows import Triplet, numbered
from searchinstruct_graph.text.words import same_text

Floats = NDArray[np.float64]
Ranks = NDArray[np.int64]
Vectors = NDArray[np.float32]

Scorer = Callable[[Sequence[str], Sequence[str], Sequence[str]], NDArray[np.floating]]
"""From n queries, their n instructions ("" for none) and m passages to scores (n, m), higher is better."""

_AT_ONCE = 256
# Queries whose scores over all passages are held together.


class PairEncoder(Protocol):
    """Turns queries with instructions, and passages, into unit vectors of one space."""

    def embed_pairs(self, queries: Sequence[str], instructions: Sequence[str]) -> Vectors:
        """One row a query."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row a passage."""
        ...


def dense(encoder: PairEncoder) -> Scorer:
    """Scores by cosine. Calls in a row with one and the same list of passages embed it once, so make it anew after training."""
    known: list[tuple[Sequence[str], Vectors]] = []

    def score(queries: Sequence[str], instructions: Sequence[str], passages: Sequence[str]) -> NDArray[np.floating]:
        if not known or known[0][0] is not passages:
            known[:] = [(passages, encoder.embed(passages))]
        found: NDArray[np.floating] = encoder.embed_pairs(queries, instructions) @ known[0][1].T
        return found

    return score


def obeyed(before: ArrayLike, after: ArrayLike) -> Floats:
    """FollowIR's p of documents that an altered instruction makes non-relevant, by rank (1 = top); −1 to 1, falling is good.

    With R_og before and R_new after: R_new / R_og − 1 where R_og ≥ R_new, else 1 − R_og / R_new.

    Raises:
        UsageError: a rank below 1.
    """
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if not ((first >= 1).all() and (second >= 1).all()):
        raise UsageError("p-MRR: ranks are counted from 1")
    found: Floats = np.where(first >= second, second / first - 1.0, 1.0 - first / second)
    return found


def ranks(scores: NDArray[np.floating], columns: ArrayLike) -> Ranks:
    """Rank of one column of each row of `scores` (n, m), 1 the highest; of equal scores the later column stands first.

    trec_eval and mteb break ties in the same direction, by the document's id.
    """
    at = np.asarray(columns, dtype=np.int64)
    own = scores[np.arange(len(scores)), at][:, None]
    later = np.arange(scores.shape[1]) > at[:, None]
    found: Ranks = 1 + ((scores > own) | ((scores == own) & later)).sum(axis=1)
    return found


def dcg(gains: Iterable[tuple[int, float]]) -> float:
    """Discounted cumulated gain of (rank from 1, gain): the sum of gain / log2(rank + 1) (Järvelin & Kekäläinen 2002)."""
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in gains)


def ndcg(places: Sequence[int], grades: Sequence[float], k: int) -> float | None:
    """nDCG@k of one ranking, 0 to 1: `dcg` of what stands within the first `k` over that of the best order.

    `places` are the ranks, from 1, of the judged documents, `grades` what they gain there; a grade of 0 or below gains nothing.
    The linear gain and the log2 from the first rank of trec_eval's `ndcg_cut`; others take 2^grade - 1, which is the same for
    grades 0 and 1. None without a grade above 0, since no ranking could be right.
    """
    gained = [(place, grade) for place, grade in zip(places, grades, strict=True) if grade > 0]
    ideal = dcg(enumerate(sorted((grade for _, grade in gained), reverse=True)[:k], 1))
    return dcg((place, grade) for place, grade in gained if place <= k) / ideal if ideal else None


class Interval(NamedTuple):
    """A mean and where it may lie."""

    value: float
    low: float
    high: float


def interval(
    values: ArrayLike, clusters: ArrayLike | None = None, *, draws: int = 2_000, level: float = 0.95, seed: int = 0
) -> Interval:
    """The mean of `values` (n,) with a percentile bootstrap interval (Efron & Tibshirani 1993).

    What shares a number in `clusters` (n,) is drawn together. For the difference of two retrievers on the same triplets, give
    the differences.

    Raises:
        UsageError: no values, a value that is not finite, or clusters of another length.
    """
    rows = np.asarray(values, dtype=np.float64)
    of = np.arange(len(rows)) if clusters is None else np.asarray(clusters)
    if rows.ndim != 1 or not len(rows) or of.shape != rows.shape or not np.isfinite(rows).all():
        raise UsageError(f"bootstrap: needs finite values and a cluster for each, got {rows.shape} and {of.shape}")
    _, member = np.unique(of, return_inverse=True)
    sums, counts = np.bincount(member, weights=rows), np.bincount(member)
    random = np.random.default_rng(seed)
    means = np.empty(draws)
    for draw in range(draws):
        chosen = random.integers(0, len(sums), len(sums))
        means[draw] = sums[chosen].sum() / counts[chosen].sum()
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(rows.mean()), float(low), float(high))


@dataclass(frozen=True, eq=False)
class TripletScores:
    """What a retriever did on n held-out triplets."""

    query: NDArray[np.int64]
    """(n,): number of the triplet's query; equal queries share one."""
    first: NDArray[np.bool_]
    """(n,): u⁺·P⁺ above u⁺·HN₁."""
    second: NDArray[np.bool_]
    """(n,): u⁺·P⁺ above u⁺·HN₂."""
    poisoned: NDArray[np.bool_]
    """(n,): u⁺·P⁺ above u(Q⁺, I⁻)·P⁺."""
    before: Ranks
    """(n,): rank of P⁺ for (Q⁺, I⁺) among all passages of the triplets."""
    after: Ranks
    """(n,): its rank for (Q⁺, I⁻)."""

    @property
    def right(self) -> NDArray[np.bool_]:
        """(n,): all three; a tie is not above."""
        return self.first & self.second & self.poisoned

    @property
    def obedience(self) -> Floats:
        """(n,): p of each triplet, −1 to 1."""
        return obeyed(self.before, self.after)

    def accuracy(self, **options: int) -> Interval:
        """Triplet accuracy, 0 to 1; `options` as for `interval`."""
        return interval(self.right, self.query, **options)

    def p_mrr(self, **options: int) -> Interval:
        """p-MRR, −1 to 1; usually reported times 100. Each triplet is a query of its own with one document that must fall."""
        return interval(self.obedience, self.query, **options)


def triplet_scores(score: Scorer, triplets: Sequence[Triplet], more: Sequence[str] = ()) -> TripletScores:
    """Score `triplets`; ranks are among the distinct passages of all of them and of `more`, in the order of first appearance.

    Raises:
        UsageError: no triplets, or scores of another shape than queries by passages.
    """
    if not triplets:
        raise UsageError("no held-out triplets to measure on")
    passages, number = numbered(
        [*(text for each in triplets for text in (each.document_positive, *each.hard_negatives)), *more]
    )
    columns = np.array(number[: 3 * len(triplets)], dtype=np.int64).reshape(-1, 3)
    hits, places = [], []
    for at in range(0, len(triplets), _AT_ONCE):
        part, where = triplets[at : at + _AT_ONCE], columns[at : at + _AT_ONCE]
        queries = [each.query_positive for each in part]
        original = _scored(score, queries, [each.instruction_positive for each in part], passages)
        altered = _scored(score, queries, [each.instruction_negative for each in part], passages)
        line = np.arange(len(part))
        own = original[line, where[:, 0]]
        rivals = [original[line, where[:, 1]], original[line, where[:, 2]], altered[line, where[:, 0]]]
        hits.append(np.stack([own > rival for rival in rivals], axis=1))
        places.append(np.stack([ranks(original, where[:, 0]), ranks(altered, where[:, 0])], axis=1))
    hit, place = np.concatenate(hits), np.concatenate(places)
    query = np.array(numbered([same_text(each.query_positive) for each in triplets])[1], dtype=np.int64)
    return TripletScores(query, hit[:, 0], hit[:, 1], hit[:, 2], place[:, 0], place[:, 1])


def plain_ndcg(
    score: Scorer, queries: Sequence[str], passages: Sequence[str], relevant: Sequence[Mapping[int, float]], k: int = 10
) -> Floats:
    """nDCG@k of each of n `queries` without an instruction, 0 to 1; (n,).

    `relevant`: per query, the index and grade of its relevant passages; the formula is `ndcg`'s.

    Raises:
        UsageError: a query without a relevant passage, or lengths that differ.
    """
    if len(queries) != len(relevant):
        raise UsageError(f"{len(queries)} queries, but relevant passages for {len(relevant)}")
    found = np.empty(len(queries))
    for at in range(0, len(queries), _AT_ONCE):
        part = queries[at : at + _AT_ONCE]
        scores = _scored(score, part, [""] * len(part), passages)
        for row, line in enumerate(scores):
            grades = {index: grade for index, grade in relevant[at + row].items() if grade > 0}
            if not grades:
                raise UsageError(f"query {at + row} has no relevant passage; leave it out")
            places = ranks(np.broadcast_to(line, (len(grades), len(line))), list(grades)).tolist()
            found[at + row] = ndcg(places, list(grades.values()), k)
    return found


def _scored(
    score: Scorer, queries: Sequence[str], instructions: Sequence[str], passages: Sequence[str]
) -> NDArray[np.floating]:
    found = np.asarray(score(queries, instructions, passages))
    if found.shape != (len(queries), len(passages)) or not np.isfinite(found).all():
        raise UsageError(
            f"a scorer gave {found.shape} scores for {len(queries)} queries and {len(passages)} passages, "
            "or one that is not finite"
        )
    return found
