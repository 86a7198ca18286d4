"""How different texts are from each other: n-grams, cosines, the Vendi score, neighbours, a map in two dimensions.

Functions take unit vectors as float32 rows (`models.embeddings`); a row of zeros, a text without a known token, has no
cosine with anything and should be left out first (`embedded`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from searchinstruct_graph.models.embeddings import Embedder

    Matrix = NDArray[np.float32]
    Indices = NDArray[np.int64]

_BLOCK = 512
"""Rows that are compared with all others at once."""


def embedded(texts: Sequence[str], embedder: Embedder) -> tuple[Indices, Matrix]:
    """Which of the texts have a vector, ascending, and their unit vectors."""
    vectors = embedder.embed(list(texts))
    kept = np.flatnonzero(np.any(vectors != 0, axis=1))
    return kept, vectors[kept]


def distinct(texts: Iterable[Sequence[str]], n: int) -> float | None:
    """Different n-grams over all n-grams of `texts`, each given as its words; None when no text has n words.

    Li et al. 2016 (arXiv 1510.03055), §5.2. Falls as texts are added, so compare samples of one size only.
    """
    seen: set[tuple[str, ...]] = set()
    total = 0
    for words in texts:
        runs = len(words) - n + 1
        if runs > 0:
            total += runs
            seen.update(zip(*(words[at : at + runs] for at in range(n)), strict=True))
    return len(seen) / total if total else None


def mean_cosine(vectors: Matrix) -> float | None:
    """Mean cosine of two different rows, -1 to 1; None for fewer than two rows.

    The squared length of the rows' sum is the sum of all their products, so no pair is visited.
    """
    count = len(vectors)
    if count < 2:
        return None
    total = vectors.sum(axis=0, dtype=np.float64)
    return (float(np.square(total).sum()) - count) / (count * (count - 1))


def vendi_score(vectors: Matrix) -> float | None:
    """How many entirely different texts would be as diverse as these: 1 (all equal) to their number; None for none.

    Friedman & Dieng 2023 (arXiv 2210.02410), definition 3.1: exp(-sum λ ln λ) over the eigenvalues λ of K/n, here with
    K the cosines. Those of `vectors.T @ vectors / n` are the same but for zeros, and that matrix does not grow with n.
    """
    if not len(vectors):
        return None
    wide = vectors.astype(np.float64)
    small = wide @ wide.T if len(wide) < wide.shape[1] else wide.T @ wide
    values = np.linalg.eigvalsh(small / len(wide))
    held = values[values > 1e-12]
    return float(np.exp(-np.sum(held * np.log(held))))


class Neighbour(NamedTuple):
    """The row nearest to another one, and their cosine."""

    row: int
    cosine: float


def nearest(vectors: Matrix) -> list[Neighbour]:
    """For each row the nearest other row; empty for fewer than two rows. Time is quadratic in the rows, memory linear."""
    if len(vectors) < 2:
        return []
    found: list[Neighbour] = []
    for at in range(0, len(vectors), _BLOCK):
        cosines = vectors[at : at + _BLOCK] @ vectors.T
        within = np.arange(len(cosines))
        cosines[within, at + within] = -np.inf
        best = np.argmax(cosines, axis=1)
        reached = np.clip(cosines[within, best], -1.0, 1.0)
        found += [Neighbour(int(row), float(cosine)) for row, cosine in zip(best, reached, strict=True)]
    return found


def gini(shares: Iterable[float]) -> float | None:
    """How unevenly a whole is spread over its parts: 0 (all alike) to nearly 1 (one has all); None without a whole.

    Sen 1973: sum((2i - n - 1) x_i) / (n sum(x)) over the parts x in ascending order, i from 1.
    """
    parts = np.sort(np.fromiter(shares, dtype=np.float64))
    total = parts.sum()
    if total <= 0:
        return None
    ranks = 2 * np.arange(1, len(parts) + 1) - len(parts) - 1
    return float(ranks @ parts / (len(parts) * total))


def on_a_map(vectors: Matrix, steps: int = 250) -> NDArray[np.float64]:
    """Each row's place (x, y) on a map where neighbours stand together, both from -1 to 1. The same rows give the same map.

    t-SNE (van der Maaten & Hinton 2008), begun at the two principal components rather than at random; the components
    alone for fewer than ten rows. Time and memory are quadratic in the rows: meant for at most 1,500.
    """
    begun = _principal(vectors)
    if len(vectors) >= 10:
        begun = _tsne(vectors, begun, steps)
    begun = begun - (begun.max(axis=0) + begun.min(axis=0)) / 2 if len(begun) else begun
    reach = np.abs(begun).max(initial=0.0)
    return (begun / reach if reach > 0 else begun).astype(np.float64)


def _principal(vectors: Matrix) -> NDArray[np.float64]:
    """Coordinates on the first two principal components, their signs settled."""
    places = np.zeros((len(vectors), 2))
    if len(vectors) < 2:
        return places
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :2]
    axes = axes * np.where(axes[np.argmax(np.abs(axes), axis=0), np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    places[:, : axes.shape[1]] = centred @ axes
    return places


_CACHED = 64
EXAGGERATION = 12.0
PERPLEXITY = 30.0
"""How many neighbours a text of the map has, as in the paper's experiments; a third of the texts if they are few."""


def _tsne(vectors: Matrix, begun: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    count = len(vectors)
    joint = _affinities(np.maximum(2 - 2 * (vectors @ vectors.T), 0), min(PERPLEXITY, (count - 1) / 3))
    joint = (joint + joint.T) / np.float32(2 * count)
    places = (begun / max(float(begun.std()), 1e-12) * 1e-2).astype(np.float32)
    # Equal texts would never part: a fixed spiral, too small to see.
    turn = np.arange(count) * 2.399963
    places += (1e-4 * np.sqrt(np.arange(count) / count)[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)).astype(
        np.float32
    )
    moved, gains = np.zeros_like(places), np.ones_like(places)
    # Belkina et al. 2019: a step of n / exaggeration, and exaggeration for the first third.
    rate = np.float32(max(count / EXAGGERATION, 50.0))
    for step in range(steps):
        early = step < steps // 3
        gradient = _gradient(places, joint, EXAGGERATION if early else 1.0)
        gains = np.where(np.sign(gradient) != np.sign(moved), gains + 0.2, gains * 0.8).clip(0.01).astype(np.float32)
        moved = np.float32(0.5 if early else 0.8) * moved - rate * gains * gradient
        places = places + moved
        places = places - places.mean(axis=0)
    return places.astype(np.float64)


def _gradient(places: Matrix, joint: Matrix, exaggeration: float) -> Matrix:
    """The paper's equation 5, in blocks of rows that stay in the processor's cache."""
    squares = np.einsum("ij,ij->i", places, places) + np.float32(0.5)
    beside = np.concatenate([places, np.ones((len(places), 1), dtype=np.float32)], axis=1)
    pulls, pushes, total = np.empty_like(places), np.empty_like(places), 0.0
    for at in range(0, len(places), _CACHED):
        block = slice(at, min(at + _CACHED, len(places)))
        near = (places[block] * np.float32(-2)) @ places.T
        near += squares[block, None]
        near += squares[None, :]
        np.maximum(near, 1, out=near)
        np.reciprocal(near, out=near)
        near[np.arange(len(near)), np.arange(at, block.stop)] = 0
        total += float(near.sum(dtype=np.float64))
        for out, weights in ((pulls, joint[block] * near), (pushes, near * near)):
            # The last column sums the weights: sum_j w_ij (y_i - y_j).
            held = weights @ beside
            out[block] = held[:, 2:] * places[block] - held[:, :2]
    return np.asarray(4 * (np.float32(exaggeration) * pulls - pushes / np.float32(total)), dtype=np.float32)


def _affinities(distances: Matrix, perplexity: float) -> Matrix:
    """Each row's Gaussian neighbourhood, widened until its entropy is that of `perplexity` neighbours; rows sum to 1."""
    count = len(distances)
    apart = distances + np.diag(np.full(count, np.inf, dtype=np.float32))
    apart -= apart.min(axis=1)[:, None]
    np.fill_diagonal(apart, 0)
    low, high = np.zeros(count), np.full(count, np.inf)
    sharpness = np.ones(count)
    wanted = np.log(perplexity)
    for _ in range(30):
        weights = np.exp(apart * -sharpness[:, None].astype(np.float32))
        np.fill_diagonal(weights, 0)
        total = weights.sum(axis=1, dtype=np.float64)
        entropy = np.log(total) + sharpness * np.einsum("ij,ij->i", weights, apart) / total
        wide = entropy > wanted
        low, high = np.where(wide, sharpness, low), np.where(wide, high, sharpness)
        sharpness = np.where(np.isinf(high), sharpness * 2, (low + high) / 2).clip(max=1e9)
    return np.asarray(weights / total[:, None], dtype=np.float32)
