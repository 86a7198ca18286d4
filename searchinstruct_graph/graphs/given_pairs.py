"""Given pairs side by side: what else is asked, and the passages that answer it, searched in memory by embedding."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from searchinstruct_graph.agents.instructor import Neighbour
from searchinstruct_graph.agents.triplet_context import OTHERS
from searchinstruct_graph.datasets.pairs import TripletPair
from searchinstruct_graph.models.embeddings import Embedder
from searchinstruct_graph.text.words import same_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

NEAREST = 3 * OTHERS
"""Passages that a search gives: more than are used, since some say the same."""


class GivenPairs:
    """The pairs of a run as material for each of them (`contrast.Material`). Making one embeds every text: call it from a thread.

    Memory: the texts, and two vectors (float32) a pair.
    """

    def __init__(self, pairs: Sequence[TripletPair], embedder: Embedder) -> None:
        self._pairs, self._embedder = pairs, embedder
        first: dict[str, int] = {}
        for at, pair in enumerate(pairs):
            first.setdefault(same_text(pair["passage"]), at)
        self._distinct = list(first.values())
        """One pair of each passage, in order."""
        self._families: dict[str, list[int]] = {}
        for at in self._distinct:
            if family := pairs[at]["family"]:
                self._families.setdefault(family, []).append(at)
        self._passages = embedder.embed([pairs[at]["passage"] for at in self._distinct])
        self._queries = embedder.embed([pair["query"] for pair in pairs])

    async def kin(self, pair: TripletPair) -> list[Neighbour]:
        """The other passages of the pair's family, in order; none without a family."""
        held = self._families.get(pair["family"], []) if pair["family"] else []
        return [self._neighbour(at) for at in held if self._pairs[at]["passage"] != pair["passage"]]

    async def search(self, text: str) -> list[Neighbour]:
        """The passages nearest to a text, nearest first, each with a query that it answers."""
        nearest = await asyncio.to_thread(self._nearest, self._passages, text, NEAREST)
        return [self._neighbour(self._distinct[at]) for at in nearest]

    async def alike(self, pair: TripletPair, count: int) -> list[Neighbour]:
        """The passages of the `count` other pairs whose queries are nearest to the pair's, each with its query."""
        asked = same_text(pair["query"])
        nearest = await asyncio.to_thread(self._nearest, self._queries, pair["query"], 2 * count + OTHERS)
        others = (self._neighbour(at) for at in nearest if same_text(self._pairs[at]["query"]) != asked)
        return list(others)[:count]

    def _neighbour(self, at: int) -> Neighbour:
        pair = self._pairs[at]
        return Neighbour(pair["passage"], pair["uri"], pair["title"], pair["query"])

    def _nearest(self, vectors: Vectors, text: str, count: int) -> list[int]:
        """The rows nearest to a text, nearest first; of equals the first."""
        import numpy as np

        scores = vectors @ self._embedder.embed([text])[0]
        best = np.arange(len(scores))
        if count < len(scores):
            # Whatever is as near as the last one stays, so that ties are broken by their order.
            best = np.flatnonzero(scores >= np.partition(scores, -count)[-count])
        order = np.lexsort((best, -scores[best]))
        return [int(at) for at in best[order][:count]]
