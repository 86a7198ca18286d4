"""How near pairs lie to the target, and how near is near enough to be kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CHUNK = 1_024
"""Rows of the target that are compared at once with all of it."""


def nearest_distances(vectors: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 - cosine from each of `vectors` (p, d) to its nearest row of `target` (m, d), unit rows; shape (p,), 0 to 2."""
    if not len(vectors):
        return np.zeros(0, dtype=np.float32)
    distances: NDArray[np.float32] = np.clip(1.0 - (vectors @ target.T).max(axis=1), 0.0, 2.0)
    return distances


def farthest_kept(target: NDArray[np.float32], share: float) -> float:
    """The distance within which `share` of the target's rows have their nearest other row: what lies farther out is off
    target (our final filter; the paper keeps everything that was extracted). `target` (m, d): unit rows.
    """
    nearest = np.empty(len(target), dtype=target.dtype)
    for at in range(0, len(target), CHUNK):
        cosines = target[at : at + CHUNK] @ target.T
        own = np.arange(len(cosines))
        cosines[own, at + own] = -1.0
        nearest[at : at + CHUNK] = cosines.max(axis=1)
    return float(np.quantile(1.0 - nearest, share))
