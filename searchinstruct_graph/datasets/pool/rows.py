"""Rows of bytes that grow without being copied."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 16


class ByteRows:
    """A growing table of one-byte numbers, in blocks of 65,536 rows."""

    def __init__(self) -> None:
        self._blocks: list[NDArray[np.int8]] = []
        self._count = 0

    def append(self, rows: NDArray[np.int8]) -> None:
        """Add rows at the end; all must be equally long."""
        while len(rows):
            at = self._count % _BLOCK
            if at == 0:
                self._blocks.append(np.zeros((_BLOCK, rows.shape[1]), dtype=np.int8))
            taken = rows[: _BLOCK - at]
            self._blocks[-1][at : at + len(taken)] = taken
            self._count += len(taken)
            rows = rows[len(taken) :]

    def take(self, numbers: NDArray[np.int64]) -> NDArray[np.int8]:
        """The rows of these numbers."""
        width = self._blocks[0].shape[1] if self._blocks else 0
        found = np.empty((len(numbers), width), dtype=np.int8)
        block = numbers // _BLOCK
        for at in np.unique(block):
            of_block = block == at
            found[of_block] = self._blocks[int(at)][numbers[of_block] % _BLOCK]
        return found
