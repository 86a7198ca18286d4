"""One kind of hash that texts share: those of stored texts, and those of the texts that are just coming in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.datasets.pool.rows import ByteRows
from searchinstruct_graph.datasets.pool.runs import MOST, Indices, Runs, Words, heads

BUCKET = 64
"""Earliest texts under one hash that a new text is compared with."""

_PAIRS = 65_536
"""Pairs compared at once: bounds the memory that a template's many look-alikes take."""

Found = tuple[float, int]
"""How alike, and the number of the text."""
Measure = Callable[[NDArray[np.int8], NDArray[np.int8]], NDArray[np.float64]]
"""Similarity of each row of one table with the same row of another."""


class Family:
    """Candidates for the texts of one chunk, among what is stored and among the chunk's own earlier rows.

    A text of the chunk counts as soon as `admit` lets it in, so an answer does not depend on where chunks end.
    """

    def __init__(self) -> None:
        self.runs = Runs(BUCKET)
        self._asked: list[list[int]] = []
        self._room: list[list[int]] = []
        self._own: list[list[int]] = []
        self._seen: dict[int, list[int]] = {}

    def look(self, asked: Words, own: Words) -> tuple[Indices, Indices]:
        """Start a chunk whose row i is sought under the hashes `asked[i]` and will be stored under `own[i]`.

        Gives the pairs (row, stored number) that share a hash, each once, in order.
        """
        which, number = self.runs.find(asked.ravel())
        room = BUCKET - np.bincount(which, minlength=asked.size).reshape(asked.shape)
        self._asked = list(heads(asked).tolist())
        self._room = np.asarray(room).tolist()
        self._own = list(heads(own).tolist())
        self._seen = {}
        pairs = np.unique(which // asked.shape[1] * MOST + number)
        return pairs // MOST, pairs % MOST

    def mates(self, row: int) -> list[int]:
        """Admitted rows of this chunk that share a hash with `row`, in order."""
        seen = self._seen
        return sorted(
            {
                mate
                for hashed, room in zip(self._asked[row], self._room[row], strict=True)
                if room > 0 and hashed in seen
                for mate in seen[hashed][:room]
            }
        )

    def admit(self, row: int) -> None:
        """`row` is in: later rows of the chunk meet it."""
        for hashed in self._own[row]:
            self._seen.setdefault(hashed, []).append(row)


class Sketched:
    """A family whose candidates are measured on a byte sketch before anybody looks at their texts."""

    def __init__(self, measure: Measure, least: float) -> None:
        self.family = Family()
        self.rows = ByteRows()
        self._measure, self._least = measure, least
        self._sketch: NDArray[np.int8] = np.zeros((0, 0), dtype=np.int8)

    def look(self, asked: Words, own: Words, sketch: NDArray[np.int8]) -> list[list[Found]]:
        """As `Family.look`: for each row of the chunk, the stored texts that are alike enough."""
        rows, numbers = self.family.look(asked, own)
        self._sketch = sketch
        found: list[list[Found]] = [[] for _ in range(len(sketch))]
        for at in range(0, len(rows), _PAIRS):
            which, number = rows[at : at + _PAIRS], numbers[at : at + _PAIRS]
            values = self._measure(sketch[which], self.rows.take(number))
            for pair in np.flatnonzero(values >= self._least).tolist():
                found[which[pair]].append((float(values[pair]), int(number[pair])))
        return found

    def mates(self, row: int) -> list[Found]:
        """As `Family.mates`: the alike ones, by row of the chunk."""
        mates = self.family.mates(row)
        if not mates:
            return []
        values = self._measure(self._sketch[[row] * len(mates)], self._sketch[mates]).tolist()
        return [(value, mate) for value, mate in zip(values, mates, strict=True) if value >= self._least]
