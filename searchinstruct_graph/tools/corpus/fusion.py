"""Joining two rankings: weighted reciprocal rank fusion (Cormack et al., SIGIR 2009)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

Item = TypeVar("Item", bound=Hashable)

K = 3
"""Rank constant: how flat the top of a list is. 60 in the paper, made for dozens of systems of like quality, lets ten
middling agreements outvote one half's first place. With two halves and ten places, a small constant keeps what either
half is sure of: with the weight w for the second half, its first hit comes before the first half's hit of rank
(K + 1) / w - K."""


def fuse(rankings: Sequence[Sequence[tuple[Item, float]]], k: float = K) -> dict[Item, float]:
    """Score of each item: the sum over rankings of weight / (k + rank), ranks from 1, best first.

    A ranking is a list of (item, weight); the weight says how far this ranking is trusted about this item.
    """
    scores: dict[Item, float] = {}
    for ranking in rankings:
        for rank, (item, weight) in enumerate(ranking, 1):
            scores[item] = scores.get(item, 0.0) + weight / (k + rank)
    return scores
