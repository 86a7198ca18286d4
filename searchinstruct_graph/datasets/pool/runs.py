"""Which texts hold a hash: (hash, ordinal) pairs in sorted runs, as a log-structured merge tree keeps them.

Eight bytes a pair, nothing else: a dict of lists would take ten times as much.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Indices = NDArray[np.int64]

ORDINAL_BITS = 24
MOST = 1 << ORDINAL_BITS
"""Most texts a pool can hold."""
_MASK = np.uint64(MOST - 1)


def heads(hashes: Words) -> Words:
    """The hashes as pairs with ordinal 0: their upper 40 bits."""
    return hashes & ~_MASK


class Runs:
    """Append (hash, ordinal) pairs with growing ordinals; ask for the first `cap` ordinals of many hashes at once.

    A hash that very many texts share (a template's own words) tells nothing, so what lies behind the cap is left to the
    text's other hashes: this bounds the work of a text.
    """

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._runs: list[Words] = []

    def add(self, hashes: Words, first: int) -> None:
        """Add the hashes of texts `first`, `first + 1`, ...: one row a text, any number of columns."""
        if not hashes.size:
            return
        ordinals = np.arange(first, first + len(hashes), dtype=np.uint64)
        pairs = (heads(hashes) | ordinals[:, None]).ravel()
        pairs.sort()
        self._runs.append(pairs)
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            late, early = self._runs.pop(), self._runs.pop()
            merged = np.concatenate([early, late])
            del early, late
            merged.sort()
            self._runs.append(merged)

    def find(self, hashes: Words) -> tuple[Indices, Indices]:
        """Pairs (index into `hashes`, ordinal), ordered by both; at most `cap` ordinals a hash, the lowest ones."""
        order = np.argsort(hashes, kind="stable")
        wanted = heads(hashes[order])
        held = [self._within(run, wanted) for run in self._runs]
        if not held:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        index = order[np.concatenate([which for which, _ in held])]
        ordinal = np.concatenate([found for _, found in held])
        by_both = np.lexsort((ordinal, index))
        index, ordinal = index[by_both], ordinal[by_both]
        rank = np.arange(len(index)) - np.searchsorted(index, index, "left")
        kept = rank < self._cap
        return index[kept], ordinal[kept]

    def _within(self, run: Words, wanted: Words) -> tuple[Indices, Indices]:
        low = np.searchsorted(run, wanted)
        reached = np.minimum(low, len(run) - 1)
        hit = np.flatnonzero(heads(run[reached]) == wanted)
        start = low[hit]
        stop = np.searchsorted(run, wanted[hit] | _MASK, "right")
        count = np.minimum(stop - start, self._cap)
        offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        return np.repeat(hit, count), (run[np.repeat(start, count) + offset] & _MASK).astype(np.int64)
