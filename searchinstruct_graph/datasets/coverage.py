"""Where a dataset made from a task has holes: cells of keyword and Bloom level with fewer rows than their even part."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.database import reading
from searchinstruct_graph.datasets.rows import BLOOM
from searchinstruct_graph.datasets.run import read_run
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.embeddings import Embedder, embeddings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_PAIRS = 1_000
"""Rows of the run that stand for all as examples."""

BELONGS = 0.25
"""Cosine below which a pair is about none of the keywords."""


class Holes:
    """The unmet part of a run's quota. A cell is a keyword and a level: number = keyword × 6 + level."""

    def __init__(
        self,
        keywords: Sequence[str],
        open: Sequence[float],
        pairs: Sequence[Sequence[str]],
        *,
        embedder: Embedder,
    ) -> None:
        """`open` is what every cell lacks, in rows; `pairs` are question and answer of rows of the run."""
        import numpy as np

        self.keywords = list(keywords)
        self.open: NDArray[np.float64] = np.array(open, dtype=np.float64)
        self.pairs = [(question, answer) for question, answer in pairs]
        self._vectors = embedder.embed(self.keywords)

    def kept(self) -> dict[str, Any]:
        """What a run keeps of them, so that it does not depend on what becomes of the run that it covers."""
        return {"keywords": self.keywords, "open": self.open.tolist(), "pairs": self.pairs}

    def cells(self, vectors: NDArray[np.float32], levels: Sequence[str]) -> list[int]:
        """The cell of each pair: that of the keyword nearest to its vector, at its level; -1 for one that is near none."""
        if not len(vectors):
            return []
        cosines = vectors @ self._vectors.T
        nearest = cosines.argmax(axis=1)
        return [
            int(keyword) * len(BLOOM) + BLOOM.index(level) if cosines[row, keyword] >= BELONGS else -1
            for row, (keyword, level) in enumerate(zip(nearest, levels, strict=True))
        ]


def read_holes(folder: Path, embedding: str) -> Holes:
    """The holes of the run in `folder`.

    Raises:
        UsageError: `folder` holds no run, one that was not made from a task, or one whose every cell is full.
    """
    run = read_run(folder)
    if run["configuration"]["method"] != "ds2-instruct":
        raise UsageError(f"{folder} was not made from a task, so it has no quota to cover; name a run of build --task")
    counts: Counter[tuple[str, str]] = Counter()
    pairs = []
    with reading(folder / ledgers.NAME) as db:
        keywords = [keyword for (keyword,) in db.execute("SELECT keyword FROM keywords ORDER BY position")]
        for row in ledgers.read_rows(db):
            counts.update((keyword, row["origin"]["bloom"]) for keyword in row["origin"]["keywords"])
            pairs.append((row["instruction"], row["answer"]))
    if not keywords:
        raise UsageError(f"{folder} has no keywords yet; let it build first")
    quota = int(run["options"]["target"]) / (len(keywords) * len(BLOOM))
    lacking = [max(0.0, quota - counts[keyword, level]) for keyword in keywords for level in BLOOM]
    if not any(lacking):
        raise UsageError(f"{folder} has no holes: every keyword has its rows at every level")
    some = pairs if len(pairs) <= MOST_PAIRS else random.Random(0).sample(pairs, MOST_PAIRS)
    return Holes(keywords, lacking, some, embedder=embeddings(embedding))
