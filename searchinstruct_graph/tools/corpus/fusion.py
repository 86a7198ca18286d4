"""Joining two rankings: weighted reciprocal rank fusion (Cormack et al., SIGIR 2009)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

Item = TypeVar("Item", bound=Hashable)

K = 10
"""Rank constant: how flat the top of a list is. 60 in the paper, for dozens of systems of like quality; with two
systems and ten places to fill, smaller values let a first place count."""


def fuse(rankings: Sequence[tuple[Sequence[Item], float]], k: float = K) -> dict[Item, float]:
    """Score of each item: the sum over (ranking, weight) pairs of weight / (k + rank), ranks from 1."""
    scores: dict[Item, float] = {}
    for ranking, weight in rankings:
        for rank, item in enumerate(ranking, 1):
            scores[item] = scores.get(item, 0.0) + weight / (k + rank)
    return scores
