"""The passages of a corpus one by one, in the order of their places: whatever the history of its index."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from .index import Index
from .results import Passage


class Listing:
    """Every passage of a corpus as it was when it was opened, by source, URI and offset; of passages with equal title and text
    in one source the first.

    Holds eight bytes a passage. Safe to use from any thread.
    """

    def __init__(self, indexes: Sequence[Index]) -> None:
        digest = hashlib.sha256()
        self._indexes = list(indexes)
        self._ids: list[array[int]] = []
        for index in self._indexes:
            ids = array("q")
            for id_, key, start, end, sha256 in index.store.distinct_chunks():
                digest.update(f"{index.prefix}{key}\n{start}\n{end}\n{sha256}\n".encode("utf-8", "replace"))
                ids.append(id_)
            self._ids.append(ids)
        self._ends = list(accumulate(map(len, self._ids)))
        self.sha256 = digest.hexdigest()
        """Of the place and the document's text of every passage, in order."""

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def passage(self, number: int) -> Passage:
        """The passage with this number, from 0; its score is 0. Raises IndexError when there is none."""
        if not 0 <= number < len(self):
            raise IndexError(f"passage {number} of {len(self)}")
        at = bisect_right(self._ends, number)
        index = self._indexes[at]
        (row,) = index.store.chunks_by_id([self._ids[at][number - (self._ends[at - 1] if at else 0)]])
        return Passage(index.prefix + row.key, row.title, row.heading, row.start, row.end, row.text, 0.0)
