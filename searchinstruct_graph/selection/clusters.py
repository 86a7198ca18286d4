"""The documents in groups: k-means on unit vectors, in bounded memory, the same for the same seed to the last bit.

One thread computes: sums that several threads add up depend on which of them is first.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Transform = Callable[[Rows], Rows]

FEWEST, MOST = 8, 1_000
"""Bounds of `clusters_wanted`."""
RESTARTS = 3
FULL_ROWS = 20_000
"""Documents up to which every step of k-means reads them all; beyond, it takes mini-batches."""
SAMPLE_BYTES = 128 << 20
"""Size of the sample that centres are sought in; a document outside it is given to the nearest one."""
SPLIT_ABOVE = 5.0
"""Multiple of the mean size above which a cluster is split."""
MERGE_BELOW = 2
"""Documents below which a cluster is given to its nearest neighbour."""

_CHUNK_BYTES = 8 << 20
_BATCH = 4_096
_BISECT_ROWS = 10_000
_LOPSIDED = 0.05
"""Share below which a split's smaller side is a few outliers, and the cluster is cut into halves instead."""
_SAME = 1e-6
"""Difference of two numbers of float32 unit vectors that says nothing."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """Groups of documents, numbered from 0 without gaps."""

    labels: NDArray[np.int32]
    """(n,): the cluster of each document."""
    centroids: Rows
    """(k, d): the mean of its documents' unit vectors, shorter than 1 the more they differ."""
    spreads: Rows
    """(k, d): their standard deviation in every dimension."""

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(k,): documents of each cluster; they sum to n."""
        return np.bincount(self.labels, minlength=len(self.centroids))


def clusters_wanted(n: int) -> int:
    """How many clusters `n` documents are put into: √(n / 2), at least 8 and at most 1,000, never more than `n`."""
    return min(n, max(FEWEST, min(MOST, round(math.sqrt(n / 2)))))


def cluster(vectors: Any, count: int | None = None, seed: int = 0, *, transform: Transform | None = None) -> Clusters:
    """Put the (n, d) `vectors`, an array or a memmap, into about `count` clusters (`clusters_wanted` when None).

    k-means++ with three restarts, on rows of length 1 (a zero row stays zero); `transform` maps every chunk of rows first,
    such as `Alignment.apply`. Clusters above five times the mean size are split, those of one document merged with the
    nearest, so there may be more or fewer than `count`. Memory beside the input: a sample of at most `SAMPLE_BYTES`,
    chunks, the labels, and the clusters themselves.

    Raises:
        ValueError: not two-dimensional, no rows, a number that is not finite, or a count below 1.
    """
    # The limit reaches only libraries that are loaded before it is set.
    from scipy import sparse as _sparse  # noqa: F401
    from sklearn import cluster as _cluster  # noqa: F401
    from threadpoolctl import threadpool_limits

    shape = np.shape(vectors)
    if len(shape) != 2 or not shape[0] or not shape[1]:
        raise ValueError(f"vectors: needs an array of vectors with at least one row, got the shape {shape}")
    if count is not None and count < 1:
        raise ValueError(f"count: needs at least 1 cluster, got {count}")
    wanted = min(count or clusters_wanted(shape[0]), shape[0])
    source = _Source(vectors if isinstance(vectors, np.ndarray) else np.asarray(vectors), transform)
    with threadpool_limits(limits=1):
        labels = _assigned(source, _centres(source, wanted, seed))
        labels = _split(source, labels, SPLIT_ABOVE * len(source) / wanted, seed)
        labels = _merged(source, labels)
        return Clusters(labels, *_moments(source, labels))


def gaussian_distances(clusters: Clusters) -> NDArray[np.float64]:
    """Squared 2-Wasserstein distance of every two clusters, taken as Gaussians with diagonal covariance: (k, k).

    ‖m_i − m_j‖² + Σ_d (σ_id − σ_jd)², which ‖m_i − m_j‖² + Tr(S_i + S_j − 2 (S_i^½ S_j S_i^½)^½) is where S is diagonal.
    """
    points = np.concatenate([clusters.centroids, clusters.spreads], axis=1).astype(np.float64)
    squares = np.einsum("kd,kd->k", points, points)
    distances: NDArray[np.float64] = np.maximum(squares[:, None] + squares - 2 * (points @ points.T), 0.0)
    distances = (distances + distances.T) / 2
    np.fill_diagonal(distances, 0.0)
    return distances


class _Source:
    """Rows of the input by index: checked, mapped, of length 1."""

    def __init__(self, vectors: NDArray[Any], transform: Transform | None) -> None:
        self._vectors = vectors
        self._transform = transform
        self._chunk = max(1, _CHUNK_BYTES // (4 * vectors.shape[1]))
        self.width = self.take(slice(0, 1)).shape[1]

    def __len__(self) -> int:
        return len(self._vectors)

    def take(self, which: NDArray[np.int64] | slice) -> Rows:
        rows = np.array(self._vectors[which], dtype=np.float32)
        if not np.isfinite(rows).all():
            raise ValueError("vectors: a vector holds a number that is not finite")
        if self._transform is not None:
            rows = np.array(self._transform(rows), dtype=np.float32)
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        np.divide(rows, length, out=rows, where=length > 0)
        return rows

    def chunks(self) -> Iterator[tuple[slice, Rows]]:
        """All rows, a few megabytes at a time."""
        for at in range(0, len(self), self._chunk):
            part = slice(at, min(at + self._chunk, len(self)))
            yield part, self.take(part)

    def chunks_of(self, which: NDArray[np.int64]) -> Iterator[Rows]:
        """The rows `which`, a few megabytes at a time."""
        for at in range(0, len(which), self._chunk):
            yield self.take(which[at : at + self._chunk])

    def sample(self, which: NDArray[np.int64], most: int, draw: np.random.Generator) -> Rows:
        """At most `most` of the rows `which`, in their order."""
        if len(which) > most:
            which = which[np.sort(draw.choice(len(which), most, replace=False))]
        rows = np.empty((len(which), self.width), dtype=np.float32)
        for at, chunk in zip(range(0, len(which), self._chunk), self.chunks_of(which), strict=True):
            rows[at : at + self._chunk] = chunk
        return rows


def _centres(source: _Source, wanted: int, seed: int) -> Rows:
    """`wanted` centres by k-means on a sample of the documents."""
    draw = np.random.default_rng(seed)
    most = max(SAMPLE_BYTES // (4 * source.width), wanted)
    return _k_means(source.sample(np.arange(len(source)), most, draw), wanted, RESTARTS, draw)


def _k_means(rows: Rows, wanted: int, restarts: int, draw: np.random.Generator) -> Rows:
    """The (`wanted`, d) centres of the best of `restarts`; some may coincide where rows do."""
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    seed = int(draw.integers(2**31))
    model = (
        KMeans(wanted, n_init=restarts, random_state=seed)
        if len(rows) <= FULL_ROWS
        # Centres of few documents would be taken away to where many are; a rare kind is what a target may want.
        else MiniBatchKMeans(wanted, n_init=restarts, batch_size=_BATCH, reassignment_ratio=0.0, random_state=seed)
    )
    with warnings.catch_warnings():
        # Fewer different documents than clusters: the empty ones are left out later.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(rows)
    return np.asarray(model.cluster_centers_, dtype=np.float32)


def _assigned(source: _Source, centres: Rows) -> NDArray[np.int32]:
    """The nearest centre of every document; empty clusters are left out of the numbering."""
    labels = np.empty(len(source), dtype=np.int32)
    half = np.einsum("kd,kd->k", centres, centres) / 2
    for part, rows in source.chunks():
        scores = rows @ centres.T
        scores -= half
        labels[part] = scores.argmax(axis=1)
    return _renumbered(labels)


def _renumbered(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    used = np.bincount(labels) > 0
    renumbered: NDArray[np.int32] = (np.cumsum(used, dtype=np.int32) - 1)[labels]
    return renumbered


def _split(source: _Source, labels: NDArray[np.int32], most: float, seed: int) -> NDArray[np.int32]:
    """`labels` with every cluster of more than `most` documents cut in two, and again, until none can be cut.

    A cluster of one and the same vector is left whole, however many documents have it: nothing tells them apart.
    """
    sizes = np.bincount(labels)
    waiting = [(np.flatnonzero(labels == big), int(big)) for big in np.flatnonzero(sizes > most)]
    after = len(sizes)
    while waiting:
        members, number = waiting.pop(0)
        draw = np.random.default_rng([seed, number, len(members)])
        other = _cut(source, members, draw)
        if other is None:
            continue
        labels[members[other]] = after
        waiting += [
            (side, name) for side, name in ((members[~other], number), (members[other], after)) if len(side) > most
        ]
        after += 1
    return labels


def _cut(source: _Source, members: NDArray[np.int64], draw: np.random.Generator) -> NDArray[np.bool_] | None:
    """Which of the members go to the new cluster; None where all are the same."""
    rows = source.sample(members, _BISECT_ROWS, draw)
    if float(np.ptp(rows, axis=0).max()) <= _SAME:
        return None
    first, second = _k_means(rows, 2, 1, draw)
    across = np.concatenate([part @ (second - first) for part in source.chunks_of(members)])
    other: NDArray[np.bool_] = across > float(second @ second - first @ first) / 2
    share = float(other.mean())
    if min(share, 1 - share) < _LOPSIDED and float(np.ptp(across[other == (share > 0.5)])) > _SAME:
        other = np.zeros(len(members), dtype=bool)
        other[np.argsort(across, kind="stable")[len(members) // 2 :]] = True
    return other if other.any() and not other.all() else None


def _merged(source: _Source, labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """`labels` with every cluster of fewer than `MERGE_BELOW` documents given to its nearest neighbour, in their order."""
    centroids, _ = _moments(source, labels)
    means = centroids.astype(np.float64)
    sizes = np.bincount(labels)
    for small in np.flatnonzero(sizes < MERGE_BELOW):
        if sizes[small] >= MERGE_BELOW or np.count_nonzero(sizes) == 1:
            continue
        distances = ((means - means[small]) ** 2).sum(axis=1)
        distances[(sizes == 0) | (np.arange(len(sizes)) == small)] = np.inf
        into = int(np.argmin(distances))
        means[into] = (means[into] * sizes[into] + means[small] * sizes[small]) / (sizes[into] + sizes[small])
        sizes[into] += sizes[small]
        sizes[small] = 0
        labels[labels == small] = into
    return _renumbered(labels)


def _moments(source: _Source, labels: NDArray[np.int32]) -> tuple[Rows, Rows]:
    """Mean and standard deviation of each cluster, (k, d) each."""
    from scipy.sparse import csr_matrix

    sizes = np.bincount(labels)
    sums, squares = np.zeros((2, len(sizes), source.width))
    for part, rows in source.chunks():
        wide = rows.astype(np.float64)
        among = csr_matrix((np.ones(len(rows)), (labels[part], np.arange(len(rows)))), (len(sizes), len(rows)))
        sums += among @ wide
        squares += among @ wide**2
    means = sums / sizes[:, None]
    spreads = np.sqrt(np.maximum(squares / sizes[:, None] - means**2, 0.0))
    return means.astype(np.float32), spreads.astype(np.float32)
