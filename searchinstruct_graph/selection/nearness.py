"""How near pairs lie to the target, and how near is near enough to be kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def nearest_distances(vectors: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 - cosine from each of `vectors` (p, d) to its nearest row of `target` (m, d), unit rows; shape (p,), 0 to 2."""
    if not len(vectors):
        return np.zeros(0, dtype=np.float32)
    distances: NDArray[np.float32] = np.clip(1.0 - (vectors @ target.T).max(axis=1), 0.0, 2.0)
    return distances


def farthest_kept(target: NDArray[np.float32], share: float) -> float:
    """The distance within which `share` of the target's rows have their nearest other row: what lies farther out is off
    target (our final filter; the paper keeps everything that was extracted).
    """
    cosines = target @ target.T
    np.fill_diagonal(cosines, -1.0)
    return float(np.quantile(1.0 - cosines.max(axis=1), share))
