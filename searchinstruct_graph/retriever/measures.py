"""The table of a trained retriever: what it does on what was held out, before and after, and what the training was worth.

Three figures of obedience and one of its price: triplet accuracy with its three parts, p-MRR, and nDCG@10 of queries without an
instruction. A gain is the mean difference of the same triplets or queries, so its interval is narrower than those of the two
figures side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from searchinstruct_graph.retriever.evaluation import (
    Floats,
    Scorer,
    TripletScores,
    interval,
    plain_ndcg,
    triplet_scores,
)
from searchinstruct_graph.retriever.rows import Triplet, numbered
from searchinstruct_graph.text.words import same_text

CUT = 10
"""Rank down to which plain queries are measured."""
FEW = 100
"""Held-out triplets below which a person is told that they are few: an interval over a handful of queries is no interval."""


class Figure(TypedDict):
    """A mean over triplets or queries and its 95 % bootstrap interval, drawn over queries."""

    value: float
    low: float
    high: float


class Figures(TypedDict):
    """What a retriever does, or what it gained: after less before, on the same triplets and queries."""

    accuracy: Figure
    """Share of the triplets with all three parts right, 0 to 1."""
    above_first: Figure
    """u⁺·P⁺ above u⁺·HN₁."""
    above_second: Figure
    """u⁺·P⁺ above u⁺·HN₂."""
    above_poisoned: Figure
    """u⁺·P⁺ above u(Q⁺, I⁻)·P⁺."""
    p_mrr: Figure
    """−1 to 1."""
    plain_ndcg: Figure | None
    """nDCG@10 of plain queries, 0 to 1; None without any."""


class Measured(TypedDict):
    """What was held out, and the figures on it."""

    triplets: int
    queries: int
    """Distinct queries of the triplets; intervals are drawn over them."""
    plain_queries: int
    before: Figures
    after: Figures
    gain: Figures


class PlainSet(NamedTuple):
    """Plain queries and the passages that they are looked for in."""

    queries: list[str]
    passages: list[str]
    relevant: list[dict[int, float]]
    """Per query: the passages that were given to it, each of grade 1."""


def plain_set(pairs: Sequence[tuple[str, str]], more: Sequence[str] = ()) -> PlainSet:
    """Queries of `pairs` (query, passage) over their passages and `more`; a query that stands several times is one."""
    passages, number = numbered([*(passage for _, passage in pairs), *more])
    queries: dict[str, tuple[str, dict[int, float]]] = {}
    for at, (query, _) in enumerate(pairs):
        queries.setdefault(same_text(query), (query, {}))[1][number[at]] = 1.0
    return PlainSet([query for query, _ in queries.values()], passages, [grades for _, grades in queries.values()])


class Scores(NamedTuple):
    """Everything that was measured, triplet by triplet and query by query."""

    triplets: TripletScores
    plain: Floats | None
    """nDCG@10 a plain query."""


def scores_of(score: Scorer, held: Sequence[Triplet], plain: PlainSet | None = None) -> Scores:
    """Measure a retriever. Raises UsageError without triplets."""
    found = triplet_scores(score, held)
    return Scores(found, plain_ndcg(score, *plain, k=CUT) if plain and plain.queries else None)


def measured(before: Scores, after: Scores) -> Measured:
    """The figures of both, and what changed, triplet by triplet and query by query; both on the same ones."""
    query = before.triplets.query
    first, second = _columns(before), _columns(after)
    return Measured(
        triplets=len(query),
        queries=len(set(query.tolist())),
        plain_queries=0 if before.plain is None else len(before.plain),
        before=_figures(first, query),
        after=_figures(second, query),
        gain=_figures({name: second[name] - first[name] for name in first}, query),
    )


def _columns(scores: Scores) -> dict[str, Floats]:
    of = scores.triplets
    found = {
        "accuracy": of.right,
        "above_first": of.first,
        "above_second": of.second,
        "above_poisoned": of.poisoned,
        "p_mrr": of.obedience,
        "plain_ndcg": scores.plain,
    }
    return {name: np.asarray(values, np.float64) for name, values in found.items() if values is not None}


def _figures(columns: dict[str, Floats], query: NDArray[np.int64]) -> Figures:
    def figure(name: str) -> Figure:
        value, low, high = interval(columns[name], None if name == "plain_ndcg" else query)
        return Figure(value=value, low=low, high=high)

    return Figures(
        accuracy=figure("accuracy"),
        above_first=figure("above_first"),
        above_second=figure("above_second"),
        above_poisoned=figure("above_poisoned"),
        p_mrr=figure("p_mrr"),
        plain_ndcg=figure("plain_ndcg") if "plain_ndcg" in columns else None,
    )
