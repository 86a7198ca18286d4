"""A linear map that brings a document near the pairs it yields, where the embedding itself cannot be trained.

EQUAL tunes its embedder on the warm-up's documents and pairs; static vectors have no weights to tune, so the map is learnt
on top of them, on the side of the documents. Pairs and target stay where they are. One thread computes, so that the map is the
same on any number of cores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]

LEAST_DOCUMENTS = 50
"""Documents with pairs below which there is too little to learn from: the map stays the identity."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """The map of the documents' vectors, or the identity."""

    matrix: NDArray[np.float32] | None
    """(d, d), applied to columns: a document d becomes W d. None: the identity."""

    def apply(self, vectors: ArrayLike) -> NDArray[np.float32]:
        """The (n, d) `vectors` of documents, mapped, as float32 rows of length 1; a zero row stays zero.

        Everything at once: whoever has a memmap hands it over in chunks.

        Raises:
            ValueError: the vectors are of another width than those the map was learnt on.
        """
        rows = np.asarray(vectors, dtype=np.float32)
        if self.matrix is not None:
            if rows.ndim != 2 or rows.shape[1] != len(self.matrix):
                raise ValueError(
                    f"vectors: the map was learnt on {len(self.matrix)} numbers, got the shape {rows.shape}"
                )
            rows = rows @ self.matrix.T
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        mapped: NDArray[np.float32] = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
        return mapped


def align(documents: ArrayLike, pairs: ArrayLike, owner: ArrayLike, *, ridge: float = 1.0) -> Alignment:
    """Learn the map from `documents` (n, d) and the `pairs` (p, d) they yielded; `owner` (p,) is the row of each pair's document.

    W = argmin Σ ‖W d − q̄_d‖² + ridge ‖W − 1‖² over the documents with pairs, q̄_d the mean of a document's pairs; in closed
    form W = (Q̄ᵀD + ridge 1)(DᵀD + ridge 1)⁻¹. The identity below `LEAST_DOCUMENTS`. InfoNCE steps from there on, which would be
    nearer to EQUAL's tuning, brought nothing reliable.

    Raises:
        ValueError: shapes that do not fit, an owner outside the documents, a number that is not finite, or a ridge not
            above 0.
    """
    from threadpoolctl import threadpool_limits

    texts, yielded, rows = _checked(documents, pairs, owner)
    if not ridge > 0:
        raise ValueError(f"ridge: must be above 0, got {ridge}")
    read, which, count = np.unique(rows, return_inverse=True, return_counts=True)
    if len(read) < LEAST_DOCUMENTS:
        return Alignment(None)
    texts = texts[read]
    mean = np.zeros_like(texts)
    np.add.at(mean, which, yielded)
    mean /= count[:, None]
    prior = ridge * np.eye(texts.shape[1])
    with threadpool_limits(limits=1):
        # Rows instead of columns: the system's solution is the map's transpose.
        matrix = np.linalg.solve(texts.T @ texts + prior, texts.T @ mean + prior).T
    return Alignment(np.ascontiguousarray(matrix, dtype=np.float32))


def _checked(documents: ArrayLike, pairs: ArrayLike, owner: ArrayLike) -> tuple[Matrix, Matrix, NDArray[np.int64]]:
    texts, yielded = np.asarray(documents, dtype=np.float64), np.asarray(pairs, dtype=np.float64)
    rows = np.asarray(owner)
    if not yielded.size and not rows.size:
        yielded, rows = yielded.reshape(0, texts.shape[-1]), rows.astype(np.int64)
    if texts.ndim != 2 or yielded.ndim != 2 or texts.shape[1] != yielded.shape[1]:
        raise ValueError(f"documents {texts.shape} and pairs {yielded.shape}: need two arrays of vectors of one width")
    if rows.shape != (len(yielded),) or not np.issubdtype(rows.dtype, np.integer):
        raise ValueError(
            f"owner: needs one whole number a pair, got {rows.dtype} {rows.shape} for {len(yielded)} pairs"
        )
    if len(rows) and (rows.min() < 0 or rows.max() >= len(texts)):
        raise ValueError(f"owner: a pair's document lies outside the {len(texts)} documents")
    if not (np.isfinite(texts).all() and np.isfinite(yielded).all()):
        raise ValueError("documents and pairs: a vector holds a number that is not finite")
    return texts, yielded, rows.astype(np.int64)
